"""The sender: tails the spool and takes its trades into hot, each exactly once, whatever is killed meanwhile.

What is read moves `State.position` only after hot took it. Kinds without a contract of their own stay in the segments;
they are counted.
"""

import datetime as dt
import random
import threading
import time
from collections import Counter, deque
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import structlog
from msgspec import Struct, field

from realtime.records import Kind
from realtime.relay import mixed
from realtime.relay import state as memory
from realtime.relay.absences import Absences, instant
from realtime.relay.answers import Answer, Answers, parts_of
from realtime.relay.dailies import Dailies, pairs_of
from realtime.relay.events import TAKEN as BOOKS
from realtime.relay.evidence import Evidence
from realtime.relay.identities import Identities
from realtime.relay.rows import EDIT, Longs, Trades, frame_of, session_of, trades_of
from realtime.relay.state import Note, Seen, State
from realtime.spool.frames import Asset, Frame, FrameKind
from realtime.spool.reader import READ_BYTES, Found, Position, Reader
from sql import ticks
from sql.errors import StatementError, StoreError
from sql.held import Below
from sql.hot import HotStore
from sql.tables import TICKS
from sql.ticks import Mask, Stored

PERIOD_SECONDS = 0.2
GATHER_SECONDS = 1.0  # when much comes: QuestDB takes 250,000 rows at once for half of what five times 50,000 cost it
MUCH = 10_000  # rows of one step
SAVE_SECONDS = 1.0
LONGEST_PAUSE = 5.0
HOUR_US = 3_600_000_000
STATE = "sender.json"
DAILY = (Kind.DAILY_PRICES, Kind.DAILY_COUNTS)
TAKEN = (Kind.TRADE, Kind.HISTORY_TRADE, *DAILY, *BOOKS)
KINDS = max(Kind) + 1

log = structlog.get_logger("realtime.relay")


class Progress(Struct):
    """What the sender has done since it started; read by health and metrics, from any thread."""

    stored: int = 0  # rows of the live tape
    repeated: int = 0
    filled: int = 0  # rows that only history brought
    confirmed: int = 0  # trades of history that were stored before
    edited: int = 0
    dailies: int = 0  # rows of `daily`
    refused: int = 0  # records that are no trades (no time, no price), aggregates without time or sums
    passed_over: Counter[int] = field(default_factory=Counter)  # other kinds, by their number
    failures: int = 0
    last_error: str | None = None
    unread_bytes: int = 0
    oldest_wall: int | None = None  # of the frame that waits for hot, nanoseconds; None: nothing waits
    stored_until: int | None = None  # wall clock of the newest frame that is stored, nanoseconds
    rewinds: int = 0
    alive_at: float = 0.0  # monotonic: the loop came by
    missing: dict[str, int] = {}
    answers: deque[Answer] = field(default_factory=deque)  # of history, stored; the newest last

    @property
    def rows(self) -> int:
        """New in hot, whatever brought them."""
        return self.stored + self.filled

    def lag_seconds(self, now: float) -> float:
        """How long the oldest frame that is not stored has been waiting; `now` is seconds since 1970."""
        return max(0.0, now - self.oldest_wall / 1e9) if self.oldest_wall is not None else 0.0


