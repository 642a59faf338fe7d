"""The kill switch: a latch that no order passes, on the disk before anything else, released by a person alone.

The latch stands in a file whose bytes were taken from the disk long before, and is overwritten in place: a full disk
cannot keep it open. A file that is missing where orders were sent before, or that cannot be read, means on.
"""

import datetime as dt
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from realtime.orders.broker import NotSentError
from sql import durable

BYTES = 512  # one sector: it is written whole or not at all
REASON_CHARACTERS = 120
ESCAPED = '"\\'  # by JSON
SEND_SECONDS = 1.0  # how long `pull` waits for a send that had begun before


class Latch(Struct, frozen=True, kw_only=True):
    """Why the switch is on, since when, and who pulled it."""

    reason: str
    by: str
    at: dt.datetime
    flatten: bool = False


class SwitchedOffError(NotSentError):
    """The switch is on: nothing may leave."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the kill switch is on: {reason}", "KILL_SWITCH")


class PulledAgainError(Exception):
    """Somebody pulled the switch while it was being released."""


class Switch:
    """One latch. Any thread may pull; a send happens inside `sending`, which refuses once it was pulled."""

    def __init__(self, path: Path, *, used_before: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._sending = 0  # sends that have begun and not come back
        self._disk = threading.Lock()  # one writer of the file
        self.failed: str | None = None  # why the latch could not be put on the disk
        self.pulls = 0  # so that one which comes while the switch is being released is not lost
        self._latch = self._kept = self._read(used_before=used_before)
        self._descriptor = self._reserved()

    @property
    def latch(self) -> Latch | None:
        """Why it is on; None while it is off."""
        return self._latch

    def pull(self, latch: Latch) -> Latch:
        """Turn it on, durably; returns the latch in force, which is the first one. When it returns, no send begins.

        A send that had begun before has come back by then, or hangs for longer than a second. A disk that takes
        nothing does not keep the switch from working; `failed` says so.
        """
        with self._lock:
            self.pulls += 1
            held = self._latch or latch
            held = self._latch = msgspec.structs.replace(held, flatten=held.flatten or latch.flatten)
        self._keep()
        self._idle.wait(SEND_SECONDS)
        return held

    def release(self, pulls: int | None = None) -> None:
        """Turn it off, where it was not pulled since `pulls` was read: who releases has not seen why.

        Raises OSError when the disk does not take it, PulledAgainError: it stays on then.
        """
        seen = self.pulls if pulls is None else pulls
        with self._disk:
            self._write(b"")
            self._kept = None
            with self._lock:
                if self.pulls == seen:
                    self._latch, self.failed = None, None
        if self._latch is not None:
            self._keep()
            raise PulledAgainError("it was pulled again meanwhile")

    def check(self) -> None:
        """Look before the way to the broker is begun. Raises SwitchedOffError; `sending` alone is proof."""
        if (latch := self._latch) is not None:
            raise SwitchedOffError(latch.reason)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """The time of one send, entered where nothing is waited for any more.

        Raises SwitchedOffError once the switch is on: there is no moment between.
        """
        with self._lock:
            if self._latch is not None:
                raise SwitchedOffError(self._latch.reason)
            self._sending += 1
            self._idle.clear()
        try:
            yield
        finally:
            with self._lock:
                self._sending -= 1
                if not self._sending:
                    self._idle.set()

    def close(self) -> None:
        """Let go of the file; the latch stays as it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _keep(self) -> None:
        with self._disk:
            latch = self._latch  # as it is by now: another thread may have pulled as well
            if latch is None or self._kept == latch:
                return  # another thread was first, or it was released meanwhile
            try:
                self._write(msgspec.json.encode(_short(latch)))
                self._kept, self.failed = latch, None
            except (OSError, ValueError) as error:
                self.failed = f"{self._path} cannot be written: {error}"

    def _read(self, *, used_before: bool) -> Latch | None:
        try:
            return _latch_of(self._path.read_bytes())
        except FileNotFoundError:
            return _unreadable("its file is missing") if used_before else None
        except (OSError, ValueError) as error:
            return _unreadable(f"its file cannot be read: {error}")

    def _reserved(self) -> int | None:
        """The open file, with its bytes on the disk. None when there is no room: the switch is on then."""
        try:
            if not self._path.is_file() or self._path.stat().st_size != BYTES:
                durable.replace(
                    self._path, _sector(b"" if self._latch is None else msgspec.json.encode(_short(self._latch)))
                )
            return os.open(self._path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError) as error:
            self.failed = f"{self._path} cannot be written: {error}"
            self._latch = self._latch or _unreadable(self.failed)
            return None

    def _write(self, body: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        durable.write_all(self._descriptor, memoryview(_sector(body)))
        durable.sync(self._descriptor)


def latched(path: Path) -> Latch | None:
    """The latch as it stands on the disk, for those who only look. Raises FileNotFoundError, ValueError."""
    return _latch_of(path.read_bytes())


def _sector(body: bytes) -> bytes:
    head = f"{zlib.crc32(body):08x} ".encode()
    if len(head) + len(body) >= BYTES:
        raise ValueError(f"a latch of {len(body)} bytes does not fit into {BYTES}")
    return (head + body).ljust(BYTES - 1) + b"\n"


def _latch_of(sector: bytes) -> Latch | None:
    """Raises ValueError for bytes that nobody wrote."""
    crc, _, body = sector.rstrip().partition(b" ")
    if f"{zlib.crc32(body):08x}".encode() != crc:
        raise ValueError("its check sum does not fit")
    return msgspec.json.decode(body, type=Latch) if body else None


def _short(latch: Latch) -> Latch:
    """What fits into the sector; the whole reason stands in the journal."""
    return msgspec.structs.replace(latch, reason=_cut(latch.reason), by=_cut(latch.by))


def _cut(text: str) -> str:
    """As many bytes in JSON as it has characters: nothing that would have to be escaped."""
    return "".join(c if " " <= c <= "~" and c not in ESCAPED else "?" for c in text[:REASON_CHARACTERS])


def _unreadable(why: str) -> Latch:
    return Latch(reason=f"the kill switch counts as on: {why}", by="process", at=dt.datetime.now(dt.UTC))
