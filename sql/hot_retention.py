"""How long rows stay in hot: a day leaves it only against a file that is proven to hold it, the oldest first.

The floor (`sync_control.hot_from`) moves before the day goes: killed in between, what hot still shows of it counts as
late rows, which the next pass of the archive takes away.
"""

import datetime as dt
from pathlib import Path

from sql import control, day_rows, direct, receipts
from sql.buckets import HOUR, start_of
from sql.cold import ColdStore, sha256_of
from sql.compression import Kept
from sql.contract import Table
from sql.digest import content_of
from sql.errors import AlteredError
from sql.hot import HotStore
from sql.warm import WarmStore


def retain(
    table: Table,
    hot: HotStore,
    warm: WarmStore,
    cold: ColdStore,
    *,
    today: dt.date,
    work_dir: Path | None = None,
) -> Kept:
    """Take the days older than `hot_days` out of hot; a table without warm. Stops at the first that is not proven."""
    oldest = today - dt.timedelta(days=table.hot_days)
    hot.wait_applied(table)
    due = sorted(day for day in day_rows.days_of_hot(hot, table) if day < oldest)
    dropped: list[dt.date] = []
    for day in due:
        if reason := _drop(table, day, hot, warm, cold, work_dir):
            note = f"{len(due) - len(dropped)} days stay in hot, the first of them {day}: {reason}"
            return Kept(table=table.name, dropped=tuple(dropped), note=note)
        dropped.append(day)
    return Kept(table=table.name, dropped=tuple(dropped))


def _drop(  # noqa: PLR0917 - the three stores are what it is about
    table: Table, day: dt.date, hot: HotStore, warm: WarmStore, cold: ColdStore, work_dir: Path | None
) -> str:
    """Why the day stays; empty when it was dropped."""
    with warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)
        state = hot.wait_applied(table)
        in_cold = receipts.stored(cursor, table, "cold", day)
        path = cold.path(table, day)
        if in_cold is None or not in_cold.digest or not path.is_file():
            return "it has no file yet"
        if sha256_of(path) != in_cold.file_sha256:
            return f"{path} is not the file that was written"
        if not receipts.speaks_of(in_cold, content_of(day_rows.of_hot(hot, table, day, work_dir), table)):
            return "hot holds other rows than the file: archive the day"
        with warm.connect() as other:
            control.floor_without_warm(other.cursor(), table, hot)
            control.raise_floor(other.cursor(), table, start_of(day) + 24 * HOUR, state.incarnation)
        try:
            direct.drop(table, day, hot, state)
        except AlteredError as error:
            return str(error)
    return ""
