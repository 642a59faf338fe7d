"""Quotes and the book on their way to hot, in a thread and from a position of their own: ticks never wait for them.

Where ticks wait for hot, this one stands back. Rows are known by run and number, so what is sent again changes nothing.
"""

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import structlog
from msgspec import Struct, field

from realtime.relay import state as memory
from realtime.relay.events import TAKEN, Events, events_of, frame_of, hours_of
from realtime.relay.evidence import Evidence
from realtime.relay.state import SENT_SECONDS
from realtime.spool.frames import Frame, FrameKind
from realtime.spool.reader import READ_BYTES, Found, Position, Reader
from sql import books, durable
from sql.errors import StoreError
from sql.hot import HotStore
from sql.tables import BOOK, DIRECT

STATE = "books.json"
PERIOD_SECONDS = 1.0  # gathered: who wants them at once has the stream, and each transaction costs the ticks' server
LOOK_SECONDS = 0.1
SAVE_SECONDS = 1.0
LONGEST_PAUSE = 5.0
STANDS_BACK_SECONDS = 5.0  # at most, before each step: where ticks cannot be stored, books are all the same

log = structlog.get_logger("realtime.relay")


class Known(Struct):
    """How far it came, beside the spool. It may be a second behind: the rows are sent again."""

    position: Position | None = None  # None: it never began
    boot: str = ""
    tables: dict[str, tuple[str, int]] = {}  # incarnation and transactions of each hot table
    sent: dict[int, float] = {}  # segment -> wall clock of the last acknowledgement of rows of it


class Progress(Struct):
    """What was done since the start; read by health and metrics, from any thread."""

    stored: dict[str, int] = field(default_factory=dict)  # rows by table
    unnamed: int = 0  # events of an asset without a name
    failures: int = 0
    last_error: str | None = None
    oldest_wall: int | None = None  # of the frame that waits for hot, nanoseconds; None: nothing waits
    unread_bytes: int = 0
    rewinds: int = 0
    alive_at: float = 0.0  # monotonic

    def lag_seconds(self, now: float) -> float:
        """How long the oldest frame that is not stored has been waiting; `now` is seconds since 1970."""
        return max(0.0, now - self.oldest_wall / 1e9) if self.oldest_wall is not None else 0.0


