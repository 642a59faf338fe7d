"""Metrics of the signals' service, under the names that its dashboards know."""

import threading

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

MOST_CHANNELS = 50  # as labels; the further ones count together, so that no title can fill the memory
OTHERS = "other"


class SignalMetrics:
    """What was heard, stored and asked."""

    def __init__(self) -> None:
        self._channels: set[str] = set()
        self._turn = threading.Lock()
        self.ingested = Counter(
            "tp_capital_signals_ingested_total", "Signals stored", ["channel", "signal_type"], registry=None
        )
        self.parse_errors = Counter(
            "tp_capital_parse_errors_total", "Posts that are no signal", ["channel", "error_type"], registry=None
        )
        self.questdb_errors = Counter(
            "tp_capital_questdb_errors_total", "Writes that QuestDB did not take", registry=None
        )
        self.questdb_health = Gauge("tp_capital_questdb_health", "1 while QuestDB answers", registry=None)
        self.query_duration = Histogram(
            "tp_capital_query_duration_seconds", "Time of a question to QuestDB", ["operation"], registry=None
        )
        self.processed = Counter(
            "tpcapital_gateway_messages_processed_total", "Posts by what became of them", ["status"], registry=None
        )
        self.polling_lag = Gauge(
            "tpcapital_gateway_polling_lag_seconds", "Age of the newest post when it was taken", registry=None
        )
        self.processing = Histogram(
            "tpcapital_gateway_processing_duration_seconds", "Time to read and store a post", registry=None
        )
        self.waiting = Gauge("tpcapital_gateway_messages_waiting", "Updates received, not stored yet", registry=None)
        self.polling_errors = Counter(
            "tpcapital_gateway_polling_errors_total", "Requests to Telegram that failed", ["type"], registry=None
        )

    @property
    def collectors(self) -> list[MetricWrapperBase]:
        """All of them, for the registry of the process."""
        return [value for value in vars(self).values() if isinstance(value, MetricWrapperBase)]

    def asked(self, operation: str, status: str, seconds: float) -> None:
        """Count a question to QuestDB."""
        self.query_duration.labels(operation).observe(seconds)
        if status != "success":
            self.questdb_errors.inc()

    def channel(self, name: str) -> str:
        """The label of a channel."""
        with self._turn:
            if len(self._channels) < MOST_CHANNELS:
                self._channels.add(name)
            return name if name in self._channels else OTHERS
