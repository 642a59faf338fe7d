"""The B3 market data service: settlements, indicators, option levels, dollar index, and prices as they come.

Its answers have no envelope: `data` on success, `error` and `correlationId` otherwise. Times are UTC.
"""

import asyncio
import datetime as dt
from typing import Annotated, Any

from litestar import WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.bridge import bridge
from api.kernel.access import OPEN, scoped
from api.kernel.application import Service
from api.kernel.errors import invalid, responses
from api.kernel.limits import FREE
from api.market.kept import Market
from api.market.shapes import (
    ID,
    About,
    Adjustment,
    Adjustments,
    DailyIndicator,
    DailyIndicators,
    Dollar,
    Dollars,
    Gamma,
    Gammas,
    Health,
    Indicator,
    Indicators,
    Overview,
    OverviewOf,
    Snapshot,
    Snapshots,
    Surface,
    Volatility,
)
from api.stream import Relay
from config.settings import Settings
from sql import market
from sql.hot import HotStore
from sql.market_tables import DXY, GAMMA_LEVELS, INDICATORS, SNAPSHOTS
from sql.market_values import contract_of

ENDPOINTS = (
    "/overview",
    "/snapshots",
    "/indicators",
    "/indicators/daily",
    "/adjustments",
    "/vol-surface",
    "/gamma-levels",
    "/dxy",
)
INSTRUMENTS = ("DI1", "DDI", "DOL")
DESCRIPTION = """What collectors know of B3 beside its trades: settlements, indicators, volatility, walls, dollar index.

Answers carry `data`; errors `error` and `correlationId`. When QuestDB is away that is 503, never rows from elsewhere.
`/ws` tells prices as they come."""

TAGS: dict[str, Any] = {"tags": ["market"], "opt": scoped("market:read"), "responses": responses(400, 401, 429, 503)}
UTC_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$"
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many rows at most")]
Contract = Annotated[str | None, QueryParameter(description="Month letter and year, as X25; ALL is every one")]
Time = Annotated[str | None, QueryParameter(pattern=UTC_TIME, description="UTC, as 2025-11-19T13:00:00Z; inclusive")]
Asked = Annotated[str | None, QueryParameter(description="DI1, DDI or DOL in any case; ALL is every one")]


@get("/overview", summary="What a page shows at once", **TAGS)
async def overview(market_data: NamedDependency[Market]) -> Overview:
    """The newest row of every instrument, figure and bucket."""
    shown = ((Snapshot, SNAPSHOTS), (Indicator, INDICATORS), (Gamma, GAMMA_LEVELS), (Dollar, DXY))
    found = await asyncio.gather(*(market_data.rows(kind, market.latest, table) for kind, table in shown))
    return Overview(OverviewOf(*found))


@get("/snapshots", summary="Newest settlement of every instrument", **TAGS)
async def snapshots(market_data: NamedDependency[Market]) -> Snapshots:
    """As in `/overview`."""
    return Snapshots(await market_data.rows(Snapshot, market.latest, SNAPSHOTS))


@get("/indicators", summary="Newest value of every figure", **TAGS)
async def indicators(market_data: NamedDependency[Market]) -> Indicators:
    """As in `/overview`."""
    return Indicators(await market_data.rows(Indicator, market.latest, INDICATORS))


@get("/gamma-levels", summary="Newest option walls of every instrument", **TAGS)
async def gamma_levels(market_data: NamedDependency[Market]) -> Gammas:
    """As in `/overview`."""
    return Gammas(await market_data.rows(Gamma, market.latest, GAMMA_LEVELS))


@get("/dxy", summary="The dollar index", **TAGS)
async def dxy(market_data: NamedDependency[Market]) -> Dollars:
    """The newest value of every bucket."""
    return Dollars(await market_data.rows(Dollar, market.latest, DXY))


