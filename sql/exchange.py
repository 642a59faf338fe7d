"""The exchange: its calendar, the hours of its markets, its contracts. Pure: known without asking anybody.

Dates and clock times are those of São Paulo, which has had no daylight saving since 2019.
"""

import datetime as dt
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES = dt.time(9, 0), dt.time(18, 25)  # the futures' hours, the longest of the exchange
LAST_DAY_CLOSES = dt.time(18, 0)  # of a contract
CASH_OPENS = dt.time(10, 0)
CASH_CLOSES, CASH_CLOSES_IN_SUMMER = dt.time(18, 0), dt.time(17, 0)  # closing auction included; New York's summer
OPENS_ON_ASH_WEDNESDAY = dt.time(13, 0)
NO_TRADING = ((12, 24), (12, 31))  # the exchange is closed, though banks are not: no holiday of any calendar

MONTHS = "FGHJKMNQUVXZ"  # January to December
INDEX, DOLLAR = ("IND", "WIN"), ("DOL", "WDO")
CONTRACT = re.compile(rf"(?P<root>[A-Z0-9]{{3}})(?P<month>[{MONTHS}])(?P<year>\d{{2}})")
SERIES = re.compile(r"(?P<root>[A-Z0-9]{3})FUT")

Market = Literal["F", "B"]  # as the feed names them: futures, and everything that trades in the cash market


class Instrument(Struct, frozen=True, kw_only=True):
    """What an order and a proof must know of a symbol. Money in BRL."""

    tick_size: float
    lot: int
    point_value: float  # of one contract or share per point of price


FUTURES: Mapping[str, Instrument] = MappingProxyType(
    {
        "WIN": Instrument(tick_size=5.0, lot=1, point_value=0.20),
        "IND": Instrument(tick_size=5.0, lot=5, point_value=1.00),
        "WDO": Instrument(tick_size=0.5, lot=1, point_value=10.0),
        "DOL": Instrument(tick_size=0.5, lot=5, point_value=50.0),
    }
)
SHARE = Instrument(tick_size=0.01, lot=100, point_value=1.0)
ORDINARY = re.compile(r"[A-Z][A-Z0-9]{3}[3-8]")  # shares; units, funds, receipts and options have lots of their own


def is_session(day: dt.date) -> bool:
    """Whether the exchange trades on a date, by its calendar since 2022.

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


def rows_expected(at: dt.datetime, market: Market = "F", symbol: str | None = None) -> bool:
    """Whether the market trades at an instant, so that a silent feed means a broken one."""
    local = at.astimezone(SAO_PAULO)
    day = local.date()
    if not is_session(day):
        return False
    opens, closes = hours(day, market)
    if symbol is not None and last_session(symbol) == day:
        closes = min(closes, LAST_DAY_CLOSES)
    return opens <= local.time() < closes


def hours(day: dt.date, market: Market) -> tuple[dt.time, dt.time]:
    """Opening and close of a session's regular hours; auctions at either end are inside."""
    if market == "F":
        opens, closes = OPENS, CLOSES
    else:
        summer = dt.datetime.combine(day, dt.time(12), NEW_YORK).dst()
        opens, closes = CASH_OPENS, CASH_CLOSES_IN_SUMMER if summer else CASH_CLOSES
    if _holidays(day.year).get(day - dt.timedelta(days=1)) == "Carnival":
        opens = OPENS_ON_ASH_WEDNESDAY
    return opens, closes


def close_after(symbol: str, at: dt.datetime) -> dt.datetime:
    """When the session closes in which an order of an aware instant works: after a close it is the next one's. UTC."""
    day = at.astimezone(SAO_PAULO).date()
    while True:
        _, closes = hours(day, market_of(symbol))
        if last_session(symbol) == day:
            closes = min(closes, LAST_DAY_CLOSES)
        end = dt.datetime.combine(day, closes, SAO_PAULO)
        if is_session(day) and end > at:
            return end.astimezone(dt.UTC)
        day += dt.timedelta(days=1)


def market_of(symbol: str) -> Market:
    """The market of a symbol by its shape: a root of three letters, then FUT or month and year, is a future."""
    return "F" if CONTRACT.fullmatch(symbol) or SERIES.fullmatch(symbol) else "B"


@lru_cache(maxsize=4096)
def instrument_of(symbol: str) -> Instrument | None:
    """What is known of a symbol without asking the broker; None for futures of other roots."""
    if market_of(symbol) == "B":
        return SHARE
    return FUTURES.get(symbol[:3])


def tabled(symbol: str) -> Instrument | None:
    """What is known of a symbol for sure; None where `instrument_of` goes by its shape alone, or knows nothing."""
    known = ORDINARY.fullmatch(symbol) if market_of(symbol) == "B" else True
    return instrument_of(symbol) if known else None


def last_session(symbol: str) -> dt.date | None:
    """The last session of a dated contract of index or dollar; None for everything else.

    Index futures end on the Wednesday nearest to the 15th of an even month, dollar futures on the session before the
    first one of their month.
    """
    found = CONTRACT.fullmatch(symbol)
    if found is None or found["root"] not in INDEX + DOLLAR:
        return None
    first = dt.date(2000 + int(found["year"]), MONTHS.index(found["month"]) + 1, 1)
    if found["root"] in DOLLAR:
        return sessions_until(first - dt.timedelta(days=1), 1)[0]
    middle = first.replace(day=15)
    wednesday = middle + dt.timedelta(days=(2 - middle.weekday() + 3) % 7 - 3)
    while not is_session(wednesday):
        wednesday += dt.timedelta(days=1)
    return wednesday


def contract_of(series: str, day: dt.date) -> str | None:
    """The dated contract that a continuous series (WINFUT, WDOFUT …) stands for in a session; None for others.

    A session belongs to one contract whole: a series never mixes two of them on a day.
    """
    found = SERIES.fullmatch(series)
    if found is None or found["root"] not in INDEX + DOLLAR:
        return None
    month = day.replace(day=1)
    while True:
        symbol = f"{found['root']}{MONTHS[month.month - 1]}{month.year % 100:02d}"
        last = last_session(symbol)
        listed = found["root"] in DOLLAR or month.month % 2 == 0
        if listed and last is not None and last >= day:
            return symbol
        month = (month + dt.timedelta(days=31)).replace(day=1)


@cache
def _holidays(year: int) -> dict[dt.date, str]:
    from holidays import financial_holidays  # a second of loading that only a few ticks need

    return dict(financial_holidays("BVMF", years=year, language="en_US"))
