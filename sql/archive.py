"""Warm to cold: the Parquet file of each UTC day, rewritten when the day changed. Safe to run again and to kill."""

import datetime as dt

from msgspec import Struct

from sql import receipts
from sql.buckets import HOUR, buckets_of, select, start_of, total
from sql.cold import ColdStore
from sql.errors import StoreError
from sql.tables import Table
from sql.warm import Cursor, WarmStore


class ArchiveResult(Struct, frozen=True, kw_only=True):
    """What one pass did to one day. `rows_agree`: the file holds what warm held when it was written."""

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
    """The days whose receipts of warm and cold differ, or whose file is away."""
    rows = cursor.execute(
        "SELECT day, max(digest) FILTER (WHERE tier = 'warm') AS warm, "
        "max(digest) FILTER (WHERE tier = 'cold') AS cold "
        "FROM receipts WHERE table_name = %s GROUP BY day ORDER BY day",
        (table.name,),
    ).fetchall()
    there = set(cold.days(table))
    return [row["day"] for row in rows if row["warm"] != row["cold"] or row["day"] not in there]


def archive_day(table: Table, day: dt.date, warm: WarmStore, cold: ColdStore) -> ArchiveResult:
    """Write the file of one UTC day from warm; a day without rows has no file.

    Raises DamagedError when the file just written cannot be read back.
    """
    with warm.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"archive {table.name} {day}",))
        since, until = start_of(day).isoformat(), (start_of(day) + 24 * HOUR).isoformat()
        bounds = f"{table.time} >= '{since}' AND {table.time} < '{until}'"
        order = ", ".join(table.key)
        with warm.batches(f"SELECT * FROM {table.name} WHERE {bounds} ORDER BY {order}", table) as batches:
            written = cold.write(table, day, batches)
        # The receipt speaks of the file: its own content, not what warm may hold by now.
        sums = file_fingerprint(table, day, cold)
        if not written.rows:
            cold.remove(table, day)
        name = written.path.relative_to(cold.root).as_posix()
        now = dt.datetime.now(dt.UTC)
        made = receipts.receipt(table, "cold", day, sums, now, file=name, file_sha256=written.sha256)
        receipts.store(cursor, [made])
        warm_digest = cursor.execute(
            "SELECT digest FROM receipts WHERE table_name = %s AND day = %s AND tier = 'warm'", (table.name, day)
        ).fetchone()
    agree = (warm_digest["digest"] == made.digest) if warm_digest else not written.rows
    return ArchiveResult(
        table=table.name,
        day=day,
        rows=written.rows,
        written=bool(written.rows),
        bytes=written.bytes,
        file=name if written.rows else None,
        rows_agree=agree and sums[0] == written.rows,
    )


def file_fingerprint(table: Table, day: dt.date, cold: ColdStore) -> tuple[int, ...]:
    """The fingerprint of a day's file, computed from what it holds on disk."""
    if not cold.path(table, day).is_file():
        raise StoreError(f"{cold.path(table, day)}: expected the file of {table.name} for {day}, found none")
    rows = cold.query(select(table, "cold", " WHERE day = ?"), [day])
    return total(buckets_of(rows), table)
