"""Hot to cold without warm: the Parquet file of each UTC day that is over, for tables that are too fast for PostgreSQL.

A file is only ever added to: what hot shows again, or late, is laid over what the file holds. Below the floor, where
retention emptied hot, late rows leave hot again as soon as the file has them. Safe to run again and to kill.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
from msgspec import structs

from sql import control, day_rows, receipts
from sql.archive import ArchiveResult, written_over
from sql.buckets import HOUR, start_of
from sql.cold import ColdStore, sha256_of
from sql.contract import Table
from sql.digest import Digest, content_of
from sql.errors import AlteredError, DamagedError
from sql.hot import HotStore, Wal
from sql.tables import Receipt
from sql.warm import Cursor, WarmStore

GROUP_ROWS = 500_000  # of a row group: a day of hundreds of millions has a thousand groups


def stale_days(table: Table, hot: HotStore, warm: WarmStore, cold: ColdStore, *, today: dt.date) -> list[dt.date]:
    """The days that are over whose file is away or has not what hot shows, by the numbers of rows; no row is read."""
    hot.wait_applied(table)
    in_hot = {day: rows for day, rows in day_rows.days_of_hot(hot, table).items() if day < today}
    there = set(cold.days(table))
    with warm.connect() as connection:
        cursor = connection.cursor()
        floor = control.floor_without_warm(cursor, table, hot)
        return [day for day in sorted(in_hot) if _stale(cursor, table, day, in_hot[day], floor) or day not in there]


def archive_day(
    table: Table,
    day: dt.date,
    hot: HotStore,
    warm: WarmStore,
    cold: ColdStore,
    *,
    today: dt.date,
    work_dir: Path | None = None,
) -> ArchiveResult:
    """Write the file of a day that is over, read it back, and store the receipts of both tiers together.

    The open day has no file yet. Raises AlteredError where the file that is there is not the one that was written and
    hot is not complete, so that nobody knows its rows; DamagedError when the new one reads back wrong.
    """
    nothing = ArchiveResult(table=table.name, day=day, rows=0, written=False)
    if day >= today:
        return nothing
    with warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)
        state = hot.wait_applied(table)
        rows = day_rows.days_of_hot(hot, table).get(day, 0)
        with warm.connect() as other:
            floor = control.floor_without_warm(other.cursor(), table, hot)
        kept = receipts.stored(cursor, table, "cold", day)
        if not rows or (cold.path(table, day).is_file() and not _stale(cursor, table, day, rows, floor)):
            return nothing if kept is None else structs.replace(nothing, rows=kept.rows, file=kept.file)
        complete = floor is None or start_of(day) >= floor
        frames = _rows(table, day, hot, cold, kept, complete=complete, work_dir=work_dir)
        result = _write(table, day, frames, warm, cold)
        after = day_rows.days_of_hot(hot, table).get(day, 0)
        if not complete:  # the receipts stand: killed here, the next pass lays the same rows over the file again
            drop(table, day, hot, state)
    return structs.replace(result, rows_agree=after == rows)


def drop(table: Table, day: dt.date, hot: HotStore, read: Wal) -> None:
    """Take a day out of hot whose rows up to the state `read` are in a file. Raises AlteredError for later rows."""
    if touched := _since(table, day, hot, read.taken, hot.wait_applied(table)):
        raise AlteredError(f"hot.{table.name}: rows of {day} came while its file was written: run the command again")
    before = hot.wal(table).taken
    if day not in day_rows.days_of_hot(hot, table):
        return
    hot.run(f"ALTER TABLE {table.name} DROP PARTITION LIST '{day.isoformat()}'")
    touched = _since(table, day, hot, before, hot.wait_applied(table))
    if touched and day not in day_rows.days_of_hot(hot, table):
        again = "the spool's evidence holds them: stop the relay, delete books.json beside the spool, start it"
        raise AlteredError(
            f"hot.{table.name}: {touched} rows of {day} came in the moment in which the day was dropped; "
            + (again if table.direct else f"they have to be written again ({table.writer})")
        )


def _stale(cursor: Cursor, table: Table, day: dt.date, rows: int, floor: dt.datetime | None) -> bool:
    if floor is not None and start_of(day) < floor:
        return True  # late rows
    in_hot, in_cold = receipts.stored(cursor, table, "hot", day), receipts.stored(cursor, table, "cold", day)
    return in_hot is None or in_cold is None or not in_cold.digest or in_hot.rows != rows


def _rows(
    table: Table,
    day: dt.date,
    hot: HotStore,
    cold: ColdStore,
    kept: Receipt | None,
    *,
    complete: bool,
    work_dir: Path | None,
) -> day_rows.Frames:
    """What the file is to hold: hot's rows, and those of the file where it is the one that was written."""
    ours = day_rows.of_hot(hot, table, day, work_dir)
    path = cold.path(table, day)
    if kept is None and not path.is_file():
        return ours
    if kept is not None and path.is_file() and sha256_of(path) == kept.file_sha256:
        return day_rows.merged(day_rows.of_file(path, table), ours, table)
    if complete:
        return ours
    if kept is not None and written_over(path, table, kept):
        return day_rows.merged(day_rows.of_file(path, table), ours, table)
    raise AlteredError(
        f"{path} is not the file that was written, and hot is not complete on {day}: restore it from a backup"
    )


def _write(table: Table, day: dt.date, frames: day_rows.Frames, warm: WarmStore, cold: ColdStore) -> ArchiveResult:
    digest = Digest(table)

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in grouped(frames):
            digest.update(frame)
            yield from frame.to_arrow().cast(table.arrow).combine_chunks().to_batches()

    def proven(draft: Path) -> None:
        read = content_of(day_rows.of_file(draft, table), table)
        if read != digest.content():
            raise DamagedError(f"{draft}: expected the {digest.content().rows} rows written, found {read.rows}")
        with warm.connect() as other:  # killed between here and the receipts, the file is written again
            receipts.doubt(other.cursor(), table, "cold", day)

    file = cold.write(table, day, batches(), proven)
    content, name = digest.content(), file.path.relative_to(cold.root).as_posix()
    in_cold = receipts.of_content(table, "cold", day, content, file=name, sha256=file.sha256)
    with warm.connect() as other:
        receipts.store(other.cursor(), [in_cold, receipts.of_content(table, "hot", day, content)])
    return ArchiveResult(table=table.name, day=day, rows=content.rows, written=True, bytes=file.bytes, file=name)


def grouped(frames: day_rows.Frames) -> day_rows.Frames:
    """The same rows in frames of about GROUP_ROWS."""
    held: list[pl.DataFrame] = []
    rows = 0
    for frame in frames:
        held.append(frame)
        rows += frame.height
        if rows >= GROUP_ROWS:
            yield pl.concat(held)
            held, rows = [], 0
    if rows:
        yield pl.concat(held)


def _since(table: Table, day: dt.date, hot: HotStore, number: int, state: Wal) -> int:
    """How many rows the transactions after `number` brought to a day; uncounted ones bring none: nothing updates."""
    since, until = start_of(day), start_of(day) + 24 * HOUR
    return sum(
        each.rows or 0
        for each in hot.transactions(table, state, number + 1)
        if each.since and each.last and each.since < until and each.last >= since
    )
