"""The partitions of every asset, one per UTC calendar day with the open one, and the exchange's calendar beside them.

A day is the UTC date of a row's time. Holidays have a partition too (simulators trade on them), and after-market rows
of a session fall on the next date; the exchange's session is a column of the rows.
"""

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

import dagster as dg

FIRST_DAY = dt.date(2018, 1, 1)  # older than any public trade-by-trade file
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
OPENS, CLOSES = dt.time(9, 0), dt.time(18, 25)  # the futures' hours, the longest of the exchange
OPENS_ON_ASH_WEDNESDAY = dt.time(13, 0)
NO_TRADING = ((12, 24), (12, 31))  # the exchange is closed, though banks are not: no holiday of any calendar

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


def is_session(day: dt.date) -> bool:
    """Whether the exchange trades on a date in São Paulo, by its calendar since 2022.

    Before 2022 it also rested on holidays of the city and the state (25 January, 9 July).
    """
    return day.weekday() < 5 and (day.month, day.day) not in NO_TRADING and day not in _holidays(day.year)


def sessions_until(day: dt.date, count: int) -> list[dt.date]:
    """The `count` last sessions up to `day`, which is the last one when it is a session; in order."""
    found: list[dt.date] = []
    while len(found) < count:
        if is_session(day):
            found.append(day)
        day -= dt.timedelta(days=1)
    return found[::-1]


def rows_expected(at: dt.datetime) -> bool:
    """Whether the exchange trades at an instant, so that a silent feed means a broken one."""
    local = at.astimezone(SAO_PAULO)
    day = local.date()
    opens = OPENS_ON_ASH_WEDNESDAY if _holidays(day.year).get(day - dt.timedelta(days=1)) == "Carnival" else OPENS
    return is_session(day) and opens <= local.time() < CLOSES


@cache
def _holidays(year: int) -> dict[dt.date, str]:
    from holidays import financial_holidays  # a second of loading that only a few ticks need

    return dict(financial_holidays("BVMF", years=year, language="en_US"))
