"""The reading end of the spool, for another process than the writer's: from a position on, through all segments.

It never changes anything. A file is open only while it is read, so that the writer can rename it on Windows too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog
from msgspec import Struct

from realtime.spool import segments
from realtime.spool.frames import (
    HEADER,
    Asset,
    Bytes,
    Frame,
    FrameKind,
    Short,
    Table,
    next_frame,
    parse,
)
from realtime.spool.segments import OPEN, SEALED, Damage, described

READ_BYTES = 24 << 20

log = structlog.get_logger("realtime.spool")


class Position(Struct, frozen=True, order=True):
    """A place between two frames."""

    segment: int = 0
    offset: int = 0


class Found(Struct, frozen=True):
    """What was read in one go, all of one segment, in order, and where the next reading begins."""

    frames: list[Frame]
    damages: list[Damage]
    after: Position


class Reader:
    """Reads from `position` on. `folders`: where segments are looked for, the writer's first."""

    def __init__(self, folders: Sequence[Path], position: Position) -> None:
        self.position = position
        self.source = ""
        self.assets: dict[int, Asset] = {}  # of the run that is being read
        self._folders = folders
        self._run = 0
        if position.offset:
            self._learn()

    def read(self, limit: int = READ_BYTES) -> Found:
        """What follows, at most about `limit` bytes; nothing when there is nothing yet. Moves `position`."""
        while True:
            found, over = self._read(limit)
            self.position = found.after
            for frame in found.frames:
                if frame.kind == FrameKind.TABLE:
                    self._know(frame)
            for damage in found.damages:
                log.error("spool_damaged", where=str(damage))
            if found.frames or found.damages or not over:
                return found

    def later_segments(self) -> bool:
        """Whether the segment of the position has a successor."""
        return self._successor(self.position.segment) is not None

    def unread_bytes(self) -> int:
        """Bytes after the position in what is there now."""
        total = 0
        for folder in self._folders:
            for number in segments.numbers(folder, OPEN, SEALED):
                path = segments.place([folder], number) if number >= self.position.segment else None
                if path is not None:
                    total += _size(path) - (self.position.offset if number == self.position.segment else 0)
        return max(total, 0)

    def _read(self, limit: int) -> tuple[Found, bool]:
        """What follows in this segment, and whether reading goes on in another one at once."""
        at = self.position
        successor = self._successor(at.segment)
        path = segments.place(self._folders, at.segment)
        if path is None:
            after = at if successor is None else Position(successor)
            return Found([], [], after), successor is not None
        over = path.suffix == SEALED or successor is not None  # asked before it is read: then nothing is added
        try:
            data = _bytes(path, at.offset, limit)
        except FileNotFoundError:
            return Found([], [], at), True  # it was renamed or moved just now
        found = self._parsed(path, data, at, over=over)
        if found.frames or found.damages:
            return found, False
        if over and successor is not None:
            return Found([], [], Position(successor)), True
        return found, False

    def _parsed(self, path: Path, data: Bytes, since: Position, *, over: bool) -> Found:
        frames: list[Frame] = []
        at = 0
        while at < len(data):
            found = parse(data, at, since.segment, since.offset)
            if isinstance(found, Frame):
                frames.append(found)
                at = found.end - since.offset
                continue
            if frames:
                break  # these first; what is here is looked at again from its own beginning
            return self._stopped(path, since, over=over)
        return Found(frames, [], Position(since.segment, since.offset + at))

    def _stopped(self, path: Path, at: Position, *, over: bool) -> Found:
        """No frame stands at `at`: more of it is read, it is waited for, or it is damage."""
        data = _bytes(path, at.offset, None)
        again = parse(data, 0, at.segment, at.offset)
        if isinstance(again, Frame):
            return Found([again], [], Position(at.segment, again.end))
        resumed = next_frame(data, 1, at.segment, at.offset) if len(data) > HEADER.size else None
        if resumed is None and not over:
            return Found([], [], at)  # the writer is at it, or was killed; who opens next cuts it off
        expected, seen = described(again, len(data))
        if resumed is None and isinstance(again, Short) and not len(data):
            return Found([], [], at)
        damage = Damage(path.name, at.offset, expected, seen, resumed.offset if resumed else None)
        after = resumed.offset if resumed else at.offset + len(data)
        return Found([], [damage], Position(at.segment, after))

    def _successor(self, number: int) -> int | None:
        for folder in self._folders:
            if segments.place([folder], number + 1) is not None:
                return number + 1
        later = [n for folder in self._folders for n in segments.numbers(folder, OPEN, SEALED) if n > number]
        return min(later, default=None)

    def _learn(self) -> None:
        """Learn the assets that this segment named before the position."""
        path = segments.place(self._folders, self.position.segment)
        if path is None:
            return
        frames, _, _ = segments.walk(_bytes(path, 0, self.position.offset), path.name, self.position.segment)
        for frame in frames:
            if frame.kind == FrameKind.TABLE:
                self._know(frame)

    def _know(self, frame: Frame) -> None:
        if frame.run != self._run:
            self._run, self.assets = frame.run, {}
        table: Table = frame.said(Table)
        self.source = table.source
        # a new one: others hold what they were given, in other threads
        self.assets = {**self.assets, **{asset.number: asset for asset in table.assets}}


def _bytes(path: Path, offset: int, limit: int | None) -> Bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return np.frombuffer(file.read() if limit is None else file.read(limit), np.uint8)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
