"""Logs on stderr: one JSON object a line, in colour on a terminal in development. No secret reaches a line.

The same lines stand in the data directory, one file a day and service (`logs/<service>.jsonl`), for thirty days.
"""

import datetime as dt
import logging
import logging.handlers
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.settings import Settings

SECRET_NAME = re.compile(r"password|secret|token|authorization|api_?key|dsn|cookie", re.IGNORECASE)
BOT_TOKEN = re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}")  # of Telegram, in addresses and in errors of its client
KEY_OR_TOKEN = re.compile(r"\bts[kr]_[a-z0-9]+_[\w-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")  # of our callers
URL_CREDENTIALS = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]+@")
HIDDEN = "***"
KEPT_DAYS = 30

during: ContextVar[tuple[str, str] | None] = ContextVar("during", default=None)  # a request: its id, its service


def configure(settings: Settings, service: str, stream: TextIO | None = None) -> None:
    """Send the records of structlog and of the standard library to `stream` (stderr) and to the day's file.

    Called once, by a main. A data directory that is not there yet gets no file.
    """
    stream = stream or sys.stderr
    people = settings.environment == "development" and stream.isatty()
    redaction = Redaction(secrets_of(settings))
    shared: list[Processor] = [
        _during,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(service),
        structlog.processors.format_exc_info,
        redaction,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    lines = _lines(shared, json_line)
    tell.lines = None if people else (redaction, lines)
    handler.setFormatter(_lines(shared, structlog.dev.ConsoleRenderer()) if people else lines)
    root = logging.getLogger()
    root.handlers = [handler]
    if settings.data_dir.is_dir():
        root.handlers.append(_file(settings, service, lines))
    root.setLevel({"warn": "WARNING"}.get(settings.log_level, settings.log_level.upper()))
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Lines(structlog.stdlib.ProcessorFormatter):
    """Makes the line of a record once, for however many handlers share this formatter."""

    def format(self, record: logging.LogRecord) -> str:
        made: tuple[_Lines, str] | None = getattr(record, "made", None)
        if made is None or made[0] is not self:
            made = record.made = (self, super().format(record))
        return made[1]


def _lines(shared: list[Processor], render: Processor) -> _Lines:
    return _Lines(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )


def _file(settings: Settings, service: str, lines: logging.Formatter) -> logging.Handler:
    folder = settings.data_dir / "logs"
    folder.mkdir(exist_ok=True)
    handler = DayFile(
        folder / f"{service}.jsonl", when="midnight", utc=True, backupCount=KEPT_DAYS, encoding="utf-8", delay=True
    )
    handler.setFormatter(lines)
    return handler


class DayFile(logging.handlers.TimedRotatingFileHandler):
    """A file that the next day renames. A disk that takes no line costs the line and not the work; stderr has it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in the library
        """Nothing more can be said here."""


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every password and key that the settings hold."""
    hot, warm, telegram = settings.questdb, settings.postgres, settings.tp_capital
    known = [
        settings.access.api_key,
        settings.orders.journal_key,
        telegram.ingestion_token,
        telegram.forwarder_token,
        telegram.webhook_secret,
        telegram.gateway_secret,
        telegram.token_key,
        hot.password,
        hot.reader_password,
        *warm.passwords.values(),
    ]
    return frozenset(value for value in known if value and len(value) >= 6)


class Frequent:
    """Tells what every request causes: the line that structlog would make, without its work for each."""

    lines: tuple["Redaction", _Lines] | None = None  # None: structlog makes them

    def __call__(self, to: logging.Logger, level: int, event: str, values: dict[str, Any], sent: Sequence[str]) -> None:
        """Log `event` with `values`, which are numbers or words of ours; those named in `sent` are a caller's."""
        if self.lines is None or not structlog.is_configured():
            structlog.get_logger(to.name).log(level, event, **values)
            return
        if not to.isEnabledFor(level):
            return
        redaction, formatter = self.lines
        request_id, service = during.get() or ("", "")
        line = {
            "timestamp": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"),
            "level": logging.getLevelName(level).lower(),
            "service": service,
            "event": event,
            "correlation_id": redaction.text(request_id),
            **values,
        }
        for name in sent:
            line[name] = redaction.text(line[name])
        record = logging.LogRecord(to.name, level, "", 0, event, None, None)
        record.made = (formatter, msgspec.json.encode(line).decode())
        to.handle(record)


tell = Frequent()


class Redaction:
    """Processor that blanks values under secret names, credentials in URLs and the secrets it knows, at any depth."""

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        self._shortest = min(map(len, secrets), default=0)

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: self._clean(name, value) for name, value in event.items()}

    def _clean(self, name: str, value: Any) -> Any:
        if value is not None and _secret(name):
            return HIDDEN
        if isinstance(value, dict):
            return {key: self._clean(str(key), inner) for key, inner in value.items()}
        if isinstance(value, list | tuple) and not name.startswith("_"):
            return [self._clean("", inner) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, value: str) -> str:
        """`value` without secrets."""
        if len(value) >= self._shortest:
            for secret in self._secrets:
                value = value.replace(secret, HIDDEN)
        if "tsk_" in value or "tsr_" in value or "eyJ" in value:
            value = KEY_OR_TOKEN.sub(HIDDEN, value)
        if ":" not in value:  # every line passes here, and few of its values hold what follows
            return value
        return BOT_TOKEN.sub(HIDDEN, URL_CREDENTIALS.sub(rf"\1:{HIDDEN}@", value))


@lru_cache(1024)
def _secret(name: str) -> bool:
    return SECRET_NAME.search(name) is not None


def json_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Renderer: one JSON object, the fields every line has first."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "service", "event") if name in event}
    return msgspec.json.encode(first | dict(event), enc_hook=repr).decode()


def _during(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    request = during.get()
    if request is not None:
        event.setdefault("correlation_id", request[0])
        event.setdefault("service", request[1])
    return event


class _Named:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", self._service)
        return event
