"""Daily aggregates: written twice they are there once, and they move through all tiers as ticks do."""

import datetime as dt

import polars as pl
import pytest

from sql import daily
from sql.archive import archive_table
from sql.cold import ColdStore
from sql.evidence import Tiers
from sql.hot import shaped
from sql.sync import sync_table
from sql.tables import DAILY
from sql.verify import verify
from tests.tape import DAY, HOUR, NOON, cold_rows, drop, hot_rows, new_table, put, warm_rows


def aggregates(symbol: str, trades: list[int], *, since: dt.datetime = NOON, **columns: object) -> pl.DataFrame:
    """One row an hour; what is not said is null."""
    made = pl.DataFrame(
        {
            "ts": [since + n * HOUR for n in range(len(trades))],
            "symbol": symbol,
            "session": since.date(),
            "volume": [100.0 * n for n in trades],
            "quantity": [2 * n for n in trades],
            "trades": trades,
            "received_at": since,
            "source": "simulator",
            **columns,
        }
    )
    silent = [pl.lit(None).alias(name) for name in DAILY.names if name not in made.columns]
    return shaped(made.with_columns(silent), DAILY)


def test_written_twice_is_written_once_and_no_transaction_has_two_hours(hot):
    rows = aggregates("DAILY1", [3, 5, 9], close=38.42)
    daily.store(hot, rows)
    daily.store(hot, rows.with_columns(received_at=rows["received_at"] + HOUR))
    hot.wait_applied(DAILY)
    stored = hot.frame("SELECT * FROM daily WHERE symbol = 'DAILY1' ORDER BY ts", DAILY)
    state = hot.wal(DAILY)
    spans = [each for each in hot.transactions(DAILY, state, 0) if each.since and each.since.date() == DAY]

    assert stored.drop("received_at").equals(rows.drop("received_at"), null_equal=True)
    assert len(spans) >= 6
    assert all(each.since == each.last for each in spans)


@pytest.fixture
def moving(hot, warm):
    made = new_table(hot, warm, DAILY)
    yield made
    drop(made, hot, warm)


def test_aggregates_move_through_all_tiers_and_are_proven(hot, warm, moving, tmp_path):
    cold = ColdStore(tmp_path / "cold", [moving])
    put(hot, moving, aggregates("WINZ26", [3, 5, 9], open=131_000.0, min_limit=None))
    put(hot, moving, aggregates("PETR4", [0, 2], open=0.0, open_contracts=[None, 7]))
    sync_table(moving, hot, warm)
    archive_table(moving, warm, cold)
    verdict = verify([moving], Tiers(hot, warm, cold), today=DAY + dt.timedelta(days=1), strict=True)

    assert verdict.holds, verdict.differences
    assert [day.proven for day in verdict.days] == [True]
    assert warm_rows(warm, moving).equals(hot_rows(hot, moving), null_equal=True)
    assert cold_rows(cold, moving, DAY).equals(hot_rows(hot, moving), null_equal=True)
