"""The realtime process: one source in a thread of its own, beside the HTTP server with its health and its metrics."""

import datetime as dt
import threading
from collections.abc import Iterable
from typing import Protocol

import structlog
from litestar import Litestar
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.kernel import logs, server
from api.kernel.application import Service, create_app
from api.kernel.telemetry import Metrics
from config.settings import Settings
from realtime.feed import Progress
from sql.hot import HotStore

SERVICE = "order-manager"
STALE_SECONDS = 10.0
STOP_SECONDS = 10.0

log = structlog.get_logger("realtime")


class Source(Protocol):
    """Something that brings ticks until it is told to stop, or until it has no more."""

    progress: Progress

    def run(self) -> None: ...


def run(settings: Settings, hot: HotStore, source: Source, stop: threading.Event) -> None:
    """Run `source` and answer on the port of the process until SIGTERM or SIGINT; then stop in order."""
    logs.configure(settings, SERVICE)
    thread = threading.Thread(target=source.run, name="source", daemon=True)
    thread.start()
    log.info("realtime_started", source=type(source).__name__)
    server.serve(realtime_app(settings, hot, source.progress), settings, [SERVICE])
    stop.set()
    thread.join(STOP_SECONDS)
    log.info("realtime_stopped", rows=source.progress.rows, failures=source.progress.failures)


class FeedCollector(Collector):
    """Prometheus' view of a source's progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        received = CounterMetricFamily("datacapture_ticks_received", "Ticks that were handed to the hot tier")
        received.add_metric([], self._progress.rows)
        failures = CounterMetricFamily("datacapture_store_failures", "Writes to the hot tier that were tried again")
        failures.add_metric([], self._progress.failures)
        yield received
        yield failures
        lag = self._progress.lag_seconds(dt.datetime.now(dt.UTC))
        if lag is not None:
            gauge = GaugeMetricFamily("datacapture_lag_seconds", "Age of the newest tick that is stored")
            gauge.add_metric([], lag)
            yield gauge


def realtime_app(settings: Settings, hot: HotStore, progress: Progress) -> Litestar:
    """The application; unhealthy while the hot tier does not answer or the source stands still."""
    metrics = Metrics()
    metrics.registry.register(FeedCollector(progress))
    service = Service(
        id=SERVICE,
        title="TradingSystem realtime",
        description="Market data in. Orders, risk and the kill switch follow on this port.",
        handlers=[],
        probes={"questdb": hot.ready, "source": lambda: moving(progress)},
    )
    return create_app(settings, service, metrics=metrics)


def moving(progress: Progress) -> bool:
    """Whether the source does its work: finished, or stored something due within the last seconds."""
    if progress.finished:
        return progress.last_error is None
    lag = progress.lag_seconds(dt.datetime.now(dt.UTC))
    return lag is not None and lag < STALE_SECONDS
