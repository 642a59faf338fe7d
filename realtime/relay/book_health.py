"""What the relay's port says of quotes and book: one probe and some numbers."""

import time
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.relay.books import Progress

LATE_SECONDS = 60.0  # they stand back for ticks


def arrive(progress: Progress, now: float) -> bool | str:
    """Whether events reach hot in time; in words, why not. `now` is seconds since 1970."""
    late = progress.lag_seconds(now)
    if progress.last_error is None and late < LATE_SECONDS:
        return True
    return f"quotes and book wait for hot since {late:.0f} s"


class BookCollector(Collector):
    """Prometheus' view of the progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        now = self._progress
        stored = CounterMetricFamily("datacapture_events_stored", "Quotes and book events in hot", labels=["table"])
        for table, rows in list(now.stored.items()):
            stored.add_metric([table], rows)
        unnamed = CounterMetricFamily("datacapture_events_unnamed", "Events of an asset without a name")
        unnamed.add_metric([], now.unnamed)
        failures = CounterMetricFamily("datacapture_event_store_failures", "Writes of events that were tried again")
        failures.add_metric([], now.failures)
        lag = GaugeMetricFamily("datacapture_books_lag_seconds", "How long the oldest spooled event waits for hot")
        lag.add_metric([], now.lag_seconds(time.time()))
        yield from (stored, unnamed, failures, lag)
