"""Warm to cold: the Parquet file of each UTC day, rewritten when the day changed. Safe to run again and to kill.

A file goes away only where warm's receipt says that the day was deleted: rows that merely are not in warm any more
(retention, or a hand that should not have) leave theirs alone.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, structs

from sql import control, day_rows, receipts
from sql.buckets import HOUR, start_of
from sql.cold import ColdStore, sha256_of
from sql.contract import Table, Tier
from sql.digest import Content, Digest, content_of
from sql.errors import AlteredError, DamagedError, StoreError
from sql.tables import Receipt
from sql.warm import Cursor, WarmStore, delete

BOTH: tuple[Tier, Tier] = ("warm", "cold")


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
        result, late = _write(cursor, table, day, warm, cold)
    return structs.replace(result, rows_agree=_leave_again(table, day, warm, late)) if late else result


def not_in_cold(cursor: Cursor, table: Table, day: dt.date, cold: ColdStore) -> str:
    """Why no file is proven to hold what the receipt of warm says of a day; empty when one is, byte by byte."""
    in_warm, in_cold = (receipts.stored(cursor, table, tier, day) for tier in BOTH)
    path = cold.path(table, day)
    if in_warm is None or in_cold is None or not in_warm.digest or in_warm.digest != in_cold.digest:
        return "no file is proven to hold what warm holds: archive the day"
    if not path.is_file() or sha256_of(path) != in_cold.file_sha256:
        return f"{path} is not the file that was written"
    return ""


def file_content(table: Table, day: dt.date, cold: ColdStore) -> Content:
    """What a day's file holds on disk. Raises StoreError where there is none, DamagedError for one that is torn."""
    path = cold.path(table, day)
    if not path.is_file():
        raise StoreError(f"{path}: expected the file of {table.name} for {day}, found none")
    return content_of(day_rows.of_file(path, table), table)


def _write(
    cursor: Cursor, table: Table, day: dt.date, warm: WarmStore, cold: ColdStore
) -> tuple[ArchiveResult, Content | None]:
    """What was done; and where warm held only late rows of a day that retention had taken, what those are."""
    whole, ours = Digest(table), Digest(table)
    with day_rows.of_warm(warm, table, day) as held:
        frames = ours.passing(held.frames)
        if before := _file_below(cursor, table, day, cold, held.receipt):
            frames = day_rows.merged(day_rows.of_file(before, table), frames, table)

        def batches() -> Iterator[pa.RecordBatch]:
            for frame in whole.passing(frames):
                yield from frame.to_arrow().cast(table.arrow).combine_chunks().to_batches()

        def proven(draft: Path) -> None:
            _refuse_altered(table, day, ours.content(), held.receipt)
            read = content_of(day_rows.of_file(draft, table), table)
            if read != whole.content():
                raise DamagedError(f"{draft}: expected the {whole.content().rows} rows written, found {read.rows}")
            with warm.connect() as other:  # killed between here and the receipts, the file is written again
                receipts.doubt(other.cursor(), table, "cold", day)

        file = cold.write(table, day, batches(), proven)
    content, name = whole.content(), file.path.relative_to(cold.root).as_posix()
    receipts.store(cursor, [receipts.of_content(table, "cold", day, content, file=name, sha256=file.sha256)])
    late = ours.content() if ours.content() != content else None
    same = receipts.store_unchanged(cursor, receipts.of_content(table, "warm", day, ours.content()), held.version)
    result = ArchiveResult(
        table=table.name, day=day, rows=content.rows, written=True, bytes=file.bytes, file=name, rows_agree=same
    )
    return result, late


def _file_below(cursor: Cursor, table: Table, day: dt.date, cold: ColdStore, receipt: Receipt | None) -> Path | None:
    """The file that is added to: below hot's floor only retention takes rows out of warm, and the file keeps those.

    Raises AlteredError where that file is not the one that was written and warm has fewer rows than it had.
    """
    floor, kept = control.floor_of(cursor, table), receipts.stored(cursor, table, "cold", day)
    if floor is None or start_of(day) + 24 * HOUR > floor or kept is None:
        return None
    path = cold.path(table, day)
    if path.is_file() and (sha256_of(path) == kept.file_sha256 or written_over(path, table, kept)):
        return path
    if receipt is not None and receipt.rows < kept.rows:
        raise AlteredError(
            f"{path} is not the file that was written with {kept.rows} rows, and warm holds {receipt.rows}: "
            "restore it from a backup"
        )
    return None


def written_over(path: Path, table: Table, kept: Receipt) -> bool:
    """Whether this is a file of ours whose receipts are missing: the pass that wrote it was killed before them."""
    if kept.digest != receipts.UNKNOWN:
        return False
    try:
        with pq.ParquetFile(path) as file:
            return bool(file.schema_arrow.equals(table.arrow) and file.metadata.num_rows >= kept.rows)
    except (pa.ArrowException, OSError):
        return False


def _leave_again(table: Table, day: dt.date, warm: WarmStore, late: Content) -> bool:
    """Take late rows that the file has out of warm, whence retention took the others; False where more came."""
    with warm.connect() as connection:
        cursor = connection.cursor()
        control.lock(cursor, table)
        day_rows.lock(cursor, table, day)
        with day_rows.of_warm(warm, table, day) as held:
            if content_of(held.frames, table) != late:
                return False
        delete(cursor, table, start_of(day), start_of(day) + 24 * HOUR)
        receipts.forget(cursor, table, "warm", day)
        return True


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
