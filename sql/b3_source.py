"""The bytes of a B3 file, zip or text, as blocks of whole lines in bounded memory, and what makes a file unusable.

A file whose container is damaged is refused as a whole; a bad line is not this module's business.
"""

import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from isal import isal_zlib
from msgspec import Struct

from sql.errors import StoreError

PIECE = 1 << 20
COMPRESSED_PIECE = 128 << 10
BLOCK = 4 << 20
MAX_LINE = 64 << 10  # a trade takes about 75 bytes
KEPT_OF_LONG_LINE = 1 << 10
MAX_BYTES = 64 << 30  # a whole day of all instruments takes about one
MAX_RATIO = 250  # trades compress 6 to 12 times, zeros a thousand times
RATIO_FROM = 64 << 20
LOCAL_HEADER = struct.Struct("<4s5H3L2H")

Advance = Callable[[int], None]


class RefusedFileError(StoreError):
    """The file cannot be used; nothing of it was stored."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Nothing of it was stored")
        self.path = path
        self.reason = reason


class Block(Struct, frozen=True):
    """Whole lines, each with its line end. `first` is the number of the first one; the header is line 1."""

    first: int
    data: bytes
    lines: int


class Excess(Struct, frozen=True):
    """One line that cannot be a trade: too long, or without a line end. `text` is its beginning."""

    line: int
    length: int
    text: bytes
    ended: bool


class Source:
    """One file. `name` is what the text inside is called, `size` what `advance` will add up to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise RefusedFileError(path, "expected a B3 file (zip or txt), found a directory")
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                start = file.read(4)
        except FileNotFoundError as error:
            raise RefusedFileError(path, "no such file") from error
        except OSError as error:
            raise RefusedFileError(path, f"cannot be read ({error.strerror})") from error
        self.member = _member(path) if start[:2] == b"PK" else None
        self.name = Path(self.member.filename).name if self.member else path.name

    @property
    def zipped(self) -> bool:
        return self.member is not None

    def pieces(self, advance: Advance) -> Iterator[bytes]:
        """The text by megabytes. Raises RefusedFileError, at the latest at the end, when the file is damaged."""
        try:
            with self.path.open("rb") as file:
                if self.member:
                    yield from _inflated(self.path, file, self.member, advance)
                    return
                while piece := file.read(PIECE):
                    advance(len(piece))
                    yield piece
        except OSError as error:
            raise RefusedFileError(self.path, f"cannot be read ({error.strerror})") from error

    def blocks(self, advance: Advance, size: int = BLOCK) -> Iterator[Block | Excess]:
        """Header and lines in blocks of about `size` bytes."""
        line, held = 1, 0
        whole: list[bytes | memoryview] = []  # pieces that end with a line end; `held` bytes
        tail, dropped = b"", 0  # the line that is not complete yet, and how much of it was let go
        for raw in self.pieces(advance):
            piece = raw
            if dropped and (end := piece.find(b"\n") + 1):
                yield Excess(line, dropped + len(tail) + end, tail[:KEPT_OF_LONG_LINE], ended=True)
                line, dropped, tail, piece = line + 1, 0, b"", piece[end:]
            end = 0 if dropped else piece.rfind(b"\n") + 1
            if end:
                whole += (tail, memoryview(piece)[:end])
                held, tail = held + len(tail) + end, piece[end:]
            else:
                tail += piece
            too_long = len(tail) > MAX_LINE
            if held and (held >= size or too_long):
                block = _block(line, whole)
                yield block
                line, whole, held = line + block.lines, [], 0
            if too_long:
                dropped, tail = dropped + len(tail) - KEPT_OF_LONG_LINE, tail[:KEPT_OF_LONG_LINE]
        if held:
            block = _block(line, whole)
            yield block
            line += block.lines
        if tail:
            yield Excess(line, dropped + len(tail), tail, ended=False)


def _block(first: int, parts: list[bytes | memoryview]) -> Block:
    data = b"".join(parts)
    # Four times faster than bytes.count where one byte in seventy is meant.
    return Block(first, data, int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == 0x0A)))


def _member(path: Path) -> zipfile.ZipInfo:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusedFileError(path, f"the zip is damaged or not complete ({error}); get it again") from error
    if not members:
        raise RefusedFileError(path, "the zip is empty: expected one text file inside")
    member = members[0]
    if member.flag_bits & 1:
        raise RefusedFileError(path, f"{member.filename} inside is encrypted; B3's files are not")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedFileError(path, f"{member.filename} inside is compressed in a way that B3 does not use")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > MAX_BYTES or (member.file_size > RATIO_FROM and ratio > MAX_RATIO):
        raise RefusedFileError(
            path, f"{member.filename} inside would grow {ratio:.0f} times to {member.file_size:,} bytes: no trading day"
        )
    return member


def _inflated(path: Path, file: IO[bytes], member: zipfile.ZipInfo, advance: Advance) -> Iterator[bytes]:
    # zipfile's own reader takes four times as long; a day of five million trades has 360 MB.
    damaged = RefusedFileError(path, f"the zip is damaged or not complete ({member.filename} inside); get it again")
    file.seek(member.header_offset)
    header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise damaged
    file.seek(sum(LOCAL_HEADER.unpack(header)[-2:]), 1)
    inflate = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS) if member.compress_type == zipfile.ZIP_DEFLATED else None
    left, size, checksum = member.compress_size, 0, 0
    try:
        while left and (raw := file.read(min(COMPRESSED_PIECE, left))):
            left -= len(raw)
            advance(len(raw))
            while raw:
                piece = inflate.decompress(raw, PIECE) if inflate else raw
                raw = inflate.unconsumed_tail if inflate else b""
                size, checksum = size + len(piece), isal_zlib.crc32(piece, checksum)
                if size > member.file_size:
                    raise damaged
                if piece:
                    yield piece
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub takes the class for an instance
        raise damaged from error
    if inflate:
        piece = inflate.flush()
        size, checksum = size + len(piece), isal_zlib.crc32(piece, checksum)
        if piece:
            yield piece
    if left or size != member.file_size or checksum != member.CRC or (inflate and not inflate.eof):
        raise damaged
