"""A day in numbers: the same from both tiers, in UTC."""

import datetime as dt

from sql.archive import archive_day
from sql.day_facts import DayFacts, compression_ratio, of_cold, of_warm
from sql.sync import sync_table
from tests.tape import DAY, NOON, put, ticks


def test_both_tiers_tell_the_same_of_a_day(hot, warm, cold, table):
    put(hot, table, ticks(90))
    put(hot, table, ticks(7, since=NOON + dt.timedelta(hours=11, minutes=59), first_id=500))
    put(hot, table, ticks(5, since=NOON + dt.timedelta(hours=12), first_id=900))
    sync_table(table, hot, warm)
    archive_day(table, DAY, warm, cold)
    from_warm, from_cold = of_warm(table, DAY, warm), of_cold(table, DAY, cold)

    assert from_warm.rows == from_cold.rows == 97
    assert from_warm.newest == from_cold.newest == dt.datetime(2026, 11, 18, 23, 59, 6, tzinfo=dt.UTC)
    assert from_warm.minutes == from_cold.minutes == {720: 60, 721: 30, 1439: 7}
    assert from_warm.largest == from_cold.largest == (("WINZ26", 33), ("PETR4", 32), ("WDOZ26", 32))
    assert from_cold.bytes == cold.path(table, DAY).stat().st_size
    assert from_warm.bytes > 0
    assert compression_ratio(cold.path(table, DAY)) > 0


def test_a_day_without_rows_has_no_facts(warm, cold, table):
    assert of_warm(table, DAY, warm) == of_cold(table, DAY, cold) == DayFacts()


def test_the_lag_of_a_day_that_is_over_is_to_its_end():
    facts = DayFacts(rows=1, newest=NOON)
    midnight = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)

    assert facts.lag(DAY, NOON + dt.timedelta(minutes=1)) == 60
    assert facts.lag(DAY, midnight + dt.timedelta(days=9)) == 12 * 3600
    assert DayFacts().lag(DAY, NOON) is None
