"""How long rows stay in hot: a day leaves it only when the tiers after it are proven to hold it, the oldest first.

For most tables those are warm and a file that warm was written to; for a table without warm, its file. The floor
(`sync_control.hot_from`) moves before the day goes: killed in between, what hot still shows of it counts as late rows,
which the next pass takes away.
"""

import datetime as dt

from sql import control, day_rows, direct, receipts
from sql.archive import not_in_cold
from sql.buckets import HOUR, start_of
from sql.cold import sha256_of
from sql.compression import Kept
from sql.contract import Table
from sql.digest import Digest, content_of
from sql.errors import AlteredError
from sql.evidence import Tiers, symbol_differences
from sql.hot import Wal
from sql.tables import Receipt
from sql.warm import Cursor


def retain(table: Table, tiers: Tiers, *, today: dt.date, dry_run: bool = False) -> Kept:
    """Take the days older than `hot_days` out of hot. Stops at the first that is not proven elsewhere.

    `dry_run` proves the same days and changes nothing. Safe to run again and to kill.
    """
    oldest = today - dt.timedelta(days=table.hot_days)
    tiers.hot.wait_applied(table)
    due = {day: rows for day, rows in sorted(day_rows.days_of_hot(tiers.hot, table).items()) if day < oldest}
    dropped: list[dt.date] = []
    note = ""
    for day in due:
        if reason := _leave(table, day, tiers, dry_run=dry_run):
            note = f"{len(due) - len(dropped)} days stay in hot, the first of them {day}: {reason}"
            break
        dropped.append(day)
    return Kept(table=table.name, dropped=tuple(dropped), rows=sum(due[day] for day in dropped), note=note)


def _leave(table: Table, day: dt.date, tiers: Tiers, *, dry_run: bool) -> str:
    """Why the day stays; empty when it was dropped, or could be."""
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        if not table.direct:
            control.lock(cursor, table)  # no pass of the sync takes the drop for a deletion
        day_rows.lock(cursor, table, day)
        state = tiers.hot.wait_applied(table)
        proven = _in_file if table.direct else _in_warm
        found = proven(cursor, table, day, tiers)
        if isinstance(found, str) or dry_run:
            return found if isinstance(found, str) else ""
        _raise_floor(table, day, tiers, state, found)
        try:
            direct.drop(table, day, tiers.hot, state)
        except AlteredError as error:
            return str(error)
        if not table.direct:
            control.count_as_seen(cursor, table, tiers.hot, state)
    return ""


def _raise_floor(table: Table, day: dt.date, tiers: Tiers, state: Wal, proven: list[Receipt]) -> None:
    """In a transaction of its own: it stands before the day goes, and with it what hot was proven to hold."""
    floor = start_of(day) + 24 * HOUR
    with tiers.warm.connect() as other:
        cursor = other.cursor()
        receipts.store(cursor, proven)
        if table.direct:
            control.floor_without_warm(cursor, table, tiers.hot)
            control.raise_floor(cursor, table, floor, state.incarnation)
        else:
            control.raise_synced_floor(cursor, table, floor)


def _in_file(cursor: Cursor, table: Table, day: dt.date, tiers: Tiers) -> str | list[Receipt]:
    """Why the file is not proven to hold what hot has of the day; else the receipts to keep of it."""
    in_cold = receipts.stored(cursor, table, "cold", day)
    path = tiers.cold.path(table, day)
    if in_cold is None or not in_cold.digest or not path.is_file():
        return "it has no file yet"
    if sha256_of(path) != in_cold.file_sha256:
        return f"{path} is not the file that was written"
    if not receipts.speaks_of(in_cold, content_of(day_rows.of_hot(tiers.hot, table, day, tiers.work_dir), table)):
        return "hot holds other rows than the file: archive the day"
    return []


def _in_warm(cursor: Cursor, table: Table, day: dt.date, tiers: Tiers) -> str | list[Receipt]:
    """The same for warm and its file. Below the floor hot has late rows alone: warm holds those, and more."""
    row = cursor.execute("SELECT hot_from FROM sync_control WHERE stream = %s", (table.name,)).fetchone()
    if row is None:
        return "it was never synchronised"
    if reason := not_in_cold(cursor, table, day, tiers.cold):
        return reason
    ours, theirs = Digest(table), Digest(table)
    with day_rows.of_warm(tiers.warm, table, day) as held:
        hot = ours.passing(day_rows.of_hot(tiers.hot, table, day, tiers.work_dir))
        differences = symbol_differences(hot, theirs.passing(held.frames), table)
        if held.receipt is None or not receipts.speaks_of(held.receipt, theirs.content()):
            return f"warm holds other rows than its receipt says: run `tradingsystem verify {table.name} --day {day}`"
    kinds = {kind for counts in differences.values() for kind in counts}
    complete = row["hot_from"] is None or start_of(day) >= row["hot_from"]
    if kinds - (set() if complete else {"extra"}):
        return "hot holds other rows than warm: sync the day"
    return [receipts.of_content(table, "hot", day, ours.content())] if complete else []
