"""Systems, ideas, links and files alike: listed, found, added, changed and removed, each write with its trail.

A write and its entry of the audit log are one transaction. Identifiers are those of `tables.py`; values are bound.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct
from psycopg.types.json import Jsonb

from sql.documentation import audit
from sql.documentation.audit import Who
from sql.documentation.tables import Entity
from sql.pool import Connection, Pool, Row

MOST = 1_000  # rows of an answer whose caller named no limit

DASHES = re.compile(r"-(?:\s*-)+")

Direction = Literal["ASC", "DESC"]
Check = Callable[[Row], None]  # looks at the row as it is, under its lock; raises to leave it so


class Asked(Struct, frozen=True, kw_only=True):
    """Which rows of an entity, in which order. What is None is no condition."""

    filters: Mapping[str, Any] = {}
    search: str | None = None
    limit: int = MOST
    offset: int = 0
    order_by: str = "created_at"
    direction: Direction = "DESC"


async def listed(pool: Pool, entity: Entity, asked: Asked) -> list[Row]:
    """The rows that were asked for."""
    where, values = _where(entity, asked)
    return await pool.rows(
        f"SELECT {entity.read} FROM {entity.source}{where} ORDER BY {entity.orders[asked.order_by]} {asked.direction}, "
        f"it.id {asked.direction} LIMIT %(limit)s OFFSET %(offset)s",
        values | {"limit": asked.limit, "offset": asked.offset},
    )


async def counted(pool: Pool, entity: Entity, asked: Asked) -> int:
    """How many rows there are of what was asked for, on all pages."""
    where, values = _where(entity, asked)
    found = await pool.one(f"SELECT count(*) AS rows FROM documentation.{entity.table} AS it{where}", values)
    return int(found["rows"]) if found else 0


async def found(pool: Pool, entity: Entity, key: uuid.UUID) -> Row | None:
    """One row, or None."""
    return await pool.one(f"SELECT {entity.read} FROM {entity.source} WHERE it.id = %(key)s", {"key": key})


async def added(pool: Pool, entity: Entity, values: Mapping[str, Any], who: Who) -> Row:
    """A new row of `values`, what is missing of them null. Raises ConflictError with the constraint that forbids it."""
    names = (*entity.written, "created_by")
    places = ", ".join(f"%({name})s" for name in names)
    statement = (
        f"WITH it AS (INSERT INTO documentation.{entity.table} ({', '.join(names)}) VALUES ({places}) RETURNING *) "
        f"SELECT {entity.read} FROM it {entity.joined}"
    )
    async with pool.transaction() as connection:
        row = await _one(connection, statement, _bound(entity, values) | {"created_by": who.user})
        assert row is not None
        await audit.record(
            connection, who, entity.name, row["id"], action="created", changes={"after": _told(entity, row)}
        )
    return row


async def changed(
    pool: Pool, entity: Entity, key: uuid.UUID, *, change: Callable[[Row], Mapping[str, Any]], who: Who, check: Check
) -> Row | None:
    """The row after `change` of what it was, or None when there is none. `check` and `change` see it locked."""
    assigned = ", ".join(f"{name} = %({name})s" for name in entity.written)
    statement = (
        f"WITH it AS (UPDATE documentation.{entity.table} SET {assigned}, updated_at = clock_timestamp() "
        f"WHERE id = %(key)s RETURNING *) SELECT {entity.read} FROM it {entity.joined}"
    )
    async with pool.transaction() as connection:
        before = await _locked(connection, entity, key)
        if before is None:
            return None
        check(before)
        values = {name: before[name] for name in entity.written} | dict(change(before))
        row = await _one(connection, statement, _bound(entity, values) | {"key": key})
        assert row is not None
        await audit.record(
            connection, who, entity.name, key, action=_action(before, row), changes=_differences(entity, before, row)
        )
    return row


async def removed(pool: Pool, entity: Entity, key: uuid.UUID, *, who: Who, check: Check) -> Row | None:
    """Remove a row; the row as it was, or None when there was none. The trail names whom it was taken away from."""
    async with pool.transaction() as connection:
        before = await _locked(connection, entity, key)
        if before is None:
            return None
        check(before)
        changes = {"before": _told(entity, before), "detached": await _detached(connection, entity, key)}
        await connection.execute(f"DELETE FROM documentation.{entity.table} WHERE id = %(key)s", {"key": key})
        await audit.record(connection, who, entity.name, key, action="deleted", changes=changes)
    return before


async def _detached(connection: Connection, entity: Entity, key: uuid.UUID) -> dict[str, list[uuid.UUID]]:
    found: dict[str, list[uuid.UUID]] = {}
    for name, table, column in entity.referrers:
        rows = await connection.execute(
            f"SELECT id FROM documentation.{table} WHERE {column} = %(key)s FOR UPDATE", {"key": key}
        )
        found[name] = [row["id"] for row in await rows.fetchall()]
    return found


def _where(entity: Entity, asked: Asked) -> tuple[str, dict[str, Any]]:
    values = {name: value for name, value in asked.filters.items() if value is not None}
    parts = [entity.conditions[name] for name in values]
    if asked.search is not None:
        contained = " OR ".join(f"it.{name} ILIKE %(contained)s" for name in entity.searched)
        parts.append(f"(it.search @@ (SELECT documentation.asked(%(search)s)) OR {contained})")
        values |= {"search": question(asked.search), "contained": f"%{literal(asked.search)}%"}
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def literal(text: str) -> str:
    """`text` as a part of a LIKE pattern that means itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def question(text: str) -> str:
    """`text` with one `-` where many follow each other: PostgreSQL's reader of searches breaks at some thirty."""
    return DASHES.sub("-", text)


def _bound(entity: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
    bound = {name: values.get(name) for name in entity.written}
    return {n: Jsonb(v) if n in entity.json and v is not None else v for n, v in bound.items()}


async def _locked(connection: Connection, entity: Entity, key: uuid.UUID) -> Row | None:
    columns = ", ".join(f"it.{name}" for name in entity.columns)
    return await _one(
        connection, f"SELECT {columns} FROM documentation.{entity.table} AS it WHERE it.id = %(key)s FOR UPDATE",
        {"key": key},
    )  # fmt: skip


async def _one(connection: Connection, statement: str, values: Mapping[str, Any]) -> Row | None:
    return await (await connection.execute(statement, values)).fetchone()


def _action(before: Row, after: Row) -> str:
    return "status_changed" if before.get("status") != after.get("status") else "updated"


def _differences(entity: Entity, before: Row, after: Row) -> dict[str, Any]:
    names = [name for name in entity.columns if name != "updated_at" and before[name] != after[name]]
    return {"before": {name: before[name] for name in names}, "after": {name: after[name] for name in names}}


def _told(entity: Entity, row: Row) -> dict[str, Any]:
    return {name: row[name] for name in entity.columns}
