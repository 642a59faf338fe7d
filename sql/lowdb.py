"""LowDB's JSON files as records of ours: what each kind of file looks like, and the workspace's mapping. Pure rules.

A record that cannot be kept is refused with the reason; a value that had to be replaced is noted. Nothing is dropped
in silence.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, field

from sql.errors import StoreError
from sql.workspace import LEGACY, MAX_AUTHOR, Category, Item, Priority, Status, id_of

MAX_TITLE = 255
Kind = Literal["workspace", "documentation"]
Record = dict[str, Any]
Warn = Callable[[str], None]


class LowDbError(StoreError):
    """A file that is not what LowDB of the original wrote."""


class Note(Struct, frozen=True):
    """Something about one record: `record` is its id as the file has it, or its place in the file."""

    record: str
    message: str


class Mapped(Struct, frozen=True, kw_only=True):
    """What a list of records became. `duplicates` came with an id that an earlier one of the file has."""

    rows: list[Any] = field(default_factory=list)
    duplicates: list[Note] = field(default_factory=list)
    refusals: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)


class Refused(Exception):  # noqa: N818 - a verdict on one record, caught where the list is walked
    """This record cannot be kept."""


def root_of(text: bytes, name: str) -> Any:
    """The JSON of a file. Raises LowDbError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LowDbError(f"{name}: expected LowDB's JSON, found something else: {error}") from error


def kind_of(root: Any, name: str) -> Kind:
    """Whose file it is. Raises LowDbError naming what was found."""
    if isinstance(root, list):
        return "workspace"
    if isinstance(root, dict):
        if any(isinstance(root.get(key), list) for key in ("systems", "links", "files")):
            return "documentation"
        if any(isinstance(root.get(key), list) for key in ("items", "ideas")):
            return "workspace"
    found = f"an object of {', '.join(sorted(root)) or 'nothing'}" if isinstance(root, dict) else type(root).__name__
    raise LowDbError(f"{name}: expected a list, or lists called items, ideas, systems, links or files; found {found}")


def workspace_items(root: Any, now: dt.datetime) -> Mapped:
    """Items of a workspace's library (`items`, or a bare list), or of the older file of ideas."""
    found = root if isinstance(root, list) else [*root.get("items", ()), *root.get("ideas", ())]
    return mapped(found, lambda record, warn: item_of(record, now, warn))


def mapped(records: Iterable[Any], rule: Callable[[Record, Warn], Any], unique: str = "id") -> Mapped:
    """Every record through `rule`, which makes a row with an `id`, warns, or raises Refused.

    Rows differ in their id, and in the field that is `unique` besides.
    """
    result, seen = Mapped(), set[Any]()
    for place, record in enumerate(records, start=1):
        name = str(record.get("id", f"number {place}")) if isinstance(record, dict) else f"number {place}"
        warnings: list[str] = []
        try:
            row = rule(_object(record), warnings.append)
        except Refused as refusal:
            result.refusals.append(Note(name, str(refusal)))
            continue
        keys = {("id", row.id), (unique, getattr(row, unique))}
        if repeated := {field for field, _ in keys & seen}:
            told = f"an earlier record of this file has the same {' and '.join(sorted(repeated))}"
            result.duplicates.append(Note(name, told))
            continue
        seen |= keys
        result.rows.append(row)
        result.warnings.extend(Note(name, message) for message in warnings)
    return result


def item_of(record: Record, now: dt.datetime, warn: Warn) -> Item:
    """An item as the workspace stores it. An id that is no UUID becomes one, and stays in `metadata.legacyId`."""
    created_at = instant(first(record, "createdAt", "created_at"), "createdAt", now, warn)
    updated_at = first(record, "updatedAt", "updated_at")
    metadata = as_object(record.get("metadata"), "metadata", warn)
    own_id, legacy = identity(record, id_of, LEGACY, warn)
    return Item(
        id=own_id,
        title=needed_text(record, "title", MAX_TITLE),
        description=text(record.get("description"), "description"),
        category=word(record.get("category"), "category", get_args(Category), "documentacao", warn),
        priority=word(record.get("priority"), "priority", get_args(Priority), "medium", warn),
        status=word(record.get("status"), "status", get_args(Status), "new", warn),
        tags=texts(record.get("tags"), "tags", warn),
        created_at=created_at,
        updated_at=created_at if updated_at is None else instant(updated_at, "updatedAt", created_at, warn),
        created_by=author(first(record, "createdBy", "created_by"), "createdBy", warn),
        updated_by=author(first(record, "updatedBy", "updated_by"), "updatedBy", warn),
        metadata=metadata | ({"legacyId": legacy} if legacy else {}),
    )