class Books:
    """Runs in one thread until `stop` is set. `ticks_wait` says whether ticks wait for hot just now."""

    def __init__(
        self,
        spool: Path,
        raw: Path,
        hot: HotStore,
        stop: threading.Event,
        *,
        ticks_wait: Callable[[], bool] = lambda: False,
        limit: int = READ_BYTES,
    ) -> None:
        self.progress = Progress(stored={table.name: 0 for table in DIRECT})
        self._spool = spool
        self._folders = (spool, raw)
        self._hot = hot
        self._stop = stop
        self._ticks_wait = ticks_wait
        self._limit = limit
        self._evidence = Evidence(spool, raw, days=0)  # only looked at: the sender moves segments
        self.known = _loaded(spool / STATE) or Known()
        if self.known.position is None:
            # What was spooled before there were these tables, as far back as the book is kept in hot.
            self.known.position = self._evidence.since(_ago(BOOK.hot_days))
        self._reader = Reader(self._folders, self.known.position)
        self._hot_checked = False
        self._saved_at = 0.0
        self._dirty = True

    def run(self) -> None:
        """Send until stopped. What fails is tried again; nothing is skipped."""
        failed = 0
        while not self._stop.is_set():
            self.progress.alive_at = time.monotonic()
            try:
                self._stand_back()
                busy = self.step()
            except Exception as error:  # the top of the loop: what it is about is tried again
                failed += 1
                self._failed(error, first=failed == 1)
                pause = min(LONGEST_PAUSE, 0.1 * 2**failed) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            else:
                failed = 0
                pause = 0.0 if busy else PERIOD_SECONDS
            self._stop.wait(pause)
        try:
            self.save()
        except (StoreError, OSError) as error:
            log.warning("books_position_not_saved", reason=str(error))

    def step(self) -> bool:
        """Take what stands in the spool into hot; whether there may be more at once. Raises StoreError, OSError."""
        self._check_hot()
        before = self._reader.position
        found = self._reader.read(self._limit)
        if found.frames or found.damages:
            self.progress.oldest_wall = next((frame.wall for frame in found.frames), self.progress.oldest_wall)
            try:
                self._store(found)
            except BaseException:
                self._reader.position = before
                raise
            self.known.position = found.after
            self._dirty = True
        self.progress.last_error = None
        more = sum(len(frame.payload) for frame in found.frames) > self._limit // 2 or self._reader.later_segments()
        if not more:
            self.progress.oldest_wall = None
        if time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self.save()
        return more or bool(found.damages)

    def save(self) -> None:
        """Make durable how far it came. Raises StoreError, OSError."""
        self._saved_at = time.monotonic()
        self.progress.unread_bytes = self._reader.unread_bytes()
        if not self._dirty:
            return
        for table in DIRECT:
            wal = self._hot.wal(table)
            self.known.tables[table.name] = (wal.incarnation, wal.taken)
        newest = max(self.known.sent.values(), default=0.0)
        self.known.sent = {number: at for number, at in self.known.sent.items() if at >= newest - SENT_SECONDS}
        self.known.boot = memory.boot_id()
        durable.replace(self._spool / STATE, msgspec.json.encode(self.known))
        self._dirty = False

    def _store(self, found: Found) -> None:
        frames = [frame for frame in found.frames if frame.kind == FrameKind.RECORDS and _has_events(frame)]
        if not frames:
            return
        stored = {}
        for table in DIRECT:
            events = self._named(events_of(frames, table))
            stored[table.name] = len(events)
            for session, part in hours_of(events) if len(events) else ():
                same = {"session": session, "run": frames[0].run, "source": self._reader.source}
                books.store(self._hot, table, frame_of(part, table, self._reader.assets), same)
        self.known.sent[found.after.segment] = time.time()
        for name, rows in stored.items():
            self.progress.stored[name] += rows

    def _named(self, events: Events) -> Events:
        """Without events of assets that have no name: the spool names one before the records that use it."""
        named = np.isin(events.records["asset"], list(self._reader.assets)) if len(events) else np.ones(0, np.bool_)
        if named.all():
            return events
        self.progress.unnamed += int((~named).sum())
        log.error("events_of_unnamed_assets", events=int((~named).sum()))
        return events.where(named)

    def _stand_back(self) -> None:
        until = time.monotonic() + STANDS_BACK_SECONDS
        while self._ticks_wait() and time.monotonic() < until and not self._stop.wait(LOOK_SECONDS):
            self.progress.alive_at = time.monotonic()

    def _check_hot(self) -> None:
        """After a start and after each failure: are the tables what they were when the position was saved?"""
        if self._hot_checked:
            return
        known, to, why = self.known, [], ""
        for table in DIRECT:
            wal, before = self._hot.wal(table), known.tables.get(table.name)
            if before and (wal.incarnation != before[0] or wal.taken < before[1]):
                why = f"hot.{table.name} is another or an older one: {wal.incarnation} at {wal.taken}, not {before}"
                to.append(self._evidence.since(_ago(table.hot_days)))
        if not to and known.boot and known.boot != memory.boot_id():
            why = "the machine was started anew: hot acknowledges before its rows are on the disk"
            to = [Position(segment) for segment in known.sent]
        if why and to:
            self._rewind(min(to), why)
        self._hot_checked = True

    def _rewind(self, to: Position, why: str) -> None:
        log.warning("books_rewind", segment=to.segment, reason=why)
        self.progress.rewinds += 1
        self.known.position = min(to, self._reader.position)
        self._reader = Reader(self._folders, self.known.position)
        self._dirty = True
        self.save()  # now and not with the next rows: a second start must not take this for done, nor do it for ever

    def _failed(self, error: Exception, *, first: bool) -> None:
        self.progress.failures += 1
        self.progress.last_error = str(error)
        self._hot_checked = False
        if first and isinstance(error, StoreError | OSError):
            log.warning("hot_does_not_take_books", reason=str(error))
        elif first:
            log.error("books_cannot_go_on", exc_info=error)


def _has_events(frame: Frame) -> bool:
    kinds = np.bincount(frame.records()["kind"], minlength=max(TAKEN) + 1)
    return bool(kinds[list(TAKEN)].any())


def _loaded(path: Path) -> Known | None:
    """What was saved; None when there is nothing, or nothing that can be read: then it begins anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        log.error("books_state_unreadable", file=str(path), reason=str(error))  # noqa: TRY400 - it begins anew
        return None


def _ago(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
