"""Hot to warm, exactly: what the transactions since the last pass touched is replaced, in one transaction with
`sync_control`. Safe to run again, to kill, and to start twice: the second run waits for the first.

Where transactions do not tell what they touched, fingerprints are compared. Below the hot floor (`hot_from`) warm
knows more than hot, so rows there are added or replaced and never removed.
"""

import datetime as dt
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from sql import control, receipts
from sql.contract import Table
from sql.control import Seen
from sql.differences import Differences
from sql.hot import HotStore, instant_literal
from sql.warm import Cursor, WarmStore, copy, days_of, delete, ensure_partitions, upsert
from sql.windows import (
    DAY,
    FEW_ROWS,
    MICROSECOND,
    MINUTE,
    Span,
    Window,
    batches_of,
    by_day,
    joined,
    runs,
    slices_of,
    spans_of,
    windows_of,
)

HORIZON = 2 * DAY  # of an external server without windows, between two nightly comparisons of everything
SHORT = dt.timedelta(seconds=1)  # is not worth a question about its size
Way = Literal["nothing", "windows", "comparison"]


class SyncResult(Struct, frozen=True, kw_only=True):
    """What one pass did. `rows_agree`: warm took as many rows as hot gave."""

    table: str
    way: Way = "nothing"
    buckets_compared: int = 0
    windows_written: int = 0
    rows_copied: int = 0
    rows_deleted: int = 0
    rows_agree: bool = True
    days: tuple[dt.date, ...] = ()  # UTC days that were written, in order
    hot_txn: int | None = None
    last_synced: dt.datetime | None = None
    seconds: float = 0.0


def sync_table(
    table: Table, hot: HotStore, warm: WarmStore, *, day: dt.date | None = None, work_dir: Path | None = None
) -> SyncResult:
    """Bring warm to what hot holds of `table`, or of one UTC day of it, which is compared whatever was synced before.

    Raises SuspendedError when hot does not show what it took, StoreUnavailableError when a store does not answer.
    """
    started = time.monotonic()
    with warm.connect() as connection:
        cursor = connection.cursor()
        control.lock(cursor, table)
        # Asked for after the lock: the pass that held it may have seen more than we would have.
        seen = control.load(cursor, table, hot)
        if day is None and seen.nothing_new:
            result = SyncResult(table=table.name, hot_txn=seen.applied, last_synced=seen.last_synced)
        else:
            plan = _Plan(table, hot, cursor, seen.hot_from)
            result = _pass(plan, seen, day, _Writing(table, hot, cursor, work_dir))
    return replace(result, seconds=time.monotonic() - started)  # the commit counts too


def _pass(plan: "_Plan", seen: Seen, day: dt.date | None, writing: "_Writing") -> SyncResult:
    way, spans = plan.of_day(day) if day else plan.of_news(seen)
    writing.write(windows_of(spans, seen.hot_from))
    receipts.touch(writing.cursor, writing.table, writing.changes)
    last_synced = writing.newest(seen.last_synced)
    control.store(writing.cursor, writing.table, seen, last_synced, whole=day is None)
    return SyncResult(
        table=writing.table.name,
        way=way,
        buckets_compared=plan.differences.compared,
        windows_written=len(spans),
        rows_copied=writing.copied,
        rows_deleted=writing.deleted,
        rows_agree=writing.copied == writing.given,
        days=tuple(sorted(writing.changes)),
        hot_txn=seen.applied if day is None else seen.hot_txn,
        last_synced=last_synced,
    )


class _Plan:
    """What a pass has to write, found without writing."""

    def __init__(self, table: Table, hot: HotStore, cursor: Cursor, floor: dt.datetime | None) -> None:
        self.table = table
        self.hot = hot
        self.differences = Differences(table, hot, cursor, floor)

    def of_day(self, day: dt.date) -> tuple[Way, list[Span]]:
        since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        return "comparison", joined(self.differences.of(since, since + DAY))

    def of_news(self, seen: Seen) -> tuple[Way, list[Span]]:
        spans = None
        if seen.hot_txn is not None:
            spans = spans_of(seen.transactions, seen.hot_txn, seen.applied)
            if spans is None and not self.hot.keeps_windows(self.table) and not seen.first_of_the_day:
                return "comparison", joined(self.differences.of(seen.last_synced - HORIZON))
        if spans is None:
            return "comparison", joined(self.differences.of())
        return "windows", joined(part for span in spans for part in self._narrowed(span))

    def _narrowed(self, span: Span) -> Iterable[Span]:
        """Few rows in a span that holds many: only the buckets that differ."""
        if span.until - span.since <= SHORT:
            return [Span(span.since, span.until)]
        rows = self.hot.count(self.table, span.since, span.until)
        if rows <= 2 * span.rows + FEW_ROWS:
            return [Span(span.since, span.until, rows)]
        return self.differences.of(span.since, span.until)


