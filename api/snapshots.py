"""Ranges of the tape as Parquet files that hold still while they are read.

A reader of Parquet asks for several byte ranges of one file without telling that they belong together. So the file of a
range is kept as it was: only a request that starts a reading may renew it, and not while another reading is going on.
"""

import hashlib
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from sql.tables import Tier
from sql.tape import Source, Span, Tape

PAUSE_SECONDS = 2.0  # without a request for that long, a reading is over
KEEP_SECONDS = 600.0
KEEP_FILES = 32


class Snapshot(Struct, kw_only=True):
    """The file of a range. `ours` is False for a file of the cold tier, which we only lend."""

    path: Path
    version: str
    tiers: tuple[Tier, ...]
    ours: bool
    used_at: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.blake2b(f"{self.version}{self.path.name}".encode(), digest_size=12).hexdigest()}"'


class Snapshots:
    """The files of the ranges that were asked for lately, in a temporary folder of this process."""

    def __init__(self, tape: Tape, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tape = tape
        self._clock = clock
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._building: dict[Span, threading.Lock] = {}
        self._held: dict[Span, Snapshot] = {}

    def of(self, span: Span, *, starts: bool) -> Snapshot:
        """The file of `span`; `starts` when the request begins a reading. Blocks while the file is being written."""
        with self._lock:
            building = self._building.setdefault(span, threading.Lock())
        with building:
            held = self._held.get(span)
            now = self._clock()
            if held is None or not held.path.exists() or (starts and now - held.used_at > PAUSE_SECONDS):
                held = self._renewed(span, held)
            held.used_at = now
        self._tidy(now)
        return held

    def close(self) -> None:
        """Remove every file."""
        with self._lock:
            self._held.clear()
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _renewed(self, span: Span, held: Snapshot | None) -> Snapshot:
        source = self._tape.source(span)
        if held and held.version == source.version and held.path.exists():
            return held
        snapshot = self._written(span, source)
        with self._lock:
            self._held[span] = snapshot
        if held:
            _discard(held)
        return snapshot

    def _written(self, span: Span, source: Source) -> Snapshot:
        path = source.file or self._path()
        if source.file is None:
            self._tape.write(span, source, path)
        ours = source.file is None
        return Snapshot(path=path, version=source.version, tiers=source.tiers, ours=ours, used_at=self._clock())

    def _path(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="tradingsystem-api-"))
            return self._folder / f"{uuid.uuid4().hex}.parquet"

    def _tidy(self, now: float) -> None:
        with self._lock:
            by_age = sorted(self._held, key=lambda span: self._held[span].used_at)
            for number, span in enumerate(by_age):
                idle = now - self._held[span].used_at
                if idle > KEEP_SECONDS or (len(by_age) - number > KEEP_FILES and idle > PAUSE_SECONDS):
                    _discard(self._held.pop(span))
                    self._building.pop(span, None)


def _discard(snapshot: Snapshot) -> None:
    if snapshot.ours:
        try:
            snapshot.path.unlink(missing_ok=True)
        except PermissionError:  # Windows: still being read; it goes with the folder
            return
