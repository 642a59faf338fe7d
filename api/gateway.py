"""The gateway: the tape, catalogs, the live page, Dagster, orders, and every service of this process on one port."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, Response, get
from litestar.static_files import create_static_files_router

from api.access.service import access
from api.batch import Webserver, events, pages
from api.catalog import CatalogKeeper
from api.kernel.access import OPEN
from api.kernel.application import Service
from api.kernel.asyncapi import document, stream_documentation
from api.kernel.health import Checks
from api.kernel.ports import Place
from api.live import Watch, live
from api.model_signals import MODEL_SIGNALS
from api.neighbours import Neighbours, catalog_of_services, scrape_targets
from api.order_history import ORDER_HISTORY
from api.orders import OrderManager, order_events, orders
from api.overall import Overall, health
from api.results import trading_metrics
from api.sessions import tape_gaps, tape_sessions
from api.snapshots import Snapshots
from api.stream import Relay, stream
from api.tape import candles, catalog, ticks
from config.settings import Settings
from sql import stores
from sql.messages import ADDRESSES, Ask, Options
from sql.model_signals import ModelSignals
from sql.tape import Tape

ID = "api-gateway"
PREFIXES = {  # besides the services' own paths
    "/api/workspace": Place("workspace-api", "/api"),
    "/api/library": Place("workspace-api", "/api"),
    "/api/docs": Place("documentation-api", "/api/v1"),
    "/api/tp-capital": Place("tp-capital-signals"),
    "/api/b3": Place("b3-market-data"),
    "/api/firecrawl": Place("firecrawl-proxy"),
    "/hub": Place("docs-hub"),
}
PAGES = Path(__file__).parent / "dashboard"
DESCRIPTION = """Market data of B3 as it was captured, over three tiers that agree row by row.

Times are ISO 8601 and UTC; ranges are half open (`from` <= ts < `to`). A whole day in one line:

    polars.read_parquet("http://127.0.0.1:8000/api/v1/ticks?symbol=WINZ26&from=2026-11-19&to=2026-11-20")

As it happens, over WebSocket: see [/docs/stream](/docs/stream).

Orders: `POST /api/v1/execute`, `/api/orders`, `/api/risk/…` are answered by the realtime process, whose port (3205) has
their documentation at `/docs`; `/ws/orders` tells what becomes of them.

On this machine, reading needs no key. Elsewhere, or with `TRADINGSYSTEM_ACCESS=required`, programs send a key as
`X-API-Key`, and people the token of `POST /api/v1/auth/login` as `Authorization: Bearer`.
"""


@get("/", opt=OPEN, include_in_schema=False, sync_to_thread=True)
def live_page() -> Response[bytes]:
    """The live page; it holds no data itself."""
    page = (PAGES / "live.html").read_bytes()
    return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})


def gateway(settings: Settings, tape: Tape, services: Sequence[Service] = ()) -> Service:
    """The gateway before `services` of this process. Its probes are the stores of `tape`."""
    prefixes = {place.service: prefix for prefix, place in reversed(PREFIXES.items())}
    neighbours = Neighbours(settings, ID, services, prefixes=prefixes)
    snapshots, watch, webserver = Snapshots(), Watch(tape, neighbours), Webserver(settings)
    order_manager, signals = OrderManager(settings), ModelSignals(stores.hot(settings))
    doors = access(settings)
    probes = {"hot": tape.hot.ready, "warm": tape.warm.ready}

    @asynccontextmanager
    async def parts(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            snapshots.close()
            tape.hot.close()
            tape.warm.close()
            signals.close()
            await neighbours.close()
            await webserver.close()
            await order_manager.close()

    return Service(
        id=ID,
        title="TradingSystem",
        description=DESCRIPTION,
        handlers=[*_handlers(settings), *doors.handlers],
        own=[health],
        parts={
            "tape": tape,
            "snapshots": snapshots,
            "keeper": CatalogKeeper(tape),
            "neighbours": neighbours,
            "overall": Overall(Checks(probes), neighbours),
            "watch": watch,
            "webserver": webserver,
            "relay": Relay(settings),
            "order_manager": order_manager,
            "model_signals": signals,
            **doors.parts,
        },
        probes=probes,
        tags={
            "tape": "Trades, candles, and what there is of them",
            "order history": "What the journal of orders has told the stores",
            "signals": "What models expect",
            "services": "What runs here and how it feels",
            **doors.tags,
        },
        lifespans=[parts, *doors.lifespans],
        repeatable=False,  # orders are remembered in their journal, keys and sessions are told once
    )


def _handlers(settings: Settings) -> list[Any]:
    host = f"127.0.0.1:{settings.ports[ID]}"
    described = stream_documentation(document("TradingSystem stream", host, ADDRESSES, Ask, Options))
    files = create_static_files_router("/live", directories=[PAGES], opt=OPEN, name="live-files")
    tape = [ticks, candles, catalog, tape_sessions, tape_gaps]
    elsewhere = [pages, events, stream, orders, order_events]  # other processes answer
    services = [live, catalog_of_services, scrape_targets]
    return [live_page, files, *tape, *ORDER_HISTORY, trading_metrics, *MODEL_SIGNALS, *services, *elsewhere, *described]
