"""Hot to warm, exactly: hours whose fingerprints differ are replaced, in one transaction with `sync_control`.

Safe to run again, to kill, and to start twice: the second run waits for the first. Below the hot floor (`hot_from`)
warm knows more than hot, so rows there are added or replaced and never removed.
"""

import datetime as dt
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct

from sql import receipts
from sql.buckets import EPOCH, HOUR, Buckets, day_of, hot_buckets, start_of, warm_buckets
from sql.errors import StoreError
from sql.hot import HotStore, Wal, instant_literal
from sql.tables import SyncControl, Table
from sql.warm import Cursor, WarmStore, copy, delete, ensure_partitions, upsert

BATCH_ROWS = 131_072


class SyncResult(Struct, frozen=True, kw_only=True):
    """What one pass did. `rows_agree`: every window it wrote holds as many rows as hot gave for it."""

    table: str
    hours_compared: int = 0
    hours_replaced: int = 0
    rows_copied: int = 0
    rows_deleted: int = 0
    rows_agree: bool = True
    days: tuple[dt.date, ...] = ()  # UTC days that were written, in order
    hot_txn: int | None = None
    last_synced: dt.datetime | None = None
    seconds: float = 0.0


class Window(Struct, frozen=True):
    """since <= time < until; `whole` when hot is complete there, so that what hot lacks is deleted from warm."""

    since: dt.datetime
    until: dt.datetime
    whole: bool


def sync_table(
    table: Table, hot: HotStore, warm: WarmStore, *, day: dt.date | None = None, work_dir: Path | None = None
) -> SyncResult:
    """Bring warm to what hot holds of `table`, or of one UTC day of it.

    Raises SuspendedError when hot does not show what it took, StoreUnavailableError when a store does not answer.
    """
    started = time.monotonic()
    state = hot.wait_applied(table)
    since, until = (start_of(day), start_of(day) + 24 * HOUR) if day else (None, None)
    with warm.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"sync {table.name}",))
        control = _control(cursor, table, state)
        if day is None and control.hot_txn == state.applied:
            return _result(table, control, started)
        ours, theirs = hot_buckets(hot, table, since, until), warm_buckets(cursor, table, since, until)
        windows = differing(ours, theirs, control.hot_from)
        copied, deleted, agree = _replace(cursor, table, hot, windows, work_dir)
        touched = {day_of(w.since) for w in windows}
        _write_receipts(cursor, table, touched)
        control = SyncControl(
            stream=table.name,
            last_synced=_newest(cursor, table, control, touched),
            updated_at=dt.datetime.now(dt.UTC),
            hot_txn=state.applied if day is None else control.hot_txn,
            hot_incarnation=state.incarnation,
            hot_from=control.hot_from,
        )
        _store_control(cursor, control)
    return _result(
        table,
        control,
        started,
        hours_compared=len(ours.keys() | theirs.keys()),
        hours_replaced=len(windows),
        rows_copied=copied,
        rows_deleted=deleted,
        rows_agree=agree,
        days=tuple(sorted(touched)),
    )


def in_step(table: Table, hot: HotStore, warm: WarmStore) -> bool:
    """Whether the last whole pass saw every transaction that hot took: two small queries, no row is read."""
    state = hot.wal(table)
    with warm.connect() as connection:
        statement = "SELECT hot_txn, hot_incarnation FROM sync_control WHERE stream = %s"
        row = connection.execute(statement, (table.name,)).fetchone()
    return row is not None and (row["hot_txn"], row["hot_incarnation"]) == (state.taken, state.incarnation)


def differing(hot: Buckets, warm: Buckets, floor: dt.datetime | None) -> list[Window]:
    """The hours to write, in order. An hour below the floor that hot lacks is warm's own and stays."""
    windows = []
    for hour in sorted(hot.keys() | warm.keys()):
        if hot.get(hour) == warm.get(hour):
            continue
        if floor is None or hour >= floor:
            windows.append(Window(hour, hour + HOUR, whole=True))
        elif hour in hot:
            cut = min(max(floor, hour), hour + HOUR)
            windows.append(Window(hour, cut, whole=False))
            windows += [Window(cut, hour + HOUR, whole=True)] if cut < hour + HOUR else []
        elif hour + HOUR > floor:
            windows.append(Window(floor, hour + HOUR, whole=True))
    return windows


