"""The proof of a table without warm: hot against the file, day by day, and the file against its receipts.

Above the floor hot is complete and right. Below it the file stands for what hot held when the receipts of both were
written together; late rows that hot shows there are lag until they are in the file.
"""

import datetime as dt

from msgspec import Struct

from sql import control, day_rows, receipts
from sql.agreement import Agreement
from sql.buckets import start_of
from sql.contract import Table, Tier
from sql.digest import Content, content_of
from sql.direct import archive_day
from sql.errors import StoreError
from sql.evidence import Tiers, file_of, orphans
from sql.judgement import NO_COPY, Difference, Kind
from sql.mending import set_aside
from sql.tables import Receipt


class Evidence(Struct, frozen=True, kw_only=True):
    """One day. `late`: rows that hot shows below its floor. `hot` is None there, `cold` where no file can be read."""

    table: Table
    day: dt.date
    hot: Content | None
    late: int
    cold: Content | None
    file_fault: str
    orphans: tuple[str, ...]
    hot_receipt: Receipt | None
    cold_receipt: Receipt | None


def gather(table: Table, day: dt.date, tiers: Tiers) -> Evidence:
    """Read the day from both tiers, as streams. Raises SuspendedError and StoreUnavailableError."""
    tiers.hot.wait_applied(table)
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)  # an archive pass replaces file and receipts under it
        with tiers.warm.connect() as other:
            floor = control.floor_without_warm(other.cursor(), table, tiers.hot)
        complete = floor is None or start_of(day) >= floor
        hot = content_of(day_rows.of_hot(tiers.hot, table, day, tiers.work_dir), table) if complete else None
        in_cold = receipts.stored(cursor, table, "cold", day)
        cold, fault = file_of(table, day, tiers.cold, in_cold)
        return Evidence(
            table=table,
            day=day,
            hot=hot,
            late=0 if complete else day_rows.days_of_hot(tiers.hot, table).get(day, 0),
            cold=cold,
            file_fault=fault,
            orphans=tuple(map(str, orphans(tiers.cold, table, day))),
            hot_receipt=receipts.stored(cursor, table, "hot", day),
            cold_receipt=in_cold,
        )


def agreement(table: Table, day: dt.date, tiers: Tiers, *, today: dt.date) -> Agreement:
    """Whether the file of a day holds what hot holds; the open day has none yet, and nothing to say against it."""
    if day >= today:
        rows = day_rows.days_of_hot(tiers.hot, table).get(day, 0)
        return Agreement(agree=True, rows_before=rows, rows=0)
    e = gather(table, day, tiers)
    before, rows = (content.rows if content else 0 for content in (e.hot or e.cold, e.cold))
    reasons = [each.reason for each in found_in(e) if each.kind != "orphan"]
    return Agreement(agree=not reasons, rows_before=before, rows=rows, reason="; ".join(reasons))


def found_in(e: Evidence) -> list[Difference]:
    """Every difference of the day."""
    found = [_of(e, "cold", 0, "orphan", f"{path}: nobody here wrote this file") for path in e.orphans]
    if e.file_fault:
        rows = e.cold_receipt.rows if e.cold_receipt else (e.cold.rows if e.cold else 0)
        good = e.hot is not None and not _hot_lost(e)
        remedy = None if good or e.cold_receipt is None else NO_COPY
        return [*found, _of(e, "cold", rows, "file" if e.cold_receipt else "orphan", e.file_fault, remedy)]
    if e.late:
        reason = f"hot shows {e.late} late rows below its floor that the file may not have yet"
        return [*found, _of(e, "cold", e.late, "lag", reason, _archive(e))]
    if e.hot is not None:
        found += _against_hot(e, e.hot)
    elif e.cold is not None and (e.hot_receipt is None or not receipts.speaks_of(e.hot_receipt, e.cold)):
        reason = "the receipt of hot does not speak of the rows of the file, and hot is not complete any more"
        found.append(_of(e, "hot", e.cold.rows, "receipt", reason, NO_COPY))
    return found


def unproven(e: Evidence) -> str:
    """Why the day's completeness cannot be proven though nothing differs; empty when it is."""
    if e.hot is None and e.cold is None:
        return "below the floor of hot, and no file"
    return ""


def mended(e: Evidence, tiers: Tiers, today: dt.date) -> tuple[Evidence, list[str]]:
    """The day after mending what can be mended, and what was done: the file from hot. Safe to run again and to kill."""
    if not found_in(e):
        return e, []
    done: list[str] = []
    try:
        done += set_aside(e.table, e.day, tiers.cold, stray=bool(e.file_fault) and e.cold_receipt is None)
        if e.hot is not None and not _hot_lost(e):  # the numbers of rows may agree
            with tiers.warm.connect() as connection:
                receipts.doubt(connection.cursor(), e.table, "cold", e.day)
        result = archive_day(e.table, e.day, tiers.hot, tiers.warm, tiers.cold, today=today, work_dir=tiers.work_dir)
        if result.written:
            done.append(f"cold written from hot: {result.rows} rows")
    except StoreError as error:
        done.append(f"not mended: {error}")
    return gather(e.table, e.day, tiers), done


def _against_hot(e: Evidence, hot: Content) -> list[Difference]:
    rows = e.cold.rows if e.cold else 0
    if _hot_lost(e) and e.cold is not None:
        reason = f"hot holds {hot.rows} rows, the file {rows}, which were proven: hot lost rows"
        return [_of(e, "hot", abs(hot.rows - rows), "rows", reason, "bring the rows back into hot; the file stays")]
    if (e.cold is None and not hot.rows) or e.cold == hot:
        return []
    held = f"the file {rows}" if e.cold else "the file is not written yet"
    lag = e.hot_receipt is None or e.hot_receipt.rows != hot.rows
    reason = f"hot holds {hot.rows} rows, {held}"
    return [_of(e, "cold", abs(hot.rows - rows), "lag" if lag else "rows", reason, _archive(e) if lag else None)]


def _hot_lost(e: Evidence) -> bool:
    """Whether hot has fewer rows than were once proven: nothing here deletes rows above the floor."""
    return e.hot is not None and e.hot_receipt is not None and e.hot.rows < e.hot_receipt.rows


def _archive(e: Evidence) -> str:
    return f"tradingsystem archive {e.table.name}"


def _of(  # noqa: PLR0917 - a line of a report
    e: Evidence, tier: Tier, count: int, kind: Kind, reason: str, remedy: str | None = None
) -> Difference:
    mend = f"tradingsystem verify {e.table.name} --day {e.day} --repair"
    return Difference(
        table=e.table.name, day=e.day, tier=tier, count=count, kind=kind, reason=reason, remedy=remedy or mend
    )
