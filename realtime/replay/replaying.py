"""One replay from beginning to end: stored rows to a tape, the playing process and the strategy beside it, the proof.

Everything lies in a folder of its own below `<data>/replay/`, which goes with the replay, also after a kill.
"""

import contextlib
import datetime as dt
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl
from filelock import FileLock, Timeout
from msgspec import Struct

from realtime import tapes
from realtime.replay import SPOOL, TAPE, Plan, ReplayError, Speed, Subscribed, Told, script_of, write_plan
from realtime.replay.pace import Pace, Stopwatch
from realtime.replay.proof import Proof, Spooled, proven
from realtime.replay.told import Simplified, Teller
from realtime.tapes import MOST_SYMBOLS, TapeError
from sql.exchange import market_of
from sql.session_rows import Chosen, frames

STORED, LOCK = "stored.parquet", "lock"
BYTES_A_TRADE = 300  # tape twice while it is sorted, spool, copy of the rows
LEAST_FREE_BYTES = 500 << 20
END_SECONDS = 20.0
LOG_TAIL = 2_000

Write = Callable[[Chosen, Path], tuple[str, ...]]


class News(Protocol):
    """Where the operator is told what is going on."""

    def __call__(self, line: str, /) -> None: ...

    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar; its value is called with how much more was done."""


class Host(Struct, frozen=True):
    """Where it runs: the data directory, where the simulator's library is kept, the environment of the processes."""

    data_dir: Path
    downloads: Path
    environ: Mapping[str, str]


class Wish(Struct, frozen=True, kw_only=True):
    """The strategy that hears the replay."""

    strategy: str  # module:Class
    output: Path
    parameters: tuple[str, ...] = ()  # NAME=VALUE
    bar: str = "1m"


class Asked(Struct, frozen=True, kw_only=True):
    """What to replay, and how."""

    chosen: Chosen
    speed: Speed = "max"
    wish: Wish | None = None
    keep: bool = False


class Heard(Struct, frozen=True, kw_only=True):
    """What the strategy heard, and wrote."""

    strategy: str
    ticks: int
    signals: int
    output: str
    sha256: str


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a replay."""

    session: str
    holds: bool
    symbols: dict[str, int]  # trades
    tiers: tuple[str, ...]
    speed: Speed
    proof: Proof
    simplified: Simplified
    pace: Pace
    seconds: dict[str, float]  # read, play, prove
    strategy: Heard | None = None
    folder: str | None = None  # what was kept


def replay(asked: Asked, write: Write, host: Host, news: News) -> Answer:
    """Replay a session. `write` brings its stored rows into a file.

    Raises ReplayError when it cannot be told, or was not told whole; an answer that does not hold is returned.
    """
    with place(host.data_dir / "replay", asked.chosen.session, keep=asked.keep) as folder:
        began = time.monotonic()
        ready = prepare(asked, write, folder, host.downloads, news)
        read = time.monotonic()
        with _strategy(asked.wish, folder, host.environ) as strategy:
            last = play(folder, ready.plan, host.environ, news, _broken(strategy, folder))
            heard = _heard(asked.wish, strategy, folder, ready.plan.records)
        played = time.monotonic()
        stopwatch = Stopwatch(None if asked.speed == "max" else float(asked.speed))
        news("comparing what was told with what is stored")
        proof = proven(lambda: map(Teller().told, frames(folder / STORED)), Spooled(folder / SPOOL, stopwatch.heed))
        done = time.monotonic()
    return Answer(
        session=asked.chosen.session.isoformat(),
        holds=proof.holds and not last.dropped and not last.errors,
        symbols=ready.symbols,
        tiers=ready.tiers,
        speed=asked.speed,
        proof=proof,
        simplified=ready.simplified,
        pace=stopwatch.pace(),
        seconds={"read": read - began, "play": played - read, "prove": done - played},
        strategy=heard,
        folder=str(folder) if asked.keep else None,
    )


class Ready(Struct, frozen=True, kw_only=True):
    """A tape in its folder, and what is known of it."""

    plan: Plan
    symbols: dict[str, int]
    tiers: tuple[str, ...]
    simplified: Simplified


def prepare(asked: Asked, write: Write, folder: Path, downloads: Path, news: News) -> Ready:
    """Copy the stored rows into the folder, and make the tape of them. Raises ReplayError with what helps."""
    session = asked.chosen.session
    news(f"reading the session {session}")
    tiers = write(asked.chosen, folder / STORED)
    symbols = counted(folder / STORED)
    check_symbols(session, symbols, asked.chosen.symbols)
    trades = sum(symbols.values())
    check_disk(folder, trades)
    teller = Teller()
    try:
        written = tapes.from_ticks(folder / TAPE, map(teller.told, frames(folder / STORED)))
    except TapeError as error:
        raise ReplayError(f"session {session} cannot be put on a tape: {error}") from error
    teller.check()
    plan = Plan(
        script=script_of(folder.absolute() / TAPE, len(symbols), asked.speed),
        symbols=tuple(Subscribed(symbol, market_of(symbol)) for symbol in symbols),
        session=session.isoformat(),
        records=written.trades + written.cancelled,
        downloads=str(downloads),
    )
    write_plan(folder, plan)
    news(f"{trades:,} trades of {len(symbols)} symbols, {written.cancelled:,} of them cancelled later")
    return Ready(plan=plan, symbols=symbols, tiers=tiers, simplified=teller.simplified)


def counted(path: Path) -> dict[str, int]:
    """Trades of each symbol, most first."""
    rows = pl.scan_parquet(path).group_by("symbol").len().collect(engine="streaming")
    return dict(rows.sort("len", "symbol", descending=[True, False]).iter_rows())


def check_symbols(session: dt.date, found: Mapping[str, int], asked: tuple[str, ...]) -> None:
    """Raise ReplayError for a session that nobody has, a symbol without trades, more symbols than fit."""
    if not found:
        raise ReplayError(f"session {session}: no tier has a trade of it that was asked for")
    if missing := sorted(set(asked) - set(found)):
        raise ReplayError(f"session {session} has no trades of {', '.join(missing)}")
    if len(found) > MOST_SYMBOLS:
        busiest = " ".join(list(found)[:MOST_SYMBOLS])
        raise ReplayError(
            f"session {session} holds {len(found)} symbols and a replay takes {MOST_SYMBOLS} at most: name those you "
            f'want, for instance the busiest with --symbols "{busiest}"'
        )


def check_disk(folder: Path, trades: int) -> None:
    """Raise ReplayError where tape and spool would not fit."""
    need, free = trades * BYTES_A_TRADE + LEAST_FREE_BYTES, shutil.disk_usage(folder).free
    if free < need:
        raise ReplayError(
            f"a replay of {trades:,} trades needs {need >> 20:,} MB below {folder.parent}, {free >> 20:,} MB are free: "
            "free some, or ask for less with --symbols, --from and --to"
        )


def play(
    folder: Path, plan: Plan, environ: Mapping[str, str], news: News, broken: Callable[[], str | None] = lambda: None
) -> Told:
    """Run the playing process to its end; its last word. `broken` is asked meanwhile whether to give up.

    Raises ReplayError when not everything was told.
    """
    command = [sys.executable, "-P", "-m", "realtime.replay", str(folder)]
    log = folder / "replay.log"
    told = Told(trades=0)
    with log.open("wb") as errors, _process(command, environ, stdout=subprocess.PIPE, stderr=errors) as playing:
        assert playing.stdout is not None
        with news.progress("replaying", plan.records) as advance:
            for line in playing.stdout:
                before, told = told, msgspec.json.decode(line, type=Told)
                advance(told.trades - before.trades)
                if why := broken():
                    raise ReplayError(why)
        playing.wait(END_SECONDS)
    if not told.whole:
        raise ReplayError(f"the session was not told whole: {told.trouble or _tail(log)}")
    return told


@contextlib.contextmanager
def place(root: Path, session: dt.date, *, keep: bool) -> Iterator[Path]:
    """A folder of one replay, locked while it lives. Those of killed replays are taken away first."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob("*/" + LOCK):
        with contextlib.suppress(Timeout, OSError), FileLock(left, timeout=0):
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{session}-", dir=root))
    lock = FileLock(folder / LOCK)
    with lock:
        try:
            yield folder
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
    if keep:
        (folder / LOCK).unlink(missing_ok=True)  # from here on it is the operator's


