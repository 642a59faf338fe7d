"""Who stands behind a key, a token or a session: looked up in the register, and believed for two seconds.

So a revoked key, an ended session and a changed role count everywhere within two seconds. While PostgreSQL is away
nobody is known (StoreUnavailableError, 503): only the installation's own key needs no look-up.
"""

import hashlib
import hmac
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from secrets import choice, token_urlsafe
from string import ascii_lowercase, digits
from typing import Any

import structlog

from api.kernel.access import ROLES, Caller
from api.kernel.tokens import Tokens
from config.settings import Settings
from sql.access import DATABASE, GATE_ROLE, Credentials
from sql.errors import StoreError
from sql.pool import Pool

PREFIX = "tsk_"  # of every key that the register knows
SHAPE = re.compile(rf"^{PREFIX}([a-z0-9]{{12}})_[A-Za-z0-9_-]{{43}}$")  # others are not looked up
FRESH_SECONDS = 2.0
REMEMBERED = 4096  # entries, those of unknown keys too
CONNECTIONS = 2

log = structlog.get_logger("api.access")

Entry = dict[str, Any]


class Directory:
    """Callers by what they bring. One event loop uses it; nothing is opened before the first look-up."""

    def __init__(self, credentials: Credentials, tokens: Tokens, clock: Callable[[], float] = time.monotonic) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, Entry | None]] = OrderedDict()

    async def holder(self, key: str) -> Caller | None:
        """The caller with this key; None for one that is not known, revoked or over."""
        shape = SHAPE.match(key)
        row = await self._key(shape[1]) if shape else None
        if row is None or not hmac.compare_digest(digest(key), bytes(row["hash"])):
            return None
        return _program(row)

    def strange(self, key: str) -> bool:
        """Whether `key` would be looked up without having been good before."""
        shape = SHAPE.match(key)
        known = self._seen.get(f"key {shape[1]}") if shape else None
        return shape is not None and (known is None or known[1] is None)

    async def bearer(self, token: str) -> Caller | None:
        """The person whose token this is, with the rights of now; None when any of it no longer counts."""
        found = self._tokens.bearer(token)
        return await self._person(found.session) if found else None

    async def subject(self, subject: str) -> Caller | None:
        """Whom the cookie of a browser's session names."""
        kind, _, name = subject.partition(".")
        if kind == "key":
            row = await self._key(name)
            return _program(row) if row else None
        try:
            return await self._person(uuid.UUID(name)) if kind == "person" else None
        except ValueError:
            return None

    def forget(self) -> None:
        """Look everything up anew: something was changed here, and counts here at once."""
        self._seen.clear()

    async def close(self) -> None:
        """Let go of connections."""
        await self._credentials.close()

    async def _key(self, key_id: str) -> Entry | None:
        async def look() -> Entry | None:
            row = await self._credentials.key(key_id)
            if row is not None and row["good"] and row["worth_noting"]:
                await self._note(key_id)
            return row

        return await self._fresh(f"key {key_id}", look)

    async def _person(self, session: uuid.UUID) -> Caller | None:
        row = await self._fresh(f"session {session}", lambda: self._credentials.session(session))
        if row is None:
            return None
        return Caller(name=row["name"], kind="person", id=str(session), scopes=ROLES[row["role"]])

    async def _note(self, key_id: str) -> None:
        try:
            await self._credentials.used(key_id)
        except StoreError as error:  # of the next use: what a key may do does not hang on it
            log.warning("key_use_not_noted", key=key_id, reason=str(error))

    async def _fresh(self, name: str, look: Callable[[], Awaitable[Entry | None]]) -> Entry | None:
        known = self._seen.get(name)
        if known is not None and self._clock() - known[0] < FRESH_SECONDS:
            return known[1]
        asked = self._clock()
        row = await look()
        found = row if row is not None and row["good"] else None
        self._seen[name] = (asked, found)
        self._seen.move_to_end(name)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return found


def directory_of(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Directory:
    """The directory of this installation's register, read with the role that may do no more."""
    pool = Pool(settings.postgres.dsn(GATE_ROLE, DATABASE), "access", size=CONNECTIONS)
    return Directory(Credentials(pool), Tokens(settings.data_dir), clock)


def made_key() -> tuple[str, str]:
    """A new key's id and the key itself: 256 random bits behind an id that may be shown."""
    key_id = "".join(choice(ascii_lowercase + digits) for _ in range(12))
    return key_id, f"{PREFIX}{key_id}_{token_urlsafe(32)}"


def digest(key: str) -> bytes:
    """What the register keeps of a secret with 256 random bits; a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).digest()


def _program(row: Entry) -> Caller:
    return Caller(name=row["name"], id=row["id"], scopes=frozenset(row["scopes"]), source=row["source"])
