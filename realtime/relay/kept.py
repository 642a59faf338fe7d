"""What the keeper has done, for health and metrics."""

from collections.abc import Iterable

from msgspec import Struct, field
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PATIENCE_SECONDS = 300.0  # PostgreSQL may be started anew meanwhile
HANGING_SECONDS = 900.0  # one look at many long sessions takes minutes


class Kept(Struct):
    """The keeper since it started; read from any thread."""

    gaps: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    answered: int = 0
    failures: int = 0
    last_error: str | None = None  # why it cannot go on; None while it can
    failing_since: float | None = None  # monotonic
    waits_for: str | None = None  # why nothing is asked though something is due
    alive_at: float | None = None  # monotonic: the last look began; None: no keeper runs here


def trouble_of(kept: Kept, now: float) -> str | None:
    """Why gaps are not looked after, when that has lasted; None while they are."""
    if kept.alive_at is not None and now - kept.alive_at >= HANGING_SECONDS:
        return f"gaps are not looked after: the last look began {now - kept.alive_at:.0f} s ago and does not end"
    if kept.failing_since is None or now - kept.failing_since < PATIENCE_SECONDS:
        return None
    return f"gaps are not looked after: {kept.last_error}"


class KeptCollector(Collector):
    """Prometheus' view of the keeper's progress."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        now = self._kept
        for name, what, value in (
            ("history_asked", "Requests to the broker's history for missing trades", now.asked),
            ("history_answered", "Answers of the broker's history that were stored", now.answered),
            ("keeper_failures", "Looks at the tape that were tried again", now.failures),
        ):
            counter = CounterMetricFamily(f"datacapture_{name}", what)
            counter.add_metric([], value)
            yield counter
        for name, what, states in (
            ("gaps", "Gaps of the tape by state", now.gaps),
            ("sessions", "Captured sessions of symbols by state", now.sessions),
        ):
            gauge = GaugeMetricFamily(f"datacapture_{name}", what, labels=["state"])
            for state, count in list(states.items()):
                gauge.add_metric([state], count)
            yield gauge
