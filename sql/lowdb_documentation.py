"""LowDB's documentation file as rows of ours: systems, ideas, links and files. Pure rules, as those of the workspace.

References are by the ids of the file; one that leads nowhere is left out, with a note. Counters are dropped.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from sql.lowdb import (
    Mapped,
    Record,
    Refused,
    Warn,
    as_object,
    first,
    identity,
    instant,
    mapped,
    needed_text,
    text,
    texts,
    word,
)

SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tradingsystem:documentation")
SYSTEM_TYPES = ("api", "webapp", "docs", "tool", "unknown")
SYSTEM_STATES = ("online", "offline", "error", "unknown", "degraded", "planned")
IDEA_STATES = ("backlog", "todo", "in_progress", "review", "done")
IDEA_CATEGORIES = ("new_feature", "improvement", "bug_fix", "content", "structure", "uncategorized")
IDEA_PRIORITIES = ("low", "medium", "high", "urgent")
OTHER_WORDS = {"new": "backlog", "triage": "todo", "completed": "done", "critical": "urgent"}  # of older drafts
NAME, URL, LINK, AUTHOR = 255, 512, 2_048, 255
NOBODY = "system"

Content = Callable[[str], bytes]  # the bytes of a file, by the path in its record; raises Refused


class System(Struct, frozen=True, kw_only=True):
    """A row of documentation_systems."""

    id: uuid.UUID
    name: str
    description: str | None
    type: str
    url: str | None
    status: str
    last_checked: dt.datetime | None
    response_time_ms: int | None
    version: str | None
    owner: str | None
    tags: list[str]
    metadata: dict[str, Any] | None
    icon: str | None
    color: str | None
    host: str | None
    port: int | None
    created_by: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class Idea(Struct, frozen=True, kw_only=True):
    """A row of documentation_ideas."""

    id: uuid.UUID
    title: str
    description: str | None
    status: str
    category: str
    priority: str
    assigned_to: str | None
    created_by: str
    system_id: uuid.UUID | None
    tags: list[str]
    estimated_hours: int | None
    actual_hours: int | None
    due_date: dt.datetime | None
    completed_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


class Link(Struct, frozen=True, kw_only=True):
    """A row of documentation_links; `metadata` is the record as it was, because nobody told its shape."""

    id: uuid.UUID
    title: str
    url: str
    description: str | None
    system_id: uuid.UUID | None
    tags: list[str]
    metadata: dict[str, Any]
    created_by: str
    created_at: dt.datetime
    updated_at: dt.datetime


class File(Struct, frozen=True, kw_only=True):
    """A row of documentation_files; `content` is hexadecimal, as PostgreSQL reads bytes."""

    id: uuid.UUID
    filename: str
    original_name: str
    mime_type: str
    size_bytes: int
    content: str
    description: str | None
    idea_id: uuid.UUID | None
    system_id: uuid.UUID | None
    uploaded_by: str | None
    is_public: bool
    download_count: int
    checksum: str
    created_at: dt.datetime
    updated_at: dt.datetime


def documentation_rows(root: Mapping[str, Any], now: dt.datetime, content: Content) -> dict[str, Mapped]:
    """Rows of each table, in the order in which they refer to each other."""
    systems = mapped(root.get("systems") or (), partial(_system, now=now), unique="name")
    known = {row.id for row in systems.rows}
    ideas = mapped(root.get("ideas") or (), partial(_idea, now=now, systems=known))
    links = mapped(root.get("links") or (), partial(_link, now=now, systems=known))
    files = mapped(
        root.get("files") or (),
        partial(_file, now=now, systems=known, ideas={row.id for row in ideas.rows}, content=content),
        unique="filename",
    )
    names = ("documentation_systems", "documentation_ideas", "documentation_links", "documentation_files")
    return dict(zip(names, (systems, ideas, links, files), strict=True))


def id_of(kind: str, name: str) -> uuid.UUID:
    """The id that a record of `systems`, `ideas`, `links` or `files` has or gets."""
    try:
        return uuid.UUID(name)
    except ValueError:
        return uuid.uuid5(SPACE, f"{kind} {name}")


def _system(record: Record, warn: Warn, *, now: dt.datetime) -> System:
    own_id, legacy = identity(record, partial(id_of, "systems"), SPACE, warn)
    metadata = as_object(record.get("metadata"), "metadata", warn)
    kept = {"legacyId": legacy, "shortName": text(record.get("shortName"), "shortName")}
    return System(
        id=own_id,
        name=needed_text(record, "name", NAME),
        description=text(record.get("description"), "description"),
        type=word(record.get("type"), "type", SYSTEM_TYPES, "unknown", warn),
        url=_short(record.get("url"), "url", URL, warn),
        status=word(record.get("status"), "status", SYSTEM_STATES, "unknown", warn),
        last_checked=_maybe_instant(record, "last_checked", "lastChecked", warn=warn),
        response_time_ms=_whole(first(record, "response_time_ms", "responseTime"), "response_time_ms", 2**31 - 1, warn),
        version=_short(record.get("version"), "version", 100, warn),
        owner=_short(record.get("owner"), "owner", NAME, warn),
        tags=texts(record.get("tags"), "tags", warn),
        metadata={**metadata, **{name: value for name, value in kept.items() if value}} or None,
        icon=_short(record.get("icon"), "icon", NAME, warn),
        color=_short(record.get("color"), "color", NAME, warn),
        host=_short(record.get("host"), "host", NAME, warn),
        port=_whole(record.get("port"), "port", 65_535, warn) or None,
        created_by=_short(first(record, "created_by", "createdBy"), "created_by", AUTHOR, warn),
        **_times(record, now, warn),
    )


def _idea(record: Record, warn: Warn, *, now: dt.datetime, systems: set[uuid.UUID]) -> Idea:
    own_id, _ = identity(record, partial(id_of, "ideas"), SPACE, warn)
    return Idea(
        id=own_id,
        title=needed_text(record, "title", NAME),
        description=text(record.get("description"), "description"),
        status=_word(record, "status", IDEA_STATES, "backlog", warn),
        category=_word(record, "category", IDEA_CATEGORIES, "uncategorized", warn),
        priority=_word(record, "priority", IDEA_PRIORITIES, "medium", warn),
        assigned_to=_short(first(record, "assigned_to", "assignedTo"), "assigned_to", AUTHOR, warn),
        created_by=_short(first(record, "created_by", "createdBy"), "created_by", AUTHOR, warn) or NOBODY,
        system_id=_reference(record, "system", systems, warn),
        tags=texts(record.get("tags"), "tags", warn),
        estimated_hours=_whole(first(record, "estimated_hours", "estimatedHours"), "estimated_hours", 10_000, warn),
        actual_hours=_whole(first(record, "actual_hours", "actualHours"), "actual_hours", 10_000, warn),
        due_date=_maybe_instant(record, "due_date", "dueDate", warn=warn),
        completed_at=_maybe_instant(record, "completed_at", "completedAt", warn=warn),
        **_times(record, now, warn),
    )


def _link(record: Record, warn: Warn, *, now: dt.datetime, systems: set[uuid.UUID]) -> Link:
    own_id, _ = identity(record, partial(id_of, "links"), SPACE, warn)
    url = text(first(record, "url", "href", "link"), "url")
    if url is None or len(url) > LINK:
        raise Refused(f"url: expected an address of at most {LINK} characters")
    return Link(
        id=own_id,
        title=_short(first(record, "title", "name", "label"), "title", NAME, warn) or url[:NAME],
        url=url,
        description=text(record.get("description"), "description"),
        system_id=_reference(record, "system", systems, warn),
        tags=texts(record.get("tags"), "tags", warn),
        metadata=as_object(record, "link", warn),
        created_by=_short(first(record, "created_by", "createdBy"), "created_by", AUTHOR, warn) or NOBODY,
        **_times(record, now, warn),
    )


def _file(
    record: Record, warn: Warn, *, now: dt.datetime, systems: set[uuid.UUID], ideas: set[uuid.UUID], content: Content
) -> File:
    own_id, _ = identity(record, partial(id_of, "files"), SPACE, warn)
    filename = text(first(record, "filename", "stored_name"), "filename")
    path = text(first(record, "storage_path", "file_path", "path"), "storage_path") or filename
    if filename is None or path is None or len(filename) > NAME:
        raise Refused(f"filename: expected a name of at most {NAME} characters")
    found = content(path)
    told, checksum = first(record, "size", "size_bytes"), hashlib.sha256(found).hexdigest()
    if told is not None and told != len(found):
        warn(f"size was {told!r}, the file has {len(found)} bytes")
    if record.get("checksum") not in (None, checksum):
        warn("checksum was another one, or of another kind than SHA-256")
    return File(
        id=own_id,
        filename=filename,
        original_name=_short(record.get("original_name"), "original_name", NAME, warn) or filename,
        mime_type=_short(record.get("mime_type"), "mime_type", NAME, warn) or "application/octet-stream",
        size_bytes=len(found),
        content=f"\\x{found.hex()}",
        description=text(record.get("description"), "description"),
        idea_id=_reference(record, "idea", ideas, warn),
        system_id=_reference(record, "system", systems, warn),
        uploaded_by=_short(first(record, "uploaded_by", "uploadedBy"), "uploaded_by", AUTHOR, warn),
        is_public=record.get("is_public") is True,
        download_count=_whole(record.get("download_count"), "download_count", 2**31 - 1, warn) or 0,
        checksum=checksum,
        **_times(record, now, warn),
    )


def _times(record: Record, now: dt.datetime, warn: Warn) -> dict[str, dt.datetime]:
    made = first(record, "created_at", "createdAt", "uploaded_at")
    created_at = now if made is None else instant(made, "created_at", now, warn)
    changed = first(record, "updated_at", "updatedAt")
    return {
        "created_at": created_at,
        "updated_at": created_at if changed is None else instant(changed, "updated_at", created_at, warn),
    }


def _maybe_instant(record: Record, *names: str, warn: Warn) -> dt.datetime | None:
    told = first(record, *names)
    if told is None:
        return None
    nothing = dt.datetime.min.replace(tzinfo=dt.UTC)
    at = instant(told, names[0], nothing, lambda _: warn(f"{names[0]} {told!r} is no time: left out"))
    return None if at == nothing else at


def _word(record: Record, name: str, known: tuple[str, ...], otherwise: str, warn: Warn) -> Any:
    told = record.get(name)
    other = OTHER_WORDS.get(told) if isinstance(told, str) else None
    if other in known:
        warn(f"{name} {told!r} read as {other!r}")
        return other
    return word(told, name, known, otherwise, warn)


def _reference(record: Record, kind: str, known: set[uuid.UUID], warn: Warn) -> uuid.UUID | None:
    told = first(record, f"{kind}_id", f"{kind}Id")
    if told is None:
        return None
    found = id_of(f"{kind}s", str(told).strip())
    if found in known:
        return found
    warn(f"{kind}_id {told!r} leads nowhere: left out")
    return None


def _short(value: Any, name: str, most: int, warn: Warn) -> str | None:
    found = text(value, name)
    if found is not None and len(found) > most:
        warn(f"{name} was cut to {most} characters")
        return found[:most]
    return found


def _whole(value: Any, name: str, most: int, warn: Warn) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if 0 <= number <= most:
        return number
    warn(f"{name} {value!r} is no number from 0 to {most}: left out")
    return None
