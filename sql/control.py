"""`sync_control`: how far the sync of one table came, and whether that number still means anything in hot.

A hot table that was made anew or restored numbers its transactions again. It is known by its id, its directory and the
instant of the last transaction that was synced; where one is another, hot's silence about a row is no deletion.
"""

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from sql.contract import Table
from sql.hot import HotStore, Wal
from sql.tables import SyncControl
from sql.warm import Cursor, WarmStore
from sql.windows import MICROSECOND, Transaction

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Seen(Struct, frozen=True, kw_only=True):
    """What was synced of the hot table that there is now, and what it took since."""

    hot_txn: int | None  # None: nothing, or nothing of this table
    applied: int
    incarnation: str
    hot_from: dt.datetime | None
    last_synced: dt.datetime
    first_of_the_day: bool
    transactions: Sequence[Transaction]  # the last that was synced, and those after it

    @property
    def nothing_new(self) -> bool:
        return self.hot_txn == self.applied


def lock(cursor: Cursor, table: Table) -> None:
    """Be the only one that moves rows of `table` between hot and warm, until the transaction ends. Taken before the
    lock of a day."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"sync {table.name}",))


def load(cursor: Cursor, table: Table, hot: HotStore) -> Seen:
    """The state of both sides, once hot shows all that it took. Locks the row. Errors as `HotStore.wait_applied`."""
    control = _stored(cursor, table)
    state = hot.wait_applied(table)
    number = control.hot_txn if control else None
    transactions = hot.transactions(table, state, state.applied if number is None else min(number, state.applied))
    same = control is not None and _same(control, state, transactions)
    hot_from = control.hot_from if control else None
    if control and control.hot_incarnation and not same:
        # Another hot table than before: what it lacks was not deleted by anybody.
        hot_from = max(filter(None, (hot_from, control.last_synced + MICROSECOND)))
    return Seen(
        hot_txn=number if same else None,
        applied=state.applied,
        incarnation=state.incarnation,
        hot_from=hot_from,
        last_synced=control.last_synced if control else EPOCH,
        # Another day, not a later one: a clock that was ahead and went back must not put the comparison off.
        first_of_the_day=control is None or control.updated_at.date() != dt.datetime.now(dt.UTC).date(),
        transactions=transactions,
    )


def store(cursor: Cursor, table: Table, seen: Seen, last_synced: dt.datetime, *, whole: bool) -> None:
    """Keep how far a pass came; one over a single day brings the number no further."""
    number = seen.applied if whole else seen.hot_txn
    known = _epoch(seen.transactions, number)
    cursor.execute(
        "INSERT INTO sync_control (stream, last_synced, updated_at, hot_txn, hot_incarnation, hot_from) "
        "VALUES (%s, %s, clock_timestamp(), %s, %s, %s) ON CONFLICT (stream) DO UPDATE SET "
        "last_synced = excluded.last_synced, hot_txn = excluded.hot_txn, "
        "updated_at = CASE WHEN %s THEN excluded.updated_at ELSE sync_control.updated_at END, "
        "hot_incarnation = excluded.hot_incarnation, hot_from = excluded.hot_from",
        (table.name, last_synced, number, f"{seen.incarnation}@{known}", seen.hot_from, whole),
    )


def floor_of(cursor: Cursor, table: Table) -> dt.datetime | None:
    """From where on hot is complete; None: everywhere."""
    row = cursor.execute("SELECT hot_from FROM sync_control WHERE stream = %s", (table.name,)).fetchone()
    return row["hot_from"] if row else None


def floor_without_warm(cursor: Cursor, table: Table, hot: HotStore) -> dt.datetime | None:
    """The same for a table that no sync looks at: another hot table than before is complete from tomorrow on."""
    now, floor = hot.wal(table).incarnation, floor_of(cursor, table)
    row = cursor.execute("SELECT hot_incarnation FROM sync_control WHERE stream = %s", (table.name,)).fetchone()
    if row is None or row["hot_incarnation"] != now:
        tomorrow = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
        floor = None if row is None else tomorrow
        raise_floor(cursor, table, floor, now)
    return floor


def raise_floor(cursor: Cursor, table: Table, floor: dt.datetime | None, incarnation: str) -> None:
    """Say that hot is not complete below `floor` any more; it never goes back. For a table without warm."""
    cursor.execute(
        "INSERT INTO sync_control (stream, last_synced, updated_at, hot_incarnation, hot_from) "
        "VALUES (%s, %s, clock_timestamp(), %s, %s) ON CONFLICT (stream) DO UPDATE SET "
        "updated_at = excluded.updated_at, hot_incarnation = excluded.hot_incarnation, "
        "hot_from = greatest(sync_control.hot_from, excluded.hot_from)",
        (table.name, EPOCH, incarnation, floor),
    )


def raise_synced_floor(cursor: Cursor, table: Table, floor: dt.datetime) -> None:
    """The same for a table with warm, whose row only a pass of the sync makes."""
    cursor.execute("UPDATE sync_control SET hot_from = greatest(hot_from, %s) WHERE stream = %s", (floor, table.name))


def count_as_seen(cursor: Cursor, table: Table, hot: HotStore, before: Wal) -> None:
    """Retention dropped a day: where that is all that hot took since `before`, and a pass had seen everything up to
    there, the next one need not compare the whole table. The caller holds the lock of the passes.
    """
    control, after = _stored(cursor, table), hot.wait_applied(table)
    if control is None or control.hot_txn != before.taken or after.taken != before.taken + 1:
        return
    transactions = hot.transactions(table, after, before.taken)
    if not _same(control, after, transactions):
        return
    known = f"{after.incarnation}@{_epoch(transactions, after.taken)}"
    cursor.execute(
        "UPDATE sync_control SET hot_txn = %s, hot_incarnation = %s WHERE stream = %s",
        (after.taken, known, table.name),
    )


def in_step(table: Table, hot: HotStore, warm: WarmStore) -> bool:
    """Whether the last whole pass saw every transaction that hot took: small queries, no row is read."""
    state = hot.wal(table)
    with warm.connect() as connection:
        row = connection.execute("SELECT * FROM sync_control WHERE stream = %s", (table.name,)).fetchone()
    if row is None or row["hot_txn"] != state.taken:
        return False
    return _same(SyncControl(**row), state, hot.transactions(table, state, state.taken))


def _stored(cursor: Cursor, table: Table) -> SyncControl | None:
    row = cursor.execute("SELECT * FROM sync_control WHERE stream = %s FOR UPDATE", (table.name,)).fetchone()
    return SyncControl(**row) if row else None


def _same(control: SyncControl, state: Wal, transactions: Sequence[Transaction]) -> bool:
    """Whether the number that was synced is one of the table that there is now."""
    incarnation, _, epoch = (control.hot_incarnation or "").partition("@")
    if incarnation != state.incarnation or state.taken < (control.hot_txn or 0):
        return False
    if control.hot_txn is None:
        return True
    now = _epoch(transactions, control.hot_txn)
    return not epoch or not now or epoch == now  # no longer listed, or kept by an older pass: nothing speaks against


def _epoch(transactions: Sequence[Transaction], number: int | None) -> str:
    return next((each.at for each in transactions if each.number == number), "")
