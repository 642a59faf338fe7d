"""Who may call, as PostgreSQL holds it: keys, people, sessions, and the audit of every change, in its transaction.

`Credentials` is what a gate reads, `Register` what the gateway changes; each has the role that may do no more. Secrets
come here as hashes alone.
"""

import datetime as dt
import uuid
from typing import Any, Literal

import msgspec
from msgspec import Struct

from sql.pool import Connection, Pool, Row
from sql.queries import statement

DATABASE = "tradingsystem"
GATE_ROLE = "access_gate"
REGISTER_ROLE = "app_access"

Role = Literal["viewer", "operator", "trader", "admin"]
Bound = Literal["agent", "telegram", "strategy", "scheduler"]
Change = dict[str, Any] | None
Refreshed = Literal["refreshed", "unknown", "just now", "spent"]


class Key(Struct, frozen=True, kw_only=True, rename="camel"):
    """An API key without its secret. `source` binds it to fewer rights than its scopes give."""

    id: str
    name: str
    scopes: list[str]
    source: Bound | None
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    revoked_by: str | None
    last_used_at: dt.datetime | None


class NewKey(Struct, frozen=True, kw_only=True):
    """A key to store, by the digest of its secret."""

    id: str
    name: str
    hash: bytes
    scopes: list[str]
    source: str | None = None
    expires_at: dt.datetime | None = None


