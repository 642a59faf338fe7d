import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sql.coverage import DAY as ONE_DAY
from sql.coverage import Coverage, HotDays, WarmDays, start_of
from sql.tables import TICKS
from sql.tape import INTERVALS, Span, Tape, key_of, seconds_of
from tests.api.conftest import DAY, SYMBOLS, a_day, put, trades

TIERS = ("hot", "warm", "cold")
KEY = ["ts", "symbol", "session", "trade_id"]
_names = itertools.count()


def span(symbol: str | None = None, first: dt.date = DAY, days: int = 1) -> Span:
    return Span(symbol, start_of(first), start_of(first) + days * ONE_DAY)


def only(tape: Tape, tier: str) -> Tape:
    """The same stores, of which one alone is said to have rows."""
    days = {DAY + number * ONE_DAY: 3000 for number in range(2)}
    hot = HotDays(
        rows=days if tier == "hot" else {}, bytes=0, first_ts=None, last_ts=None, txn=1, pending=0, suspended=False
    )
    warm = WarmDays(
        rows=days if tier == "warm" else {}, cold_rows={}, digests={}, synced_at=None, synced_txn=0, hot_from=None
    )
    found = Coverage(hot=hot, warm=warm, cold=frozenset(days if tier == "cold" else ()), cold_bytes=0, away={})
    return Tape(tape.hot, tape.warm, tape.cold, survey=lambda *_: found)


def all_rows(tape: Tape, asked: Span, limit: int) -> list:
    rows, after = [], None
    while True:
        page = tape.page(asked, limit, after)
        assert len(page.rows) <= limit
        rows += page.rows
        if page.after is None:
            return rows
        after = page.after


def wanted(days: int = 1) -> pl.DataFrame:
    return pl.concat([a_day(DAY + number * ONE_DAY) for number in range(days)]).sort(KEY)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("limit", [1000, 997, 10_000])
def test_every_tier_gives_every_row_once_and_in_the_same_order(tape, tier, limit):
    rows = all_rows(only(tape, tier), span(days=2), limit)

    assert [key_of(row) for row in rows] == [tuple_key(row) for row in wanted(2).iter_rows(named=True)]
    assert rows == all_rows(only(tape, "hot"), span(days=2), 10_000)


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_keeps_to_one_symbol_and_to_a_half_open_range(tape, tier):
    since = start_of(DAY) + dt.timedelta(hours=13, seconds=7)
    asked = Span(SYMBOLS[1], since, since + dt.timedelta(seconds=7))
    rows = only(tape, tier).page(asked, 1000).rows

    chosen = wanted().filter(
        (pl.col("symbol") == SYMBOLS[1]) & (pl.col("ts") >= asked.since) & (pl.col("ts") < asked.until)
    )
    assert [row.trade_id for row in rows] == chosen["trade_id"].to_list()
    assert rows


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    limit=st.integers(1, 12),
    late=st.lists(st.integers(0, 4), max_size=5),
)
def test_paging_over_ties_gives_every_row_exactly_once_even_while_rows_come_late(tape, seconds, limit, late):
    symbol = f"TIE{next(_names)}"
    day = DAY + 30 * ONE_DAY
    put(tape.hot, trades([(second, symbol, number) for number, second in enumerate(seconds)], day))
    asked = Span(symbol, start_of(day), start_of(day) + ONE_DAY)
    first = tape.page(asked, limit)
    if late:
        put(tape.hot, trades([(second, symbol, 1000 + number) for number, second in enumerate(late)], day))
    rows, after = list(first.rows), first.after
    while after:
        page = tape.page(asked, limit, after)
        rows += page.rows
        after = page.after

    keys = [key_of(row) for row in rows]
    there = [row.trade_id for row in rows if row.trade_id < 1000]
    assert keys == sorted(keys, key=lambda key: (key.ts, key.symbol, key.session, key.trade_id))
    assert sorted(there) == list(range(len(seconds)))
    assert len(set(map(tuple_of, keys))) == len(keys)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("interval", ["1s", "1m", "5m", "1d"])
def test_candles_are_those_of_the_valid_trades_in_every_tier(tape, tier, interval):
    found = only(tape, tier).candles(span(SYMBOLS[0], days=2), interval)

    expected = (
        wanted(2)
        .filter((pl.col("symbol") == SYMBOLS[0]) & (pl.col("flags") % 2 == 0))
        .sort(KEY)
        .group_by(pl.col("ts").dt.truncate(interval), maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("quantity").sum(),
            trades=pl.len(),
        )
        .sort("ts")
    )
    assert [tuple_of(row) for row in found.rows] == expected.rows()


def test_an_open_and_a_close_follow_the_trade_number_not_the_arrival(tape):
    day = DAY + 31 * ONE_DAY
    for number in (3, 1, 4, 2):
        put(tape.hot, trades([(0, "ORDER", number)], day))
    (candle,) = tape.candles(Span("ORDER", start_of(day), start_of(day) + ONE_DAY), "1m").rows

    assert (candle.open, candle.close) == (101.0, 104.0)


def test_every_interval_divides_a_day_and_works_in_hot(tape):
    for interval in INTERVALS:
        assert 86_400 % seconds_of(interval) == 0
        assert tape.candles(span(SYMBOLS[0]), interval).rows, interval


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("symbol", [None, "PETR4"])
def test_a_whole_range_is_one_file_of_the_contract_from_any_tier(tape, tier, symbol, tmp_path):
    chosen = only(tape, tier)
    asked = span(symbol, days=2)
    chosen.write(asked, chosen.source(asked), tmp_path / "range.parquet")

    frame = pl.read_parquet(tmp_path / "range.parquet")
    expected = wanted(2).filter(pl.col("symbol") == symbol) if symbol else wanted(2)
    assert frame.schema == TICKS.polars
    assert frame.equals(expected)


def test_a_range_over_tiers_is_stitched_without_loss(tape):
    found = Coverage(
        hot=HotDays(
            rows={DAY + ONE_DAY: 3000}, bytes=0, first_ts=None, last_ts=None, txn=1, pending=0, suspended=False
        ),
        warm=None,
        cold=frozenset({DAY}),
        cold_bytes=0,
        away={"warm": "does not answer"},
    )
    stitched = Tape(tape.hot, tape.warm, tape.cold, survey=lambda *_: found)
    page = stitched.page(span(days=2), 10_000)

    assert page.tiers == ("cold", "hot")
    assert [row.trade_id for row in page.rows] == wanted(2)["trade_id"].to_list()
    assert [key_of(row) for row in all_rows(stitched, span(days=2), 700)] == [key_of(row) for row in page.rows]


def test_the_last_day_is_that_of_the_symbol(tape):
    put(tape.hot, trades([(0, "OLDONE", 1)], DAY - 10 * ONE_DAY))

    assert tape.last_day("OLDONE") == DAY - 10 * ONE_DAY
    assert tape.last_day("NOSUCH") == tape.last_day(None) > DAY


def test_an_unknown_symbol_has_no_rows(tape):
    assert tape.page(span("NOSUCH"), 10).rows == []
    assert tape.candles(span("NOSUCH"), "1m").rows == []


def tuple_key(row: dict) -> tuple:
    from sql.tape import Key

    return Key(row["ts"], row["symbol"], row["session"], row["trade_id"])


def tuple_of(struct) -> tuple:
    from msgspec.structs import astuple

    return astuple(struct)
