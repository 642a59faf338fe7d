"""The journal as a chain of records over its files: what a record looks like, where the files are, and how to read on.

`journal.jsonl` is written; older files stand beside it under the number of their first record and are never changed.
Their chain is one: the first record of a file is chained to the last of the one before.
"""

import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct

MAC_FIELD = b',"mac":"'
MAC_HEX = 64
TAIL = MAC_HEX + 2  # the hash, the quote, the brace
SEED = b"tradingsystem journal 1"
BEGINNING = SEED.hex()  # what the first record is chained to
ACTIVE, HEAD, ANCHOR = "journal.jsonl", "head.json", "anchor.json"
PATIENCE_SECONDS = 2.0  # for files that another process is moving
PAUSE_SECONDS = 0.01
T = TypeVar("T")
CARRIED = "carried"  # a record of everything that is known: who starts needs nothing before it


class JournalError(Exception):
    """The journal cannot be used. Nothing may leave that would have to be written here first."""


class BrokenChainError(JournalError):
    """A record is not what was written. `line` counts from 1 in its file."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path} line {line}: {why}")
        self.line = line
        self.why = why


class Record(Struct, frozen=True, kw_only=True):
    """One entry. `number` counts from 1 without holes; `at` is UTC; `body` belongs to the kind."""

    number: int
    at: dt.datetime
    kind: str
    body: dict[str, Any]


class Unread(Struct, frozen=True):
    """A record whose body is still the JSON that it was written as: whoever knows its kind reads it at once."""

    number: int
    kind: str
    body: msgspec.Raw


class Head(Struct, frozen=True):
    """How far the chain went when the head was last synced: it may lag behind the file, never lead it.

    The hashes of the journal can be read by anybody; `seal` says that its writer put this one here.
    """

    number: int
    mac: str
    seal: str


class Link(Struct, frozen=True):
    """A record that was proven, and its hash."""

    record: Record
    mac: str


class Segment(Struct, frozen=True):
    """One file, by the number of its first record."""

    first: int
    path: Path


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
_RECORD = msgspec.json.Decoder(Record)
_UNREAD = msgspec.json.Decoder(Unread)


def journal_id(key: bytes) -> str:
    """The name of the journal that a key writes: what left it is known by this, and tells nothing of the key."""
    return hmac.new(key, b"the name of a journal", hashlib.sha256).hexdigest()[:16]


def sealed(record: Record, before: str, key: bytes) -> tuple[bytes, str]:
    """The line of a record and its hash, chained to the one before."""
    body = msgspec.json.encode(record, order="deterministic")
    mac = _mac(body, before, key)
    return body[:-1] + MAC_FIELD + mac.encode() + b'"}\n', mac


def proven(line: bytes, number: int, before: str, key: bytes) -> tuple[str | None, str]:
    """What is wrong with a line, and the hash that the next one is chained to."""
    body, rest = _parts(line)
    if body is None:
        return "no record with a hash", before
    mac = _mac(body, before, key)
    if not hmac.compare_digest(mac.encode(), rest):
        return "its hash does not fit: this record or one before it was edited, deleted, inserted or moved", before
    try:
        found = _UNREAD.decode(body).number
    except UNREADABLE as error:
        return f"no record: {error}", before
    return (None if found == number else f"number {number} expected, found {found}"), mac


def begins(rest: bytes, number: int) -> bool:
    """Whether bytes without a line's end may be what a power cut left of record `number`, with zeros behind it."""
    start = b'{"number":%d,"at":"' % number
    return start.startswith(rest.rstrip(b"\0")[: len(start)])


def records(path: Path) -> Iterator[Record]:
    """The whole records of one file in their order, unverified."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _RECORD.decode(line)


def unread(path: Path) -> Iterator[Unread]:
    """The same with their bodies left alone."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _UNREAD.decode(line)


def patiently(read: Callable[[], T], moved: tuple[type[OSError], ...] = (FileNotFoundError, PermissionError)) -> T:
    """What `read` returns, which looks at the files anew each time it is called.

    Another process may be removing, renaming or replacing one of them just then: it is gone, and on Windows it cannot
    be opened for a moment. Raises OSError when that lasts.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return read()
        except moved:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def segments(folder: Path) -> list[Segment]:
    """The files of a journal, oldest first; the last one is written. Raises JournalError for a name nobody gave."""
    return patiently(lambda: _segments(folder))


def _segments(folder: Path) -> list[Segment]:
    found = []
    for path in folder.glob("journal-*.jsonl"):
        number = path.stem.removeprefix("journal-")
        if not (number.isdecimal() and int(number) and path == segment_path(folder, int(number))):
            raise JournalError(f"{path}: expected journal-NUMBER.jsonl, the number of a record in 12 digits")
        found.append(Segment(int(number), path))
    found.sort(key=lambda each: each.first)
    active = folder / ACTIVE
    if active.is_file():
        found.append(Segment(_first_of(active) or (last_link(found[-1].path)[0] + 1 if found else 1), active))
    return found


def last_link(path: Path) -> tuple[int, str]:
    """Number and hash of a file's last record, as they stand there. Raises JournalError when it has none."""
    record, mac = last_record(path)
    return record.number, mac