class Person(Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody who logs in, without the password."""

    id: uuid.UUID
    name: str
    role: Role
    active: bool
    created_at: dt.datetime
    created_by: str
    changed_at: dt.datetime | None
    last_login_at: dt.datetime | None


class Deed(Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the audit."""

    id: int
    at: dt.datetime
    actor: str
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None


class Author(Struct, frozen=True):
    """Who writes, and from which address."""

    name: str
    address: str | None = None


class Credentials:
    """What a gate must know, read anew whenever it is asked."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def key(self, key_id: str) -> Row | None:
        """`name`, `hash`, `scopes`, `source` of a key; `good` while it is neither revoked nor over."""
        return await self._pool.one(statement("access", "select_key"), {"id": key_id})

    async def used(self, key_id: str) -> None:
        """Note that a key was used, after it was proven."""
        await self._pool.run(statement("access", "note_use"), {"id": key_id})

    async def session(self, session: uuid.UUID) -> Row | None:
        """`person`, `name` and `role` of a session's holder as they are now; `good` while both may come in."""
        return await self._pool.one(statement("access", "select_session"), {"id": session})

    async def close(self) -> None:
        """Let go of connections."""
        await self._pool.close()


class Register:
    """Changes of keys, people and sessions. Raises ConflictError for a name that is taken."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keys(self) -> list[Key]:
        """All, the newest first, those that ended too."""
        return [Key(**row) for row in await self._pool.rows(statement("access", "select_keys"))]

    async def create_key(self, new: NewKey, by: Author) -> Key:
        """Store a key by the digest of its secret."""
        values = msgspec.structs.asdict(new)
        async with self._pool.transaction() as connection:
            key = Key(**await _made(connection, "insert_key", {**values, "actor": by.name}))
            told = {name: values[name] for name in ("name", "scopes", "source", "expires_at")}
            await _audit(connection, by, "key.created", f"key {new.id}", (None, told))
        return key

    async def revoke_key(self, key_id: str, by: Author) -> bool:
        """End a key for good; False when no such key was valid."""
        async with self._pool.transaction() as connection:
            found = await _one(connection, "revoke_key", {"id": key_id, "actor": by.name})
            if found is not None:
                await _audit(connection, by, "key.revoked", f"key {key_id}", ({"name": found["name"]}, None))
        return found is not None

    async def people(self) -> list[Person]:
        """All, by name."""
        return [Person(**row) for row in await self._pool.rows(statement("access", "select_people"))]

    async def person(self, name: str) -> tuple[Person, str] | None:
        """Somebody with the hash of the password; None for a name that nobody has."""
        row = await self._pool.one(statement("access", "select_person"), {"name": name})
        if row is None:
            return None
        password_hash = row.pop("password_hash")
        return Person(**row), password_hash

    async def add_person(self, name: str, role: str, password_hash: str, by: Author) -> Person:
        """Store a new person."""
        values = {"id": uuid.uuid4(), "name": name, "role": role, "password_hash": password_hash, "actor": by.name}
        async with self._pool.transaction() as connection:
            person = Person(**await _made(connection, "insert_person", values))
            await _audit(connection, by, "person.created", f"person {name}", (None, {"name": name, "role": role}))
        return person

    async def change_person(
        self,
        name: str,
        by: Author,
        *,
        role: str | None = None,
        active: bool | None = None,
        password_hash: str | None = None,
    ) -> Person | None:
        """Change what is given; a new password or an end of access ends all sessions. None for an unknown name."""
        async with self._pool.transaction() as connection:
            before = await _one(connection, "lock_person", {"name": name})
            if before is None:
                return None
            values = {"id": before["id"], "role": role, "active": active, "password_hash": password_hash}
            after = await _made(connection, "update_person", values)
            if password_hash is not None or active is False:
                await connection.execute(statement("access", "end_sessions"), {"person": before["id"]})
            told = {**_rights(after), **({"password": "changed"} if password_hash else {})}
            await _audit(connection, by, "person.changed", f"person {name}", (_rights(before), told))
        return Person(**after)

    async def begin_session(
        self, session: uuid.UUID, person: Person, refresh_hash: bytes, seconds: int, by: Author
    ) -> None:
        """Somebody logged in."""
        values = {"id": session, "person": person.id, "hash": refresh_hash, "seconds": seconds, "address": by.address}
        async with self._pool.transaction() as connection:
            await connection.execute(statement("access", "insert_session"), values)
            await connection.execute(statement("access", "note_login"), {"person": person.id})
            await _audit(connection, by, "session.begun", f"session {session}", (None, {"person": person.name}))

    async def refresh(
        self, session: uuid.UUID, presented: bytes, renewed: bytes, by: Author
    ) -> tuple[Refreshed, Row | None]:
        """Exchange a refresh token. One that was spent long ago was stolen, or its heir was: the session ends."""
        async with self._pool.transaction() as connection:
            row = await _one(connection, "lock_session", {"id": session})
            if row is None or not row["good"]:
                return "unknown", None
            if row["refresh_hash"] == presented:
                await connection.execute(statement("access", "refresh_session"), {"id": session, "hash": renewed})
                return "refreshed", row
            if row["previous_hash"] == presented and row["just_now"]:
                return "just now", None
            await connection.execute(statement("access", "end_session"), {"id": session})
            await _audit(connection, by, "session.spent", f"session {session}", ({"person": row["name"]}, None))
        return "spent", None

    async def end_session(self, session: uuid.UUID, by: Author) -> bool:
        """Somebody logged out; False when the session was over."""
        async with self._pool.transaction() as connection:
            found = await _one(connection, "end_session", {"id": session})
            if found is not None:
                await _audit(connection, by, "session.ended", f"session {session}")
        return found is not None

    async def note(self, action: str, what: str, by: Author) -> None:
        """A line of the audit for what is not kept here."""
        async with self._pool.transaction() as connection:
            await _audit(connection, by, action, what)

    async def audit(self, limit: int, before: int) -> list[Deed]:
        """Lines with a smaller id than `before`, the newest first."""
        found = await self._pool.rows(statement("access", "select_audit"), {"limit": limit, "before": before})
        return [Deed(**row) for row in found]

    async def close(self) -> None:
        """Let go of connections."""
        await self._pool.close()


def _rights(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("role", "active")}


async def _one(connection: Connection, name: str, values: dict[str, Any]) -> Row | None:
    cursor = await connection.execute(statement("access", name), values)
    return await cursor.fetchone()


async def _made(connection: Connection, name: str, values: dict[str, Any]) -> Row:
    row = await _one(connection, name, values)
    assert row is not None, f"{name} returns the row that it writes"
    return row


async def _audit(
    connection: Connection, by: Author, action: str, what: str, change: tuple[Change, Change] = (None, None)
) -> None:
    values = {"actor": by.name, "action": action, "object": what, "address": by.address}
    before, after = (None if each is None else msgspec.json.encode(each).decode() for each in change)
    await connection.execute(statement("access", "insert_audit"), {**values, "before": before, "after": after})
