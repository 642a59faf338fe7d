"""B3's public trade-by-trade files onto the tape: read whole, then stored; killed anywhere and run again, it is exact.

Every line is counted once: new, already there, cancelled, edited, refused or empty. Refused lines go to a quarantine
file, and nothing of a file whose container is damaged is stored.
"""

import contextlib
import datetime as dt
import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout
from msgspec import Struct, field

from sql import b3_ledger, completeness, tape_references, ticks
from sql.b3_layout import Refused
from sql.b3_ledger import ALL, Edition
from sql.b3_load import Load, load
from sql.b3_source import Block, Excess, RefusedFileError, Source
from sql.b3_stage import Staged, stage
from sql.coverage import start_of
from sql.exchange import SAO_PAULO
from sql.held import Below
from sql.hot import HotStore
from sql.sync import sync_table
from sql.tables import TICKS
from sql.ticks import Known
from sql.warm import WarmStore

SHOWN = 20
STAGING = "b3-"
VISIBLE_SECONDS = 600.0
TURN_SECONDS = 60.0

Progress = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], None]]]


class RefusedLine(Struct, frozen=True):
    """A line that was not stored, by its number in the text (the header is line 1)."""

    line: int
    reason: str


class Report(Struct, kw_only=True):
    """What an import did. `lines` (without the header) = new + repeated + cancelled + edited + refused + empty.

    `cancelled` counts cancellations that took effect, `repeated` lines that changed nothing. `matched` names the
    sessions in which another source's numbers are not shown to be the file's. `refusals` are the first
    ones; all of them, with their text, are in the file `quarantine`.
    """

    file: str
    sha256: str
    sessions: list[dt.date] = field(default_factory=list)
    scope: str = ALL
    final: bool = True
    as_of: dt.datetime | None = None
    lines: int = 0
    new: int = 0
    repeated: int = 0
    cancelled: int = 0
    edited: int = 0
    refused: int = 0
    empty: int = 0
    matched: list[str] = field(default_factory=list)
    refusals: list[RefusedLine] = field(default_factory=list)
    quarantine: str | None = None
    seconds: float = 0.0


class StaleFileError(RefusedFileError):
    """The tape already shows more of the session than the file does."""


def import_file(
    path: Path,
    hot: HotStore,
    warm: WarmStore,
    work_dir: Path,
    progress: Progress | None = None,
    *,
    now: dt.datetime | None = None,
) -> Report:
    """Store the trades of one B3 file (zip or txt); returns when they are visible. Repeatable.

    `work_dir` is the data directory: quarantine goes to `work_dir/quarantine`. Raises RefusedFileError when the file
    cannot be used (then nothing of it is stored), BusyError while another process writes its sessions, StoreError
    when a store is away.
    """
    started = time.monotonic()
    at = now or dt.datetime.now(dt.UTC)
    bar = progress or _silent
    source = Source(path)
    known = Known()
    with _staging(hot.import_dir or work_dir / "staging") as folder, _Quarantine(work_dir, source.path) as quarantine:
        with bar(f"reading {path.name}", source.size) as advance:
            staged = stage(source, known, folder, quarantine, advance)
        editions = _editions(source, staged, known, at)
        sessions = {session for _, session in known.pairs}
        with ticks.writing(warm, sessions), ticks.turn(hot, sessions, TURN_SECONDS):
            _refuse_stale(path, warm, editions)
            if gone := Below(warm).gone(sessions):
                raise RefusedFileError(
                    path, f"{gone[0]} is in the cold tier alone: hot and warm cannot tell what is new"
                )
            with ThreadPoolExecutor(1) as pool, bar(f"storing {path.name}", staged.lines) as advance:
                digest = pool.submit(_sha256, path)
                sums = pool.submit(tape_references.sums_of, staged, known)
                done = load(hot, staged, known, folder, at=at, advance=advance, below=Below(warm))
                report = Report(file=str(path), sha256=digest.result())
            _wait(hot)
            _quarantine_conflicts(source, done, quarantine)
            _tell(report, staged, done, editions)
            report.refusals, report.quarantine = quarantine.shown, quarantine.keep(report.sha256)
            file, whole = source.path.name, not staged.refused
            tape_references.record(warm, sums.result(), editions, whole=whole, file=file, at=at)
            _bring_below(hot, warm, known)
            b3_ledger.record(warm, editions, sha256=report.sha256, file=file, lines=staged.lines, at=at)
        _judge(hot, warm, known, file)
    report.seconds = round(time.monotonic() - started, 3)
    return report


def _tell(report: Report, staged: Staged, done: Load, editions: list[Edition]) -> None:
    report.lines, report.empty = staged.lines, staged.empty
    report.new, report.repeated = done.new, done.repeated
    report.cancelled, report.edited = done.cancelled, done.edited
    report.refused = staged.refused + done.refused
    report.matched = done.matched
    report.sessions = [edition.session for edition in editions]
    for edition in editions[-1:]:
        report.scope, report.final, report.as_of = edition.scope, edition.final, edition.as_of


