"""The processes of a replay: the one that plays, the strategy's, and the stream's. Each ends with its block."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from realtime.replay import SPOOL, Plan, ReplayError, Told
from realtime.replay.preparing import News, Wish

HEARD, SERVED, SIGNALS = "strategy.log", "stream.log", "signals.jsonl"
END_SECONDS = 20.0
LOG_TAIL = 2_000

Running = subprocess.Popen[bytes]


def play(
    folder: Path, plan: Plan, environ: Mapping[str, str], news: News, trouble: Callable[[], str | None] = lambda: None
) -> Told:
    """Run the playing process to its end; its last word. `trouble` is asked meanwhile whether to give up.

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
                if why := trouble():
                    raise ReplayError(why)
        playing.wait(END_SECONDS)
    if not told.whole:
        raise ReplayError(f"the session was not told whole: {told.trouble or _tail(log)}")
    return told


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
def hearing(wish: Wish | None, folder: Path, environ: Mapping[str, str]) -> Iterator[Running | None]:
    """The strategy's process, that waits for the spool; None when there is none."""
    if wish is None:
        yield None
        return
    command = [sys.executable, "-P", "-m", "realtime.strategy", wish.strategy, "--spool", str(folder / SPOOL)]
    command += ["--output", str(folder / SIGNALS), "--from", "start", "--until-stop", "--bar", wish.bar]
    command += [f"--param={parameter}" for parameter in wish.parameters]
    with (
        (folder / HEARD).open("wb") as log,
        _process(command, environ, stdout=subprocess.PIPE, stderr=log) as running,
    ):
        yield running


@contextlib.contextmanager
def serving(port: int, folder: Path, environ: Mapping[str, str]) -> Iterator[Running]:
    """The process that tells the replay to WebSocket clients, from before its first trade."""
    command = [sys.executable, "-P", "-m", "realtime.replay.serving", str(folder)]
    chosen = {**environ, "DATA_CAPTURE_PORT": str(port)}
    with (folder / SERVED).open("wb") as log, _process(command, chosen, stdout=log, stderr=log) as running:
        yield running


def broken(what: str, process: Running, log: Path) -> str | None:
    """That a process ended, with its last words; None while it runs."""
    return None if process.poll() is None else f"{what} ended with {process.returncode}: {_tail(log)}"


def _tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip() if log.is_file() else ""
    return text or f"nothing was said in {log.name}"
