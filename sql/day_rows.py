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
from sql.contract import Table
from sql.digest import in_key_order
from sql.errors import DamagedError
from sql.hot import HotStore, instant_literal
from sql.tables import Receipt
from sql.warm import Cursor, WarmStore

STRETCH_ROWS = 2_000_000
Frames = Iterator[pl.DataFrame]


class WarmDay(Struct, frozen=True):
    """One snapshot of warm: the rows, and the receipt that speaks of them."""

    frames: Frames
    receipt: Receipt | None
    version: str | None  # of the receipt; another one means that the day changed since


def of_hot(hot: HotStore, table: Table, day: dt.date, work_dir: Path | None = None) -> Frames:
    """From QuestDB, a stretch at a time through a Parquet file: the disk holds one stretch, the memory one block."""
    return in_key_order(_stretches(hot, table, day, work_dir), table)


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


def split_at(
    frame: pl.DataFrame | None, until: dt.datetime | None, table: Table
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows up to an instant, all without one, and what is left."""
    if frame is None:
        return pl.DataFrame(schema=table.polars), None
    cut = frame.height if until is None else int(frame[str(table.time)].search_sorted(until, side="right"))
    return frame[:cut], frame[cut:] if cut < frame.height else None


def merged(first: Frames, second: Frames, table: Table) -> Frames:
    """The rows of both, each in key order, in key order; of two with one key that of `second`. Never held whole."""
    ours, theirs = next(first, None), next(second, None)
    while ours is not None or theirs is not None:
        ends = [frame[str(table.time)][-1] for frame in (ours, theirs) if frame is not None]
        until = min(ends) if len(ends) == 2 else None
        left, ours = split_at(ours, until, table)
        right, theirs = split_at(theirs, until, table)
        both = pl.concat([left, right])
        yield both.unique(table.key, keep="last").sort(table.key) if left.height and right.height else both
        ours = next(first, None) if ours is None else ours
        theirs = next(second, None) if theirs is None else theirs


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


def _stretches(hot: HotStore, table: Table, day: dt.date, work_dir: Path | None) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="verify-", dir=work_dir) as folder:
        path = Path(folder) / "stretch.parquet"
        for since, until in _cuts(hot, table, day):
            window = f"{table.time} >= {instant_literal(since)} AND {table.time} < {instant_literal(until)}"
            hot.export(f"SELECT {', '.join(table.names)} FROM {table.name} WHERE {window} ORDER BY {table.time}", path)
            if path.stat().st_size:
                with pq.ParquetFile(path) as file:
                    yield from file.iter_batches(batch_size=65_536)


def _cuts(hot: HotStore, table: Table, day: dt.date) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """The whole day in stretches of some rows, cut at minutes: an hour of a busy book is many gigabytes."""
    since, end = start_of(day), start_of(day) + 24 * HOUR
    rows = 0
    for minute, more in sorted(hot.minutes(table, since, end).items()):
        if rows and rows + more > STRETCH_ROWS:
            yield since, minute
            since, rows = minute, 0
        rows += more
    yield since, end
