"""The relay's port: health, metrics, what is known to be missing, and the stream."""

import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, WebSocket, websocket
from litestar.di import NamedDependency
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.kernel import logs, server
from api.kernel.access import scoped
from api.kernel.application import Service, create_app
from api.kernel.asyncapi import document, stream_documentation
from api.kernel.health import Probe
from api.kernel.sockets import wire_of
from api.kernel.telemetry import Metrics
from config.settings import Settings, SettingsError
from realtime.records import Kind
from realtime.relay.book_health import BookCollector, arrive
from realtime.relay.books import Books
from realtime.relay.books import Progress as BookProgress
from realtime.relay.keeper import Keeper
from realtime.relay.kept import Kept, KeptCollector, trouble_of
from realtime.relay.sender import Progress, Sender
from realtime.relay.ship_health import ShippingCollector, ships
from realtime.relay.shipper import Progress as ShipProgress
from realtime.relay.shipper import Shipper
from realtime.relay.stream.health import health_of
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.metrics import StreamCollector
from realtime.relay.stream.session import Stream, serve
from realtime.relay.stream.tail import following
from sql.hot import HotStore
from sql.messages import ADDRESSES, PATHS, Ask, Options

SERVICE = "data-capture"
LATE_SECONDS = 10.0
STILL_SECONDS = 60.0  # one batch takes less, even while a session is learned from hot
LEAST_FREE_BYTES = 64 << 20
STOP_SECONDS = 10.0
KINDS = {kind.value: kind.name.lower() for kind in Kind}

log = structlog.get_logger("realtime.relay")


def run(
    settings: Settings,
    hot: HotStore,
    sender: Sender,
    keeper: Keeper,
    stop: threading.Event,
    *,
    books: Books,
    shipper: Shipper,
) -> None:
    """Send, ship, keep the tape and answer until SIGTERM or SIGINT; then save how far it came."""
    logs.configure(settings, SERVICE)
    threads = [
        threading.Thread(target=each.run, name=name, daemon=True)
        for name, each in (("sender", sender), ("books", books), ("shipper", shipper))
    ]
    for thread in threads:
        thread.start()
    threading.Thread(target=keeper.run, name="keeper", daemon=True).start()
    log.info("relay_started", segment=sender.state.position.segment, offset=sender.state.position.offset)
    app = relay_app(settings, hot, sender.progress, keeper.progress, books=books.progress, shipping=shipper.progress)
    try:
        server.serve(app, settings, [SERVICE])
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)
        log.info("relay_stopped", stored=sender.progress.stored, failures=sender.progress.failures)


def relay_app(
    settings: Settings,
    hot: HotStore,
    progress: Progress,
    kept: Kept | None = None,
    *,
    books: BookProgress | None = None,
    shipping: ShipProgress | None = None,
) -> Litestar:
    """The application; unhealthy while hot does not answer, ticks wait too long, or the spool is near its end."""
    metrics = Metrics()
    kept, book_progress, ship_progress = kept or Kept(), books or BookProgress(), shipping or ShipProgress()
    stream = Stream(Hub(settings.stream.clients), (settings.spool_dir, settings.raw_dir), settings.stream.client_bytes)
    metrics.registry.register(RelayCollector(progress))
    metrics.registry.register(KeptCollector(kept))
    metrics.registry.register(StreamCollector(stream.hub))
    metrics.registry.register(BookCollector(book_progress))
    metrics.registry.register(ShippingCollector(ship_progress))

    def spool_has_room() -> bool:
        free = shutil.disk_usage(settings.spool_dir).free
        return free > LEAST_FREE_BYTES and progress.unread_bytes < 0.8 * settings.spool.max_bytes

    quick: dict[str, Probe] = {
        "spool": spool_has_room,
        "lag": lambda: progress.lag_seconds(time.time()) < LATE_SECONDS,
        "gaps": lambda: trouble_of(kept, time.monotonic()) or True,
        "books": lambda: arrive(book_progress, time.time()),
        "journal": lambda: ships(ship_progress, time.monotonic()),
        "sender": lambda: progress.last_error is None and time.monotonic() - progress.alive_at < STILL_SECONDS,
    }
    stream.hub.health = lambda: health_of(SERVICE, quick)
    service = Service(
        id=SERVICE,
        title="TradingSystem relay",
        description="Takes what was spooled into the hot tier, and tells it to WebSocket clients.",
        **_streaming(settings, stream),
        probes={"questdb": hot.ready, **quick},
    )
    return create_app(settings, service, metrics=metrics)