def last_record(path: Path) -> tuple[Record, str]:
    """A file's last record and its hash, as they stand there. Raises JournalError when it has none."""
    last = b""
    with path.open("rb") as file:
        for line in file:
            last = line
    body, rest = _parts(last)
    try:
        if body is not None:
            return _RECORD.decode(body), rest.decode("ascii", "replace")
    except UNREADABLE:
        pass
    raise JournalError(f"{path}: its last line is no record with a hash")


def begins_with_all(path: Path) -> bool:
    """Whether a file's first record carries all that is known."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return line.endswith(b"\n") and _RECORD.decode(line).kind == CARRIED
    except UNREADABLE:
        return False


def _first_of(path: Path) -> int | None:
    """The number that a file's first line claims; None where it has none that can be read."""
    try:
        return next((record.number for record in records(path)), None)
    except UNREADABLE:
        return None


def head_of(folder: Path, key: bytes) -> Head | None:
    """The head with its seal proven; None when there is none. Raises JournalError."""
    return _sealed_place(folder / HEAD, key, "head")


def anchor_of(folder: Path, key: bytes) -> Head | None:
    """The last record that was removed once its days of keeping were over, with its seal proven; None: none was.

    Raises JournalError.
    """
    return _sealed_place(folder / ANCHOR, key, "anchor")


def read_head(path: Path) -> Head | None:
    """The head as it stands there. Raises JournalError when it cannot be read, or is not how one is written."""
    try:
        data = patiently(path.read_bytes, (PermissionError,))
        head = msgspec.json.decode(data, type=Head)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # bytes that are no text are a ValueError too
        raise JournalError(f"{path} cannot be read: {error}") from error
    if msgspec.json.encode(head) != data:  # white space, or fields that nobody asks for: its seal would fit
        raise JournalError(f"{path} is not as it was written: it was edited")
    return head


def placed(number: int, mac: str, key: bytes, what: str = "head") -> Head:
    """A place in the chain, sealed."""
    return Head(number, mac, _seal(number, mac, key, what))


def seals(head: Head, key: bytes, what: str = "head") -> bool:
    """Whether the writer of the journal put this place there."""
    return hmac.compare_digest(head.seal.encode(), _seal(head.number, head.mac, key, what).encode())


def _sealed_place(path: Path, key: bytes, what: str) -> Head | None:
    head = read_head(path)
    if head is not None and not seals(head, key, what):
        raise JournalError(f"{path}: its seal does not fit: it was edited, or written with another key")
    return head


def _seal(number: int, mac: str, key: bytes, what: str) -> str:
    return hmac.new(key, f"{what} {number} {mac}".encode(), hashlib.sha256).hexdigest()


class Tail:
    """Reads on in a journal that another process writes: proven link by link, and only what its head vouches for.

    A record beyond the head may not be on the disk yet, and another may take its number after a power cut.
    """

    def __init__(self, folder: Path, key: bytes, number: int = 0, mac: str = BEGINNING) -> None:
        """Read what follows record `number`, whose hash is `mac`; it must be the last of its file, or 0."""
        self.number = number
        self.mac = mac
        self._folder = folder
        self._key = key
        self._first = number + 1  # of the file that is read
        self._offset = 0
        self._line = 0

    def read(self, most: int, most_bytes: int = 16 << 20) -> list[Link]:
        """The next links, at most about so many. Raises BrokenChainError, JournalError, OSError."""
        head = head_of(self._folder, self._key)
        if head is None or head.number <= self.number:
            return []
        found: list[Link] = []
        while not found:
            file, ended = self._opened()
            with file:
                file.seek(self._offset)
                until = self._offset + most_bytes
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    found.append(self._taken(line, Path(file.name)))
                    if self.number == head.number or len(found) == most or self._offset >= until:
                        break
            if not found and not ended:
                raise JournalError(f"{file.name} ends after record {self.number}, and its head has seen {head.number}")
            if not found:
                self._first, self._offset, self._line = self.number + 1, 0, 0
        return found

    def _opened(self) -> tuple[BinaryIO, bool]:
        """The file that holds what follows, or ends before it; and whether it is one that was put aside."""
        aside = segment_path(self._folder, self._first)
        if not aside.is_file():
            file = (self._folder / ACTIVE).open("rb")
            if not aside.is_file():
                return file, False
            file.close()  # put aside just now: which of the two was opened cannot be told
        return aside.open("rb"), True

    def _taken(self, line: bytes, path: Path) -> Link:
        wrong, mac = proven(line, self.number + 1, self.mac, self._key)
        if wrong:
            raise BrokenChainError(path, self._line + 1, wrong)
        self.number, self.mac = self.number + 1, mac
        self._offset += len(line)
        self._line += 1
        return Link(_RECORD.decode(line), mac)


def segment_path(folder: Path, first: int) -> Path:
    """Where the file stands that begins with a record, once it was put aside."""
    return folder / f"journal-{first:012d}.jsonl"


def _parts(line: bytes) -> tuple[bytes | None, bytes]:
    """The record without its hash, as it was hashed, and the hash; no record where it has none."""
    cut = -TAIL - 1 - len(MAC_FIELD)
    field, rest = line[cut : -TAIL - 1], line[-TAIL - 1 :]
    if field != MAC_FIELD or rest[-3:] != b'"}\n':
        return None, b""
    return line[:cut] + b"}", rest[:MAC_HEX]


def _mac(body: bytes, before: str, key: bytes) -> str:
    return hmac.new(key, before.encode() + body, hashlib.sha256).hexdigest()
