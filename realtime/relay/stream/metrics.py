"""What Prometheus sees of the stream."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.relay.stream.hub import Hub


class StreamCollector(Collector):
    """Clients and what was done for them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        now = self._hub.counts
        for name, what, value in (
            ("bytes", "Bytes told to clients", now.bytes),
            ("cut", "Clients that were cut for being slow", now.cut),
            ("conflated", "Trades that slow clients were not told one by one", now.conflated),
            ("resumed", "Subscriptions that went on from a sequence number", now.resumed),
        ):
            counter = CounterMetricFamily(f"datacapture_stream_{name}", what)
            counter.add_metric([], value)
            yield counter
        for name, what, value in (
            ("clients", "Clients that are connected", now.clients),
            ("sequence", "Number of the last record that was told", self._hub.told),
        ):
            gauge = GaugeMetricFamily(f"datacapture_stream_{name}", what)
            gauge.add_metric([], value)
            yield gauge
