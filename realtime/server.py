"""The HTTP side of the realtime process: one source in a thread of its own, beside its health, metrics and switches."""

import datetime as dt
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import structlog
from litestar import Litestar, delete, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct
from prometheus_client.registry import Collector

from api.kernel import logs, server
from api.kernel.access import scoped
from api.kernel.application import Service, create_app
from api.kernel.errors import invalid, responses
from api.kernel.health import Probe
from api.kernel.limits import FREE
from api.kernel.telemetry import Metrics
from config.settings import Settings, SettingsError
from realtime.capture import Capture, NotReadyError
from realtime.garbage import Thrift
from realtime.history import Asking, BusyError, Ended, refusal_of
from realtime.metrics import CaptureCollector
from realtime.orders import stream as orders_stream
from realtime.orders.api import ORDERS
from realtime.orders.loop import OrderLoop
from realtime.orders.risk_api import RISK
from realtime.orders.service import OrdersCollector, ended, probe_of
from realtime.spool.writer import Progress as SpoolProgress
from realtime.subscriptions import Subscriptions, Wanted
from realtime.watch import Standing
from sql.exchange import Market, market_of

SERVICE = "order-manager"
STOP_SECONDS = 15.0

log = structlog.get_logger("realtime")


class Source(Protocol):
    """Something that brings ticks until it is told to stop, or until it has no more."""

    def run(self) -> None: ...


def begin_log(settings: Settings) -> None:
    """JSON lines of this process from here on; before anything of it has a word to say."""
    logs.configure(settings, SERVICE)


class Process:
    """A source and the server beside it. They end together: whichever ends first in trouble takes the other along."""

    def __init__(self, settings: Settings, source: Source, stop: threading.Event) -> None:
        self._settings = settings
        self._source = source
        self._stop = stop
        self._failed = False

    def run(self, app: Litestar) -> bool:
        """Answer on the process's port until SIGTERM or SIGINT, then stop in order; False when the source broke.

        Raises SettingsError when the port cannot be had; the source has not begun then.
        """
        thread = threading.Thread(target=self._bring, name="source", daemon=True)
        app.on_startup.append(Thrift().begin)
        app.on_startup.append(thread.start)  # by then the port is ours, and a signal of `_bring` is heard
        log.info("realtime_started", source=type(self._source).__name__)
        try:
            server.serve(app, self._settings, [SERVICE])
        except server.PortTakenError as error:
            raise SettingsError(str(error)) from error
        self._stop.set()
        thread.join(STOP_SECONDS)
        log.info("realtime_stopped", clean=not (self._failed or thread.is_alive()))
        return not self._failed

    def _bring(self) -> None:
        try:
            self._source.run()
        except Exception:  # the top of a thread: a process without its source must end, not look alive
            self._failed = True
            log.exception("source_broke")
            signal.raise_signal(signal.SIGTERM)


class Subscription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted of a symbol beside trades, quotes and daily sums. `market` is needed where the shape misleads."""

    market: Market | None = None
    depth: bool = False
    offers: bool = False


Symbol = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9]{3,20}$", description="Ticker, or a series as WINFUT")]


@get(
    "/api/v1/capture",
    opt={**scoped("capture:read"), **FREE},
    tags=["capture"],
    summary="How the link to the broker stands",
    responses=responses(401),
)
async def standing(capture: NamedDependency[Capture]) -> Standing:
    """The link, the last word of each channel, what is subscribed, what hangs and what was dropped."""
    return capture.standing()


@get(
    "/api/v1/capture/subscriptions",
    tags=["capture"],
    summary="What is wanted",
    responses=responses(401, 429),
    opt=scoped("capture:read"),
)
async def wanted(subscriptions: NamedDependency[Subscriptions]) -> list[Wanted]:
    """Configured symbols and those added at run time. A series stands for the contract of the session."""
    return list(subscriptions.all())


@put(
    "/api/v1/capture/subscriptions/{symbol:str}",
    opt=scoped("capture:write", always=True),
    tags=["capture"],
    summary="Want a symbol",
    sync_to_thread=True,
    responses=responses(401, 429),
)
def want(
    symbol: Symbol,
    data: JSONBody[Subscription],
    capture: NamedDependency[Capture],
    subscriptions: NamedDependency[Subscriptions],
) -> Wanted:
    """Subscribe now and after every restart; repeatable. An unknown symbol is told in `/api/v1/capture` afterwards."""
    name = symbol.upper()
    chosen = Wanted(symbol=name, market=data.market or market_of(name), depth=data.depth, offers=data.offers)
    subscriptions.add(chosen)
    capture.follow()
    return chosen


@delete(
    "/api/v1/capture/subscriptions/{symbol:str}",
    opt=scoped("capture:delete", always=True),
    tags=["capture"],
    summary="Want a symbol no more",
    sync_to_thread=True,
    responses=responses(401, 404, 429),
)
def forget(symbol: Symbol, capture: NamedDependency[Capture], subscriptions: NamedDependency[Subscriptions]) -> None:
    """Unsubscribe now, and do not subscribe after a restart."""
    if not subscriptions.remove(symbol.upper()):
        raise NotFoundException(f"{symbol.upper()} is not wanted")
    capture.follow()


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trades are asked for: from `since` up to and without `until`, instants with a zone, whole seconds."""

    symbol: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{3,20}$")]
    since: dt.datetime
    until: dt.datetime


