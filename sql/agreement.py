"""Whether two neighbouring tiers hold the same rows of one UTC day: read again from both, nothing is changed.

The open day still moves: unless nothing is on its way, a tier is held there against its own receipt only; the rest is
lag, given as a number.
"""

import datetime as dt

from msgspec import Struct

from sql import day_rows, receipts
from sql.archive import file_content
from sql.buckets import HOUR, Buckets, hot_buckets, start_of, total, warm_buckets
from sql.cold import ColdStore, sha256_of
from sql.contract import Table, Tier
from sql.control import floor_of, in_step
from sql.digest import Content, content_of
from sql.errors import DamagedError
from sql.hot import HotStore
from sql.tables import Receipt
from sql.warm import WarmStore


class Agreement(Struct, frozen=True, kw_only=True):
    """`agree` is the verdict, `reason` says in words what does not hold; empty when all does."""

    agree: bool
    rows_before: int  # in the tier that the rows come from
    rows: int  # in the tier that was asked about
    reason: str = ""


def warm_agrees(table: Table, day: dt.date, hot: HotStore, warm: WarmStore, *, today: dt.date) -> Agreement:
    """Warm against hot for one UTC day; below the hot floor hot is not complete and proves nothing.

    Raises SuspendedError and StoreUnavailableError as `sync_table` does.
    """
    hot.wait_applied(table)
    settled = day < today or in_step(table, hot, warm)
    since, until = start_of(day), start_of(day) + 24 * HOUR
    with warm.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # rows and receipt of one moment
        theirs = warm_buckets(cursor, table, since, until)
        receipt = receipts.stored(cursor, table, "warm", day)
        floor = floor_of(cursor, table)
    ours = hot_buckets(hot, table, since, until)
    rows = total(theirs, table)[0]
    reason = _altered("warm", table, day, Content(rows=rows, sums={}, digest=receipts.UNKNOWN), receipt)
    if not reason and receipt is not None and receipt.digest:  # nobody wrote since it was read: read it again
        with day_rows.of_warm(warm, table, day) as held:
            reason = _altered("warm", table, day, content_of(held.frames, table), held.receipt)
    if not reason and (day < today or (settled and in_step(table, hot, warm))):  # in step before and after: no lag
        hours = _different(ours, theirs, floor)
        if hours:
            named = ", ".join(f"{hour:%H}h" for hour in hours)
            reason = f"hot and warm differ on {day} in the hours (UTC) {named}: sync the day"
    return Agreement(agree=not reason, rows_before=total(ours, table)[0], rows=rows, reason=reason)


def cold_agrees(table: Table, day: dt.date, warm: WarmStore, cold: ColdStore, *, today: dt.date) -> Agreement:
    """The Parquet file of one UTC day against its receipt, and against warm once the day is over."""
    with warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)  # an archive pass replaces file and receipt under it
        receipt = receipts.stored(cursor, table, "cold", day)
        in_warm = receipts.stored(cursor, table, "warm", day)
        before = in_warm.rows if in_warm else 0
        path = cold.path(table, day)
        try:
            held = file_content(table, day, cold) if path.is_file() else content_of([], table)
        except DamagedError as error:
            return Agreement(agree=False, rows_before=before, rows=0, reason=str(error))
        reason = _altered("cold", table, day, held, receipt)
        if not reason and receipt is not None and path.is_file() and sha256_of(path) != receipt.file_sha256:
            reason = f"{path} is not the file that was written: its SHA-256 is another"
        if not reason and day < today and in_warm is not None and held != _content(table, day, warm, in_warm, held):
            reason = f"warm holds {before} rows of {day} and the file {held.rows}, or others: archive the day"
    return Agreement(agree=not reason, rows_before=before, rows=held.rows, reason=reason)


def _content(table: Table, day: dt.date, warm: WarmStore, receipt: Receipt, like: Content) -> Content:
    """What warm holds: from its receipt where it knows, else read, unless the numbers differ already."""
    if receipt.digest or receipt.rows != like.rows:
        return Content(rows=receipt.rows, sums=like.sums, digest=receipt.digest)
    with day_rows.of_warm(warm, table, day) as held:
        return content_of(held.frames, table)


def _altered(tier: Tier, table: Table, day: dt.date, held: Content, receipt: Receipt | None) -> str:
    if receipt is None:
        return f"{tier}.{table.name} holds {held.rows} rows of {day} without a receipt" if held.rows else ""
    if receipts.speaks_of(receipt, held) or (held.digest == receipts.UNKNOWN and held.rows == receipt.rows):
        return ""
    found = f"{held.rows} rows" if held.rows != receipt.rows else f"{held.rows} rows as then, but other values"
    return f"{tier}.{table.name} on {day} was altered since it was written: {found}, receipt {receipt.rows}"


def _different(hot: Buckets, warm: Buckets, floor: dt.datetime | None) -> list[dt.datetime]:
    hours = sorted(hot.keys() | warm.keys())
    return [hour for hour in hours if hot.get(hour) != warm.get(hour) and (floor is None or hour >= floor)]