def identity(
    record: Record, known: Callable[[str], uuid.UUID], space: uuid.UUID, warn: Warn
) -> tuple[uuid.UUID, str | None]:
    """The id of a record, and the one it had when that was none of ours. Without one its content is its name."""
    told = record.get("id")
    if told is None or not str(told).strip():
        warn("has no id: its content decides which one it gets")
        return uuid.uuid5(space, json.dumps(record, sort_keys=True)), None
    name = str(told).strip()
    own = known(name)
    return own, None if name.lower() == str(own) else name


def first(record: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that holds something."""
    return next((record[name] for name in names if record.get(name) is not None), None)


def word(value: Any, name: str, known: tuple[str, ...], otherwise: str, warn: Warn) -> Any:
    """One of the `known` words, `_` and case aside; else `otherwise`, with a warning."""
    if value in known:
        return value
    for candidate in known:
        if isinstance(value, str) and _plain(candidate) == _plain(value):
            warn(f"{name} {value!r} read as {candidate!r}")
            return candidate
    warn(f"{name} is missing: {otherwise!r}" if value is None else f"{name} {value!r} is not known: {otherwise!r}")
    return otherwise


def instant(value: Any, name: str, otherwise: dt.datetime, warn: Warn) -> dt.datetime:
    """An ISO 8601 time in UTC (no zone means UTC); else `otherwise`, with a warning."""
    try:
        at = dt.datetime.fromisoformat(value)
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (TypeError, ValueError, OverflowError):
        warn(f"{name} {value!r} is no time: {otherwise.isoformat()}" if value else f"{name} is missing")
        return otherwise


def text(value: Any, name: str) -> str | None:
    """A text that PostgreSQL can hold; None for nothing and for blanks. Raises Refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(f"{name}: expected text, found {type(value).__name__}")
    return _storable(value.strip(), name) or None


def needed_text(record: Record, name: str, most: int) -> str:
    """A text that must be there, of `most` characters at most. Raises Refused."""
    found = text(record.get(name), name)
    if found is None:
        raise Refused(f"{name}: is missing")
    if len(found) > most:
        raise Refused(f"{name}: has {len(found)} characters, {most} at most")
    return found


def texts(value: Any, name: str, warn: Warn) -> list[str]:
    """A list of texts without repeats; a list may stand in a text as JSON. Anything else is empty, with a warning."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            value = [value]
    if value is None:
        return []
    if not isinstance(value, list):
        warn(f"{name} is no list: left empty")
        return []
    if not all(isinstance(entry, str) for entry in value):
        warn(f"{name}: what is no text became text")
    found: list[str] = _storable(list(dict.fromkeys(str(entry) for entry in value if entry is not None)), name)
    return found


def as_object(value: Any, name: str, warn: Warn) -> dict[str, Any]:
    """An object that PostgreSQL can hold; it may stand in a text as JSON. Anything else is empty, with a warning."""
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            value = [value]
    if not value:
        return {}
    if not isinstance(value, dict):
        warn(f"{name} is no object: left out")
        return {}
    found: dict[str, Any] = _storable(value, name)
    return found


def author(value: Any, name: str, warn: Warn) -> str | None:
    """A name that fits its column."""
    found = text(value, name)
    if found is not None and len(found) > MAX_AUTHOR:
        warn(f"{name} was cut to {MAX_AUTHOR} characters")
        return found[:MAX_AUTHOR]
    return found


def _object(record: Any) -> Record:
    if not isinstance(record, dict):
        raise Refused(f"expected an object, found {type(record).__name__}")
    return record


def _plain(value: str) -> str:
    return value.strip().lower().replace("_", "-").replace(" ", "-")


def _storable(value: Any, name: str) -> Any:
    if _holds_nul(value):
        raise Refused(f"{name}: holds a NUL, which PostgreSQL cannot")
    return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return any(_holds_nul(part) for part in value) if isinstance(value, list) else "\0" in str(value)
