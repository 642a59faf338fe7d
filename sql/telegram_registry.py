"""Registered bots and channels of Telegram: versions that are only added; the newest of an id counts. One process
writes them. Each version says who made it and from where, so the registry is its own audit.
"""

import datetime as dt
import secrets
import string
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from sql.contract import Table
from sql.hot import HotStore
from sql.signal_tables import BOTS, CHANNELS, TelegramBot, TelegramChannel
from sql.signals import VISIBLE_SECONDS, frame_of

DELETED = "deleted"
MICROSECOND = dt.timedelta(microseconds=1)
BASE_36 = string.digits + string.ascii_lowercase

Entry = TypeVar("Entry", bound=TelegramBot | TelegramChannel)


class Author(Struct, frozen=True):
    """Who changes something, and from which address."""

    name: str
    address: str


class Registry(Generic[Entry]):
    """The versions of one table. Errors: StoreError."""

    def __init__(self, hot: HotStore, table: Table, kind: type[Entry]) -> None:
        self._hot = hot
        self._table = table
        self._kind = kind
        self._turn = threading.Lock()

    def all(self) -> list[Entry]:
        """What is not deleted, the newest change first."""
        return self._read(
            f"(SELECT * FROM {self._table.name} LATEST ON updated_at PARTITION BY id) WHERE status <> %s "
            "ORDER BY updated_at DESC",
            DELETED,
        )

    def get(self, entry_id: str) -> Entry | None:
        """The entry as it stands; None when there is none, or it was deleted."""
        found = self.history(entry_id)
        return found[0] if found and found[0].status != DELETED else None

    def history(self, entry_id: str) -> list[Entry]:
        """Every version of an entry, the newest first."""
        return self._read(f"{self._table.name} WHERE id = %s ORDER BY updated_at DESC", entry_id)

    def add(self, entry: Entry) -> None:
        """Store the first version of an entry."""
        with self._turn:
            self._write(entry)

    def change(self, entry_id: str, by: Author, changed: Callable[[Entry], Entry]) -> Entry | None:
        """Store a further version, made by `changed` from the one that stands; None when there is none."""
        with self._turn:
            before = self.get(entry_id)
            if before is None:
                return None
            now = max(dt.datetime.now(dt.UTC), before.updated_at + MICROSECOND)
            entry = replace(changed(before), updated_at=now, changed_by=by.name, changed_from=by.address)
            self._write(entry)
            return entry

    def delete(self, entry_id: str, by: Author) -> Entry | None:
        """Mark an entry as deleted; None when there is none."""
        return self.change(entry_id, by, lambda entry: replace(entry, status=DELETED))

    def _read(self, source: str, value: str) -> list[Entry]:
        rows: list[dict[str, Any]] = self._hot.rows(f"SELECT {', '.join(self._table.names)} FROM {source}", (value,))
        return [self._kind(**row) for row in rows]

    def _write(self, entry: Entry) -> None:
        self._hot.insert(self._table, frame_of(self._table, [asdict(entry)]))
        self._hot.wait_applied(self._table, VISIBLE_SECONDS)


def bots(hot: HotStore) -> Registry[TelegramBot]:
    """The registered bots."""
    return Registry(hot, BOTS, TelegramBot)


def channels(hot: HotStore) -> Registry[TelegramChannel]:
    """The registered channels."""
    return Registry(hot, CHANNELS, TelegramChannel)


def new_id(kind: str, at: dt.datetime) -> str:
    """`bot-1760000000000-k3x9q0a`: the form that the original gave its entries."""
    return f"{kind}-{int(at.timestamp() * 1000)}-{''.join(secrets.choice(BASE_36) for _ in range(7))}"
