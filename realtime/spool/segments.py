"""Segments on disk: their names, the receipt of a sealed one, and what is done with one that a crash left open.

`segment-N.spool` is written to, `segment-N.sealed` never changes again. A sealed one has `segment-N.receipt` beside it.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from realtime.spool.frames import Broken, Bytes, Frame, FrameKind, Mark, next_frame, parse
from sql import durable

OPEN, SEALED, RECEIPT = ".spool", ".sealed", ".receipt"
STOP = "stop"  # the mark that ends a run in order


class Receipt(Struct, frozen=True, kw_only=True):
    """What a sealed segment holds. Instants are nanoseconds since 1970."""

    segment: int
    run: int
    records: int
    first: int  # numbers of records; `last` is `first` - 1 where there is none
    last: int
    bytes: int
    sha256: str
    began: int
    ended: int


class Damage(Struct, frozen=True):
    """A place in a segment that cannot be read; reading went on at `resumed`, or it is the end of the file."""

    file: str
    offset: int
    expected: str
    found: str
    resumed: int | None

    def __str__(self) -> str:
        after = f"reading goes on at {self.resumed}" if self.resumed is not None else "nothing follows it"
        return f"{self.file} at {self.offset}: expected {self.expected}, found {self.found}; {after}"


class Left(Struct, frozen=True):
    """An open segment of a run that is over, as it was sealed."""

    receipt: Receipt
    cut: Damage | None  # its tail, that is gone
    damages: list[Damage]  # places before it, that are as they were
    clean: bool  # its run ended in order


def name(number: int, suffix: str) -> str:
    """File name of a segment or of its receipt."""
    return f"segment-{number:010d}{suffix}"


def numbers(folder: Path, *suffixes: str) -> list[int]:
    """The segments in `folder`, in order."""
    found = (path for path in folder.iterdir() if path.suffix in suffixes) if folder.is_dir() else ()
    return sorted({int(path.stem.partition("-")[2]) for path in found if path.stem.startswith("segment-")})


def place(folders: Sequence[Path], number: int) -> Path | None:
    """The file of a segment, in the first folder that has it."""
    for folder in folders:
        for suffix in (OPEN, SEALED):
            path = folder / name(number, suffix)
            if path.is_file():
                return path
    return None


def receipt_of(folder: Path, number: int) -> Receipt | None:
    """The receipt of a sealed segment; None when there is none that can be read."""
    try:
        return msgspec.json.decode((folder / name(number, RECEIPT)).read_bytes(), type=Receipt)
    except (OSError, msgspec.MsgspecError):
        return None


def seal(path: Path, receipt: Receipt) -> Path:
    """Write the receipt, then take the segment out of writing. Repeatable. Raises OSError, and then it stays open."""
    durable.replace(path.with_suffix(RECEIPT), msgspec.json.format(msgspec.json.encode(receipt), indent=2))
    sealed = path.with_suffix(SEALED)
    path.rename(sealed)
    durable.sync_folder(path.parent)
    return sealed


def walk(data: Bytes, file: str, number: int) -> tuple[list[Frame], list[Damage], Damage | None]:
    """All frames of a segment that is not written any more, the damages between them, and what is wrong at its end."""
    frames: list[Frame] = []
    damages: list[Damage] = []
    at = 0
    while at < len(data):
        found = parse(data, at, number)
        if isinstance(found, Frame):
            frames.append(found)
            at = found.end
            continue
        after = next_frame(data, at + 1, number)
        expected, seen = described(found, len(data) - at)
        damage = Damage(file, at, expected, seen, after.offset if after else None)
        if after is None:
            return frames, damages, damage
        damages.append(damage)
        at = after.offset
    return frames, damages, None


def described(found: object, left: int) -> tuple[str, str]:
    """What was expected and what was found where no frame stands."""
    if isinstance(found, Broken):
        return found.expected, found.found
    return f"{getattr(found, 'needed', 0)} bytes", str(left)


def close_left(path: Path) -> Left:
    """Cut the torn tail of a segment that nobody writes any more, and seal it."""
    number = int(path.stem.partition("-")[2])
    data = np.fromfile(path, np.uint8)
    frames, damages, tail = walk(data, path.name, number)
    end = tail.offset if tail else len(data)
    if tail:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            os.ftruncate(descriptor, end)
            durable.sync(descriptor)
        finally:
            os.close(descriptor)
    receipt = _receipt(number, frames, data[:end])
    seal(path, receipt)
    last = frames[-1] if frames else None
    clean = last is not None and last.kind == FrameKind.MARK and last.said(Mark).reason == STOP
    return Left(receipt, tail, damages, clean)


def _receipt(number: int, frames: list[Frame], data: Bytes) -> Receipt:
    first = frames[0].first if frames else 0
    return Receipt(
        segment=number,
        run=frames[-1].run if frames else 0,
        records=sum(frame.count for frame in frames if frame.kind == FrameKind.RECORDS),
        first=first,
        last=frames[-1].following - 1 if frames else first - 1,
        bytes=len(data),
        sha256=hashlib.sha256(data.data).hexdigest(),
        began=frames[0].wall if frames else 0,
        ended=frames[-1].wall if frames else 0,
    )
