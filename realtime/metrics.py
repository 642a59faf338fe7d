"""What Prometheus sees of the realtime process. Names are those of the panels and rules."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.connection import Link
from realtime.files import Progress
from realtime.history import Outcome
from realtime.spool.writer import Progress as SpoolProgress
from realtime.watch import Standing

CHANNELS = ("login", "routing", "market", "activation")


class CaptureCollector(Collector):
    """The link, the ring, the spool and history requests as they stand when they are asked for."""

    def __init__(self, standing: Callable[[], Standing], spool: SpoolProgress, ended: Mapping[str, int]) -> None:
        self._standing = standing
        self._spool = spool
        self._ended = ended  # history requests by their state

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges; a channel that has not spoken has no sample."""
        now = self._standing()
        yield _counter("datacapture_ticks_received", "Market records taken from the ring", now.records)
        yield _counter("datacapture_ring_dropped", "Market records that found the ring full", now.dropped)
        yield _gauge("datacapture_ring_waiting", "Market records in the ring", now.waiting)
        yield _counter("datacapture_callback_errors", "Callbacks that failed inside", now.callback_errors)
        yield _counter("datacapture_reconnects", "Times that the market data came back", now.reconnects)
        yield _gauge("datacapture_idle_seconds", "Since the last market record", now.idle_seconds)
        yield _gauge("datacapture_request_seconds", "Age of the request the DLL is at", now.request_seconds)
        yield _gauge("datacapture_symbols", "Symbols that are subscribed", len(now.symbols))
        yield _gauge("datacapture_unknown_symbols", "Symbols the broker does not know", len(now.unknown_symbols))
        yield _gauge("datacapture_connection_status", "1 while data flows as it should", float(now.trouble is None))
        link = GaugeMetricFamily("datacapture_link", "1 for the state the link is in", labels=["state"])
        for state in Link:
            link.add_metric([state], float(state == now.link))
        yield link
        words = GaugeMetricFamily("datacapture_channel", "Last word of a channel", labels=["channel"])
        for channel in CHANNELS:
            if (word := getattr(now, channel)) is not None:
                words.add_metric([channel], word)
        yield words
        history = CounterMetricFamily("datacapture_history_requests", "History requests that ended", labels=["state"])
        for outcome in Outcome:
            history.add_metric([outcome.value], self._ended[outcome])
        yield history
        yield from self._of_spool()

    def _of_spool(self) -> Iterable[Metric]:
        spool = self._spool
        yield _counter("datacapture_spool_records", "Records taken into the spool", spool.appended)
        yield _counter("datacapture_spool_dropped", "Records that found the spool full", spool.dropped)
        yield _counter("datacapture_spool_failures", "Writes that were tried again", spool.failures)
        yield _counter("datacapture_spool_commits", "Groups that are on disk", spool.commits)
        yield _counter("datacapture_spool_commit_seconds", "Time spent on them", spool.commit_seconds)
        yield _gauge("datacapture_spool_unsent_bytes", "In the spool and not in the store yet", spool.unsent_bytes)
        yield _gauge("datacapture_spool_refusing", "1 while records are dropped", float(spool.refusing))


class FilesCollector(Collector):
    """A source of files."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        """Counters as they stand now."""
        yield _counter("datacapture_ticks_received", "Ticks that were handed to the hot tier", self._progress.rows)
        yield _counter("datacapture_store_failures", "Writes that were tried again", self._progress.failures)


def _counter(name: str, text: str, value: float) -> Metric:
    made = CounterMetricFamily(name, text)
    made.add_metric([], value)
    return made


def _gauge(name: str, text: str, value: float) -> Metric:
    made = GaugeMetricFamily(name, text)
    made.add_metric([], value)
    return made
