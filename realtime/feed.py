"""The demo feed: invented ticks into the hot tier as their time comes, without a gap after a restart.

What was due while nobody ran is caught up with, at most `CATCH_UP`: a demo that slept a week does not invent the week.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable

import polars as pl
from msgspec import Struct

from realtime import generated
from sql import ticks
from sql.errors import StoreError
from sql.hot import HotStore

CATCH_UP = dt.timedelta(minutes=30)
PERIOD_SECONDS = 0.25
RETRY_SECONDS = 1.0


class Progress(Struct):
    """What a source has done; read by health and metrics."""

    rows: int = 0
    failures: int = 0
    stored_until: dt.datetime | None = None
    last_error: str | None = None
    finished: bool = False  # a source that ends, such as files, has given all it had

    def lag_seconds(self, now: dt.datetime) -> float | None:
        """Seconds between now and the newest stored tick's due time; None before the first."""
        return (now - self.stored_until).total_seconds() if self.stored_until else None


class Feed:
    """Moves due ticks of the invented day into hot until `stop` is set.

    `until` moves forward only after the store took the rows, so an interrupted write is repeated, and a repeat changes
    nothing.
    """

    def __init__(
        self,
        hot: HotStore,
        stop: threading.Event,
        *,
        instruments: tuple[generated.Instrument, ...] = generated.INSTRUMENTS,
        seed: int = 7,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.progress = Progress()
        self._hot = hot
        self._stop = stop
        self._instruments = instruments
        self._seed = seed
        self._now = now
        self._known = ticks.Known()  # what is stored of the sessions fed, so that no step asks the store for it
        self._day: tuple[dt.date, pl.DataFrame] | None = None

    def run(self) -> None:
        """Feed until stopped. A store that is away is counted and tried again; nothing is skipped."""
        since: dt.datetime | None = None
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                since = self.resume_point() if since is None else since
                since = self.step(since)
                pause = PERIOD_SECONDS - (time.monotonic() - started)
            except StoreError as error:
                self.progress.failures += 1
                self.progress.last_error = str(error)
                pause = RETRY_SECONDS
            self._stop.wait(max(pause, 0.0))

    def resume_point(self) -> dt.datetime:
        """Where to go on: after the newest invented tick that is stored, but not further back than CATCH_UP."""
        now, symbols = self._now(), [instrument.symbol for instrument in self._instruments]
        earliest = now - CATCH_UP
        self._known.load(self._hot, {earliest.date(), now.date()}, symbols)
        found = self._hot.rows("SELECT max(ts) AS newest FROM ticks WHERE source = %s", (generated.SOURCE,))
        newest = found[0]["newest"] if found else None
        # The newest instant itself again: some of its ticks may not have been stored yet.
        return max(newest, earliest) if newest else earliest

    def step(self, since: dt.datetime) -> dt.datetime:
        """Store the ticks with since <= ts < now; now, from where the next step goes on."""
        until = self._now()
        if until <= since:
            return since
        for date in sorted({since.date(), until.date()}):
            due = self._ticks(date).filter(pl.col("ts").is_between(since, until, closed="left"))
            if due.height:
                due = due.with_columns(received_at=pl.lit(until).cast(pl.Datetime("us", "UTC")))
                self.progress.rows += ticks.store(self._hot, due, self._known).new
        self.progress.stored_until = until
        self.progress.last_error = None
        return until

    def _ticks(self, date: dt.date) -> pl.DataFrame:
        if self._day is None or self._day[0] != date:
            self._day = (date, generated.day(self._instruments, date, self._seed))
        return self._day[1]
