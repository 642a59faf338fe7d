"""The shipper: reads what the order journal's head vouches for, and takes it into hot, each record exactly once.

A thread of the relay, never in the way of an order: it only reads the journal. Rows are known by the record's number,
so what is sent again after a kill changes nothing. A chain that does not hold is shipped up to there and not beyond.
"""

import datetime as dt
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct, field

from realtime.orders import chain
from realtime.orders.carried import carried_of
from realtime.orders.chain import CARRIED, Head, JournalError, Record, Tail
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.proof import newest_start
from realtime.orders.risk import Limits
from realtime.orders.shipped import Rows, rows_of
from realtime.relay.pages import Pages
from realtime.relay.state import SENT_SECONDS, boot_id
from sql import durable, journal_heads, order_rows
from sql.contract import Table
from sql.errors import StoreError
from sql.hot import HotStore
from sql.journal_heads import Kept
from sql.tables import AUDIT_LOGS, OF_ORDERS, ORDER_EVENTS, OWN_TRADES, POSITIONS
from sql.warm import WarmStore

STATE = "shipper.json"
PERIOD_SECONDS = 1.0  # gathered: each transaction costs the ticks' server
LONGEST_PAUSE = 5.0
BROKEN_SECONDS = 30.0  # before a journal that does not hold is read again
LOOK_SECONDS = 30.0  # between two looks at hot while nothing is sent
SAVE_SECONDS = 10.0  # each save costs the journal's disk; what comes after it is sent again
HEAD_SECONDS = 5.0  # between two heads in warm
MARK_SECONDS = 60.0
PAGES_SECONDS = 600.0  # between two looks at files that are not written any more
MOST = 2_000  # records of one step
COMPARED = ("entries", "positions", "fills", "latch", "session", "limits", "version", "keys", "last_id")

log = structlog.get_logger("realtime.relay")


class Mark(Struct, frozen=True):
    """Up to where it had come, and when hot acknowledged that."""

    number: int
    wall: float


class Known(Struct):
    """How far it came, beside the journal. It may be behind: the rows are sent again."""

    journal: str = ""
    number: int = 0  # of the last record that hot took
    mac: str = chain.BEGINNING
    boot: str = ""
    tables: dict[str, tuple[str, int]] = {}  # incarnation and transactions of each hot table
    marks: list[Mark] = []  # of the last hour, and one before


class Progress(Struct):
    """What was done since the start; read by health and metrics, from any thread."""

    number: int = 0  # of the last record that hot took
    waiting: int = 0  # records that the head vouches for and hot has not
    waiting_since: float | None = None  # monotonic
    rows: dict[str, int] = field(default_factory=lambda: {table.name: 0 for table in OF_ORDERS})
    failures: int = 0
    last_error: str | None = None
    broken: str | None = None  # why the journal cannot be believed
    warm_error: str | None = None  # why warm was not told the head
    rewinds: int = 0
    unlike: int = 0  # files of the journal that begin with something else than the records before them lead to
    alive_at: float = 0.0  # monotonic

    def lag_seconds(self, now: float) -> float:
        """For how long something has been waiting; `now` is monotonic."""
        return max(0.0, now - self.waiting_since) if self.waiting_since is not None else 0.0


