"""The writing end of the spool: one writer per folder, one thread. It never waits for anybody but the disk.

What was appended is durable when `commit` says so. What cannot be kept, because the bound or the disk is full, is
refused, counted exactly and told in the spool itself as soon as it can be written to again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from filelock import FileLock, Timeout
from msgspec import Struct, field

from realtime.records import RECORD
from realtime.spool.files import FullError, Limits, Segments, Span
from realtime.spool.frames import HEADER, WHOLE, Asset, Bytes, FrameKind, Mark, Records, Table, header, spoken
from realtime.spool.losses import Tally
from realtime.spool.runs import Run, next_run
from realtime.spool.segments import STOP, Left

START, TAIL_CUT = "start", "tail_cut"
RETRY_SECONDS = 0.25
MOST_HELD = 1000  # words that wait while nothing can be written
SIZE = RECORD.itemsize

log = structlog.get_logger("realtime.spool")


class SpoolError(Exception):
    """The spool cannot be opened for writing."""


class Progress(Struct):
    """What the writer has done in this run; read by health and metrics, from any thread."""

    run: int = 0
    appended: int = 0  # records taken
    committed: int = 0  # number of the last record that is durable
    dropped: int = 0
    dropped_kinds: Counter[int] = field(default_factory=Counter)
    losses: int = 0  # times that dropping began
    refusing: bool = False
    failures: int = 0  # writes that failed and were tried again
    last_error: str | None = None
    commits: int = 0
    commit_seconds: float = 0.0  # sum
    slowest_commit: float = 0.0
    bytes: int = 0  # written
    unsent_bytes: int = 0  # in the folder
    tails_cut: int = 0
    damages: int = 0  # found in what earlier runs left open


def host_clock() -> tuple[int, int]:
    """Wall and monotonic time of one instant, in nanoseconds; the latter is the clock that stamps the records.

    `perf_counter` and not `monotonic`: on Windows only the former is the one that .NET's Stopwatch reads.
    """
    return time.time_ns(), time.perf_counter_ns()


class Spool:
    """The spool of one folder. Every method is called from one thread; `progress` may be read from others."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        source: str,
        limits: Limits | None = None,
        clock: Callable[[], tuple[int, int]] = host_clock,
    ) -> "Spool":
        """Begin a run: seal what earlier ones left open, cut torn tails, write a mark. `source`: simulator, profitdll.

        Raises SpoolError when another writer has the folder or it cannot be written.
        """
        lock = FileLock(folder / "lock", thread_local=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout as error:
            raise SpoolError(f"spool {folder} has a writer already: end that process first") from error
        except OSError as error:
            raise SpoolError(f"spool {folder} cannot be written: {error}") from error
        try:
            files = Segments(folder, limits or Limits())
            left = files.close_left()
            return cls(files, lock, source, clock, left=left, run=next_run(folder))
        except OSError as error:
            lock.release()
            raise SpoolError(f"spool {folder} cannot be written: {error}") from error
        except BaseException:
            lock.release()
            raise

    def __init__(
        self,
        files: Segments,
        lock: FileLock,
        source: str,
        clock: Callable[[], tuple[int, int]],
        *,
        left: list[Left],
        run: Run,
    ) -> None:
        """Use `open`."""
        self.limits = files.limits
        self.run = run.number
        self.progress = Progress(run=run.number, committed=run.first - 1)
        self._files = files
        self._lock = lock
        self._source = source
        self._clock = clock
        self._assets: dict[int, Asset] = {}
        self._next = run.first  # number of what follows the buffer
        self._records = 0  # in the buffer, in closed frames
        self._buffer = np.empty(HEADER.size + self.limits.commit_bytes, np.uint8)
        self._end = 0  # of the closed frames in the buffer
        self._open: int | None = None  # where the records of the frame begin that is not closed yet
        self._fill = 0
        self._since: float | None = None  # when the oldest uncommitted thing came
        self._tally: Tally | None = None
        self._held: list[tuple[FrameKind, Bytes]] = []
        self._retry_at = 0.0
        self._tell(left)

    @property
    def due(self) -> bool:
        """Whether the oldest uncommitted thing has waited for `commit_seconds`."""
        return self._since is not None and time.monotonic() - self._since >= self.limits.commit_seconds

    def append(self, records: Records) -> int:
        """Take records of the ring in their order; how many. The others are dropped and counted. Commits when full."""
        taken = 0
        while taken < len(records):
            if self._tally is None and not self._room():
                self.commit()
            rest = records[taken:]
            if self._tally is not None or not self._room():
                self._drop(rest)
                break
            part = rest[: self._room()]
            self._copy(part)
            taken += len(part)
        self.progress.appended += taken
        return taken

    def assets(self, entries: Iterable[Asset]) -> None:
        """What numbers of assets mean; called before the first record that uses them."""
        new = [entry for entry in entries if self._assets.get(entry.number) != entry]
        if new:
            self._assets.update({entry.number: entry for entry in new})
            self._say(FrameKind.TABLE, Table(self._source, new))

    def mark(self, reason: str, **detail: Any) -> None:
        """Note that something happened between what came before and what comes after."""
        self._say(FrameKind.MARK, Mark(reason, detail))

    def commit(self) -> int:
        """Bring everything to the disk; the number of the last record that is durable. Raises nothing.

        When the disk or the bound is full, what is uncommitted stays here and is tried again, a few times a second.
        """
        self._close_group()
        waiting = self._end or self._tally or self._held
        if waiting and (not self.progress.last_error or time.monotonic() >= self._retry_at):
            began = time.monotonic()
            try:
                self._flush()
                self._recover()
                self._files.rotate_when_due()
            except (OSError, FullError) as error:
                self._failed(error)
            else:
                self._succeeded(time.monotonic() - began)
        self.progress.unsent_bytes = self._files.unsent_bytes
        return self.progress.committed

    def close(self) -> None:
        """End the run in order: everything committed, a mark, the segment sealed.

        The bound gives way to these last words: what was dropped until now is told nowhere else.
        """
        try:
            self.mark(STOP)
            self._files.bounded, self._retry_at = False, 0.0
            self.commit()
            self._files.finish()
            if self._end or self._tally or self._held:
                log.error("spool_ends_incomplete", reason=self.progress.last_error, dropped=self.progress.dropped)
        except OSError as error:
            log.error("spool_not_sealed", reason=str(error))  # noqa: TRY400 - the next run seals it; no trace needed
        finally:
            self._lock.release()

    def _tell(self, left: list[Left]) -> None:
        """The first words of a run: how the one before ended."""
        last = left[-1].receipt if left else None
        before = {"run": last.run, "last": last.last, "clean": left[-1].clean} if last else None
        self.mark(START, source=self._source, left=before)
        for each in left:
            self.progress.damages += len(each.damages)
            for damage in each.damages:
                log.error("spool_damaged", where=str(damage))
            if each.cut:
                self.progress.tails_cut += 1
                log.warning("spool_tail_cut", where=str(each.cut))
                self.mark(TAIL_CUT, file=each.cut.file, offset=each.cut.offset, why=str(each.cut))
        self.commit()
        if self.progress.last_error:
            raise OSError(self.progress.last_error)

    def _room(self) -> int:
        """How many records the buffer can still take."""
        at = self._fill if self._open is not None else self._end + HEADER.size
        return max(0, (len(self._buffer) - at) // SIZE)

    def _copy(self, records: Records) -> None:
        if self._open is None:
            self._open = self._fill = self._end + HEADER.size
        end = self._fill + len(records) * SIZE
        self._buffer[self._fill : end].view(WHOLE)[:] = records.view(WHOLE)
        self._fill = end
        self._since = self._since or time.monotonic()

    def _close_group(self) -> None:
        if self._open is None:
            return
        payload = self._buffer[self._open : self._fill]
        count = len(payload) // SIZE
        self._put_header(FrameKind.RECORDS, payload, count, self._open - HEADER.size)
        self._end, self._open = self._fill, None
        self._next += count
        self._records += count

    def _put_header(self, kind: FrameKind, payload: Bytes, count: int, at: int) -> None:
        made = header(kind, payload, run=self.run, first=self._next, count=count, clock=self._clock())
        self._buffer[at : at + HEADER.size] = np.frombuffer(made, np.uint8)

    def _say(self, kind: FrameKind, content: Struct) -> None:
        payload = spoken(content)
        self._close_group()
        if self._tally is None and self._end + HEADER.size + len(payload) > len(self._buffer):
            self.commit()
        if self._tally is None and self._put(kind, payload):
            return
        self._held = [*self._held[-MOST_HELD:], (kind, payload)]

    def _put(self, kind: FrameKind, payload: Bytes, count: int = 0) -> bool:
        end = self._end + HEADER.size + len(payload)
        if end > len(self._buffer):
            return False
        self._buffer[self._end + HEADER.size : end] = payload
        self._put_header(kind, payload, count, self._end)
        self._end = end
        self._since = self._since or time.monotonic()
        return True

    def _drop(self, records: Records) -> None:
        self._close_group()
        if self._tally is None:
            self._tally = Tally(self.progress.last_error or "the spool is full", self._next)
            self.progress.losses += 1
            self.progress.refusing = True
            log.error("spool_drops_records", reason=self._tally.reason, first=self._next)
        self._tally.add(records)
        self.progress.dropped += len(records)
        kinds = np.bincount(records["kind"])
        self.progress.dropped_kinds.update({int(kind): int(kinds[kind]) for kind in np.flatnonzero(kinds)})

    def _flush(self) -> None:
        if not self._end:
            return
        table = spoken(Table(self._source, list(self._assets.values())))
        first = self.progress.committed + 1
        head = header(FrameKind.TABLE, table, run=self.run, first=first, count=0, clock=self._clock())
        span = Span(self.run, first, self._next - 1, self._records)
        self._files.write(self._buffer[: self._end], head + table.tobytes(), span)
        self.progress.bytes += self._end
        self.progress.committed = span.last
        self._end = self._records = 0

    def _recover(self) -> None:
        """After a successful write: tell what was dropped, then what waited."""
        if self._tally is not None:
            tally = self._tally
            if not self._end:  # otherwise it stands in the buffer since a write that failed
                self._put(FrameKind.LOSS, spoken(tally.loss(self._assets)), tally.count)
                self._next += tally.count
            self._flush()
            self._tally = None
            self.progress.refusing = False
            log.error("spool_dropped_records", reason=tally.reason, first=tally.first, records=tally.count)
        while self._held:
            if self._put(*self._held[0]):
                self._held.pop(0)
            else:
                self._flush()
        self._flush()

    def _failed(self, error: Exception) -> None:
        self.progress.failures += 1
        if not self.progress.last_error:
            log.error("spool_write_failed", reason=str(error))
        self.progress.last_error = str(error)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _succeeded(self, seconds: float) -> None:
        if self.progress.last_error:
            log.warning("spool_writes_again", after=self.progress.last_error)
        self.progress.last_error = None
        self.progress.commits += 1
        self.progress.commit_seconds += seconds
        self.progress.slowest_commit = max(self.progress.slowest_commit, seconds)
        self._since = None
