"""Make the tiers agree again on one day: warm from hot or from the file, the file from warm. Never from a side that
nothing speaks for; what is replaced is either wrong by proof, or set aside.
"""

import datetime as dt

from sql import control, day_rows, receipts
from sql.archive import archive_day
from sql.buckets import HOUR, start_of
from sql.cold import ColdStore
from sql.contract import Table
from sql.control import in_step
from sql.digest import Content, Digest
from sql.errors import AlteredError, StoreError
from sql.evidence import Evidence, Tiers, gather, orphans
from sql.judgement import found_in, hot_lost, source_of
from sql.sync import sync_table
from sql.warm import Cursor, copy, delete, ensure_partitions


def catch_up(table: Table, tiers: Tiers) -> list[str]:
    """A pass of the sync where it is behind: lag is mended by the one who is late, not by a copy of the day."""
    if in_step(table, tiers.hot, tiers.warm):
        return []
    result = sync_table(table, tiers.hot, tiers.warm, work_dir=tiers.work_dir)
    return [f"{table.name}: synchronised, {result.rows_copied} rows copied"]


def mended(evidence: Evidence, tiers: Tiers) -> tuple[Evidence, list[str]]:
    """The day after mending what can be mended, and what was done. Safe to run again and to kill."""
    done: list[str] = []
    if not found_in(evidence):
        return evidence, done
    source = source_of(evidence)
    try:
        if source in ("hot", "cold"):
            done.append(_restore_warm(evidence, tiers))
        elif source == "warm" and not hot_lost(evidence):
            done += _rewrite_receipts(evidence, tiers)
        evidence = gather(evidence.table, evidence.day, tiers)
        stray = evidence.cold_receipt is None and bool(evidence.file_fault)
        done += set_aside(evidence.table, evidence.day, tiers.cold, stray=stray)
        if source is not None and found_in(evidence) and _archivable(evidence):
            archive_day(evidence.table, evidence.day, tiers.warm, tiers.cold)
            done.append(f"cold written from warm: {evidence.warm.rows} rows")
    except StoreError as error:
        done.append(f"not mended: {error}")
    return gather(evidence.table, evidence.day, tiers), done


def seal(evidence: Evidence, tiers: Tiers) -> None:
    """Keep the receipts of what was just proven, unless the day changed since it was read."""
    if evidence.hot is None or evidence.hot != evidence.warm or not evidence.warm.rows:
        return
    table, day = evidence.table, evidence.day
    known = [receipt is not None and receipt.digest for receipt in (evidence.hot_receipt, evidence.warm_receipt)]
    if all(digest == evidence.hot.digest for digest in known):
        return
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        made = receipts.of_content(table, "warm", day, evidence.warm)
        if receipts.store_unchanged(cursor, made, evidence.warm_version):
            receipts.store(cursor, [receipts.of_content(table, "hot", day, evidence.hot)])


def _restore_warm(e: Evidence, tiers: Tiers) -> str:
    """Replace the day in warm in one transaction, which only stands when warm then holds what was proven."""
    source = source_of(e)
    right = e.hot if source == "hot" else e.cold
    table, since = e.table, start_of(e.day)
    frames = (
        day_rows.of_hot(tiers.hot, table, e.day, tiers.work_dir)
        if source == "hot"
        else day_rows.of_file(tiers.cold.path(table, e.day), table)
    )
    digest = Digest(table)
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        control.lock(cursor, table)
        ensure_partitions(cursor, table, since, since + 24 * HOUR)
        delete(cursor, table, since, since + 24 * HOUR)
        copy(cursor, table, digest.passing(frames))
        _store_or_refuse(cursor, e, digest.content(), right)
    return f"warm restored from {source}: {digest.content().rows} rows"


def _store_or_refuse(cursor: Cursor, e: Evidence, content: Content, right: Content | None) -> None:
    made = receipts.of_content(e.table, "warm", e.day, content)
    if content != right or not receipts.store_unchanged(cursor, made, e.warm_version):
        raise AlteredError(f"{e.name} on {e.day} changed while it was mended: run the command again")


def _rewrite_receipts(e: Evidence, tiers: Tiers) -> list[str]:
    """Warm is right and a receipt is not: the receipts of hot and warm, from what was read."""
    wrong = [each.tier for each in found_in(e) if each.kind == "receipt"]
    if not wrong:
        return []
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        if e.warm.rows:  # a receipt of no rows would say that the day was deleted, and its file with it
            _store_or_refuse(cursor, e, e.warm, e.warm)
        receipts.forget(cursor, e.table, "hot", e.day)  # `seal` writes it again where hot is complete
    return [f"receipts written again from what is there: {', '.join(wrong)}"]


def _archivable(e: Evidence) -> bool:
    return source_of(e) == "warm" and (e.warm_receipt is not None) and any(d.tier == "cold" for d in found_in(e))


def set_aside(table: Table, day: dt.date, cold: ColdStore, *, stray: bool) -> list[str]:
    """Files that nobody here wrote leave the tier, and stay on the disk: one of them may be somebody's only copy.

    `stray`: the day's own file is one of them.
    """
    strays = [*orphans(cold, table, day), *([cold.path(table, day)] if stray else [])]
    done = []
    for path in strays:
        folder = cold.root / "orphans" / table.name / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = path.replace(folder / f"{stamp}-{path.name}")
        done.append(f"{path.name} set aside as {aside.relative_to(cold.root)}")
    return done