@get("/adjustments", summary="Settlements", **TAGS)
async def adjustments(
    *,
    market_data: NamedDependency[Market],
    limit: Limit = 120,
    instrument: Asked = None,
    contract: Contract = None,
    since: Annotated[str | None, QueryParameter(name="from", pattern=UTC_TIME, description="UTC; inclusive")] = None,
    until: Annotated[str | None, QueryParameter(name="to", pattern=UTC_TIME, description="UTC; inclusive")] = None,
) -> Adjustments:
    """Newest first."""
    found = await market_data.rows(
        Adjustment,
        market.adjustments,
        limit=limit,
        instrument=_instrument(instrument),
        contract=_contract(contract),
        since=_instant("from", since),
        until=_instant("to", until),
    )
    return Adjustments(found)


@get("/vol-surface", summary="Volatility surface", **TAGS)
async def vol_surface(market_data: NamedDependency[Market], limit: Limit = 60, contract: Contract = None) -> Surface:
    """Newest first, then by delta."""
    return Surface(await market_data.rows(Volatility, market.vol_surface, limit=limit, contract=_contract(contract)))


@get("/indicators/daily", summary="Figures by day", **TAGS)
async def daily_indicators(market_data: NamedDependency[Market], limit: Limit = 180) -> DailyIndicators:
    """Newest first."""
    return DailyIndicators(await market_data.rows(DailyIndicator, market.daily_indicators, limit=limit))


@get("/health", opt={**OPEN, **FREE}, tags=["health"], summary="Health of this service")
async def health(
    market_data: NamedDependency[Market],
    detailed: Annotated[bool, QueryParameter(description="Also what each table holds")] = False,
) -> Health:
    """Always 200; `status` and `questdb` say how it is."""
    if not await market_data.ready():
        return Health(status="degraded" if detailed else "error", questdb=False)
    if not detailed:
        return Health(status="ok", questdb=True)
    tables = await market_data.tables()
    well = all(table.ok and table.last_ts is not None for table in tables.values())
    return Health(status="ok" if well else "degraded", questdb=True, tables=tables)


@get("/", opt={**OPEN, **FREE}, tags=["health"], summary="What this is")
async def about() -> About:
    """Its paths."""
    return About(endpoints=[*ENDPOINTS, "/health", "/metrics", "/ws"])


@websocket("/ws", opt=scoped("market:read"))
async def feed(socket: WebSocket[Any, Any, Any], relay: NamedDependency[Relay]) -> None:
    """Trades of every symbol as they come: `symbol`, `price` and more; see `/docs/stream` of the gateway."""
    query = socket.scope["query_string"] or b"symbols=*"
    async with relay.stream("/ws/trades", query) as upstream:
        await socket.accept()
        await bridge(socket, upstream)


def market_data(settings: Settings, hot: HotStore) -> Service:
    """The service of port 3302."""
    asked = Market(hot)
    return Service(
        id=ID,
        title="B3 market data",
        description=DESCRIPTION,
        handlers=[overview, snapshots, indicators, gamma_levels, dxy, adjustments, vol_surface, daily_indicators],
        own=[health, about, feed],
        parts={"market_data": asked, "relay": Relay(settings)},
        probes={"questdb": asked.ready},
        tags={"market": "Settlements, indicators, volatility, option walls, dollar index"},
        counted="/",
        shared=True,
    )


def _instrument(text: str | None) -> str | None:
    name = (text or "ALL").strip().upper()
    if name in ("", "ALL"):
        return None
    if name not in INSTRUMENTS:
        raise invalid("instrument", f"expected {', '.join(INSTRUMENTS)} or ALL, found {text!r}")
    return name


def _contract(text: str | None) -> str | None:
    if text is None or text.strip().upper() in ("", "ALL"):
        return None
    try:
        return contract_of(text)
    except ValueError as error:
        raise invalid("contract", str(error)) from error


def _instant(field: str, text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(field, f"expected a UTC time as 2025-11-19T13:00:00Z, found {text!r}") from error
