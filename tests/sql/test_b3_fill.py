"""B3's file into sessions that the feed captured: what is missing comes in, by number or by what it is, never twice."""

import datetime as dt
import itertools
import random
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql import b3_apart, b3_files, tape_ledger, ticks
from sql.archive import archive_day
from sql.b3_files import RefusedFileError, import_file
from sql.cold import ColdStore
from sql.completeness import judge
from sql.evidence import Tiers
from sql.sync import sync_table
from sql.tables import FOREIGN, TICKS, Flag
from sql.verify import verify
from tests.sql.b3_made import line, text, zipped

NUMBER = itertools.count(1)
LATER = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
SESSION = dt.date(2026, 7, 14)
OPENING = dt.datetime(2026, 7, 14, 13, tzinfo=dt.UTC)
OLD = dt.date(2025, 1, 15)  # no other test writes it

pytestmark = pytest.mark.usefixtures("hot_is_complete")


@pytest.fixture
def symbol():
    return f"F{next(NUMBER)}X{random.randrange(10**6)}"


@pytest.fixture
def bring(hot, warm, tmp_path):
    """Imports lines as a zip."""

    def run(*lines, name="day.zip"):
        return import_file(zipped(tmp_path / name, text(*lines), "14-07-2026_X.txt"), hot, warm, tmp_path, now=LATER)

    return run


def filed(symbol, number, *, ms, price="41,200", quantity=100, day="2026-07-14", **more):
    clock = (dt.datetime(2026, 7, 14, 10) + dt.timedelta(milliseconds=ms)).strftime("%H%M%S%f")[:9]
    return line(symbol, number, clock=clock, price=price, quantity=quantity, day=day, **more)


def fed(symbol, number, *, ms, price=41.2, quantity=100, flags=0, session=SESSION):
    return {
        "ts": dt.datetime.combine(session, dt.time(13), dt.UTC) + dt.timedelta(milliseconds=ms),
        "symbol": symbol,
        "session": session,
        "trade_id": number,
        "price": price,
        "quantity": quantity,
        "aggressor": "BUYER",
        "buyer": 85,
        "seller": 8,
        "flags": flags,
        "received_at": OPENING,
        "source": "profitdll",
    }


def feed(hot, *rows):
    ticks.store(hot, pl.DataFrame(list(rows), schema=TICKS.polars))
    hot.wait_applied(TICKS)


def stored(hot, symbol):
    hot.wait_applied(TICKS)
    where = f"symbol = '{symbol}' ORDER BY session, trade_id"
    return hot.frame(f"SELECT {', '.join(TICKS.names)} FROM ticks WHERE {where}", TICKS)


def accounted(report):
    return report.new + report.repeated + report.cancelled + report.edited + report.refused + report.empty


def test_where_numbers_mean_the_same_trades_a_gap_is_filled_by_number(hot, symbol, bring):
    feed(hot, *(fed(symbol, 10 * n, ms=7 * n) for n in range(1, 40) if n not in (20, 21)))
    lines = [filed(symbol, 10 * n, ms=7 * n) for n in range(1, 40)]
    report = bring(*lines)
    taken = hot.wait_applied(TICKS).taken
    again = bring(*lines)

    rows = stored(hot, symbol)
    assert (report.new, report.repeated, report.matched) == (2, 37, [])
    assert rows["trade_id"].to_list() == [10 * n for n in range(1, 40)]
    assert rows.filter(pl.col("source") == "b3").select("trade_id", "flags").rows() == [(200, 0), (210, 0)]
    assert (again.new, again.repeated, hot.wal(TICKS).taken) == (0, 39, taken)


def test_a_contradiction_within_one_numbering_is_quarantined(hot, symbol, bring):
    feed(hot, *(fed(symbol, 10 * n, ms=n) for n in range(1, 1100)))
    report = bring(*(filed(symbol, 10 * n, ms=n, price="9,000" if n == 500 else "41,200") for n in range(1, 1100)))

    assert (report.repeated, report.refused) == (1098, 1)
    assert report.refusals[0].line == 501
    assert stored(hot, symbol)["price"].unique().to_list() == [41.2]


