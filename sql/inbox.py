"""The drop folder: a B3 file laid there goes onto the tape once, by the hash of its content, and then to `done/`, or to
`refused/` with the reason beside it. The move is the last step, so a pass that was killed anywhere is run again whole:
what the ledger knows is not imported twice, and a file that was half way is imported again, which changes nothing.
"""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from sql.errors import StoreError

if TYPE_CHECKING:
    from sql.b3_files import Report
    from sql.hot import HotStore
    from sql.warm import WarmStore

QUIET_SECONDS = 5.0  # a file whose size or time still changes is being copied
ABANDONED_SECONDS = 86_400.0
Fate = Literal["imported", "known", "refused"]
REPORT, REASON = ".report.json", ".reason.txt"


class Taken(Struct, frozen=True, kw_only=True):
    """What became of one file. `path` is where it stands now."""

    name: str
    sha256: str
    fate: Fate
    path: Path
    reason: str = ""
    sessions: tuple[dt.date, ...] = ()
    new: int = 0
    refused_lines: int = 0


class Inbox(Struct, frozen=True):
    """The drop folder and the data directory, where refused lines are kept. Making one touches nothing."""

    folder: Path
    data_dir: Path

    def waiting(self) -> list[Path]:
        """The files that are whole, by name; hidden ones and those somebody still writes are left alone."""
        if not self.folder.is_dir():
            return []
        now = time.time()
        return sorted(path for path in self.folder.iterdir() if _is_ours(path) and _age(path, now) >= QUIET_SECONDS)

    def take_all(self, hot: "HotStore", warm: "WarmStore", tell: Callable[[Taken], None]) -> list[Taken]:
        """Import every waiting file; the others are not held up by one that cannot be imported now.

        Raises the first StoreError (a store is away, another process imports) or OSError (somebody holds the file)
        when all were tried; such a file stays.
        """
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        done: list[Taken] = []
        failed: list[Exception] = []
        with FileLock(self.folder / ".lock", timeout=600):
            self._sweep()
            for path in self.waiting():
                try:
                    done.append(self._take(path, hot, warm))
                    tell(done[-1])
                except (StoreError, OSError) as error:
                    failed.append(error)
        if failed:
            raise failed[0]
        return done

    def _take(self, path: Path, hot: "HotStore", warm: "WarmStore") -> Taken:
        from sql import b3_ledger
        from sql.b3_files import RefusedFileError, import_file
        from sql.cold import sha256_of

        sha256 = sha256_of(path)
        if b3_ledger.is_imported(warm, sha256):
            return self._done(path, sha256, None)
        try:
            report = import_file(path, hot, warm, self.data_dir)
        except RefusedFileError as error:
            return self._refused(path, sha256, str(error))
        return self._done(path, sha256, report)

    def _done(self, path: Path, sha256: str, report: "Report | None") -> Taken:
        target = self._target("done", path, sha256)
        if report is not None:
            target.with_name(target.name + REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        path.replace(target)
        return Taken(
            name=path.name,
            sha256=sha256,
            fate="imported" if report else "known",
            path=target,
            sessions=tuple(report.sessions) if report else (),
            new=report.new if report else 0,
            refused_lines=report.refused if report else 0,
        )

    def _refused(self, path: Path, sha256: str, reason: str) -> Taken:
        target = self._target("refused", path, sha256)
        target.with_name(target.name + REASON).write_text(f"{reason}\n", encoding="utf-8")
        path.replace(target)
        return Taken(name=path.name, sha256=sha256, fate="refused", path=target, reason=reason)

    def _target(self, where: str, path: Path, sha256: str) -> Path:
        folder = self.folder / where
        folder.mkdir(exist_ok=True)
        return folder / f"{sha256[:12]}_{path.name}"  # two contents under one name are two files

    def _sweep(self) -> None:
        now = time.time()
        for left in self.folder.glob(".*.part"):  # of a download that was killed
            if _age(left, now) > ABANDONED_SECONDS:
                left.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _age(path: Path, now: float) -> float:
    try:
        return abs(now - path.stat().st_mtime)  # a copy may bring a time of another clock
    except FileNotFoundError:  # taken by another pass a moment ago
        return 0.0
