"""Which ranges of time a pass must write: pure decisions about transactions, the hot floor and slices.

Half-open everywhere: since <= time < until.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

MICROSECOND = dt.timedelta(microseconds=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
NEAR = dt.timedelta(seconds=1)  # two ranges this close are read as one: a round trip costs more than a second's rows
FEW_ROWS = 20_000  # are copied sooner than they are compared
SLICE_ROWS = 50_000  # so much is read ahead while PostgreSQL works on what came before
SLICE_RANGES = 40


class Transaction(Struct, frozen=True):
    """One transaction of a hot table. `rows` and the times it touched are None where it was no plain insert, and all
    of them on a server that keeps no windows."""

    number: int
    at: str  # when it was taken, to the microsecond: two histories of one table differ in it
    since: dt.datetime | None
    last: dt.datetime | None
    rows: int | None


class Span(Struct, frozen=True):
    """A range of time in which `rows` were written; 0 when nobody counted."""

    since: dt.datetime
    until: dt.datetime
    rows: int = 0


class Window(Struct, frozen=True):
    """A range to write; `whole` when hot is complete there, so that what hot lacks is deleted from warm.

    It holds no more than `rows`; 0 when nobody counted.
    """

    since: dt.datetime
    until: dt.datetime
    whole: bool
    rows: int = 0

    @property
    def small(self) -> bool:
        """Whether it is read at once: few rows, of one UTC day, so that no partition is made for a day without rows."""
        return 0 < self.rows <= SLICE_ROWS and self.since.date() == (self.until - MICROSECOND).date()


def spans_of(transactions: Sequence[Transaction], last: int, applied: int) -> list[Span] | None:
    """What the transactions after `last`, up to `applied`, touched; None when they do not tell."""
    fresh = [each for each in transactions if last < each.number <= applied]
    if [each.number for each in fresh] != list(range(last + 1, applied + 1)):
        return None  # old parts of the list are purged
    found = []
    for each in fresh:
        if each.rows is None or each.since is None or each.last is None:
            return None  # UPDATE, DROP PARTITION, TRUNCATE, ALTER
        found.append(Span(each.since, each.last + MICROSECOND, each.rows))
    return joined(found)


def joined(spans: Iterable[Span]) -> list[Span]:
    """In order of time, with what touches, overlaps or is near as one; one part uncounted leaves it uncounted."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: each.since):
        before = found[-1] if found else None
        if before and span.since <= before.until + NEAR:
            rows = before.rows + span.rows if before.rows and span.rows else 0
            found[-1] = Span(before.since, max(before.until, span.until), rows)
        else:
            found.append(span)
    return found


def windows_of(spans: Iterable[Span], floor: dt.datetime | None) -> list[Window]:
    """The windows of spans, cut at the hot floor: below it hot is not complete."""
    found = []
    for span in spans:
        cut = span.since if floor is None else min(max(floor, span.since), span.until)
        if span.since < cut:
            found.append(Window(span.since, cut, whole=False, rows=span.rows))
        if cut < span.until:
            found.append(Window(cut, span.until, whole=True, rows=span.rows))
    return found


def by_day(since: dt.datetime, until: dt.datetime, days: Iterable[dt.datetime]) -> list[Span]:
    """The part of the range in each of `days`, given as their first instants."""
    parts = ((max(since, day), min(until, day + DAY)) for day in sorted(set(days)))
    return [Span(first, end) for first, end in parts if first < end]


def slices_of(window: Window, minutes: Mapping[dt.datetime, int]) -> list[Span]:
    """The window cut into ranges of some ten thousand rows, from the number of rows in each of its minutes."""
    found: list[Span] = []
    for minute in sorted(minutes):
        end = minute + MINUTE
        last = found[-1] if found else None
        if last and last.rows + minutes[minute] <= SLICE_ROWS and last.until.date() == minute.date():
            found[-1] = Span(last.since, end, last.rows + minutes[minute])
        else:
            found.append(Span(minute, end, minutes[minute]))
    return [Span(max(s.since, window.since), min(s.until, window.until), s.rows) for s in found]


def batches_of(slices: Iterable[Span]) -> Iterator[list[Span]]:
    """Small slices together, so that many late rows do not cost a round trip each."""
    batch: list[Span] = []
    for each in slices:
        if batch and (len(batch) == SLICE_RANGES or sum(s.rows for s in batch) + each.rows > SLICE_ROWS):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def runs(days: Iterable[dt.date]) -> Iterator[tuple[dt.date, dt.date]]:
    """First and last of each row of days without a break."""
    ordered = sorted(set(days))
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(ordered)) if b - a > DAY]
    for first, end in pairwise([0, *breaks, len(ordered)]):
        if first < end:
            yield ordered[first], ordered[end - 1]
