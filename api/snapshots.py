"""Answers as Parquet files that hold still while they are read.

A reader of Parquet asks for several byte ranges of one file without telling that they belong together. So the file of
an answer is kept as it was: only a request that starts a reading may renew it, and not while another goes on.
"""

import hashlib
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Hashable
from pathlib import Path

from msgspec import Struct

from sql.contract import Tier
from sql.tape import Source

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


class Answer(Struct, frozen=True, kw_only=True):
    """What a file is to hold: the same `key` is the same question, `source` says what the answer depends on now."""

    key: Hashable
    source: Callable[[], Source]
    write: Callable[[Source, Path], None]


class Snapshots:
    """The files of the answers that were asked for lately, in a temporary folder of this process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._building: dict[Hashable, threading.Lock] = {}
        self._held: dict[Hashable, Snapshot] = {}

    def of(self, answer: Answer, *, starts: bool) -> Snapshot:
        """The file of `answer`; `starts` when the request begins a reading. Blocks while the file is being written."""
        with self._lock:
            building = self._building.setdefault(answer.key, threading.Lock())
        with building:
            held = self._held.get(answer.key)
            now = self._clock()
            if held is None or not held.path.exists() or (starts and now - held.used_at > PAUSE_SECONDS):
                held = self._renewed(answer, held)
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

    def _renewed(self, answer: Answer, held: Snapshot | None) -> Snapshot:
        source = answer.source()
        if held and held.version == source.version and held.path.exists():
            return held
        snapshot = self._written(answer, source)
        with self._lock:
            self._held[answer.key] = snapshot
        if held:
            _discard(held)
        return snapshot

    def _written(self, answer: Answer, source: Source) -> Snapshot:
        path = source.file or self._path()
        if source.file is None:
            answer.write(source, path)
        ours = source.file is None
        return Snapshot(path=path, version=source.version, tiers=source.tiers, ours=ours, used_at=self._clock())

    def _path(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="tradingsystem-api-"))
            return self._folder / f"{uuid.uuid4().hex}.parquet"

    def _tidy(self, now: float) -> None:
        with self._lock:
            by_age = sorted(self._held, key=lambda key: self._held[key].used_at)
            for number, key in enumerate(by_age):
                idle = now - self._held[key].used_at
                if idle > KEEP_SECONDS or (len(by_age) - number > KEEP_FILES and idle > PAUSE_SECONDS):
                    _discard(self._held.pop(key))
                    self._building.pop(key, None)


def _discard(snapshot: Snapshot) -> None:
    if snapshot.ours:
        try:
            snapshot.path.unlink(missing_ok=True)
        except PermissionError:  # Windows: still being read; it goes with the folder
            return
