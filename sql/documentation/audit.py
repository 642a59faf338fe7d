"""The trail of the documentation service: who changed what, when, from where, from which value to which.

The service's role may add entries and read them, and nothing else.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.types.json import Jsonb

from sql.pool import Connection, Pool, Row

INSERT = """INSERT INTO documentation.documentation_audit_log
    (entity_type, entity_id, action, user_id, changes, ip_address, user_agent)
    VALUES (%(entity_type)s, %(entity_id)s, %(action)s, %(user)s, %(changes)s, %(ip)s, %(agent)s)"""
SELECT = """SELECT id, entity_type, entity_id, action, user_id, changes, ip_address, user_agent, created_at
    FROM documentation.documentation_audit_log"""
CONDITIONS = {
    "entity_type": "entity_type = %(entity_type)s",
    "entity_id": "entity_id = %(entity_id)s",
    "action": "action = %(action)s",
    "user_id": "user_id = %(user_id)s",
    "since": "created_at >= %(since)s",
    "until": "created_at < %(until)s",
}


class Who(Struct, frozen=True, kw_only=True):
    """Who asks for a write, from where, with which program."""

    user: str
    ip: str | None = None
    agent: str | None = None


async def record(
    connection: Connection, who: Who, entity: str, key: uuid.UUID, *, action: str, changes: Mapping[str, Any]
) -> None:
    """Add an entry, as a part of the transaction that it is about."""
    await connection.execute(
        INSERT,
        {
            "entity_type": entity,
            "entity_id": str(key),
            "action": action,
            "user": who.user,
            "changes": Jsonb(changes, dumps=msgspec.json.encode),
            "ip": who.ip,
            "agent": who.agent,
        },
    )


async def entries(pool: Pool, filters: Mapping[str, Any], limit: int, offset: int = 0) -> list[Row]:
    """Entries, the newest first; a filter of None is none."""
    values = {name: value for name, value in filters.items() if value is not None}
    where = " WHERE " + " AND ".join(CONDITIONS[name] for name in values) if values else ""
    return await pool.rows(
        f"{SELECT}{where} ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s",
        values | {"limit": limit, "offset": offset},
    )


async def activity(pool: Pool, days: int) -> dict[str, int]:
    """How many entries there are for each kind of entity in the last so many days."""
    rows = await pool.rows(
        "SELECT entity_type, count(*) AS entries FROM documentation.documentation_audit_log "
        "WHERE created_at >= now() - %(age)s GROUP BY entity_type",
        {"age": dt.timedelta(days=days)},
    )
    return {row["entity_type"]: int(row["entries"]) for row in rows}


def days_ago(days: int) -> dt.datetime:
    """The instant so many days ago."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
