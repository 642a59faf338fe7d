"""What a request asks of the tape: the range, the place in it and the form of the answer.

Times are ISO 8601; a date means its midnight, and what has no zone is UTC. Ranges are half open, from <= ts < to.
"""

import base64
import binascii
import datetime as dt
import re
from typing import Any, Literal, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import Headers
from litestar.types import Scope
from msgspec import Struct

from api.kernel.errors import FieldError, InvalidRequestError, invalid
from api.ranges import begins
from sql.coverage import DAY, start_of
from sql.tape import SYMBOL, Key, Span, Tape

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
FIRST, LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
READERS = ("polars/", "object_store", "duckdb")  # user agents that read Parquet and say `Accept: */*`
LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")  # a `+` of a zone that was not percent-encoded arrives as a blank

NO_CURSOR = "expected `nextCursor` of an earlier page, unchanged"

Place = TypeVar("Place", bound=Struct)
Format = Literal["json", "arrow", "parquet"]


class Cursor(Struct, frozen=True, array_like=True):
    """What an opaque cursor holds: the range as it was understood first, and the last row given."""

    version: Literal[1]
    span: Span
    after: Key


def span_of(tape: Tape, symbol: str | None, since: str | None, until: str | None) -> Span:
    """The range that was asked for; without one, the last UTC day that has rows.

    Raises InvalidRequestError that names every value that cannot be used.
    """
    _check_symbol(symbol)
    errors: list[FieldError] = []
    begin, end = _read("from", since, errors), _read("to", until, errors)
    if errors:
        raise InvalidRequestError(*errors)
    today = dt.datetime.now(dt.UTC).date()
    if begin is None and end is None:
        begin = start_of(tape.last_day(symbol) or today)
        return Span(symbol, begin, begin + DAY)
    if begin is None:
        assert end is not None
        begin = start_of((end - dt.timedelta(microseconds=1)).date())
    end = end or max(start_of(today), start_of(begin.date())) + DAY
    if begin >= end:
        raise invalid("to", f"expected an instant after `from` ({begin.isoformat()}), found {end.isoformat()}")
    return Span(symbol, begin, end)


def span_of_cursor(cursor: Cursor, symbol: str | None, since: str | None, until: str | None) -> Span:
    """The range of a cursor. Raises InvalidRequestError when other parameters ask for another one."""
    errors: list[FieldError] = []
    span, begin, end = cursor.span, _read("from", since, errors), _read("to", until, errors)
    asked = {"symbol": (symbol, span.symbol), "from": (begin, span.since), "to": (end, span.until)}
    for name, (given, held) in asked.items():
        if given is not None and given != held:
            errors.append(FieldError(name, f"the cursor belongs to {held}; ask without a cursor for another range"))
    if errors:
        raise InvalidRequestError(*errors)
    return span


def text_of(place: Struct) -> str:
    """A place in an answer as it travels, opaque."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_in(text: str, kind: type[Place]) -> Place:
    """The place that travelled. Raises InvalidRequestError for anything that `text_of` does not make of a `kind`.

    Its values are the caller's to check: anybody can write one.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise invalid("cursor", NO_CURSOR) from error


def cursor_of(text: str) -> Cursor:
    """The cursor that travelled. Raises InvalidRequestError for anything we did not make."""
    cursor = place_in(text, Cursor)
    if not all(known(at) for at in (cursor.span.since, cursor.span.until, cursor.after.ts)):
        raise invalid("cursor", NO_CURSOR)
    _check_symbol(cursor.span.symbol)
    return cursor


def known(at: dt.datetime) -> bool:
    """Whether an instant is one that anything of ours can have."""
    return at.tzinfo is not None and FIRST <= at <= LAST


def continues(scope: Scope) -> bool:
    """Whether a request goes on with a reading that was counted when it began: a next page, or a further byte range."""
    return not begins(Headers.from_scope(scope)) or b"cursor=" in scope.get("query_string", b"")


def form_of(request: Request[Any, Any, Any]) -> Format:
    """The form that `Accept` names first, JSON when it names none of ours.

    Readers of Parquet say `Accept: */*` like everybody. They are known by asking for a byte range (a JSON answer has
    none) or by their name.
    """
    accept = request.headers.get("accept", "*/*").lower()
    for part in accept.split(","):
        match part.partition(";")[0].strip():
            case "application/vnd.apache.arrow.stream":
                return "arrow"
            case "application/vnd.apache.parquet" | "application/x-parquet" | "application/parquet":
                return "parquet"
            case "application/json" | "text/html" | "application/problem+json":
                return "json"
    agent = request.headers.get("user-agent", "").lower()
    return "parquet" if "range" in request.headers or agent.startswith(READERS) else "json"


def iso_instant(text: str) -> dt.datetime | None:
    """An ISO 8601 date or instant, UTC without a zone; None for anything else, and for what no row can have."""
    try:
        at = dt.datetime.fromisoformat(LOST_PLUS.sub("+", text))
        at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return at if known(at) else None


def read_instant(field: str, text: str | None) -> dt.datetime | None:
    """An instant that a parameter names; None where it is absent. Raises InvalidRequestError."""
    errors: list[FieldError] = []
    at = _read(field, text, errors)
    if errors:
        raise InvalidRequestError(*errors)
    return at


def _check_symbol(symbol: str | None) -> None:
    if symbol is not None and not SYMBOL.fullmatch(symbol):
        raise invalid("symbol", "expected 1 to 32 letters, digits or ._$@:+#/&-")


def _read(field: str, text: str | None, errors: list[FieldError]) -> dt.datetime | None:
    if text is None:
        return None
    at = iso_instant(text)
    if at is None:
        message = f"expected an ISO 8601 instant or date from 1970 to 2199 (no zone means UTC), found {text[:40]!r}"
        errors.append(FieldError(field, message))
    return at
