"""What all tiers hold of one sealed day and what their receipts say: read again from each, nothing is changed."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from msgspec import Struct

from sql import day_rows, receipts
from sql.buckets import start_of
from sql.cold import ColdStore, sha256_of
from sql.contract import Table
from sql.control import floor_of, in_step
from sql.digest import Content, content_of
from sql.errors import DamagedError
from sql.hot import HotStore
from sql.tables import Receipt
from sql.warm import Cursor, WarmStore


class Tiers(Struct, frozen=True):
    """The three stores, and where an export may stand for a moment."""

    hot: HotStore
    warm: WarmStore
    cold: ColdStore
    work_dir: Path | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """One day. `hot` is None where hot is not complete, `cold` where no file can be read."""

    table: Table
    day: dt.date
    hot: Content | None
    behind: bool  # hot took transactions that the sync has not brought over
    warm: Content
    cold: Content | None
    file_fault: str  # why the file is not the one that was written; empty when it is, or when there should be none
    orphans: tuple[Path, ...]  # files beside it that nobody wrote
    hot_receipt: Receipt | None
    warm_receipt: Receipt | None
    warm_version: str | None
    cold_receipt: Receipt | None

    @property
    def name(self) -> str:
        return self.table.name


def gather(table: Table, day: dt.date, tiers: Tiers) -> Evidence:
    """Read the day from every tier: each a stream, so memory does not grow with the day.

    Raises SuspendedError and StoreUnavailableError: a store that is away testifies nothing.
    """
    tiers.hot.wait_applied(table)
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        day_rows.lock(cursor, table, day)  # an archive pass replaces file and receipt under it
        behind = not in_step(table, tiers.hot, tiers.warm)
        complete = _complete_in_hot(cursor, table, day)
        hot = content_of(day_rows.of_hot(tiers.hot, table, day, tiers.work_dir), table) if complete else None
        with day_rows.of_warm(tiers.warm, table, day) as held:
            warm = content_of(held.frames, table)
        cold_receipt = receipts.stored(cursor, table, "cold", day)
        cold, fault = file_of(table, day, tiers.cold, cold_receipt)
        return Evidence(
            table=table,
            day=day,
            hot=hot,
            behind=behind,
            warm=warm,
            cold=cold,
            file_fault=fault,
            orphans=tuple(orphans(tiers.cold, table, day)),
            hot_receipt=receipts.stored(cursor, table, "hot", day),
            warm_receipt=held.receipt,
            warm_version=held.version,
            cold_receipt=cold_receipt,
        )


def days_of(table: Table, tiers: Tiers) -> list[dt.date]:
    """Every UTC day of which a tier has rows, a file or a receipt, in order."""
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        kept = cursor.execute("SELECT DISTINCT day FROM receipts WHERE table_name = %s", (table.name,)).fetchall()
        found = {row["day"] for row in kept}
        found |= set() if table.direct else set(day_rows.days_of_warm(cursor, table))
    folders = (tiers.cold.root / table.name).glob("day=????-??-??")
    in_files = {day for folder in folders if any(_files(folder)) and (day := _day_of(folder))}
    return sorted(found | set(day_rows.days_of_hot(tiers.hot, table)) | in_files)


def orphans(cold: ColdStore, table: Table, day: dt.date) -> Iterator[Path]:
    """Files in the folder of a day that no pass of the archive leaves there; its drafts are swept by the next one."""
    path = cold.path(table, day)
    if path.parent.is_dir():
        yield from sorted(other for other in _files(path.parent) if other != path)


def symbol_differences(
    expected: Iterator[pl.DataFrame], found: Iterator[pl.DataFrame], table: Table
) -> dict[str, dict[str, int]]:
    """Symbol -> how many rows are missing, extra, changed. Both sides come in key order and are never held whole."""
    counts: dict[str, dict[str, int]] = {}
    ours, theirs = next(expected, None), next(found, None)
    while ours is not None or theirs is not None:
        ends = [frame[str(table.time)][-1] for frame in (ours, theirs) if frame is not None]
        until = min(ends) if len(ends) == 2 else None
        left, ours = day_rows.split_at(ours, until, table)
        right, theirs = day_rows.split_at(theirs, until, table)
        _count(left, right, table, counts)
        ours = next(expected, None) if ours is None else ours
        theirs = next(found, None) if theirs is None else theirs
    return counts


def _count(ours: pl.DataFrame, theirs: pl.DataFrame, table: Table, counts: dict[str, dict[str, int]]) -> None:
    names = [column.name for column in table.compared]
    if ours.select(names).equals(theirs.select(names), null_equal=True):
        return
    gone = ours.join(theirs, on=names, how="anti", nulls_equal=True)
    new = theirs.join(ours, on=names, how="anti", nulls_equal=True)
    kinds = {
        "missing": gone.join(new, on=table.key, how="anti"),
        "extra": new.join(gone, on=table.key, how="anti"),
        "changed": gone.join(new, on=table.key, how="semi"),
    }
    for kind, rows in kinds.items():
        symbols = rows["symbol"] if "symbol" in table.names else pl.Series("symbol", ["*"] * rows.height)
        for symbol, number in symbols.value_counts().iter_rows():
            each = counts.setdefault(symbol, {})
            each[kind] = each.get(kind, 0) + number


def _complete_in_hot(cursor: Cursor, table: Table, day: dt.date) -> bool:
    floor = floor_of(cursor, table)
    return floor is None or start_of(day) >= floor


def file_of(table: Table, day: dt.date, cold: ColdStore, receipt: Receipt | None) -> tuple[Content | None, str]:
    """What a day's file holds, None where it cannot be read, and why it is not the one that was written."""
    path = cold.path(table, day)
    if not path.is_file():
        return None, f"{path} is away" if receipt else ""
    try:
        content = content_of(day_rows.of_file(path, table), table)
    except DamagedError as error:
        return None, str(error)
    if receipt is None:
        return content, f"{path} has no receipt: nobody here wrote it"
    if sha256_of(path) != receipt.file_sha256:
        return content, f"{path} is not the file that was written: its SHA-256 is another"
    if receipt.digest == receipts.UNKNOWN or not receipts.speaks_of(receipt, content):
        return content, f"the receipt of {path} does not speak of its rows"
    return content, ""


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix != ".part")


def _day_of(folder: Path) -> dt.date | None:
    try:
        return dt.date.fromisoformat(folder.name.removeprefix("day="))
    except ValueError:
        return None
