"""Where hot and warm differ: fingerprints compared day by day, hour by hour, then minute by minute and second by second
where an hour or a minute is large. The cost of a copy follows the change, that of memory a day.
"""

import datetime as dt
from collections.abc import Iterator

from sql.buckets import SIZES, Unit, hot_buckets, warm_buckets
from sql.contract import Table
from sql.hot import HotStore
from sql.warm import Cursor, days_of
from sql.windows import DAY, FEW_ROWS, Span

FINER: dict[Unit, Unit] = {"hour": "minute", "minute": "second"}
FIRST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LAST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)


class Differences:
    """A comparison of one table; `compared` counts the buckets that were looked at. Days below the hot floor that hot
    does not hold are passed over."""

    def __init__(self, table: Table, hot: HotStore, cursor: Cursor, floor: dt.datetime | None) -> None:
        self.table = table
        self.hot = hot
        self.cursor = cursor
        self.floor = floor
        self.compared = 0

    def of(self, since: dt.datetime = FIRST, until: dt.datetime = LAST) -> Iterator[Span]:
        """The ranges, in order, whose rows differ; small ones are not looked at more closely."""
        ours = set(self.hot.days(self.table, since, until))
        theirs = set(days_of(self.cursor, self.table, since, until))
        for day in sorted(ours | theirs):
            if day not in ours and self.floor and day + DAY <= self.floor:
                continue  # retention took it from hot
            if day in theirs:
                yield from self._within(day, day + DAY, "hour")
            else:
                self.compared += 24
                yield Span(day, day + DAY)  # nothing to compare with

    def _within(self, since: dt.datetime, until: dt.datetime, unit: Unit) -> Iterator[Span]:
        ours = hot_buckets(self.hot, self.table, since, until, unit)
        theirs = warm_buckets(self.cursor, self.table, since, until, unit)
        self.compared += len(ours.keys() | theirs.keys())
        for start in sorted(ours.keys() | theirs.keys()):
            held, wanted = theirs.get(start), ours.get(start)
            if held == wanted:
                continue
            end = start + SIZES[unit]
            large = held is not None and wanted is not None and max(held[0], wanted[0]) > FEW_ROWS
            if large and unit in FINER:
                yield from self._within(start, end, FINER[unit])
            else:
                yield Span(start, end)
