"""The journal and the ledger as one: what is recorded is written, takes effect, and is told once it is on the disk.

Only the thread of the order loop records. A journal that cannot be written closes the door for orders and changes for
good, one whose disk is slow until it has answered; what is recorded meanwhile still takes effect here, so that
cancellations and the switch go on working.
"""

import datetime as dt
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog

from realtime.orders import carried, chain
from realtime.orders.chain import CARRIED, JournalError, Record
from realtime.orders.entries import Change
from realtime.orders.journal import Journal
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.proof import pages
from realtime.orders.records import Entry, body_of, entry_in, kind_of

log = structlog.get_logger("orders")

DISK_SECONDS = 5.0
PAGE_RECORDS = 1_000  # a file of fewer is not worth another
LONG_PAGE_RECORDS = 200_000  # a start would read too long


class Writer(Protocol):
    """Where records go: the journal; in a backtest, which has no disk, a hash."""

    failed: str | None  # why nothing can be written any more

    @property
    def length(self) -> int:
        """How many records the file that is written has."""

    def append(self, kind: str, body: dict[str, Any]) -> "Future[Record]":
        """Write a record; the future is done when it is kept."""

    def close(self) -> None:
        """Write what waits, let go."""


Watcher = Callable[[Change, int | None], None]  # called on the journal's thread: it must return at once


class Chronicle:
    """The one writer of order records. `journal` None: it could not be opened, `trouble` says why."""

    def __init__(
        self,
        journal: Writer | None,
        ledger: Ledger,
        *,
        number: int = 0,
        trouble: str | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.ledger = ledger
        self.now = now
        self.watchers: list[Watcher] = []
        self._journal = journal
        self._number = number
        self._trouble = trouble
        self._late: Future[Record] | None = None  # the last record that was not waited for to its end

    @property
    def trouble(self) -> str | None:
        """Why nothing may leave that must be recorded before; None while it may."""
        return self._closed or self._slow

    @property
    def _closed(self) -> str | None:
        return self._trouble or (self._journal.failed if self._journal else "there is no journal")

    @property
    def _slow(self) -> str | None:
        late = self._late
        return None if late is None or late.done() else "the journal's disk has not answered yet"

    def record(self, entry: Entry) -> Change:
        """Record, without waiting for the disk: for what has happened already."""
        future = self._append(entry)
        change = self.ledger.apply(entry, self._number if future else None)
        self._tell_when_durable(change, future)
        return change

    def record_durably(self, entry: Entry, seconds: float = DISK_SECONDS) -> Change:
        """Record and wait until it is on the disk: for what is about to have an effect.

        Raises JournalError when it is not there in time. The record took effect in the ledger all the same, and may
        still reach the disk: the caller must say what became of it. While the disk is late with another one, nothing
        is waited for.
        """
        if self._slow:
            seconds = 0.0
        future = self._append(entry)
        change = self.ledger.apply(entry, self._number if future else None)
        self._tell_when_durable(change, future)
        if future is None:
            raise JournalError(self.trouble or "nothing can be recorded")
        try:
            future.result(seconds)
        except FutureTimeout as error:
            self._late = future
            raise JournalError(f"the journal's disk did not answer within {seconds:g} s") from error
        return change

    def turn_page(self, least: int | None = None) -> None:
        """Begin a new file of the journal with all that is known, where the one that is written holds so many records.

        Who starts reads from there; what is older can be put away in its time.
        """
        least = PAGE_RECORDS if least is None else least
        if self._journal is None or self.trouble is not None or self._journal.length < least:
            return
        self._journal.append(CARRIED, carried.body_of(self.ledger.carried()))
        self._number += 1

    def close(self) -> None:
        """Write what waits and let go of the journal."""
        if self._journal is not None:
            self._journal.close()

    def _append(self, entry: Entry) -> "Future[Record] | None":
        if self._journal is None or self._closed is not None:
            return None
        future = self._journal.append(kind_of(entry), body_of(entry))
        self._number += 1
        return future

    def _tell_when_durable(self, change: Change, future: "Future[Record] | None") -> None:
        number = self._number if future else None

        def tell(_: object = None) -> None:
            for watcher in self.watchers:
                try:
                    watcher(change, number)
                except Exception:  # a watcher of any kind: the journal's thread goes on
                    log.exception("watcher_failed")

        if future is None:
            tell()
        else:
            future.add_done_callback(tell)


def opened(
    folder: Path, key: bytes | None, limits: RiskLimits, now: Callable[[], dt.datetime] | None = None
) -> Chronicle:
    """Open the journal below a folder, prove it, and read everything out of it. Never raises.

    A journal that cannot be opened or proven gives a chronicle that records nothing, with its trouble told, and with
    what could be read of it: cancellations need to know the orders.
    """
    clock = now or (lambda: dt.datetime.now(dt.UTC))
    journal, trouble = None, None if key else "TRADINGSYSTEM_JOURNAL_KEY is not set: `tradingsystem up` makes one"
    try:
        journal = Journal(folder, key, now=clock) if key else None
    except JournalError as error:
        trouble = str(error)
    ledger = Ledger(limits)
    number = 0
    try:
        with _uncollected():
            number = _read_into(ledger, folder)
    except Exception as error:  # a record of any shape: without all of them nothing may leave
        trouble = trouble or f"{folder / 'journal.jsonl'} cannot be read: {error}"
        log.exception("journal_unreadable")
    if trouble:
        log.error("journal_unusable", reason=trouble)
    return Chronicle(journal, ledger, number=number, trouble=trouble, now=clock)


@contextmanager
def _uncollected() -> Iterator[None]:
    """All that is read stays: looking through it for garbage again and again takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_into(ledger: Ledger, folder: Path) -> int:
    files = pages(chain.segments(folder))
    number = files[0].first - 1 if files else 0
    begun = number
    for segment in files:
        for record in chain.unread(segment.path):
            number = record.number
            if record.kind == CARRIED:
                if number == begun + 1:  # elsewhere it says what the records before it have said
                    ledger.take_up(carried.carried_in(record.body))
                continue
            entry = entry_in(record.kind, record.body)
            if entry is not None:
                ledger.apply(entry, number)
    return number