class Requests(Struct, frozen=True, kw_only=True):
    """The request in flight and the last that ended, the newest first. `run` is that of the spool."""

    run: int
    asking: Asking | None
    ended: list[Ended]


@post(
    "/api/v1/capture/history",
    status_code=202,
    opt=scoped("capture:write", always=True),
    tags=["capture"],
    summary="Ask the broker for past trades",
    sync_to_thread=True,
    responses=responses(400, 401, 409, 429, 503),
)
def ask_history(data: JSONBody[Window], capture: NamedDependency[Capture]) -> Asking:
    """One request at a time in the whole process; its trades go the way of all others, and its end is told by GET."""
    symbol = data.symbol.upper()
    if refusal := refusal_of(symbol, data.since, data.until, capture.market_now()):
        raise invalid(*refusal)
    try:
        return capture.ask_history(symbol, data.since, data.until)
    except BusyError as error:
        raise HTTPException(status_code=409, detail=str(error)) from error
    except NotReadyError as error:
        raise HTTPException(status_code=503, detail=str(error)) from error


@get(
    "/api/v1/capture/history",
    opt={**scoped("capture:read"), **FREE},
    tags=["capture"],
    summary="What was asked of the broker's history",
    responses=responses(401),
)
async def history(capture: NamedDependency[Capture]) -> Requests:
    """How far the request in flight is, and how the last ones ended."""
    return Requests(run=capture.history.run, asking=capture.history.asking(), ended=capture.history.ended())


def capture_app(
    settings: Settings,
    capture: Capture,
    subscriptions: Subscriptions,
    spool: SpoolProgress,
    *,
    orders: OrderLoop | None = None,
) -> Litestar:
    """The application beside capture; unhealthy while link or spool are not as they should be, with the reason."""
    parts: dict[str, Any] = {"capture": capture, "subscriptions": subscriptions}
    handlers: list[Any] = [standing, wanted, want, forget, ask_history, history]
    probes: dict[str, Probe] = {
        "capture": lambda: capture.standing().trouble or True,
        "spool": lambda: trouble_of(spool) or True,
    }
    collectors: list[Collector] = [CaptureCollector(capture.standing, spool, capture.history.counts)]
    if orders is not None:
        parts |= orders_parts(orders)
        handlers += [*ORDERS, *RISK, orders_stream.stream]
        probes["orders"] = probe_of(orders)
        collectors.append(OrdersCollector(orders))
    app = _app(settings, collectors, handlers=handlers, parts=parts, probes=probes)
    if orders is not None:
        app.on_startup.append(orders.start)
        app.on_shutdown.append(lambda: ended(orders))  # before the DLL goes: no order leaves into a closing one
    return app


def orders_parts(orders: OrderLoop) -> dict[str, Any]:
    """What the handlers of orders are given."""
    return {"orders": orders, "listeners": orders_stream.Listeners(orders)}


def orders_app(settings: Settings, orders: OrderLoop) -> Litestar:
    """The application of orders alone: beside a broker that needs no capture."""
    return _app(
        settings,
        [OrdersCollector(orders)],
        handlers=[*ORDERS, *RISK, orders_stream.stream],
        parts=orders_parts(orders),
        probes={"orders": probe_of(orders)},
    )


def trouble_of(spool: SpoolProgress) -> str | None:
    """Why what arrives does not reach the disk; None while it does."""
    if spool.refusing:
        return f"drops records: {spool.last_error or 'full'}; {spool.dropped} of this run so far"
    return f"cannot be written: {spool.last_error}" if spool.last_error else None


def files_app(settings: Settings, probes: Mapping[str, Probe], collectors: Sequence[Collector]) -> Litestar:
    """The application beside a source that reads files."""
    return _app(settings, collectors, handlers=[], parts={}, probes=probes)


def _app(settings: Settings, collectors: Sequence[Collector], **parts: Any) -> Litestar:
    metrics = Metrics()
    for collector in collectors:
        metrics.registry.register(collector)
    service = Service(
        id=SERVICE,
        title="TradingSystem realtime",
        description="Market data in, orders out. Commands need a key; every refusal says check, limit and value.",
        tags={
            "capture": "The link to the broker and what is taken from the market",
            "orders": "Place, change, cancel; what became of it",
            "risk": "Limits, positions, the kill switch",
        },
        **parts,
    )
    return create_app(settings, service, metrics=metrics)
