"""Tapes: a stored day and a B3 file arrive from the simulator as they were."""

import datetime as dt
import sys

import numpy as np
import polars as pl
import pytest

from realtime import tapes
from realtime.tapes import HEADER, MOST_SYMBOLS, RECORD, SYMBOL, TapeError
from sql.b3_source import RefusedFileError
from sql.tables import TICKS, Flag
from tests.realtime import capture_scenes as scenes
from tests.realtime.spooled import Back, ticks_of
from tests.sql.b3_made import line, text

DAY = dt.date(2026, 11, 19)
SAID = ["ts", "symbol", "trade_id", "price", "quantity", "aggressor", "buyer", "seller", "flags"]


def day(count: int = 3000, **columns: object) -> pl.DataFrame:
    """An invented day of two symbols with many equal times, hidden brokers and cancelled trades."""
    number = pl.int_range(count, eager=True)
    opening = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)
    made = pl.DataFrame({"n": number}).select(
        ts=pl.lit(opening) + pl.duration(milliseconds=pl.col("n") // 3 * 250),
        symbol=pl.when(pl.col("n") % 2 == 0).then(pl.lit("WINZ26")).otherwise(pl.lit("TAPE3")),
        session=pl.lit(DAY),
        trade_id=(pl.col("n") + 1) * 10,
        price=pl.when(pl.col("n") % 2 == 0).then(131_250.0 + pl.col("n") % 9 * 5).otherwise(38.42),
        quantity=1 + pl.col("n") % 50,
        aggressor=pl.lit(pl.Series(["BUYER", "SELLER", "AUCTION", None])).gather(pl.col("n") // 2 % 4),
        buyer=pl.when(pl.col("n") % 7 > 0).then(3 + pl.col("n") % 7),
        seller=pl.when(pl.col("n") % 5 > 0).then(85),
        flags=pl.when(pl.col("n") % 100 == 99).then(int(Flag.CANCELLED)).otherwise(0),
        received_at=pl.lit(opening),
        source=pl.lit("profitdll"),
    )
    return made.with_columns(**columns).select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)


def read(path):
    """(names, records) of a tape."""
    data = path.read_bytes()
    magic, symbols, size, records = HEADER.unpack_from(data)
    assert (magic, size) == (b"SIMTAPE1", 64)
    names = [SYMBOL.unpack_from(data, 64 + 64 * k)[0].rstrip(b"\0").decode() for k in range(symbols)]
    found = np.frombuffer(data, RECORD, offset=64 + 64 * symbols)
    assert len(found) == records
    return names, found


@pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")
def test_a_stored_day_arrives_from_the_simulator_as_it_was_stored(tmp_path):
    stored = day()
    shuffled = stored.sample(fraction=1, shuffle=True, seed=3)
    written = tapes.from_ticks(tmp_path / "day.tape", [shuffled[:1000], shuffled[1000:]])
    scenes.played(scenes.tape, tmp_path)
    back = ticks_of(Back(tmp_path / "spool"), DAY)

    assert (written.trades, written.cancelled, set(written.symbols)) == (3000, 30, {"WINZ26", "TAPE3"})
    assert back.sort("trade_id").select(SAID).equals(stored.select(SAID))


def test_records_stand_in_the_order_of_time_and_a_cancellation_follows_its_trade(tmp_path):
    tapes.from_ticks(tmp_path / "day.tape", [day(300).reverse()])
    names, records = read(tmp_path / "day.tape")

    assert set(names) == {"WINZ26", "TAPE3"}
    assert (np.diff(records["time_ms"]) >= 0).all()
    first = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=int(records["time_ms"][0]))
    assert first == dt.datetime(2026, 11, 19, 9)  # São Paulo's clock
    edits = np.flatnonzero(records["flags"])
    assert records["number"][edits].tolist() == [1000, 2000, 3000]
    assert records["quantity"][edits].tolist() == [0, 0, 0]
    assert all((records["number"][:at] == records["number"][at]).sum() == 1 for at in edits)
    assert [path.name for path in tmp_path.iterdir()] == ["day.tape"]


def test_the_same_rows_make_the_same_tape_in_whatever_parts_they_come(tmp_path):
    rows = day(400, flags=pl.lit(int(Flag.CANCELLED)))
    for name, size in (("one", 400), ("many", 7)):
        tapes.from_ticks(tmp_path / name, [rows[start : start + size] for start in range(0, 400, size)])

    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_a_b3_file_becomes_what_the_store_would_make_of_it(tmp_path):
    file = tmp_path / "14-07-2026.txt"
    lines = [
        line("WINQ26", 10, price="131250,000", quantity=2, clock="090000100"),
        line("PETR4", 20, price="41,20", quantity=100, clock="100000200"),
        line("WINQ26", 30, price="131255,000", quantity=1, clock="090000300", brokers=";"),
        line("WINQ26", 10, price="131250,000", quantity=2, clock="090000100", action=2),
        line("WINQ26", 30, price="131255,000", quantity=1, clock="090000300", brokers=";"),
        line("VALE3", 40, price="61,87", quantity=100, clock="100000400"),
        "no trade",
    ]
    file.write_text(text(*lines), encoding="utf-8")
    written = tapes.from_b3(tmp_path / "day.tape", file, ["WINQ26", "PETR4"])
    names, records = read(tmp_path / "day.tape")
    told = [
        (names[r["symbol"]], r["number"], r["price"], r["quantity"], r["buyer"], r["seller"], r["type"], r["flags"])
        for r in records
    ]

    assert (written.trades, written.cancelled, written.refused) == (3, 1, 1)
    assert told == [
        ("WINQ26", 10, 131_250.0, 2, 85, 8, 32, 0),
        ("WINQ26", 10, 131_250.0, 0, 85, 8, 32, 1),
        ("WINQ26", 30, 131_255.0, 1, 0, 0, 32, 0),
        ("PETR4", 20, 41.2, 100, 85, 8, 32, 0),
    ]
    assert records["time_ms"][0] % 86_400_000 == 9 * 3_600_000 + 100
    assert records["volume"][0] == 131_250.0 * 2 * 0.2


def test_what_cannot_be_put_on_a_tape_leaves_nothing(tmp_path):
    path = tmp_path / "out" / "day.tape"
    many = pl.Series([f"SYM{n % (MOST_SYMBOLS + 1)}" for n in range(100)])
    for part, said in (
        (day(0), "no trades"),
        (day(10, price=pl.lit(0.0)), "price above zero"),
        (day(10, trade_id=pl.lit(1 << 32)), "32-bit"),
        (day(100, symbol=many), "34 symbols at most, found 35"),
    ):
        with pytest.raises(TapeError, match=said):
            tapes.from_ticks(path, [part])
    (tmp_path / "other.txt").write_text("Data;Hora\n", encoding="utf-8")
    with pytest.raises(RefusedFileError):
        tapes.from_b3(path, tmp_path / "other.txt")
    (tmp_path / "b3.txt").write_text(text(line("PETR4")), encoding="utf-8")
    with pytest.raises(TapeError, match=r"b3\.txt has no trades of VALE3"):
        tapes.from_b3(path, tmp_path / "b3.txt", ["PETR4", "VALE3"])

    assert list(path.parent.iterdir()) == []
