"""Items of the workspace and their audit log, in PostgreSQL: every write tells who did what, in its own transaction.

Ids are UUIDs. Whatever else a caller names an item by stands for the UUID that the import made of it (`id_of`).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from sql.pool import Connection, Pool, Row
from sql.queries import statement

Category = Literal["documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"]
Priority = Literal["low", "medium", "high", "critical"]
Status = Literal["new", "review", "in-progress", "completed", "rejected"]
Action = Literal["created", "updated", "deleted", "status_changed"]

LEGACY = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tradingsystem:workspace:item")
CHANGEABLE = ("title", "description", "category", "priority", "status", "tags")
MAX_AUTHOR = 100


class Item(Struct, frozen=True, rename="camel"):
    """One item as it is stored, in the order of its columns. `updated_at` is also its version: it moves on with every
    change."""

    id: uuid.UUID
    title: str
    description: str | None
    category: Category
    priority: Priority
    status: Status
    tags: list[str]
    created_at: dt.datetime
    updated_at: dt.datetime | None
    created_by: str | None
    updated_by: str | None
    metadata: dict[str, Any]


Agreed = Callable[[Item], None]


class Filter(Struct, frozen=True, kw_only=True):
    """Which items, and which page of them. `search` is a part of title or description, in any case of letters."""

    category: Category | None = None
    priority: Priority | None = None
    status: Status | None = None
    tag: str | None = None
    created_by: str | None = None
    search: str | None = None
    limit: int | None = None
    offset: int = 0


class Deed(Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the audit log: `old_values` and `new_values` hold what differs, of a new or deleted item all."""

    id: uuid.UUID
    item_id: uuid.UUID
    action: Action
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    created_at: dt.datetime
    created_by: str | None
    ip_address: str | None


class Author(Struct, frozen=True):
    """Who writes, and from which IP address."""

    name: str
    address: str | None = None

    @property
    def params(self) -> dict[str, str | None]:
        return {"by": self.name[:MAX_AUTHOR], "address": self.address}


def id_of(text: str) -> uuid.UUID:
    """The id that `text` stands for: a UUID itself, any other text the UUID that it always becomes."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(LEGACY, text)


async def items(pool: Pool) -> list[Item]:
    """All items, the newest first."""
    return await pool.rows_of(Item, statement("workspace", "select_items"))


async def items_that_fit(pool: Pool, asked: Filter) -> tuple[list[Item], int]:
    """A page of the items that fit, the newest first, and how many fit altogether."""
    params = msgspec.structs.asdict(asked)
    found = await pool.rows_of(Item, statement("workspace", "filter_items"), params)
    counted = await pool.one(statement("workspace", "count_items"), params)
    return found, counted["total"] if counted else 0


async def item(pool: Pool, item_id: uuid.UUID) -> Item | None:
    """The item, or None."""
    return await pool.one_of(Item, statement("workspace", "select_item"), {"id": item_id})


async def add(pool: Pool, values: Mapping[str, Any], author: Author) -> Item:
    """Store a new item of title, description, category, priority and tags; its status is `new`."""
    made = await pool.one_of(Item, statement("workspace", "insert_item"), {**values, **author.params})
    assert made is not None  # RETURNING of one inserted row
    return made


async def change(
    pool: Pool, item_id: uuid.UUID, changes: Mapping[str, Any], author: Author, agreed: Agreed = lambda _: None
) -> Item | None:
    """Change some of an item's fields; None when there is none. `agreed` sees it as it is now, and raises to stop."""
    async with pool.transaction() as connection:
        held = await _locked(connection, item_id)
        if held is None:
            return None
        agreed(Item(**held))
        cursor = await connection.execute(statement("workspace", "update_item"), {**held, **changes, **author.params})
        changed = await cursor.fetchone()
        assert changed is not None  # the row is locked
        for action, names in deeds_of(held, changed):
            old, new = ({name: row[name] for name in names} for row in (held, changed))
            await _tell(connection, author, item_id, action, old=old, new=new)
    return Item(**changed)


async def remove(pool: Pool, item_id: uuid.UUID, author: Author, agreed: Agreed = lambda _: None) -> Item | None:
    """Delete an item; what it was, or None when there is none. Its story stays."""
    async with pool.transaction() as connection:
        held = await _locked(connection, item_id)
        if held is None:
            return None
        agreed(Item(**held))
        await connection.execute(statement("workspace", "delete_item"), {"id": item_id})
        await _tell(connection, author, item_id, "deleted", old=held, new=None)
    return Item(**held)


def deeds_of(held: Row, changed: Row) -> list[tuple[Action, list[str]]]:
    """What a change is called in the audit log, and the fields that each word is about: a new status has its own."""
    names = [name for name in CHANGEABLE if held[name] != changed[name]]
    others = [name for name in names if name != "status"]
    deeds: list[tuple[Action, list[str]]] = [("updated", [*others, "updated_at"])]
    if "status" not in names:
        return deeds
    return [*(deeds if others else []), ("status_changed", ["status"])]


async def audit(pool: Pool, **asked: Any) -> list[Deed]:
    """Lines of the audit log, the latest first. Filters: item_id, action, created_by; limit, offset."""
    return [Deed(**row) for row in await pool.rows(statement("workspace", "select_audit"), asked)]


async def _locked(connection: Connection, item_id: uuid.UUID) -> Row | None:
    return await (await connection.execute(statement("workspace", "lock_item"), {"id": item_id})).fetchone()


async def _tell(
    connection: Connection, author: Author, item_id: uuid.UUID, action: Action, *, old: Row | None, new: Row | None
) -> None:
    told = {"old": _json(old), "new": _json(new)}
    await connection.execute(
        statement("workspace", "insert_audit"), {"item_id": item_id, "action": action, **told, **author.params}
    )


def _json(values: Row | None) -> str | None:
    return None if values is None else msgspec.json.encode(values).decode()
