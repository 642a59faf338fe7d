"""Warm to cold: the Parquet file of each UTC day, rewritten when the day changed. Safe to run again and to kill.

A file goes away only where warm's receipt says that the day was deleted: rows that merely are not in warm any more
(retention, or a hand that should not have) leave theirs alone.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from msgspec import Struct

from sql import day_rows, receipts
from sql.cold import ColdFile, ColdStore
from sql.contract import Table, Tier
from sql.digest import Content, Digest, content_of
from sql.errors import AlteredError, DamagedError, StoreError
from sql.tables import Receipt
from sql.warm import Cursor, WarmStore


class ArchiveResult(Struct, frozen=True, kw_only=True):
    """What one pass did to one day. `rows_agree`: the file holds what warm holds; the day did not change meanwhile."""

    table: str
    day: dt.date
    rows: int
    written: bool
    bytes: int = 0
    file: str | None = None
    rows_agree: bool = True


def archive_table(table: Table, warm: WarmStore, cold: ColdStore) -> list[ArchiveResult]:
    """Write every day whose file is missing or older than the day; the open day too, to be rewritten later."""
    with warm.connect() as connection:
        days = stale_days(connection.cursor(), table, cold)
    return [archive_day(table, day, warm, cold) for day in days]


def stale_days(cursor: Cursor, table: Table, cold: ColdStore) -> list[dt.date]:
    """The days of warm that changed since their file was written, or whose file is away."""
    rows = cursor.execute(
        "SELECT day, warm.rows = 0 AS deleted, warm.digest = '' OR warm.digest IS DISTINCT FROM cold.digest AS changed "
        "FROM (SELECT * FROM receipts WHERE table_name = %s AND tier = 'warm') AS warm "
        "LEFT JOIN (SELECT * FROM receipts WHERE table_name = %s AND tier = 'cold') AS cold USING (day) ORDER BY day",
        (table.name, table.name),
    ).fetchall()
    there = set(cold.days(table))
    return [row["day"] for row in rows if row["deleted"] or row["changed"] or row["day"] not in there]


def archive_day(table: Table, day: dt.date, warm: WarmStore, cold: ColdStore) -> ArchiveResult:
    """Write the file of one UTC day from warm, read it back, and store the receipts of both tiers together.

    A day that warm does not hold keeps the file it has, unless it was deleted. Raises AlteredError, and leaves the
    file that there is, when warm holds other rows than its receipt says; DamagedError when the file reads back wrong.
    """
    with warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)
        receipt = receipts.stored(cursor, table, "warm", day)
        if receipt is None and not _holds(cursor, table, day):
            return ArchiveResult(table=table.name, day=day, rows=0, written=False)
        if receipt is not None and not receipt.rows:
            return _delete(cursor, table, day, cold)
        return _write(cursor, table, day, warm, cold)


def file_content(table: Table, day: dt.date, cold: ColdStore) -> Content:
    """What a day's file holds on disk. Raises StoreError where there is none, DamagedError for one that is torn."""
    path = cold.path(table, day)
    if not path.is_file():
        raise StoreError(f"{path}: expected the file of {table.name} for {day}, found none")
    return content_of(day_rows.of_file(path, table), table)


def _write(cursor: Cursor, table: Table, day: dt.date, warm: WarmStore, cold: ColdStore) -> ArchiveResult:
    digest = Digest(table)
    with day_rows.of_warm(warm, table, day) as held:

        def batches() -> Iterator[pa.RecordBatch]:
            for frame in held.frames:
                digest.update(frame)
                yield from frame.to_arrow().cast(table.arrow).combine_chunks().to_batches()

        def proven(draft: Path) -> None:
            _refuse_altered(table, day, digest.content(), held.receipt)
            read = content_of(day_rows.of_file(draft, table), table)
            if read != digest.content():
                raise DamagedError(f"{draft}: expected the {digest.content().rows} rows written, found {read.rows}")
            with warm.connect() as other:  # killed between here and the receipts, the file is written again
                receipts.doubt(other.cursor(), table, "cold", day)

        written = cold.write(table, day, batches(), proven)
    name = written.path.relative_to(cold.root).as_posix()
    return _receipted(cursor, table, day, file=written, name=name, content=digest.content(), version=held.version)


def _receipted(
    cursor: Cursor, table: Table, day: dt.date, *, file: ColdFile, name: str, content: Content, version: str | None
) -> ArchiveResult:
    receipts.store(cursor, [receipts.of_content(table, "cold", day, content, file=name, sha256=file.sha256)])
    same = receipts.store_unchanged(cursor, receipts.of_content(table, "warm", day, content), version)
    return ArchiveResult(
        table=table.name, day=day, rows=content.rows, written=True, bytes=file.bytes, file=name, rows_agree=same
    )


def _delete(cursor: Cursor, table: Table, day: dt.date, cold: ColdStore) -> ArchiveResult:
    gone = not _holds(cursor, table, day)
    if not gone:
        raise AlteredError(f"warm.{table.name} holds rows of {day}, its receipt says none: run `tradingsystem verify`")
    cold.remove(table, day)  # killed after this, the next pass comes here again
    tiers: tuple[Tier, ...] = ("cold", "warm", "hot")
    for tier in tiers:
        receipts.forget(cursor, table, tier, day)
    return ArchiveResult(table=table.name, day=day, rows=0, written=False)


def _refuse_altered(table: Table, day: dt.date, content: Content, receipt: Receipt | None) -> None:
    if receipt is not None and not receipts.speaks_of(receipt, content):
        raise AlteredError(
            f"warm.{table.name} on {day} was altered since it was written: {content.rows} rows, receipt "
            f"{receipt.rows}; run `tradingsystem verify {table.name} --day {day} --repair`"
        )


def _holds(cursor: Cursor, table: Table, day: dt.date) -> bool:
    statement = f"SELECT 1 FROM {table.name} WHERE {day_rows.bounds(table, day)} LIMIT 1"
    return cursor.execute(statement).fetchone() is not None
