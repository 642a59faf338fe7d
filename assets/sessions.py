"""The partitions of every asset: one per UTC calendar day, with the open one.

A day is the UTC date of a row's time. Holidays have a partition too (simulators trade on them), and after-market rows
of a session fall on the next date; the exchange's session is a column of the rows.
"""

import datetime as dt

import dagster as dg

FIRST_DAY = dt.date(2018, 1, 1)  # older than any public trade-by-trade file

trading_day = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)


def day_of(partition: str) -> dt.date:
    """The UTC day of a partition key."""
    return dt.date.fromisoformat(partition)


def open_day() -> dt.date:
    """The UTC day that is not over yet."""
    return dt.datetime.now(dt.UTC).date()


def has_partition(day: dt.date) -> bool:
    """Whether Dagster knows the day; rows of other days move all the same and are not shown."""
    return FIRST_DAY <= day <= open_day()
