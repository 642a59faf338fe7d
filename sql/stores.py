"""The stores that the settings name: the one place that says what each is made of, for every process.

Nothing is opened until a store is used, and its drivers are imported when it is made.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sql.cold import ColdStore
    from sql.hot import HotStore
    from sql.migrate import Cluster
    from sql.warm import WarmStore


class Quest(Protocol):
    """What is set about QuestDB."""

    @property
    def url(self) -> str: ...

    @property
    def auth(self) -> tuple[str, str] | None: ...

    def pg_dsn(self, *, reader: bool = False) -> str: ...


class Postgres(Protocol):
    """What is set about PostgreSQL."""

    @property
    def passwords(self) -> Mapping[str, str]: ...

    def dsn(self, role: str, database: str) -> str: ...

    def admin_dsn(self, database: str = "postgres") -> str: ...


class Places(Protocol):
    """The settings as far as the stores need them; this room imports no other, so it states them itself."""

    @property
    def data_dir(self) -> Path: ...

    @property
    def import_dir(self) -> Path | None: ...

    @property
    def cold_dir(self) -> Path: ...

    @property
    def questdb(self) -> Quest: ...

    @property
    def postgres(self) -> Postgres: ...


def hot(settings: Places, *, reader: bool = False) -> "HotStore":
    """QuestDB; for a `reader`, with the account that may only select."""
    import structlog

    from sql.hot import HotStore

    if not structlog.is_configured():  # a retry that is logged must not stand between a command and its JSON
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))  # the stderr of then
    quest = settings.questdb
    return HotStore(
        quest.url,
        quest.pg_dsn(reader=reader),
        reader_dsn=quest.pg_dsn(reader=True),
        import_dir=None if reader else settings.import_dir,
        auth=quest.auth,  # also for a reader: QuestDB's HTTP knows one account
    )


def warm(settings: Places, *, reader: bool = False) -> "WarmStore":
    """The database `tradingsystem`, as its owner; for a `reader`, as the role that may only select."""
    from sql.warm import WarmStore

    owner, guest = (settings.postgres.dsn(role, "tradingsystem") for role in ("timescale", "tape_reader"))
    return WarmStore(guest if reader else owner, reader_dsn=guest)


def cold(settings: Places) -> "ColdStore":
    """The Parquet files below the data directory."""
    from sql.cold import ColdStore

    return ColdStore(settings.cold_dir)


def cluster(settings: Places) -> "Cluster":
    """The PostgreSQL cluster as its administrator sees it: migrations only."""
    from sql.migrate import Cluster

    return Cluster(settings.postgres.admin_dsn, settings.postgres.passwords)


def work_dir(settings: Places) -> Path:
    """Where a movement keeps a file for a moment: on the disk of the data, not on the system's."""
    folder = settings.data_dir / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
