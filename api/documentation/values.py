"""What the bodies and parameters of this service become before they are stored. Pure but for who asks."""

import datetime as dt
import unicodedata
import uuid
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter
from msgspec import UNSET, Meta, Struct

from api.kernel.access import actor, address_of
from api.kernel.errors import FieldError, InvalidRequestError, invalid
from sql.documentation.audit import Who
from sql.pool import Row

MIN_SEARCH = 2

Key = Annotated[str, PathParameter(description="A UUID.", schema_extra={"format": "uuid"})]
Search = Annotated[
    str | None, QueryParameter(min_length=MIN_SEARCH, max_length=100, description="Words, or a part of one.")
]
Limit = Annotated[int | None, QueryParameter(ge=1, le=100, description="So many at most.")]
Offset = Annotated[int, QueryParameter(ge=0, le=1_000_000, description="So many are left out first.")]
Question = Annotated[str, QueryParameter(name="q", max_length=200, description="Two characters or more.")]
Heading = Annotated[str, Meta(pattern=r"\S", max_length=255, description="Not blank; blanks around it are cut off.")]
Tag = Annotated[str, Meta(max_length=50)]
Address = Annotated[
    str,
    Meta(
        max_length=512,
        description="http or https.",
        examples=["https://docs.example.com/"],
        extra_json_schema={"format": "uri"},
    ),
]


def given(sent: Struct, **checks: Any) -> dict[str, Any]:
    """The fields that were sent: texts trimmed and blank ones null, no tag twice, then as `checks` make them by name.

    Raises InvalidRequestError with an entry for each value that its check refuses.
    """
    values = {name: _trimmed(value) for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    errors = []
    for name, check in checks.items():
        if values.get(name) is not None:
            try:
                values[name] = check(values[name])
            except ValueError as error:
                errors.append(FieldError(name, str(error)))
    if errors:
        raise InvalidRequestError(*errors)
    if "tags" in values:
        values["tags"] = list(dict.fromkeys(tag for tag in map(str.strip, map(composed, values["tags"] or [])) if tag))
    return values


def _trimmed(value: Any) -> Any:
    return (composed(value).strip() or None) if isinstance(value, str) else value


def composed(text: str) -> str:
    """`text` with each accented letter as one (NFC): some programs send accents apart, and a search would miss them."""
    return unicodedata.normalize("NFC", text)


def web_address(text: str) -> str:
    """`text`, when it is an http or https address. Raises ValueError."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in text):
        raise ValueError(f"expected an address such as https://docs.example.com/, found {text[:80]!r}")
    return text


def instant(text: str) -> dt.datetime:
    """An ISO 8601 date or time; without a zone it is UTC. Raises ValueError."""
    try:
        at = dt.datetime.fromisoformat(text)
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected an ISO 8601 date or time, found {text[:40]!r}") from error


def instant_in(field: str, text: str | None) -> dt.datetime | None:
    """The instant in a parameter. Raises InvalidRequestError that names it."""
    try:
        return None if text is None else instant(text.strip())
    except ValueError as error:
        raise invalid(field, str(error)) from error


def key_in(text: str) -> uuid.UUID:
    """The id in a path. Raises InvalidRequestError for what is none."""
    try:
        if len(text) == 36:
            return uuid.UUID(text)
    except ValueError:
        pass
    raise invalid("id", f"expected a UUID, found {text[:40]!r}")


def sought(text: str) -> str:
    """What to search for. Raises InvalidRequestError when it is too short."""
    words = composed(text).strip()
    if len(words) < MIN_SEARCH:
        raise invalid("q", f"expected at least {MIN_SEARCH} characters, found {len(words)}")
    return words


def existing(row: Row | None, kind: str, key: str) -> Row:
    """The row. Raises NotFoundException that names the id as the caller did."""
    if row is None:
        raise NotFoundException(f"{kind} {key} not found")
    return row


def who_asks(request: Request[Any, Any, Any]) -> Who:
    """Who writes, for the audit log."""
    agent = request.headers.get("user-agent")
    return Who(user=actor(request), ip=address_of(request), agent=agent[:255] if agent else None)
