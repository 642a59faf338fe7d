"""The gateway: the tape, the catalog, the live page, Dagster and the API documentation on one port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, Response, get
from litestar.static_files import create_static_files_router

from api.batch import Webserver, events, pages
from api.catalog import CatalogKeeper
from api.kernel.access import OPEN
from api.kernel.application import Service, create_app
from api.kernel.asyncapi import document, stream_documentation
from api.live import Watch, live
from api.orders import OrderManager, order_events, orders
from api.sessions import tape_gaps, tape_sessions
from api.snapshots import Snapshots
from api.stream import Relay, stream
from api.tape import candles, catalog, ticks
from config.settings import Settings
from sql.messages import ADDRESSES, Ask, Options
from sql.tape import Tape

ID = "api-gateway"
PAGES = Path(__file__).parent / "dashboard"
DESCRIPTION = """Market data of B3 as it was captured, over three tiers that agree row by row.

Times are ISO 8601 and UTC; ranges are half open (`from` <= ts < `to`). A whole day in one line:

    polars.read_parquet("http://127.0.0.1:8000/api/v1/ticks?symbol=WINZ26&from=2026-11-19&to=2026-11-20")

As it happens, over WebSocket: see [/docs/stream](/docs/stream).

Orders: `POST /api/v1/execute`, `/api/orders`, `/api/risk/…` are answered by the realtime process, whose port (3205) has
their documentation at `/docs`; `/ws/orders` tells what becomes of them.

On this machine, reading needs no key. Elsewhere, or with `TRADINGSYSTEM_ACCESS=required`, send `X-API-Key`.
"""


@get("/", opt=OPEN, include_in_schema=False, sync_to_thread=True)
def live_page() -> Response[bytes]:
    """The live page; it holds no data itself."""
    page = (PAGES / "live.html").read_bytes()
    return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})


def gateway(settings: Settings, tape: Tape) -> Litestar:
    """The application of the gateway. Its probes are the stores of `tape`."""
    snapshots, watch, webserver = Snapshots(), Watch(settings, tape, ID), Webserver(settings)
    order_manager = OrderManager(settings)

    @asynccontextmanager
    async def parts(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            snapshots.close()
            tape.hot.close()
            await watch.close()
            await webserver.close()
            await order_manager.close()

    host = f"127.0.0.1:{settings.ports[ID]}"
    described = stream_documentation(document("TradingSystem stream", host, ADDRESSES, Ask, Options))
    files = create_static_files_router("/live", directories=[PAGES], opt=OPEN, name="live-files")
    return create_app(
        settings,
        Service(
            id=ID,
            title="TradingSystem",
            description=DESCRIPTION,
            handlers=[
                live_page,
                files,
                ticks,
                candles,
                catalog,
                tape_sessions,
                tape_gaps,
                live,
                pages,
                events,
                stream,
                orders,
                order_events,
                *described,
            ],
            parts={
                "tape": tape,
                "snapshots": snapshots,
                "keeper": CatalogKeeper(tape),
                "watch": watch,
                "webserver": webserver,
                "relay": Relay(settings),
                "order_manager": order_manager,
            },
            probes={"hot": tape.hot.ready, "warm": tape.warm.ready},
            tags={"tape": "Trades, candles, and what there is of them"},
            lifespans=[parts],
        ),
    )
