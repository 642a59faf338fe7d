"""How a bot stands with Telegram: counts its errors, says each in a word, and how long to wait."""

from typing import Literal

from telegram.error import TelegramError

from api.tp_capital.diary import Diary
from api.tp_capital.metrics import SignalMetrics
from api.tp_capital.telegram_client import flood_seconds, kind_of

LONGEST_PAUSE = 30.0
LOUD_ERRORS = 10  # in a row; those after them are counted and no longer told

State = Literal["starting", "listening", "failing"]


class Link:
    """The state of one bot."""

    def __init__(self, name: str, diary: Diary, metrics: SignalMetrics) -> None:
        self.name = name
        self.state: State = "starting"
        self.trouble: str | None = None
        self._diary = diary
        self._metrics = metrics
        self._errors = 0

    def well(self) -> None:
        """Telegram answered."""
        if self.state != "listening":
            self._diary.tell("info", f"{self.name} listens to Telegram")
        self.state, self.trouble, self._errors = "listening", None, 0

    def failed(self, error: TelegramError) -> float:
        """Count and tell an error; how many seconds to wait."""
        return self.broke(kind_of(error), flood_seconds(error))

    def broke(self, kind: str, wait_seconds: float | None = None) -> float:
        """The same for an error of any kind."""
        self._errors += 1
        self.state, self.trouble = "failing", kind
        self._metrics.polling_errors.labels(kind).inc()
        wait = wait_seconds or pause_after(self._errors)
        if self._errors <= LOUD_ERRORS:
            last = self._errors == LOUD_ERRORS or kind == "token"
            words = f"{self.name} cannot speak with Telegram"
            self._diary.tell("error" if last else "warn", words, kind=kind, errors=self._errors, wait_seconds=wait)
        return wait


def pause_after(errors: int) -> float:
    """1, 2, 4 … 30 seconds."""
    return min(LONGEST_PAUSE, 2.0 ** min(errors - 1, 10))