def _replace(
    cursor: Cursor, table: Table, hot: HotStore, windows: list[Window], work_dir: Path | None
) -> tuple[int, int, bool]:
    copied = deleted = 0
    agree = True
    for window in merged(windows):
        ensure_partitions(cursor, table, window.since, window.until)
        with tempfile.TemporaryDirectory(prefix="sync-", dir=work_dir) as folder:
            path = Path(folder) / "window.parquet"
            hot.export(_window_query(table, window), path)
            if not window.whole:
                copied += upsert(cursor, table, _frames(path))
                continue
            deleted += delete(cursor, table, window.since, window.until)
            rows = copy(cursor, table, _frames(path))
        copied += rows
        agree = agree and _count(cursor, table, window) == rows
    return copied, deleted, agree


def merged(windows: Iterable[Window]) -> list[Window]:
    """Neighbours of one kind as one window."""
    joined: list[Window] = []
    for window in windows:
        if joined and joined[-1].until == window.since and joined[-1].whole == window.whole:
            joined[-1] = Window(joined[-1].since, window.until, window.whole)
        else:
            joined.append(window)
    return joined


def _window_query(table: Table, window: Window) -> str:
    return (
        f"SELECT {', '.join(table.names)} FROM {table.name} WHERE {table.time} >= {instant_literal(window.since)} "
        f"AND {table.time} < {instant_literal(window.until)}"
    )


def _frames(path: Path) -> Iterator[pl.DataFrame]:
    if not path.stat().st_size:
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def _count(cursor: Cursor, table: Table, window: Window) -> int:
    statement = f"SELECT count(*) AS rows FROM {table.name} WHERE {table.time} >= %s AND {table.time} < %s"
    row = cursor.execute(statement, (window.since, window.until)).fetchone()
    return int(row["rows"]) if row else 0


def _control(cursor: Cursor, table: Table, state: Wal) -> SyncControl:
    row = cursor.execute("SELECT * FROM sync_control WHERE stream = %s FOR UPDATE", (table.name,)).fetchone()
    if row is None:
        return SyncControl(
            stream=table.name, last_synced=EPOCH, updated_at=EPOCH, hot_txn=None, hot_incarnation=None, hot_from=None
        )
    control = SyncControl(**row)
    if control.hot_incarnation == state.incarnation and state.applied >= (control.hot_txn or 0):
        return control
    # Another hot table than before (made anew, or restored): what it lacks was not deleted by anybody.
    return SyncControl(
        stream=table.name,
        last_synced=control.last_synced,
        updated_at=control.updated_at,
        hot_txn=None,
        hot_incarnation=state.incarnation,
        hot_from=max(filter(None, (control.hot_from, control.last_synced + dt.timedelta(microseconds=1)))),
    )


def _store_control(cursor: Cursor, control: SyncControl) -> None:
    cursor.execute(
        "INSERT INTO sync_control (stream, last_synced, updated_at, hot_txn, hot_incarnation, hot_from) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (stream) DO UPDATE SET last_synced = excluded.last_synced, "
        "updated_at = excluded.updated_at, hot_txn = excluded.hot_txn, "
        "hot_incarnation = excluded.hot_incarnation, hot_from = excluded.hot_from",
        (
            control.stream,
            control.last_synced,
            control.updated_at,
            control.hot_txn,
            control.hot_incarnation,
            control.hot_from,
        ),
    )


def _newest(cursor: Cursor, table: Table, control: SyncControl, touched: set[dt.date]) -> dt.datetime:
    if not touched:
        return control.last_synced
    row = cursor.execute(f"SELECT max({table.time}) AS newest FROM {table.name}").fetchone()
    newest = row["newest"] if row else None
    if newest is not None and not isinstance(newest, dt.datetime):
        raise StoreError(f"warm.{table.name}.{table.time} is {type(newest).__name__}, expected a timestamp")
    return newest or EPOCH


def _write_receipts(cursor: Cursor, table: Table, days: set[dt.date]) -> None:
    for day in days:
        buckets = warm_buckets(cursor, table, start_of(day), start_of(day) + 24 * HOUR)
        receipts.store(cursor, receipts.of_days(table, "warm", buckets, [day]))


def _result(table: Table, control: SyncControl, started: float, **done: Any) -> SyncResult:
    return SyncResult(
        table=table.name,
        hot_txn=control.hot_txn,
        last_synced=control.last_synced,
        seconds=time.monotonic() - started,
        **done,
    )
