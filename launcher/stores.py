"""The stores as the settings name them; opening nothing until they are used."""

import sys
from pathlib import Path

import structlog

from config.settings import Settings
from sql.cold import ColdStore
from sql.hot import HotStore
from sql.migrate import Cluster
from sql.warm import WarmStore


def hot(settings: Settings) -> HotStore:
    """QuestDB; the embedded one shares our disk, so bulk goes in as files."""
    quest = settings.questdb
    embedded = None if quest.external else settings.data_dir / "questdb" / "import"
    auth = (quest.user, quest.password) if quest.external and quest.password else None
    if not structlog.is_configured():  # a retry that is logged must not stand between a command and its JSON
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    return HotStore(quest.url, quest.pg_dsn(), reader_dsn=quest.pg_dsn(reader=True), import_dir=embedded, auth=auth)


def warm(settings: Settings) -> WarmStore:
    """The database `tradingsystem`, as its owner; readers as `tape_reader`."""
    postgres = settings.postgres
    return WarmStore(
        postgres.dsn("timescale", "tradingsystem"), reader_dsn=postgres.dsn("tape_reader", "tradingsystem")
    )


def cold(settings: Settings) -> ColdStore:
    """The Parquet files below the data directory."""
    return ColdStore(settings.cold_dir)


def cluster(settings: Settings) -> Cluster:
    """The PostgreSQL cluster as its administrator sees it: migrations only."""
    return Cluster(settings.postgres.admin_dsn, settings.postgres.passwords)


def work_dir(settings: Settings) -> Path:
    """Where a movement keeps a file for a moment: on the disk of the data, not on the system's."""
    folder = settings.data_dir / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
