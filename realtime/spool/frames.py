"""The form of a frame: a header of 56 bytes, then the ring's records as they are, or a few words about them in JSON.

Every record that the writer was given has a number, lost ones too: a frame says with which number it begins, so what is
missing between two frames is known even where nothing else is. Little-endian.
"""

import enum
import struct
from typing import Any

import google_crc32c
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from realtime.records import RECORD

MAGIC = b"TSSP"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIqqqqII")  # see `Frame`; the last number is the checksum
CHECKED = HEADER.size - 4  # bytes of the header that the checksum covers; all of the payload follows
MAX_PAYLOAD = 1 << 28
HISTORY_ASKED, HISTORY_ANSWERED = "history asked", "history answered"  # marks around the records of an answer
WHOLE = np.dtype((np.void, RECORD.itemsize))  # a record with the bytes between its fields: daily figures lie there

Bytes = npt.NDArray[np.uint8]
Records = npt.NDArray[np.void]


class FrameKind(enum.IntEnum):
    """What the payload of a frame is."""

    RECORDS = 1
    TABLE = 2  # `Table`: what the numbers of assets mean
    MARK = 3  # `Mark`: something happened here
    LOSS = 4  # `Loss`: so many records came and could not be kept


class Asset(Struct, frozen=True):
    """What the DLL calls an asset, by its number in one run."""

    number: int
    ticker: str
    exchange: str
    feed: int = 0


class Table(Struct, frozen=True):
    """Assets of a run, all at the beginning of a segment, new ones as they come, and where the records come from."""

    source: str
    assets: list[Asset]


class Mark(Struct, frozen=True):
    """A place where numbers may be missing for a reason: start, stop, a lost connection, a tail that was cut …"""

    reason: str
    detail: dict[str, Any] = {}


class LostTrades(Struct, frozen=True):
    """Trades of one asset and day that were dropped in a row. Times are milliseconds on the São Paulo clock."""

    asset: int
    ticker: str  # empty when the asset has no name yet
    count: int
    first: int  # trade numbers
    last: int
    first_time: int
    last_time: int


class Loss(Struct, frozen=True):
    """Records that the writer was given and could not keep; the frame's header has their numbers."""

    reason: str
    kinds: dict[str, int]  # kind of record -> how many
    trades: list[LostTrades]
    first_seq: int  # of the ring
    last_seq: int


class Frame(Struct, frozen=True):
    """One frame as it was read. `wall` and `mono` are one instant by two clocks, in nanoseconds."""

    kind: FrameKind
    run: int
    first: int  # number of its first record; of the next one, where it has none
    count: int  # records in it, or lost
    wall: int
    mono: int
    payload: Bytes
    segment: int
    offset: int  # in the segment

    @property
    def end(self) -> int:
        """Offset of what follows in the segment."""
        return self.offset + HEADER.size + len(self.payload)

    @property
    def following(self) -> int:
        """Number of the record that should come next."""
        return self.first + self.count

    def records(self) -> Records:
        """The records, not copied."""
        return self.payload.view(RECORD)

    def said(self, kind: type[Struct]) -> Any:
        """The payload of a frame that is no records."""
        return msgspec.json.decode(self.payload.tobytes(), type=kind)


class Short(Struct, frozen=True):
    """The bytes end within a frame, which needs so many."""

    needed: int


class Broken(Struct, frozen=True):
    """What stands where a frame was expected is none."""

    expected: str
    found: str


def header(kind: FrameKind, payload: Bytes, *, run: int, first: int, count: int, clock: tuple[int, int]) -> bytes:
    """The header of `payload`; `clock` is wall and monotonic time in nanoseconds."""
    wall, mono = clock
    open_ended = HEADER.pack(MAGIC, VERSION, kind, 0, len(payload), count, run, first, wall, mono, 0, 0)[:CHECKED]
    return open_ended + struct.pack("<I", checksum(open_ended, payload))


def spoken(content: Struct) -> Bytes:
    """`content` as a payload, its length a multiple of eight."""
    text = msgspec.json.encode(content)
    return np.frombuffer(text + b" " * (-len(text) % 8), np.uint8)


def checksum(checked: bytes, payload: Bytes) -> int:
    """CRC32C of a header and its payload."""
    found: int = google_crc32c.extend(google_crc32c.value(checked), payload)
    return found


def parse(data: Bytes, at: int, segment: int, base: int = 0) -> Frame | Short | Broken:
    """What stands at `at`. `base` is the offset of `data` in its segment."""
    if len(data) - at < HEADER.size:
        return Short(HEADER.size)
    raw = data[at : at + HEADER.size].tobytes()
    magic, version, kind, _, length, count, run, first, wall, mono, _, crc = HEADER.unpack(raw)
    if magic != MAGIC or version != VERSION or length > MAX_PAYLOAD:
        expected = f"{MAGIC!r} version {VERSION} and at most {MAX_PAYLOAD} bytes"
        return Broken(expected, f"{magic!r} version {version} and {length} bytes")
    if len(data) - at < HEADER.size + length:
        return Short(HEADER.size + length)
    payload = data[at + HEADER.size : at + HEADER.size + length]
    if (computed := checksum(raw[:CHECKED], payload)) != crc:
        return Broken(f"checksum {crc:08x} over {length} bytes", f"{computed:08x}")
    return Frame(FrameKind(kind), run, first, count, wall, mono, payload, segment, base + at)


def next_frame(data: Bytes, since: int, segment: int, base: int = 0) -> Frame | None:
    """The first whole frame at or after `since`."""
    raw = data.data
    text = bytes(raw[since:])
    at = text.find(MAGIC)
    while at >= 0:
        found = parse(data, since + at, segment, base)
        if isinstance(found, Frame):
            return found
        at = text.find(MAGIC, at + 1)
    return None


def joined(parts: list[Records]) -> Records:
    """Records one behind the other, with the bytes between their fields."""
    if len(parts) == 1:
        return parts[0]
    whole: Records = np.concatenate([part.view(WHOLE) for part in parts]).view(RECORD)
    return whole