@pytest.mark.parametrize("window", [3, 500_000])
def test_where_numbers_differ_only_what_is_not_there_goes_in(hot, symbol, bring, monkeypatch, window):
    monkeypatch.setattr(b3_apart, "WINDOW_ROWS", window)
    minute = 60_000
    feed(hot, *(fed(symbol, n, ms=minute * (n // 2)) for n in range(1, 40) if n != 20))
    lines = [filed(symbol, 10 * n, ms=minute * (n // 2)) for n in range(1, 40)]
    report = bring(*lines)
    taken = hot.wait_applied(TICKS).taken
    again = bring(*lines)

    rows = stored(hot, symbol).filter(pl.col("source") == "b3")
    assert (report.new, report.repeated, report.matched) == (1, 38, [f"{symbol} 2026-07-14"])
    assert rows["flags"].to_list() == [Flag.FOREIGN_NUMBER]
    assert rows["trade_id"][0] - FOREIGN in (200, 210)  # both are trades of that moment
    assert (again.new, again.repeated, hot.wal(TICKS).taken) == (0, 39, taken)


def test_few_numbers_in_common_prove_nothing(hot, symbol, bring):
    feed(hot, fed(symbol, 10, ms=1), fed(symbol, 20, ms=2))
    report = bring(*(filed(symbol, 10 * n, ms=n) for n in range(1, 4)))

    assert (report.new, report.repeated) == (1, 2)
    assert stored(hot, symbol)["trade_id"].to_list() == [10, 20, 30 + FOREIGN]


def test_cancellations_reach_the_rows_of_the_feed(hot, symbol, bring):
    feed(hot, fed(symbol, 1, ms=1), fed(symbol, 2, ms=2))
    lines = [
        filed(symbol, 10, ms=1),
        filed(symbol, 20, ms=2),
        filed(symbol, 10, ms=1, action=2),
        filed(symbol, 30, ms=3),
        filed(symbol, 30, ms=3, action=2),
    ]
    report, again = bring(*lines), bring(*lines)

    rows = stored(hot, symbol)
    assert rows.select("trade_id", "flags", "source").rows() == [
        (1, Flag.CANCELLED, "profitdll"),
        (2, 0, "profitdll"),
        (30 + FOREIGN, Flag.CANCELLED | Flag.FOREIGN_NUMBER, "b3"),
    ]
    assert (report.new, report.repeated, report.cancelled, accounted(report)) == (1, 2, 2, 5)
    assert (again.new, again.repeated, again.cancelled) == (0, 5, 0)


def test_an_after_market_trade_that_the_feed_told_is_not_told_again(hot, symbol, bring):
    late = 8 * 3_600_000 + 45 * 60_000  # 18:45 in São Paulo
    feed(hot, fed(symbol, 7, ms=late), fed(symbol, 3, ms=0))
    after = {"kind": 6, "session": "2026-07-14", "day": "2026-07-15", "clock": "020118304", "quantity": 100}
    report = bring(line(symbol, 900, price="41,200", **after), line(symbol, 910, price="41,210", **after))

    assert (report.new, report.repeated) == (1, 1)
    assert stored(hot, symbol)["trade_id"].to_list() == [3, 7, 910 + FOREIGN]


@pytest.mark.parametrize("call", range(1, 6))
def test_an_import_that_dies_while_it_matches_and_is_run_again_is_exact(hot, symbol, bring, monkeypatch, call):
    monkeypatch.setattr(b3_apart, "WINDOW_ROWS", 3)
    feed(hot, *(fed(symbol, n, ms=60_000 * (n // 2)) for n in range(1, 30, 2)))
    lines = [filed(symbol, 10 * n, ms=60_000 * (n // 2)) for n in range(1, 30)]
    lines += [filed(symbol, 10 * n, ms=60_000 * (n // 2), action=2) for n in (3, 4, 5)]
    store, calls = ticks.store, itertools.count(1)

    def dying(*args, **options):
        done = store(*args, **options)
        if next(calls) == call:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(ticks, "store", dying)
        with pytest.raises(KeyboardInterrupt):
            bring(*lines)
    report = bring(*lines)

    rows = stored(hot, symbol)
    assert rows.height == 29
    assert Counter(rows["ts"]) == Counter(fed(symbol, n, ms=60_000 * (n // 2))["ts"] for n in range(1, 30))
    assert rows.filter((pl.col("flags") & int(Flag.CANCELLED)) != 0).height == 3
    assert accounted(report) == len(lines)


def test_a_session_that_only_the_cold_tier_holds_is_refused(warm, symbol, bring):
    with warm.connect() as connection:
        connection.execute(
            "INSERT INTO receipts (table_name, day, tier, rows, sums, digest, made_at) "
            "VALUES ('ticks', '2024-01-10', 'cold', 5, '{}', 'x', now())"
        )
    with pytest.raises(RefusedFileError, match="2024-01-10 is in the cold tier alone"):
        bring(filed(symbol, 10, ms=1, day="2024-01-10"))
    with warm.connect() as connection:
        connection.execute("DELETE FROM receipts WHERE day = '2024-01-10'")


@pytest.mark.parametrize("step", [10, 1])
def test_the_ledger_hears_of_the_file_that_proves_a_session(hot, warm, symbol, bring, step):
    """`step`: the file's numbers are the feed's, or others."""
    feed(hot, *(fed(symbol, 10 * n, ms=7 * n) for n in range(1, 40) if n not in (20, 21)))
    before = judge(hot, warm, symbol, SESSION)
    bring(*(filed(symbol, step * n, ms=7 * n) for n in range(1, 40)))
    (session,) = tape_ledger.sessions(warm, symbol=symbol)
    (gap,) = [gap for gap in tape_ledger.gaps(warm, symbol=symbol) if gap.kind == "inner"]

    assert (before.proof.state, before.missing) == ("unproven", 2)
    assert (session.state, session.missing, session.trades) == ("proven", 0, 39)
    assert session.reference_source == "b3:day.zip"
    assert (gap.state, gap.filled_by) == ("filled", "b3:day.zip")


@pytest.fixture
def below_the_floor(hot, warm):
    """Hot is complete from a later day on; what was before is in warm alone."""
    floor = dt.datetime(2025, 2, 1, tzinfo=dt.UTC)
    with warm.connect() as connection:
        before = connection.execute("SELECT hot_from FROM sync_control WHERE stream = 'ticks'").fetchone()
        connection.execute(
            "INSERT INTO sync_control (stream, last_synced, updated_at, hot_from) VALUES ('ticks', %s, now(), %s) "
            "ON CONFLICT (stream) DO UPDATE SET hot_from = excluded.hot_from",
            (floor, floor),
        )

    def forget():
        sync_table(TICKS, hot, warm, day=OLD)
        hot.execute(f"ALTER TABLE ticks DROP PARTITION LIST '{OLD}'")
        hot.wait_applied(TICKS)

    yield forget
    with warm.connect() as connection:
        if before:
            connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = 'ticks'", (before["hot_from"],))
        else:
            connection.execute("DELETE FROM sync_control WHERE stream = 'ticks'")


@pytest.mark.parametrize("step", [10, 1])
def test_below_the_floor_what_is_missing_goes_to_warm_and_cold_once(
    hot, warm, symbol, bring, tmp_path, below_the_floor, monkeypatch, step
):
    """`step`: the file's numbers are the feed's, or others."""
    feed(hot, *(fed(symbol, 10 * n, ms=7 * n, session=OLD) for n in range(1, 40) if n not in (20, 21)))
    below_the_floor()
    lines = [filed(symbol, step * n, ms=7 * n, day=str(OLD)) for n in range(1, 40)]
    with monkeypatch.context() as patch:  # killed before the sync, and run again
        patch.setattr(b3_files, "_bring_below", lambda *_: None)
        first = bring(*lines)
    half = bring(*lines)
    again = bring(*lines)
    cold = ColdStore(tmp_path / "cold", [TICKS])
    archive_day(TICKS, OLD, warm, cold)
    told = warm.rows("SELECT trade_id, source, aggressor FROM ticks WHERE symbol = %s ORDER BY ts", (symbol,))

    assert [(r.new, r.repeated) for r in (first, half, again)] == [(2, 37), (0, 39), (0, 39)]
    assert [row["source"] for row in told] == ["b3" if n in (20, 21) else "profitdll" for n in range(1, 40)]
    assert all(row["aggressor"] == "BUYER" for row in told if row["source"] == "profitdll")
    verdict = verify([TICKS], Tiers(hot, warm, cold), today=LATER.date(), day=OLD)
    assert verdict.holds, verdict.differences
    with warm.connect() as connection:
        connection.execute("DELETE FROM ticks WHERE symbol = %s", (symbol,))
        connection.execute("DELETE FROM receipts WHERE table_name = 'ticks' AND day = %s", (OLD,))


truths = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([41.2, 41.3]), st.integers(1, 2)), min_size=1, max_size=12
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(truths, st.data(), st.sampled_from([(10, 0), (10, 10), (7, 3)]))
def test_capture_with_losses_and_files_end_with_each_trade_once(hot, bring, truth, data, scheme):
    symbol, (step, shift) = f"G{next(NUMBER)}X{random.randrange(10**6)}", scheme
    truth = sorted(truth, key=lambda t: t[0])
    live = [fed(symbol, 10 * n, ms=ms, price=p, quantity=q) for n, (ms, p, q) in enumerate(truth, 1)]
    lines = [
        filed(symbol, step * n + shift, ms=ms, price=f"{p:.3f}".replace(".", ","), quantity=q)
        for n, (ms, p, q) in enumerate(truth, 1)
    ]
    lost = data.draw(st.sets(st.integers(0, 11)))
    told = [row for n, row in enumerate(live) if n not in lost]
    if told:
        feed(hot, *told)
    reports = [bring(*part) for part in (lines[: data.draw(st.integers(0, 12))], lines, lines)]

    assert Counter(stored(hot, symbol).select("ts", "price", "quantity").rows()) == Counter(
        (row["ts"], row["price"], row["quantity"]) for row in live
    )
    assert [accounted(report) for report in reports[1:]] == [len(lines)] * 2
    assert (reports[2].new, reports[2].repeated) == (0, len(lines))