@contextlib.contextmanager
def _process(command: list[str], environ: Mapping[str, str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=dict(environ), **streams) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.terminate()
                try:
                    running.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    running.kill()


@contextlib.contextmanager
def _strategy(wish: Wish | None, folder: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes] | None]:
    """The strategy's process, that waits for the spool; None when there is none."""
    if wish is None:
        yield None
        return
    command = [sys.executable, "-P", "-m", "realtime.strategy", wish.strategy, "--spool", str(folder / SPOOL)]
    command += ["--output", str(folder / "signals.jsonl"), "--from", "start", "--until-stop", "--bar", wish.bar]
    command += [f"--param={parameter}" for parameter in wish.parameters]
    with (
        (folder / "strategy.log").open("wb") as log,
        _process(command, environ, stdout=subprocess.PIPE, stderr=log) as running,
    ):
        yield running


def _broken(strategy: subprocess.Popen[bytes] | None, folder: Path) -> Callable[[], str | None]:
    def broken() -> str | None:
        if strategy is None or strategy.poll() in (None, 0):
            return None
        return f"the strategy ended with {strategy.returncode}: {_tail(folder / 'strategy.log')}"

    return broken


def _heard(wish: Wish | None, strategy: subprocess.Popen[bytes] | None, folder: Path, records: int) -> Heard | None:
    """Await the strategy, which may be far behind, and bring its lines where they are wanted."""
    if wish is None or strategy is None:
        return None
    said, _ = strategy.communicate()
    if why := _broken(strategy, folder)():
        raise ReplayError(why)
    told = msgspec.json.decode(said)
    if told["ticks"] != records:
        raise ReplayError(f"the strategy heard {told['ticks']} of {records} trades and cancellations")
    lines = (folder / "signals.jsonl").read_bytes()
    wish.output.parent.mkdir(parents=True, exist_ok=True)
    draft = wish.output.with_name(f".{wish.output.name}.part")
    draft.write_bytes(lines)
    draft.replace(wish.output)
    return Heard(
        strategy=wish.strategy,
        ticks=told["ticks"],
        signals=told["signals"],
        output=str(wish.output),
        sha256=hashlib.sha256(lines).hexdigest(),
    )


def _tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip() if log.is_file() else ""
    return text or f"nothing was said in {log.name}"