def _editions(source: Source, staged: Staged, known: Known, now: dt.datetime) -> list[Edition]:
    symbols = {symbol for symbol, _ in known.pairs}
    scope = symbols.pop() if len(symbols) == 1 else ALL
    if scope != ALL and re.search(r"NEGOCIOSAVISTA(_\d{4})?\.\w+$", source.name):
        scope = ALL  # the file of all instruments, on a day when one of them traded
    names = (source.name, source.path.name)
    return [b3_ledger.edition_of(session, scope, names, now) for session in sorted(staged.references)]


def _refuse_stale(path: Path, warm: WarmStore, editions: list[Edition]) -> None:
    for edition in editions:
        found = b3_ledger.newer(warm, edition)
        if found is None or edition.as_of is None:
            continue
        local = f"{edition.as_of.astimezone(SAO_PAULO):%H:%M}"
        until = "to its end" if found.final else f"until {found.as_of.astimezone(SAO_PAULO):%H:%M}"
        raise StaleFileError(
            path,
            f"it shows session {edition.session} until {local}, and the tape already has it {until} ({found.file}); "
            "an older snapshot is not imported over a newer one",
        )


def _bring_below(hot: HotStore, warm: WarmStore, known: Known) -> None:
    """Rows below hot's floor go on to warm at once, where their days are; the archive rewrites its files then."""
    floor = Below(warm).floor()
    if floor is None:
        return
    days = {session + dt.timedelta(days=more) for _, session in known.pairs for more in (0, 1)}
    for day in sorted(days):
        if day < floor.date() and hot.days(TICKS, start_of(day), start_of(day) + dt.timedelta(days=1)):
            sync_table(TICKS, hot, warm, day=day)


def _judge(hot: HotStore, warm: WarmStore, known: Known, file: str) -> None:
    """The tape's ledger hears of the file: what it filled, and whether its sums are those of the tape."""
    sessions: dict[dt.date, list[str]] = {}
    for symbol, session in known.pairs:
        sessions.setdefault(session, []).append(symbol)
    for session, symbols in sessions.items():
        if kept := b3_ledger.judged(warm, session, symbols):
            completeness.judge_session(hot, warm, session, kept, filled_by=f"b3:{file}")


def _wait(hot: HotStore) -> None:
    hot.wait_applied(TICKS, VISIBLE_SECONDS)


def _quarantine_conflicts(source: Source, done: Load, quarantine: "_Quarantine") -> None:
    """The text of contradicting lines is read again: there are few, and usually none."""
    if not done.conflicts:
        return
    for first, data in _numbered_blocks(source):
        last = first + data.count(b"\n")
        wanted = [(line, of) for of, lines in done.conflicts.items() for line in lines if first <= line < last]
        texts = data.split(b"\n") if wanted else []
        for line, of in sorted(wanted):
            reason = f"the tape has another trade of this number from {of}: not the same numbering, or one is wrong"
            quarantine(Refused(line, reason, texts[line - first]))


def _numbered_blocks(source: Source) -> Iterator[tuple[int, bytes]]:
    for block in source.blocks(lambda _: None):
        if isinstance(block, Block):
            yield block.first, block.data
        elif isinstance(block, Excess):
            yield block.line, block.text + b"\n"


class _Quarantine:
    """Collects refused lines; the file appears under its name only when the import came to its end."""

    def __init__(self, work_dir: Path, path: Path) -> None:
        self._folder = work_dir / "quarantine"
        self._path = path
        self._draft = self._folder / f".{uuid.uuid4().hex}.part"
        self._file: IO[bytes] | None = None
        self.shown: list[RefusedLine] = []

    def __enter__(self) -> "_Quarantine":
        return self

    def __call__(self, bad: Refused) -> None:
        if len(self.shown) < SHOWN:
            self.shown.append(RefusedLine(bad.line, bad.reason))
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._draft.open("wb")
        text = bad.text.rstrip(b"\r\n")
        self._file.write(f"{bad.line}\t{bad.reason}\t".encode() + text + b"\n")

    def keep(self, sha256: str) -> str | None:
        if self._file is None:
            return None
        self._file.close()
        final = self._folder / f"{self._path.name}-{sha256[:12]}.txt"
        self._draft.replace(final)
        return str(final)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """A directory for one import. What a killed one left behind goes first: its lock is free."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{STAGING}{uuid.uuid4().hex[:12]}"
    lock = FileLock(folder / "lock")
    with FileLock(parent / "import.lock"):  # nobody sweeps a directory whose owner has not locked it yet
        for left in parent.glob(f"{STAGING}*"):
            _sweep(left)
        folder.mkdir()
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(left: Path) -> None:
    lock = FileLock(left / "lock")
    with contextlib.suppress(Timeout, OSError):
        lock.acquire(timeout=0)
        lock.release()
        shutil.rmtree(left, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _silent(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _done: None


__all__ = ["Progress", "RefusedFileError", "RefusedLine", "Report", "StaleFileError", "import_file"]
