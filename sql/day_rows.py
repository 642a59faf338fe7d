"""The rows of one UTC day out of each tier, in key order, as frames that come one after the other."""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from sql import receipts
from sql.buckets import HOUR, start_of
from sql.digest import in_key_order
from sql.errors import DamagedError
from sql.hot import HotStore, instant_literal
from sql.tables import Receipt, Table
from sql.warm import Cursor, WarmStore

Frames = Iterator[pl.DataFrame]


class WarmDay(Struct, frozen=True):
    """One snapshot of warm: the rows, and the receipt that speaks of them."""

    frames: Frames
    receipt: Receipt | None
    version: str | None  # of the receipt; another one means that the day changed since


def of_hot(hot: HotStore, table: Table, day: dt.date, work_dir: Path | None = None) -> Frames:
    """From QuestDB, an hour at a time through a Parquet file: the disk holds one hour, the memory one block."""
    return in_key_order(_hours(hot, table, day, work_dir), table)


@contextlib.contextmanager
def of_warm(warm: WarmStore, table: Table, day: dt.date) -> Iterator[WarmDay]:
    """From PostgreSQL, rows and receipt of one snapshot, whatever the sync does meanwhile."""
    with warm.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        receipt, version = receipts.versioned(cursor, table, "warm", day)
        snapshot = (cursor.execute("SELECT pg_export_snapshot() AS name").fetchone() or {})["name"]
        statement = (
            f"SELECT {', '.join(table.names)} FROM {table.name} WHERE {bounds(table, day)} ORDER BY {table.time}"
        )
        with warm.batches(statement, table, snapshot=snapshot) as batches:
            yield WarmDay(in_key_order(batches, table), receipt, version)


def of_file(path: Path, table: Table) -> Frames:
    """From a Parquet file. Raises DamagedError when it cannot be read or holds other columns."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(table.arrow):
                raise DamagedError(f"{path}: expected the columns of {table.name}, found {file.schema_arrow.names}")
            yield from in_key_order(file.iter_batches(batch_size=65_536), table)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error


def days_of_hot(hot: HotStore, table: Table) -> dict[dt.date, int]:
    """UTC day -> rows, from the partitions."""
    found = hot.execute(f"SELECT name, numRows FROM table_partitions('{table.name}') WHERE attached AND numRows > 0")
    return {dt.date.fromisoformat(name[:10]): rows for name, rows in found["dataset"]}


def days_of_warm(cursor: Cursor, table: Table) -> list[dt.date]:
    """The UTC days that have a row, found by jumping over the index from day to day."""
    after = f"(SELECT {table.time} AS ts FROM {table.name} WHERE {table.time} >= %s ORDER BY {table.time} LIMIT 1)"
    found: list[dt.date] = []
    since: dt.datetime | str = "-infinity"
    while row := cursor.execute(after, (since,)).fetchone():
        found.append(row["ts"].astimezone(dt.UTC).date())
        since = start_of(found[-1]) + 24 * HOUR
    return found


def bounds(table: Table, day: dt.date) -> str:
    """The rows of a day as a condition, with literals: streams take no parameters."""
    since, until = start_of(day), start_of(day) + 24 * HOUR
    return f"{table.time} >= {instant_literal(since)} AND {table.time} < {instant_literal(until)}"


def lock(cursor: Cursor, table: Table, day: dt.date) -> None:
    """Be the only one that writes or judges the file of this day, until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"archive {table.name} {day}",))


def _hours(hot: HotStore, table: Table, day: dt.date, work_dir: Path | None) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="verify-", dir=work_dir) as folder:
        path = Path(folder) / "hour.parquet"
        for number in range(24):
            since = start_of(day) + number * HOUR
            window = f"{table.time} >= {instant_literal(since)} AND {table.time} < {instant_literal(since + HOUR)}"
            hot.export(f"SELECT {', '.join(table.names)} FROM {table.name} WHERE {window} ORDER BY {table.time}", path)
            if path.stat().st_size:
                with pq.ParquetFile(path) as file:
                    yield from file.iter_batches(batch_size=65_536)
