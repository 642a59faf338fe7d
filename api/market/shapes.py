"""What the B3 market data service answers. Times are UTC."""

import datetime as dt
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

ID = "b3-market-data"


class Row(Struct, frozen=True, kw_only=True, rename="camel"):
    """Times are UTC."""

    timestamp: dt.datetime


class Snapshot(Row, frozen=True, kw_only=True, rename="camel"):
    """The newest settlement of an instrument."""

    instrument: str
    contract_month: str
    price_settlement: float | None
    price_settlement_prev: float | None
    status: str | None
    source: str | None


class Indicator(Row, frozen=True, kw_only=True, rename="camel"):
    """The newest value of a figure; `displayValue` is the source's own text."""

    name: str
    value: float | None
    display_value: str | None
    updated_at: dt.datetime | None


class Gamma(Row, frozen=True, kw_only=True, rename="camel"):
    """Walls of the options on an instrument, in its points."""

    instrument: str
    call_wall: float | None
    put_wall: float | None
    gamma_flip: float | None
    status: str | None


class Dollar(Row, frozen=True, kw_only=True, rename="camel"):
    """The dollar index at one clock time of the day, change in percent."""

    bucket: str
    value: float | None


class Adjustment(Row, frozen=True, kw_only=True, rename="camel"):
    """A contract's settlement at the end of a session."""

    instrument: str
    contract_month: str
    price_settlement: float | None
    price_prev: float | None
    status: str | None


class Volatility(Row, frozen=True, kw_only=True, rename="camel"):
    """One point of the volatility surface, percent a year."""

    contract_month: str
    delta_bucket: str
    volatility: float | None
    updated_at: dt.datetime | None


class DailyIndicator(Row, frozen=True, kw_only=True, rename="camel"):
    """A figure of one day."""

    indicator: str
    value: float | None


class Snapshots(Struct, frozen=True):
    data: list[Snapshot]


class Indicators(Struct, frozen=True):
    data: list[Indicator]


class Gammas(Struct, frozen=True):
    data: list[Gamma]


class Dollars(Struct, frozen=True):
    data: list[Dollar]


class Adjustments(Struct, frozen=True):
    data: list[Adjustment]


class Surface(Struct, frozen=True):
    data: list[Volatility]


class DailyIndicators(Struct, frozen=True):
    data: list[DailyIndicator]


class OverviewOf(Struct, frozen=True, rename="camel"):
    """Everything a page shows at once."""

    snapshots: list[Snapshot]
    indicators: list[Indicator]
    gamma_levels: list[Gamma]
    dxy: list[Dollar]


class Overview(Struct, frozen=True):
    data: OverviewOf


class TableHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one table holds; `error` says why nobody knows."""

    ok: bool
    count: int | None
    last_ts: dt.datetime | None
    error: str | UnsetType = UNSET


class Health(Struct, frozen=True, kw_only=True):
    """`tables` only when asked for in detail."""

    status: Literal["ok", "error", "degraded"]
    service: str = ID
    questdb: bool
    tables: dict[str, TableHealth] | UnsetType = UNSET


class About(Struct, frozen=True, kw_only=True):
    """What this is."""

    status: str = "ok"
    message: str = "B3 market data"
    endpoints: list[str]
