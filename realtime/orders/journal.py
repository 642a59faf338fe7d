"""The journal: one append-only file of decisions and broker events, each durable before it has an effect.

A line is one record as JSON; its last field is a keyed hash over the record and the hash before it, so that an edited,
deleted, inserted or moved byte shows, and without the key nobody can mend the chain. How far the chain went stands in a
second file (the head, sealed with the key and there before the first record), so that a cut tail shows as well, but for
the last second. The key lies outside the data directory.
"""

import contextlib
import datetime as dt
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import structlog
from filelock import FileLock, Timeout

from realtime.orders import chain
from realtime.orders.chain import CARRIED, JournalError, Record, records
from realtime.orders.proof import Verdict, newest_start, verify
from sql import durable

__all__ = ["Journal", "JournalError", "Record", "Verdict", "records", "verify"]

HEAD_SECONDS = 0.05  # of silence, after which the head is synced
HEAD_LAG_SECONDS = 1.0  # how long it may lag behind under load
HEAD_PATIENCE_SECONDS = 5.0
BATCH = 256

log = structlog.get_logger("orders")
Waiting = tuple[str, dict[str, Any], "Future[Record]"]


class Journal:
    """The one writer of a folder's journal. `append` from any thread; one thread writes and syncs in groups.

    Raises JournalError from `open` and from the futures of `append`; after a failed write it stays closed for good.
    """

    def __init__(
        self, folder: Path, key: bytes, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self.path = folder / "journal.jsonl"
        self.failed: str | None = None  # why nothing can be written any more
        self._head_path = folder / "head.json"
        self._key = key
        self._now = now
        self._lock = FileLock(folder / "lock", thread_local=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            self._number, self._mac = self._recover()
            self._put_head()  # before the first record: a journal without one was tampered with
            self._file: BinaryIO = self.path.open("ab", buffering=0)
            durable.sync_folder(folder)
        except Timeout as error:
            raise JournalError(f"{folder} has a writer already") from error
        except OSError as error:
            self._lock.release()
            raise JournalError(f"{folder} cannot be written: {error}") from error
        except JournalError:
            self._lock.release()
            raise
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()
        if self._cut:
            self.append("cut", {"bytes": self._cut}).result()

    def append(self, kind: str, body: dict[str, Any]) -> "Future[Record]":
        """Write a record; the future is done when it is on disk, and fails when it cannot be."""
        future: Future[Record] = Future()
        if self.failed:
            future.set_exception(JournalError(self.failed))
        else:
            self._waiting.put((kind, body, future))
        return future

    @property
    def length(self) -> int:
        """How many records the file that is written has, or a few less."""
        return self._number - self._first + 1

    def close(self) -> None:
        """Write what waits, sync the head, let go."""
        self._waiting.put(None)
        self._thread.join()
        with contextlib.suppress(OSError):
            self._file.close()
        self._lock.release()

    def _recover(self) -> tuple[int, str]:
        """Check what is there, cut a torn last record away. Raises BrokenChainError for anything else that is wrong."""
        start, files = newest_start(self.path.parent, self._key)
        first = files[-1].first if files and files[-1].path == self.path else None
        found = verify(self.path, self._head_path, self._key, start=start)
        self._cut = found.torn
        if not found.holds:
            raise JournalError(found.wrong or "the journal is broken")
        if found.torn:
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - found.torn)
                durable.sync(file.fileno())
        self._first = first or found.records + 1
        return found.records, found.mac

    def _write(self) -> None:
        while True:
            batch, ends = self._taken()
            for part in _parts(batch):
                self._commit(part)
            lags = time.monotonic() - self._headed_at >= HEAD_LAG_SECONDS
            if self._headed < self._number and (not batch or ends or lags) and not self.failed:
                self._sync_head()
            if ends:
                return

    def _taken(self) -> tuple[list[Waiting], bool]:
        """What waits, at most BATCH; nothing after a moment of silence, which is when the head is synced."""
        batch: list[Waiting] = []
        timeout = HEAD_SECONDS if self._headed < self._number else None
        with contextlib.suppress(queue.Empty):
            while len(batch) < BATCH:
                entry = self._waiting.get(timeout=timeout) if not batch else self._waiting.get_nowait()
                if entry is None:
                    return batch, True
                batch.append(entry)
        return batch, False

    def _commit(self, batch: list[Waiting]) -> None:
        """Write a batch and say so. Whatever breaks closes the journal: a writer that is gone would tell nobody."""
        records: list[Record] = []
        try:
            if batch[0][0] == CARRIED and not self.failed:
                self._begin_file()
            if not self.failed:
                records = self._written(batch)
        except OSError as error:
            self.failed = f"{self.path} cannot be written: {error}"
        except Exception as error:  # the top of a thread
            self.failed = f"{self.path} cannot be written: {error}"
            log.exception("journal_failed", file=str(self.path))
        if self.failed:
            for *_, future in batch:
                future.set_exception(JournalError(self.failed))
            return
        for (*_, future), record in zip(batch, records, strict=True):
            future.set_result(record)

    def _written(self, batch: list[Waiting]) -> list[Record]:
        number, mac, lines, records = self._number, self._mac, [], []
        for kind, body, _ in batch:
            number += 1
            record = Record(number=number, at=self._now(), kind=kind, body=body)
            line, mac = chain.sealed(record, mac, self._key)
            lines.append(line)
            records.append(record)
        _write_all(self._file, b"".join(lines))
        durable.sync(self._file.fileno())
        self._number, self._mac = number, mac
        return records

    def _begin_file(self) -> None:
        """Put the file aside and begin another. Where that cannot be done, the chain goes on in the one there is."""
        if self._number < self._first:
            return
        aside = chain.segment_path(self.path.parent, self._first)
        self._file.close()
        try:
            self.path.rename(aside)
            self._first = self._number + 1
        except OSError as error:  # on Windows somebody may be reading it
            log.warning("journal_goes_on_in_one_file", file=str(self.path), reason=str(error))
        try:
            self._file = self.path.open("ab", buffering=0)
            durable.sync_folder(self.path.parent)
        except OSError as error:
            self.failed = f"{self.path} cannot be written: {error}"

    def _sync_head(self) -> None:
        try:
            self._put_head()
        except PermissionError as error:  # on Windows who reads it keeps it from being replaced, for a moment
            if time.monotonic() - self._headed_at > HEAD_PATIENCE_SECONDS:
                self.failed = f"{self._head_path} cannot be written: {error}"
        except OSError as error:
            self.failed = f"{self._head_path} cannot be written: {error}"

    def _put_head(self) -> None:
        head = chain.placed(self._number, self._mac, self._key)
        durable.replace(self._head_path, msgspec.json.encode(head))
        self._headed, self._headed_at = self._number, time.monotonic()


def _parts(batch: list[Waiting]) -> list[list[Waiting]]:
    """A batch, cut before each record that begins a file."""
    found: list[list[Waiting]] = []
    for entry in batch:
        if not found or entry[0] == CARRIED:
            found.append([])
        found[-1].append(entry)
    return found


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
