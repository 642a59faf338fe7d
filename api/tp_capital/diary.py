"""What the service did of late: `GET /logs` answers from memory, and every line goes to the process's log as well."""

import datetime as dt
from collections import deque
from typing import Any, Literal

import structlog
from msgspec import Struct

Level = Literal["fatal", "error", "warn", "info", "debug"]
METHODS: dict[Level, str] = {"fatal": "critical", "warn": "warning"}  # where structlog has another word


class Line(Struct, frozen=True, kw_only=True):
    """One line."""

    timestamp: dt.datetime
    level: Level
    message: str
    context: dict[str, Any] | None


class Diary:
    """The last `size` lines. Written and read in one event loop."""

    def __init__(self, size: int) -> None:
        self._lines: deque[Line] = deque(maxlen=size)
        self._log = structlog.get_logger("api.tp_capital")

    def tell(self, level: Level, message: str, **context: Any) -> None:
        """Remember a line and log it. No token and no key may stand in it."""
        line = Line(timestamp=dt.datetime.now(dt.UTC), level=level, message=message, context=context or None)
        self._lines.append(line)
        getattr(self._log, METHODS.get(level, level))(message, **context)

    def lines(self, limit: int | None = None, level: Level | None = None) -> list[Line]:
        """The newest first; `level` is one level, not a threshold."""
        found = [line for line in reversed(self._lines) if level is None or line.level == level]
        return found[:limit]
