"""The segments of one writer: one that is written to, those that wait to be sealed, and the bound of them all."""

import hashlib
import os
import time
from pathlib import Path

import structlog
from msgspec import Struct

from config import settings as configuration
from realtime.spool import segments
from realtime.spool.frames import Bytes
from realtime.spool.runs import raw_of
from realtime.spool.segments import OPEN, SEALED, Left, Receipt
from sql import durable

log = structlog.get_logger("realtime.spool")


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes and times of a spool. `max_bytes` bounds what was not sent yet."""

    max_bytes: int = 20 << 30
    segment_bytes: int = 128 << 20
    segment_seconds: float = 3600.0
    commit_bytes: int = 4 << 20  # at most so much waits for one commit, and must fit below the bound
    commit_seconds: float = 0.02

    @classmethod
    def of(cls, settings: configuration.Spool) -> "Limits":
        """Those that are set."""
        return cls(
            max_bytes=settings.max_bytes,
            segment_bytes=min(settings.segment_bytes, settings.max_bytes // 4),
            commit_bytes=min(cls().commit_bytes, settings.max_bytes // 8),
            commit_seconds=settings.commit_seconds,
        )


class Span(Struct, frozen=True):
    """What a group of frames holds: numbers of records from `first` to `last`, lost ones too, and `records` of them."""

    run: int
    first: int
    last: int
    records: int


class FullError(Exception):
    """The bound is reached."""


class Segments:
    """Writes whole groups of frames, each durable or not there at all."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.bounded = True
        self._number = max([0, *segments.numbers(folder, OPEN, SEALED), *segments.numbers(raw_of(folder), SEALED)])
        self._current: _Current | None = None
        self._unsealed: list[tuple[Path, Receipt | None]] = []
        self._others = 0

    @property
    def unsent_bytes(self) -> int:
        """Bytes of all segments in the folder, about: what the sender took is seen when a segment ends."""
        return self._others + (self._current.size if self._current else 0)

    def close_left(self) -> list[Left]:
        """Seal what earlier runs left open."""
        left = [
            segments.close_left(self.folder / segments.name(number, OPEN))
            for number in segments.numbers(self.folder, OPEN)
        ]
        self._look()
        return left

    def write(self, data: Bytes, table: bytes, span: Span) -> None:
        """Append frames and sync; a new segment begins with `table`. Raises OSError or FullError: nothing is there."""
        if self._current is None:
            self._check_bound(len(data) + len(table))
            self._number += 1
            self._current = _Current(self.folder, self._number, span)
        else:
            self._check_bound(len(data))
        try:
            self._current.write(data, table, span)
        except OSError:
            if not self._current.usable:
                self._unsealed.append((self._current.path, None))
                self._current = None
            raise

    def rotate_when_due(self) -> None:
        """Seal the segment that is large or old enough."""
        current, limits = self._current, self.limits
        if current:
            seconds = time.monotonic() - current.began
            if current.size >= limits.segment_bytes or seconds >= limits.segment_seconds:
                self._retire()
        if self._unsealed:
            self._seal()

    def finish(self) -> None:
        """Seal everything. Raises OSError."""
        self._retire()
        self._seal()
        if self._unsealed:
            raise OSError(f"{len(self._unsealed)} segments stay open in {self.folder}")

    def _check_bound(self, more: int) -> None:
        bound = self.limits.max_bytes
        if not self.bounded or self.unsent_bytes + more <= bound:
            return
        self._look()
        if self.unsent_bytes + more <= bound:
            return
        if self._current and self._current.size:
            self._retire()  # only what is sealed can be taken away by the sender
            self._seal()
            self._look()
        raise FullError(f"{self.folder} holds {self.unsent_bytes} bytes that were not sent, the bound is {bound}")

    def _look(self) -> None:
        own = self._current.path.name if self._current else ""
        self._others = 0
        for path in self.folder.glob("segment-*"):
            if path.suffix in (OPEN, SEALED) and path.name != own:
                try:
                    self._others += path.stat().st_size
                except FileNotFoundError:
                    continue  # the sender took it

    def _retire(self) -> None:
        if self._current:
            self._unsealed.append((self._current.path, self._current.finished()))
            self._current = None

    def _seal(self) -> None:
        for path, receipt in list(self._unsealed):
            try:
                if receipt:
                    segments.seal(path, receipt)
                else:
                    segments.close_left(path)
            except OSError as error:  # a full disk, or on Windows a reader that has it open just now
                log.warning("segment_not_sealed_yet", file=path.name, reason=str(error))
                continue
            self._unsealed.remove((path, receipt))
        self._look()


class _Current:
    """The segment that is written to."""

    def __init__(self, folder: Path, number: int, span: Span) -> None:
        self.path = folder / segments.name(number, OPEN)
        self.size = 0
        self.usable = True
        self.began = time.monotonic()
        self._number = number
        self._span = Span(span.run, span.first, span.first - 1, 0)
        self._began_at = time.time_ns()
        self._sha256 = hashlib.sha256()
        self._descriptor = os.open(self.path, durable.FLAGS, 0o644)
        try:
            durable.sync_folder(folder)
        except OSError:
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)
            raise

    def write(self, data: Bytes, table: bytes, span: Span) -> None:
        """Append and sync. On an error the file is as before, or `usable` no more."""
        head = b"" if self.size else table
        try:
            if head:
                durable.write_all(self._descriptor, memoryview(head))
            durable.write_all(self._descriptor, data.data)
            durable.sync(self._descriptor)
        except OSError:
            self._take_back()
            raise
        for part in (head, data.data):
            self._sha256.update(part)
        self.size += len(head) + len(data)
        self._span = Span(span.run, self._span.first, span.last, self._span.records + span.records)

    def finished(self) -> Receipt:
        """Close the file; its receipt."""
        os.close(self._descriptor)
        return Receipt(
            segment=self._number,
            run=self._span.run,
            records=self._span.records,
            first=self._span.first,
            last=self._span.last,
            bytes=self.size,
            sha256=self._sha256.hexdigest(),
            began=self._began_at,
            ended=time.time_ns(),
        )

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            durable.sync(self._descriptor)
        except OSError:  # what the disk holds of the tail is not known: the next segment takes over
            self.usable = False
            os.close(self._descriptor)