class _Writing:
    """Windows written into warm; what came of it in rows, and by UTC day."""

    def __init__(self, table: Table, hot: HotStore, cursor: Cursor, work_dir: Path | None) -> None:
        self.table = table
        self.hot = hot
        self.cursor = cursor
        self.work_dir = work_dir
        self.changes: dict[dt.date, int] = {}
        self.given = self.copied = self.deleted = 0
        self._newest: dt.datetime | None = None
        self._emptied: dt.datetime | None = None

    def write(self, windows: Sequence[Window]) -> None:
        for window in windows:
            if window.whole:
                self._delete(window)
        for whole in (True, False):
            slices = self._slices([window for window in windows if window.whole == whole])
            if not slices:
                continue
            for first, last in runs(day for each in slices for day in _days(each)):
                ensure_partitions(self.cursor, self.table, _start(first), _start(last) + DAY)
            frames = self._frames(slices, counted=whole)
            if whole:
                self.copied += copy(self.cursor, self.table, frames)
            else:
                rows, added = upsert(self.cursor, self.table, frames)
                self.copied += rows
                self._change(added.items())

    def newest(self, before: dt.datetime) -> dt.datetime:
        """The greatest time of a row in warm, from the one of `before`."""
        if self._emptied is None or self._emptied <= before:  # nothing at the end was taken away
            return max(filter(None, (before, self._newest)))
        statement = f"SELECT max({self.table.time}) AS newest FROM {self.table.name}"
        row = self.cursor.execute(statement).fetchone()
        return (row and row["newest"]) or control.EPOCH

    def _delete(self, window: Window) -> None:
        days = [window.since]
        if window.until - MICROSECOND >= _start(window.since.date()) + DAY:
            days = days_of(self.cursor, self.table, window.since, window.until)
        for part in by_day(window.since, window.until, [_start(day.date()) for day in days]):
            rows = delete(self.cursor, self.table, part.since, part.until)
            self.deleted += rows
            if rows:
                self._change([(part.since.date(), -rows)])
                self._emptied = max(filter(None, (self._emptied, part.until)))

    def _slices(self, windows: Iterable[Window]) -> list[Span]:
        found: list[Span] = []
        for window in windows:
            if window.until - window.since <= MINUTE or window.small:
                found.append(Span(window.since, window.until, window.rows))
            else:
                found += slices_of(window, self.hot.minutes(self.table, window.since, window.until))
        return found

    def _frames(self, slices: Iterable[Span], *, counted: bool) -> Iterator[pl.DataFrame]:
        with tempfile.TemporaryDirectory(prefix="sync-", dir=self.work_dir) as folder:
            path = Path(folder) / "slice.parquet"
            for batch in batches_of(slices):
                self.hot.export(_query(self.table, batch), path)
                for frame in _groups(path):
                    self._see(frame, counted=counted)
                    yield frame

    def _see(self, frame: pl.DataFrame, *, counted: bool) -> None:
        times = frame[str(self.table.time)].dt.replace_time_zone("UTC")
        self.given += frame.height
        newest = times.max()
        assert isinstance(newest, dt.datetime)
        self._newest = max(filter(None, (self._newest, newest)))
        if counted:
            self._change(times.dt.date().value_counts().iter_rows())

    def _change(self, rows: Iterable[tuple[dt.date, int]]) -> None:
        for day, more in rows:
            self.changes[day] = self.changes.get(day, 0) + more


def _query(table: Table, slices: Iterable[Span]) -> str:
    return " UNION ALL ".join(
        f"SELECT {', '.join(table.names)} FROM {table.name} WHERE {table.time} >= {instant_literal(each.since)} "
        f"AND {table.time} < {instant_literal(each.until)}"
        for each in slices
    )


def _groups(path: Path) -> Iterator[pl.DataFrame]:
    """A file's rows, a group at a time; a file without bytes has none."""
    if not path.stat().st_size:
        return
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            frame = pl.from_arrow(file.read_row_group(number))
            assert isinstance(frame, pl.DataFrame)
            if frame.height:
                yield frame


def _days(span: Span) -> Iterator[dt.date]:
    day = span.since.date()
    while day <= (span.until - MICROSECOND).date():
        yield day
        day += DAY


def _start(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
