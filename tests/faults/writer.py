"""Somebody who keeps changing hot, and knows to the row what hot took."""

import contextlib
import datetime as dt
import random
import threading
import time
from collections.abc import Callable, Iterator

import polars as pl

from sql.contract import Table
from sql.errors import StoreUnavailableError
from sql.hot import HotStore
from tests.tape import HOUR, NOON, in_order, ticks

TAKEN_SECONDS = 90.0  # an engine that was killed is back before
MOST_ROWS = 40_000
PAUSE_SECONDS = 0.03


class Writer:
    """The one that writes `table`. Every change may be sent again, so what was refused is sent until it is taken."""

    def __init__(self, hot: HotStore, table: Table, chance: random.Random) -> None:
        self.hot = hot
        self.table = table
        self.changes = 0
        self.updating = True  # an UPDATE makes the next pass compare everything, which hides what the last one lost
        self.taken_seconds = TAKEN_SECONDS
        self.held = pl.DataFrame(schema=table.polars)  # what hot holds, once all is applied
        self._chance = chance
        self._next = 1
        self._failed: BaseException | None = None
        self._begun: tuple[Callable[[], object], pl.DataFrame] | None = None  # sent, and perhaps not taken

    def fill(self, days: int, rows: int) -> None:
        """So many rows on each of so many days."""
        for day in range(days):
            self._put(self._new(NOON + day * 24 * HOUR, rows, dt.timedelta(milliseconds=900)))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Change hot without end in a thread, until the block ends; then all that was sent is taken."""
        stop = threading.Event()
        thread = threading.Thread(target=self._work, args=(stop,), name="writer of hot", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(2 * TAKEN_SECONDS)
        assert not thread.is_alive(), "the writer of hot hangs"
        if self._failed is not None:
            raise self._failed

    def change(self) -> None:
        """One change of a kind that chance chooses: new rows, late rows, rows of one instant, rewrites, an UPDATE."""
        kinds = [self._late, self._rewrite, *([self._update] if self.updating else [])]
        if self.held.height < MOST_ROWS:
            kinds += [self._append, self._append, self._at_once]
        self._chance.choice(kinds)()
        self.changes += 1

    def settle(self) -> None:
        """Send again what an error cut short: nobody knows whether hot took it."""
        if self._begun is not None:
            self._until_taken(*self._begun)

    def expected(self) -> pl.DataFrame:
        """What hot holds, in the form in which tiers are compared."""
        return in_order(self.held, self.table)

    def _work(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self.change()
                stop.wait(PAUSE_SECONDS)
        except BaseException as error:  # raised again by `writing`
            self._failed = error

    def _append(self) -> None:
        newest = self.held["ts"].max()
        assert isinstance(newest, dt.datetime)
        self._put(self._new(newest + dt.timedelta(milliseconds=1), self._chance.randint(1, 300), HOUR / 1800))

    def _at_once(self) -> None:
        self._put(self._new(NOON + self._chance.randint(-12, 30) * HOUR, self._chance.randint(2, 50), dt.timedelta()))

    def _late(self) -> None:
        self._put(self._new(NOON + self._chance.uniform(-12, 30) * HOUR, self._chance.randint(1, 5), HOUR / 60))

    def _rewrite(self) -> None:
        first = self._chance.randrange(self.held.height)
        rows = self.held[first : first + self._chance.randint(1, 400)]
        self._put(rows.with_columns(price=pl.lit(round(self._chance.uniform(1, 1e6), 2))))

    def _update(self) -> None:
        modulus, rest, quantity = self._chance.randint(3, 50), self._chance.randint(0, 2), self._chance.randint(1, 999)
        chosen = pl.col("trade_id") % modulus == rest
        statement = f"UPDATE {self.table.name} SET quantity = {quantity} WHERE trade_id % {modulus} = {rest}"
        value = pl.lit(quantity, dtype=self.held.schema["quantity"])
        after = self.held.with_columns(quantity=pl.when(chosen).then(value).otherwise(pl.col("quantity")))
        self._until_taken(lambda: self.hot.execute(statement), after)

    def _new(self, since: dt.datetime, count: int, every: dt.timedelta) -> pl.DataFrame:
        first, self._next = self._next, self._next + count
        return ticks(count, since=since, every=every, first_id=first)

    def _put(self, frame: pl.DataFrame) -> None:
        others = self.held.join(frame, on=self.table.key, how="anti")
        after = pl.concat([others, frame.select(self.held.columns)])
        self._until_taken(lambda: self.hot.insert(self.table, frame), after)

    def _until_taken(self, send: Callable[[], object], after: pl.DataFrame) -> None:
        self._begun = send, after
        deadline = time.monotonic() + self.taken_seconds
        while True:
            try:
                send()
            except StoreUnavailableError:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.1)  # nobody tells when the server is back
            else:
                self.held, self._begun = after, None
                return
