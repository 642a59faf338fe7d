"""What the relay's port says of the journal's way to hot: one probe and some numbers."""

import time
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.relay.shipper import Progress

LATE_SECONDS = 60.0  # QuestDB may be started anew meanwhile


def ships(progress: Progress, now: float) -> bool | str:
    """Whether records reach hot in time; in words, why not. `now` is monotonic."""
    if progress.broken is not None:
        return f"the journal of orders is not shipped: {progress.broken}"
    late = progress.lag_seconds(now)
    if late < LATE_SECONDS:
        return True
    return f"{progress.waiting} records of the journal wait for hot since {late:.0f} s: {progress.last_error}"


class ShippingCollector(Collector):
    """Prometheus' view of the progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        now = self._progress
        rows = CounterMetricFamily("order_manager_shipped_rows", "Rows of the journal in hot", labels=["table"])
        for table, count in list(now.rows.items()):
            rows.add_metric([table], count)
        yield rows
        for name, what, count in (
            ("ship_failures", "Steps of the shipper that were tried again", now.failures),
            ("journal_unlike", "Files of the journal that begin with what their past does not lead to", now.unlike),
            ("ship_rewinds", "Times that records were sent again because hot may have lost them", now.rewinds),
        ):
            yield CounterMetricFamily(f"order_manager_{name}", what, value=count)
        for name, what, value in (
            ("shipped_record", "The last record of the journal that hot took", float(now.number)),
            ("ship_waiting_records", "Records that wait for hot", float(now.waiting)),
            ("ship_lag_seconds", "For how long they have been waiting", now.lag_seconds(time.monotonic())),
            ("journal_broken", "1 while the journal cannot be believed", float(now.broken is not None)),
            ("journal_head_kept", "1 while warm takes the journal's head", float(now.warm_error is None)),
        ):
            yield GaugeMetricFamily(f"order_manager_{name}", what, value=value)
