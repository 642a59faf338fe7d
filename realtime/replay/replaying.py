"""One replay from beginning to end: stored rows to a tape, the playing process and the strategy beside it, the proof.

Everything lies in a folder of its own below `<data>/replay/`, which goes with the replay, also after a kill.
"""

import contextlib
import datetime as dt
import hashlib
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from realtime.replay import SPOOL, ReplayError, Speed
from realtime.replay.pace import Pace, Stopwatch
from realtime.replay.preparing import STORED, Asked, Host, News, Write, prepare
from realtime.replay.processes import HEARD, SERVED, SIGNALS, Running, broken, hearing, play, serving
from realtime.replay.proof import Proof, Spooled, proven
from realtime.replay.told import Simplified, Teller
from sql.session_rows import frames

LOCK = "lock"
LOOK_SECONDS = 0.2


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
        if asked.serve is None:
            return _Replay(asked, host, news, folder).answer(write)
        with serving(asked.serve, folder, host.environ) as stream:
            answer = _Replay(asked, host, news, folder, stream).answer(write)
            news(f"served on ws://127.0.0.1:{asked.serve}/ws/trades (from_sequence=1: all of it) until Ctrl-C")
            _until_asked(stream)
        return answer


def _until_asked(stream: Running) -> None:
    """Until SIGINT or SIGTERM, or until the stream ends by itself."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while stream.poll() is None and not asked.wait(LOOK_SECONDS):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Replay:
    """One replay in its folder."""

    def __init__(self, asked: Asked, host: Host, news: News, folder: Path, stream: Running | None = None) -> None:
        self._asked = asked
        self._host = host
        self._news = news
        self._folder = folder
        self._stream = stream

    def answer(self, write: Write) -> Answer:
        """Prepare, play and prove."""
        asked, folder = self._asked, self._folder
        began = time.monotonic()
        ready = prepare(asked, write, folder, self._host.downloads, self._news)
        read = time.monotonic()
        with hearing(asked.wish, folder, self._host.environ) as strategy:
            last = play(folder, ready.plan, self._host.environ, self._news, lambda: self._broken(strategy))
            heard = self._heard(strategy, ready.plan.records)
        played = time.monotonic()
        stopwatch = Stopwatch(None if asked.speed == "max" else float(asked.speed))
        self._news("comparing what was told with what is stored")
        proof = proven(lambda: map(Teller().told, frames(folder / STORED)), Spooled(folder / SPOOL, stopwatch.heed))
        return Answer(
            session=asked.chosen.session.isoformat(),
            holds=proof.holds and not last.dropped and not last.errors,
            symbols=ready.symbols,
            tiers=ready.tiers,
            speed=asked.speed,
            proof=proof,
            simplified=ready.simplified,
            pace=stopwatch.pace(),
            seconds={"read": read - began, "play": played - read, "prove": time.monotonic() - played},
            strategy=heard,
            folder=str(folder) if asked.keep else None,
        )

    def _broken(self, strategy: Running | None) -> str | None:
        """Why nobody hears it as was asked for."""
        stream = broken("the stream", self._stream, self._folder / SERVED) if self._stream else None
        if strategy is None or strategy.poll() == 0:
            return stream
        return stream or broken("the strategy", strategy, self._folder / HEARD)

    def _heard(self, strategy: Running | None, records: int) -> Heard | None:
        """Await the strategy, which may be far behind, and bring its lines where they are wanted."""
        wish = self._asked.wish
        if wish is None or strategy is None:
            return None
        said, _ = strategy.communicate()
        if why := self._broken(strategy):
            raise ReplayError(why)
        told = msgspec.json.decode(said.splitlines()[-1])  # the strategy's own words may stand above
        if told["ticks"] != records:
            raise ReplayError(f"the strategy heard {told['ticks']} of {records} trades and cancellations")
        lines = (self._folder / SIGNALS).read_bytes()
        bring(lines, wish.output)
        return Heard(
            strategy=wish.strategy,
            ticks=told["ticks"],
            signals=told["signals"],
            output=str(wish.output),
            sha256=hashlib.sha256(lines).hexdigest(),
        )


def bring(lines: bytes, output: Path) -> None:
    """Replace `output` as a whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f".{output.name}.part")
    draft.write_bytes(lines)
    draft.replace(output)


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