class Shipper:
    """Runs in one thread until `stop` is set. Without a key there is no journal that could be believed."""

    def __init__(
        self,
        folder: Path,
        key: bytes | None,
        hot: HotStore,
        warm: WarmStore,
        stop: threading.Event,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        most: int = MOST,
    ) -> None:
        self.progress = Progress()
        self.known = Known()
        self._folder = folder
        self._key = key
        self._hot, self._warm = hot, warm
        self._stop = stop
        self._now = now
        self._most = most
        self._tail: Tail | None = None  # None: to be begun
        self._ledger = _empty()
        self._pending: list[Rows] = []  # read, and not yet in hot
        self._looked_at = self._saved_at = self._headed_at = float("-inf")
        self._pages: Pages | None = None
        self._paged_at = float("-inf")
        self._kept: Kept | None = None  # the head that warm has
        self._dirty = False

    def run(self) -> None:
        """Ship until stopped. What fails is tried again; nothing is skipped."""
        failed = 0
        while not self._stop.is_set():
            self.progress.alive_at = time.monotonic()
            try:
                busy = self.step()
            except Exception as error:  # the top of the loop: what it is about is tried again
                failed += 1
                self._failed(error, first=failed == 1)
                pause = min(LONGEST_PAUSE, 0.1 * 2**failed) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                pause = BROKEN_SECONDS if isinstance(error, JournalError) else pause
            else:
                failed = 0
                pause = 0.0 if busy else PERIOD_SECONDS
            self._stop.wait(pause)
        try:
            self.save()
        except OSError as error:
            log.warning("shipper_position_not_saved", reason=str(error))

    def step(self) -> bool:
        """Take what stands in the journal into hot; whether there is more. Raises StoreError, JournalError, OSError."""
        if self._key is None or (head := chain.head_of(self._folder, self._key)) is None:
            return False
        if self._tail is None:
            self._tail = self._begun(self._key, head)
        tail = self._tail
        self._look(head)
        if not self._pending and tail.number < head.number:
            self._read(tail)
        if self._pending or time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._check_hot()
        if self._tail is None:
            return True  # hot wants what it had
        self._send()
        self._look(head)
        self.progress.last_error = self.progress.broken = None
        self._keep_head(tail, head)
        self._look_after_pages(self._key)
        if time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self.save()
        return tail.number < head.number

    def save(self) -> None:
        """Make durable how far it came. Raises OSError."""
        self._saved_at = time.monotonic()
        if self._dirty:
            self.known.boot = boot_id()
            durable.replace(self._folder / STATE, msgspec.json.encode(self.known))
            self._dirty = False

    def _begun(self, key: bytes, head: Head) -> Tail:
        """Read the journal from where all is known before what hot lacks: the ledger needs more of it than hot."""
        if not self.known.journal:
            name = chain.journal_id(key)
            saved = _loaded(self._folder / STATE)
            self.known = saved if saved is not None and saved.journal == name else Known(journal=name)
            self._check_boot()
        self.progress.number = self.known.number
        self._distrust(head.number, self.known.number, "hot")
        self._ledger, self._pending = _empty(), []
        self._ask_warm(head)
        start, _ = newest_start(self._folder, key, self.known.number)
        self._same(start.number, start.mac)
        return Tail(self._folder, key, start.number, start.mac)

    def _read(self, tail: Tail) -> None:
        """The next records into the ledger; of those that hot lacks, rows that wait for it."""
        self._tail = None  # until all of it went well
        now = self._now()
        for link in tail.read(self._most):
            if link.record.kind == CARRIED:
                self._carry(link.record)
            rows = rows_of(link, self.known.journal, self._ledger, now)
            number = rows.event.number
            self._same(number, link.mac)
            if number > self.known.number:
                self._pending.append(rows)
        self._tail = tail

    def _same(self, number: int, mac: str) -> None:
        """Whether a record is the one that hot and warm have seen under its number."""
        known, kept = self.known, self._kept
        if number and number == known.number and known.mac and mac != known.mac:
            raise JournalError(f"record {number} is not the one that was shipped: the journal was written anew")
        if kept is not None and number == kept.number and mac != kept.mac:
            raise JournalError(f"record {number} is not the one that warm has seen: the journal was written anew")

    def _carry(self, record: Record) -> None:
        """All that was known when the file began: taken up where nothing was read before it, else held against it."""
        told = carried_of(record.body)
        if not self._ledger.records:
            self._ledger.take_up(told)
            return
        read = self._ledger.carried()
        differ = [name for name in COMPARED if getattr(read, name) != getattr(told, name)]
        if differ:
            self.progress.unlike += 1
            log.error("carried_is_not_what_was_read", record=record.number, differ=" ".join(differ))

    def _send(self) -> None:
        if not self._pending:
            return
        for table, rows in _by_table(self._pending):
            if rows:
                order_rows.store(self._hot, table, rows)
            self.progress.rows[table.name] += len(rows)
            wal = self._hot.wal(table)
            self.known.tables[table.name] = (wal.incarnation, wal.taken)
        last, wall = self._pending[-1].event, self._now().timestamp()
        self._pending = []
        self.progress.number = self.known.number = last.number
        self.known.mac, self._dirty = last.mac, True
        if not self.known.marks or wall - self.known.marks[-1].wall >= MARK_SECONDS:
            marks = self.known.marks or [Mark(0, wall)]
            old = [mark for mark in marks if mark.wall < wall - SENT_SECONDS]
            self.known.marks = [*old[-1:], *marks[len(old) :], Mark(last.number, wall)]

    def _check_hot(self) -> None:
        """Are the tables those that took what was sent? Another or an older one gets everything again."""
        self._looked_at = time.monotonic()
        for table in OF_ORDERS:
            wal, before = self._hot.wal(table), self.known.tables.get(table.name)
            if before and (wal.incarnation != before[0] or wal.taken < before[1]):
                self._rewind(0, f"hot.{table.name} is another or an older one")
                return

    def _check_boot(self) -> None:
        if self.known.boot and self.known.boot != boot_id():
            number = self.known.marks[0].number if self.known.marks else 0
            self._rewind(number, "the machine was started anew: hot acknowledges before its rows are on the disk")

    def _rewind(self, number: int, why: str) -> None:
        log.warning("shipper_rewinds", record=number, reason=why)
        self.known = Known(journal=self.known.journal, number=number, mac="", boot=boot_id())
        self.progress.rewinds += 1
        self._tail, self._dirty = None, True
        self.save()

    def _ask_warm(self, head: Head) -> None:
        """Whether warm has seen more of this journal than there is; a warm that is away is asked later."""
        try:
            self._kept = journal_heads.known(self._warm, self.known.journal)
        except StoreError as error:
            self.progress.warm_error = str(error)
        else:
            self._distrust(head.number, self._kept.number if self._kept else 0, "warm")

    def _keep_head(self, tail: Tail, head: Head) -> None:
        """Tell warm how far the proven chain goes. Hot waits for nobody: what fails here is told later."""
        now = time.monotonic()
        reached = self._kept.number if self._kept else 0  # more than here while older records are read again
        if tail.number <= reached or now - self._headed_at < HEAD_SECONDS:
            return
        self._headed_at = now
        try:
            self._kept = journal_heads.keep(self._warm, self.known.journal, tail.number, tail.mac, self._now())
        except StoreError as error:
            if self.progress.warm_error is None:
                log.warning("head_waits_for_warm", reason=str(error))
            self.progress.warm_error = str(error)
            return
        self.progress.warm_error = None
        self._same(tail.number, tail.mac)
        self._distrust(head.number, self._kept.number, "warm")

    def _look_after_pages(self, key: bytes) -> None:
        if time.monotonic() - self._paged_at < PAGES_SECONDS:
            return
        self._paged_at = time.monotonic()
        self._pages = self._pages or Pages(self._folder, key, self._warm, self._now)
        try:
            self._pages.look(self.known.number)
        except StoreError as error:  # warm is away: the files wait
            self.progress.warm_error = str(error)

    def _distrust(self, here: int, there: int, tier: str) -> None:
        if there > here:
            raise JournalError(f"the journal ends with record {here}, and {tier} has seen {there}: its tail was cut")

    def _look(self, head: Head) -> None:
        progress = self.progress
        progress.waiting = max(0, head.number - self.known.number)
        progress.waiting_since = (progress.waiting_since or time.monotonic()) if progress.waiting else None

    def _failed(self, error: Exception, *, first: bool) -> None:
        progress = self.progress
        progress.failures += 1
        progress.last_error = str(error) or repr(error)
        if isinstance(error, JournalError):
            progress.broken, self._tail = progress.last_error, None
            if first:
                log.error("journal_is_not_shipped", reason=str(error))
        elif first and isinstance(error, StoreError | OSError):
            log.warning("journal_waits_for_hot", reason=str(error))
        elif first:
            log.error("shipper_cannot_go_on", exc_info=error)


def _by_table(made: Sequence[Rows]) -> list[tuple[Table, list[Struct]]]:
    return [
        (ORDER_EVENTS, [rows.event for rows in made]),
        (OWN_TRADES, [rows.trade for rows in made if rows.trade]),
        (POSITIONS, [position for rows in made for position in rows.positions]),
        (AUDIT_LOGS, [rows.audit for rows in made if rows.audit]),
    ]


def _empty() -> Ledger:
    return Ledger(RiskLimits(base=Limits()))  # no limit is asked here


def _loaded(path: Path) -> Known | None:
    """What was saved; None when there is nothing, or nothing that can be read: then all of it is sent again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        log.error("shipper_state_unreadable", file=str(path), reason=str(error))  # noqa: TRY400 - all is sent again
        return None