class Sender:
    """Runs in one thread until `stop` is set."""

    def __init__(
        self,
        spool: Path,
        raw: Path,
        hot: HotStore,
        stop: threading.Event,
        *,
        raw_days: int = 90,
        limit: int = READ_BYTES,
        below: Below | None = None,
    ) -> None:
        self._answers = Answers()
        self.progress = Progress(answers=self._answers.told)
        self.state = memory.load(spool / STATE) or State()
        self._spool = spool
        self._folders = (spool, raw)
        self._hot = hot
        self._stop = stop
        self._limit = limit
        self._identities = Identities(hot, below)
        self._dailies = Dailies(hot)
        self._evidence = Evidence(spool, raw, raw_days)
        self._reader = Reader(self._folders, self.state.position)
        self._hot_checked = False
        self._expected: int | None = None  # transactions of hot, if nobody else writes there
        self._brought = 0  # rows, by the last step
        self._saved_at = 0.0
        self._dirty = False

    def run(self) -> None:
        """Send until stopped. What fails is tried again; nothing is skipped."""
        failed = 0
        while not self._stop.is_set():
            self.progress.alive_at = time.monotonic()
            try:
                busy = self.step()
            except Exception as error:  # the top of the loop: what it is about is tried again, nothing is skipped
                failed += 1
                self._failed(error, first=failed == 1)
                pause = min(LONGEST_PAUSE, 0.1 * 2**failed) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            else:
                failed = 0
                pause = 0.0 if busy else GATHER_SECONDS if self._brought >= MUCH else PERIOD_SECONDS
            self._stop.wait(pause)
        self._end()

    def step(self) -> bool:
        """Take what stands in the spool into hot; whether there may be more at once. Raises StoreError, OSError."""
        self._spool.mkdir(parents=True, exist_ok=True)
        self._check_hot()
        before = self.progress.rows
        found = self._reader.read(self._limit)
        if found.frames or found.damages:
            self.progress.oldest_wall = next((frame.wall for frame in found.frames), self.progress.oldest_wall)
            self._take(found)
            self._dirty = True
        self._brought = self.progress.rows - before
        self.progress.last_error = None
        more = sum(len(frame.payload) for frame in found.frames) > self._limit // 2 or self._reader.later_segments()
        if not more:
            self.progress.oldest_wall = None
        if time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self.save()
        return more or bool(found.damages)

    def save(self) -> None:
        """Make durable how far it came, then clear away what was sent. Raises StoreError, OSError."""
        self._saved_at = time.monotonic()
        self.progress.unread_bytes = self._reader.unread_bytes()
        if self._dirty:
            wal = self._hot.wal(TICKS)
            self.state.incarnation, self.state.taken, self.state.boot = wal.incarnation, wal.taken, memory.boot_id()
            self.state.prune(dt.datetime.now(dt.UTC))
            memory.save(self._spool / STATE, self.state)
            self._dirty = False
        self._evidence.keep(self.state.position)
        self.progress.missing = dict(self.state.missing)

    def unread_since(self) -> dt.datetime | None:
        """From when on what capture wrote may not have been read; None: all of it was."""
        progress = self.progress
        if progress.oldest_wall is not None:
            return instant(progress.oldest_wall)
        return instant(progress.stored_until or 0) if self._reader.unread_bytes() else None

    def _take(self, found: Found) -> None:
        before = self.state.position
        frames = [frame for frame in found.frames if frame.kind == FrameKind.RECORDS]
        kinds = [np.bincount(frame.records()["kind"], minlength=KINDS) for frame in frames]
        try:
            for part, answer in parts_of(found.frames):
                self._store_part(part, answer)
            self._store_dailies([frame for frame, held in zip(frames, kinds, strict=True) if held[list(DAILY)].any()])
        except BaseException:
            self._reader.position = before
            raise
        absences = Absences(self.state)
        for damage in found.damages:
            absences.damage(before, damage)
        for frame in found.frames:
            absences.read(frame)
        for held in kinds:
            self.progress.passed_over.update({k: int(held[k]) for k in np.flatnonzero(held).tolist() if k not in TAKEN})
        if found.frames:
            self.progress.stored_until = found.frames[-1].wall
        self.state.position = found.after
        self.state.sent[found.after.segment] = time.time()

    def _store_part(self, part: list[Frame], answer: Answer | None) -> None:
        before = self.progress.filled
        try:
            self._store([frame for frame in part if frame.kind == FrameKind.RECORDS])
        except BaseException:
            self._answers.stored(self.progress.filled - before, None)  # what is stored is not new the next time
            raise
        self._answers.stored(self.progress.filled - before, answer)

    def _store(self, frames: list[Frame]) -> None:
        if not frames:
            return
        trades, refused = trades_of(frames)
        run = frames[0].run
        place = f"{frames[0].segment}:{frames[0].offset}"
        if len(refused) and self._absent("refused", place, frames[0], refused["number"]):
            self.progress.refused += len(refused)
        names = self._reader.assets
        assets = np.ascontiguousarray(trades.records["asset"])
        unnamed = np.setdiff1d(np.flatnonzero(np.bincount(np.maximum(assets, 0))), list(names))
        if len(unnamed) or (len(assets) and assets.min() < 0):
            bad = np.isin(assets, unnamed) | (assets < 0)
            self._absent("unnamed", place, frames[0], trades.records["number"][bad])
            trades = trades.where(~bad)
        if len(trades):
            self._store_trades(trades, run)

    def _store_dailies(self, frames: list[Frame]) -> None:
        """The aggregates of frames that have halves of some; a half that waits goes with the position."""
        if not frames:
            return
        pairs = pairs_of(frames, self.state.half)
        stored, refused = self._dailies.store(pairs, self._reader.assets, self._reader.source)
        self.progress.dailies += stored
        self.progress.refused += refused + pairs.alone
        self.state.half = pairs.half

    def _store_trades(self, trades: Trades, run: int) -> None:
        days = np.unique(trades.day).tolist()
        with ticks.turn(self._hot, map(session_of, days)):
            self._store_days(trades, days, run)

    def _store_days(self, trades: Trades, days: list[int], run: int) -> None:
        taken = self._hot.wal(TICKS).taken
        if self._expected not in (None, taken):  # an import: what we know of its sessions is old
            log.info("hot_was_written_by_others", transactions=taken - (self._expected or 0))
            self._identities.forget()
        self._expected = None
        inserts = [
            self._store_day(trades if len(days) == 1 else trades.where(trades.day == day), day, run) for day in days
        ]
        exact = self._hot.import_dir is not None and None not in inserts
        self._expected = taken + sum(n or 0 for n in inserts) if exact else self._hot.wal(TICKS).taken

    def _store_day(self, trades: Trades, day: int, run: int) -> int | None:
        """Store trades of one session; in how many transactions, None where that cannot be told."""
        names = self._reader.assets
        known, keys = self._identities.of(day), self._identities.keys(trades, day, names, self._reader.source)
        edits = (trades.records["flags"] & EDIT) != 0
        plain, plain_keys = (trades.where(~edits), keys[~edits]) if edits.any() else (trades, keys)
        fresh = known.fresh(plain_keys)
        new = plain if fresh.all() else plain.where(fresh)
        same = {"session": session_of(day), "source": self._reader.source}
        new_keys = plain_keys if fresh.all() else plain_keys[fresh]
        stored, filled = self.progress.stored, self.progress.filled
        apart = self._store_mixed(new, new_keys, day, run)
        if apart is not None:
            new, new_keys = new.where(~apart), new_keys[~apart]
        hours = new.ts // HOUR_US
        present = np.unique(hours).tolist()
        for hour in present:
            whole = bool((hours == hour).all())
            part = new if whole else new.where(hours == hour)
            ticks.store_fresh(self._hot, frame_of(part, names), same)
            known.add(new_keys if whole else new_keys[hours == hour])
            self._count(part)
            self._saw(part.where(~part.past), day, run, names)
        past = int(np.count_nonzero(plain.past))
        self.progress.confirmed += past - (self.progress.filled - filled)
        self.progress.repeated += len(plain) - past - (self.progress.stored - stored)
        if edits.any():
            self._revise(trades.where(edits), keys[edits], day)
        return None if edits.any() or apart is not None else len(present)

    def _store_mixed(self, new: Trades, keys: Longs, day: int, run: int) -> Mask | None:
        """Store those whose session holds a file's rows under numbers that may be others; which ones, None: there are
        none, as nearly always."""
        found = self._identities.beside(day, keys, unsettled=True)
        if not found:
            return None
        names = self._reader.assets
        same = {"session": session_of(day), "source": self._reader.source}
        apart = np.zeros(len(keys), np.bool_)
        for beside, mine in found:
            part = new.where(mine)
            try:
                written = part.where(mixed.store(self._hot, beside, part, names, same))
            except BaseException:
                self._identities.forget()
                raise
            self._identities.learn(day, beside, keys[mine])
            self._count(written)
            if len(written):
                self._saw(written.where(~written.past), day, run, names)
            apart |= mine
        return apart

    def _count(self, new: Trades) -> None:
        filled = int(np.count_nonzero(new.past))
        self.progress.filled += filled
        self.progress.stored += len(new) - filled

    def _revise(self, edits: Trades, keys: Longs, day: int) -> None:
        """Corrections and cancellations: the stored trade keeps its time."""
        known = self._identities.of(day)
        nothing = (edits.records["price"] <= 0) & ~known.touched(keys)  # takes back what nobody told us of
        if nothing.any():
            self.progress.refused += int(nothing.sum())
            edits, keys = edits.where(~nothing), keys[~nothing]
        same = {"session": session_of(day), "source": self._reader.source}
        alone = np.ones(len(keys), np.bool_)
        for beside, mine in self._identities.beside(day, keys, unsettled=False):
            self._revised(mixed.revise(self._hot, beside, edits.where(mine), self._reader.assets, same))
            alone &= ~mine
        edits = edits.where(alone)
        if not len(edits):
            return
        frame = frame_of(edits, self._reader.assets)
        whole = frame.with_columns(pl.lit(value).alias(name) for name, value in same.items())
        self._revised(ticks.store(self._hot, whole, known, hourly=True))

    def _revised(self, done: Stored) -> None:
        self.progress.stored += done.new
        self.progress.edited += done.edited + done.cancelled
        self.progress.repeated += done.repeated

    def _saw(self, part: Trades, day: int, run: int, names: dict[int, Asset]) -> None:
        assets, numbers = np.ascontiguousarray(part.records["asset"]), part.records["number"]
        for asset in np.flatnonzero(np.bincount(assets)).tolist():
            own = numbers[assets == asset]
            seen = Seen(len(own), int(own[0]), int(own[-1]))
            self.state.saw(names[asset].ticker, session_of(day), run, seen)

    def _absent(self, kind: str, place: str, frame: Frame, numbers: npt.NDArray[np.int64]) -> bool:
        detail = {"records": len(numbers), "first": int(numbers[0]), "last": int(numbers[-1])}
        told = self.state.note(place, Note(kind, instant(frame.wall), frame.run, detail), len(numbers))
        if told:
            log.error("trades_not_stored", kind=kind, run=frame.run, **detail)
        return told

    def _check_hot(self) -> None:
        """After a start and after each failure: is hot what it was when the position was saved?"""
        if self._hot_checked:
            return
        wal, state = self._hot.wal(TICKS), self.state
        why = None
        to = Position()
        if state.incarnation and (wal.incarnation != state.incarnation or wal.taken < state.taken):
            why = f"hot is another or an older one: {wal.incarnation} at {wal.taken}, not {state.incarnation} at "
            why += str(state.taken)
            to = self._evidence.since(dt.datetime.now(dt.UTC) - dt.timedelta(days=TICKS.hot_days))
        elif state.boot and state.boot != memory.boot_id():
            why, to = "the machine was started anew: hot acknowledges before its rows are on the disk", state.rewound()
        if why:
            self._rewind(min(to, state.position), why)
        self._hot_checked = True

    def _rewind(self, to: Position, why: str) -> None:
        log.warning("sender_rewinds", segment=to.segment, reason=why)
        self.progress.rewinds += 1
        now = dt.datetime.now(dt.UTC)
        self.state.note(f"{to.segment}:0 {now.isoformat()}", Note("rewind", now, 0, {"why": why}))
        self.state.position = to
        self.state.seq = self.state.following = self.state.half = None
        self.state.wall = 0
        self._identities.forget()
        self._reader = Reader(self._folders, to)
        self._dirty = True
        # Noted now and not with the next rows: a second start must not take this for done, nor do it for ever.
        wal = self._hot.wal(TICKS)
        self.state.incarnation, self.state.taken, self.state.boot = wal.incarnation, wal.taken, memory.boot_id()
        memory.save(self._spool / STATE, self.state)

    def _failed(self, error: Exception, *, first: bool) -> None:
        self.progress.failures += 1
        self.progress.last_error = str(error)
        self._hot_checked = False
        self.progress.unread_bytes = self._reader.unread_bytes()
        if isinstance(error, StatementError):
            self._identities.forget()  # a table that is not what we thought
        if first and isinstance(error, StoreError | OSError):
            log.warning("hot_does_not_take", reason=str(error))
        elif first:
            log.error("sender_cannot_go_on", exc_info=error)

    def _end(self) -> None:
        try:
            self.save()
        except (StoreError, OSError) as error:
            log.warning("position_not_saved", reason=str(error))