def run_stream(settings: Settings, folders: Sequence[Path]) -> None:
    """Answer with the stream of another spool than the live one, until SIGTERM or SIGINT. Raises SettingsError."""
    logs.configure(settings, SERVICE)
    try:
        server.serve(stream_app(settings, folders), settings, [SERVICE])
    except server.PortTakenError as error:
        raise SettingsError(str(error)) from error


def stream_app(settings: Settings, folders: Sequence[Path]) -> Litestar:
    """The application of a replay's stream."""
    metrics = Metrics()
    stream = Stream(Hub(settings.stream.clients), folders, settings.stream.client_bytes)
    metrics.registry.register(StreamCollector(stream.hub))
    service = Service(
        id=SERVICE,
        title="TradingSystem replay",
        description="Tells a session that is played again; nothing here is the market now.",
        **_streaming(settings, stream),
        probes={"stream": stream.hub.ready.is_set},
    )
    return create_app(settings, service, metrics=metrics)


def _streaming(settings: Settings, stream: Stream) -> dict[str, Any]:
    """What a service needs that has the stream: handlers, parts, and the thread that follows the spool."""
    host = f"127.0.0.1:{settings.ports[SERVICE]}"
    described = stream_documentation(document("TradingSystem stream", host, ADDRESSES, Ask, Options))

    @asynccontextmanager
    async def streaming(_: Litestar) -> AsyncIterator[None]:
        async with following(stream.hub, stream.folders):
            yield

    return {"handlers": [told, *described], "parts": {"stream": stream}, "lifespans": [streaming]}


@websocket(list(PATHS), opt=scoped("tape:read"))
async def told(socket: WebSocket[Any, Any, Any], stream: NamedDependency[Stream]) -> None:
    """Market data as it comes; see `/docs/stream`."""
    await socket.accept()
    query = dict(socket.query_params.items())
    await serve(stream, wire_of(socket.scope), socket.receive, query, PATHS[socket.scope["path"].rstrip("/")])


class RelayCollector(Collector):
    """Prometheus' view of the sender's progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        now = self._progress
        for name, what, value in (
            ("ticks_stored", "Ticks that hot took", now.stored),
            ("ticks_filled", "Ticks that only a history answer brought", now.filled),
            ("ticks_confirmed", "Trades of history answers that were stored already", now.confirmed),
            ("ticks_repeated", "Ticks that were stored already", now.repeated),
            ("ticks_revised", "Corrections and cancellations of stored ticks", now.edited),
            ("dailies_stored", "Daily aggregates that hot took", now.dailies),
            ("ticks_refused", "Trade records without time or price, aggregates without time or sums", now.refused),
            ("store_failures", "Writes to hot that were tried again", now.failures),
            ("rewinds", "Times that segments were sent again because hot may have lost them", now.rewinds),
        ):
            counter = CounterMetricFamily(f"datacapture_{name}", what)
            counter.add_metric([], value)
            yield counter
        others = CounterMetricFamily("datacapture_passed_over", "Records that stay in the spool", labels=["kind"])
        for kind, count in list(now.passed_over.items()):
            others.add_metric([_name(kind)], count)
        missing = GaugeMetricFamily(
            "datacapture_missing_records", "Records that are known to be missing from the tape", labels=["reason"]
        )
        for reason, count in list(now.missing.items()):
            missing.add_metric([reason], count)
        lag = GaugeMetricFamily("datacapture_relay_lag_seconds", "How long the oldest spooled tick waits for hot")
        lag.add_metric([], now.lag_seconds(time.time()))
        unread = GaugeMetricFamily("datacapture_spool_unread_bytes", "Spooled and not stored yet")
        unread.add_metric([], now.unread_bytes)
        yield from (others, missing, lag, unread)


def _name(kind: int) -> str:
    return KINDS.get(kind, str(kind))
