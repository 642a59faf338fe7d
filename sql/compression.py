"""How old rows of warm are kept: compressed after some days, dropped after more, as the contract says.

Only TimescaleDB compresses; on native partitions the same call changes nothing and says so. Nothing is dropped without
a receipt of cold that speaks of the same rows. No policies inside the database: theirs deadlocked with long writers.
"""

import datetime as dt

from msgspec import Struct
from psycopg import sql

from sql import archive, control, receipts
from sql.buckets import HOUR, start_of
from sql.cold import ColdStore
from sql.contract import Table
from sql.day_rows import lock
from sql.warm import Cursor, WarmStore, delete, is_hypertable


class Kept(Struct, frozen=True, kw_only=True):
    """What one pass did. `note` says in words why nothing was compressed or dropped where one could expect it."""

    table: str
    compressed: int = 0  # chunks
    dropped: tuple[dt.date, ...] = ()
    rows: int = 0  # of the days that were dropped
    note: str = ""


def compress(table: Table, warm: WarmStore, *, today: dt.date) -> Kept:
    """Compress the chunks that are older than `compress_after_days`. Safe to run again; later rows may still come."""
    if table.compress_after_days is None:
        return Kept(table=table.name, note="the contract of this table compresses nothing")
    before = start_of(today - dt.timedelta(days=table.compress_after_days))
    with warm.connect() as connection:
        cursor = connection.cursor()
        if not is_hypertable(cursor, table.name):
            return Kept(table=table.name, note="native partitions: nothing compresses them")
        if not _licensed(cursor):
            return Kept(table=table.name, note="this build of TimescaleDB has no columnstore")
        _switch_on(cursor, table)
        chunks = cursor.execute(
            "SELECT format('%%I.%%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks "
            "WHERE hypertable_name = %s AND range_end <= %s AND NOT is_compressed ORDER BY range_start",
            (table.name, before),
        ).fetchall()
        for chunk in chunks:
            _convert(cursor, chunk["name"])
    return Kept(table=table.name, compressed=len(chunks))


def retain(table: Table, warm: WarmStore, cold: ColdStore, *, today: dt.date, dry_run: bool = False) -> Kept:
    """Take the days older than `warm_days` out of warm, each in one transaction with its receipt.

    A day stays while hot is answerable for it, and when its file is not, byte by byte, what warm holds. `dry_run`
    looks at the same days and changes nothing.
    """
    oldest = today - dt.timedelta(days=table.warm_days)
    due = [day for day in receipts.days(warm, table, "warm") if day < oldest]
    dropped = {day: rows for day in due if (rows := _drop(table, day, warm, cold, dry_run=dry_run)) is not None}
    left = len(due) - len(dropped)
    note = f"{left} days stay in warm: hot still holds them, or no file is proven to" if left else ""
    return Kept(table=table.name, dropped=tuple(dropped), rows=sum(dropped.values()), note=note)


def _drop(table: Table, day: dt.date, warm: WarmStore, cold: ColdStore, *, dry_run: bool) -> int | None:
    """How many rows went, or could; None where the day stays."""
    with warm.connect() as connection:
        cursor = connection.cursor()
        control.lock(cursor, table)
        lock(cursor, table, day)
        floor = control.floor_of(cursor, table)
        if floor is None or floor < start_of(day) + 24 * HOUR:
            return None  # hot still holds the day, and the sync would bring it back
        in_warm = receipts.stored(cursor, table, "warm", day)
        if in_warm is None or archive.not_in_cold(cursor, table, day, cold):
            return None
        if dry_run:
            return in_warm.rows
        if delete(cursor, table, start_of(day), start_of(day) + 24 * HOUR) != in_warm.rows:
            connection.rollback()
            return None
        receipts.forget(cursor, table, "warm", day)
        return in_warm.rows


def _licensed(cursor: Cursor) -> bool:
    """The Apache build has the extension without columnstore."""
    row = cursor.execute("SHOW timescaledb.license").fetchone() or {}
    return row.get("timescaledb.license") == "timescale"


def _switch_on(cursor: Cursor, table: Table) -> None:
    """Segments by symbol, each in the order of time. Names since 2.18; older servers know the former ones."""
    order = sql.SQL(", ").join(sql.Identifier(name) for name in table.key if name != "symbol")
    done = cursor.execute(
        "SELECT compression_enabled AS on FROM timescaledb_information.hypertables WHERE hypertable_name = %s",
        (table.name,),
    ).fetchone()
    if done and done["on"]:
        return
    new = _knows(cursor, "convert_to_columnstore")
    words = (
        ("enable_columnstore", "segmentby", "orderby")
        if new
        else ("compress", "compress_segmentby", "compress_orderby")
    )
    settings: list[sql.Composable] = [sql.SQL(f"timescaledb.{words[0]} = true")]
    settings += [sql.SQL(f"timescaledb.{words[1]} = ") + sql.Literal("symbol")] if "symbol" in table.names else []
    settings.append(sql.SQL(f"timescaledb.{words[2]} = ") + sql.Literal(order.as_string(cursor)))
    cursor.execute(sql.SQL("ALTER TABLE {} SET ({})").format(sql.Identifier(table.name), sql.SQL(", ").join(settings)))


def _convert(cursor: Cursor, chunk: str) -> None:
    if _knows(cursor, "convert_to_columnstore"):
        cursor.execute("CALL convert_to_columnstore(%s::regclass)", (chunk,))
    else:
        cursor.execute("SELECT compress_chunk(%s::regclass)", (chunk,))


def _knows(cursor: Cursor, name: str) -> bool:
    return cursor.execute("SELECT 1 FROM pg_proc WHERE proname = %s", (name,)).fetchone() is not None
