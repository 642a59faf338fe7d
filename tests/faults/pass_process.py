"""Passes in a process of their own, to be killed where they are, with a clock that may run backwards.

`python -m tests.faults.pass_process` does what each line of its input says, and answers each with a line of JSON:
what it did, or what it was refused. An error that is neither ours nor a full disk is a defect, and told as one.
"""

import argparse
import contextlib
import datetime as dt
import itertools
import json
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from config.settings import Settings, load
from launcher import instance
from launcher.errors import DISK
from sql import stores
from sql.archive import archive_table
from sql.cold import ColdStore
from sql.errors import StoreError
from sql.evidence import Tiers
from sql.sync import sync_table
from sql.verify import verify
from tests.benchmarks.passes import named

START_SECONDS = 60.0
PASS_SECONDS = 120.0
Answer = dict[str, Any]
REAL = dt.datetime


class PassProcess:
    """The process as its owner sees it."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self._answers: queue.Queue[Answer | None] = queue.Queue()
        threading.Thread(target=self._read, name="answers of a pass process", daemon=True).start()

    def do(self, *words: object) -> Answer:
        """What it answers to one order. Raises AssertionError when it does not, or tells of a defect."""
        self.begin(*words)
        answer = self.answer(PASS_SECONDS)
        assert answer is not None, f"no answer to {words} within {PASS_SECONDS:g} s"
        return answer

    def begin(self, *words: object) -> None:
        """Say what to do, and do not wait."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()

    def answer(self, seconds: float) -> Answer | None:
        """The next answer; None when it is still at work after so long."""
        with contextlib.suppress(queue.Empty):
            answer = self._answers.get(timeout=max(seconds, 0.0005))
            assert answer is not None, "the process that makes passes ended by itself"
            assert "defect" not in answer, answer["defect"]
            return answer
        return None

    def kill(self) -> bool:
        """End it where it is; whether a pass was still at work."""
        self._child.kill()
        self._child.wait(30)
        return self._answers.get(timeout=30) is None  # what it said before its end, or nothing

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)


@contextlib.contextmanager
def pass_process(
    settings: Settings, *, prefix: Sequence[str] = (), cold: Path | None = None, clock: float = 0.0
) -> Iterator[PassProcess]:
    """A fresh process, ended with the block. `clock`: so many seconds its clock goes back at every look."""
    options = ["--clock", str(clock), *(["--cold", str(cold)] if cold else [])]
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.faults.pass_process", *options],
        env=instance.child_environment(settings),
        cwd=settings.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        made = PassProcess(child)
        try:
            assert made.answer(START_SECONDS) is not None, "the process that makes passes did not start"
            yield made
        finally:
            assert child.stdin is not None
            with contextlib.suppress(OSError):  # it was killed
                child.stdin.close()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


class _Instants(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, REAL)


@contextlib.contextmanager
def clock_going_back(seconds: float) -> Iterator[None]:
    """Whoever asks Python for the time gets an earlier one each time."""
    looks = itertools.count(1)

    class Backwards(REAL, metaclass=_Instants):
        __slots__ = ()  # as large as the real one: compiled modules look

        @classmethod
        def now(cls, tz=None):
            return REAL.now(tz) - dt.timedelta(seconds=seconds) * next(looks)

    real = time.time

    def earlier() -> float:
        return real() - seconds * next(looks)

    with mock.patch.object(dt, "datetime", Backwards), mock.patch.object(time, "time", earlier):
        yield


def _do(tiers: Tiers, way: str, told: list[str]) -> Answer:
    if way == "remount":  # more room for a cold tier on a file system of its own
        subprocess.run(["mount", "-o", f"remount,size={told[0]}", str(tiers.cold.root)], check=True, timeout=30)
        return {}
    if way == "files":
        return {"files": sorted(p.relative_to(tiers.cold.root).as_posix() for p in tiers.cold.root.rglob("*.*"))}
    table = tiers.cold.tables[0]
    if way == "archive":
        days = archive_table(table, tiers.warm, tiers.cold)
        return {"rows": sum(day.rows for day in days), "agree": all(day.rows_agree for day in days)}
    if way == "verify":
        verdict = verify([table], tiers, today=dt.date.fromisoformat(told[0]))
        return {"differences": [f"{each.tier} {each.day}: {each.reason}" for each in verdict.differences]}
    result = sync_table(table, tiers.hot, tiers.warm, work_dir=tiers.work_dir)
    return {"rows": result.rows_copied, "agree": result.rows_agree}


def _answer(tiers: Tiers, way: str, told: list[str]) -> Answer:
    try:
        return _do(tiers, way, told)
    except StoreError as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    except Exception as error:  # the top of the process: told to its owner, who fails
        if isinstance(error, OSError) and error.errno in DISK:
            return {"refused": str(error)}
        return {"defect": traceback.format_exc()}


def serve() -> None:
    """Passes over the stores that the environment names, until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", type=Path)
    parser.add_argument("--clock", type=float, default=0.0)
    asked = parser.parse_args()
    settings = load()
    hot, warm = stores.hot(settings), stores.warm(settings)

    answers = sys.stdout

    def say(answer: Answer) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say({"ready": hot.ready() and warm.ready()})
    clock = clock_going_back(asked.clock) if asked.clock else contextlib.nullcontext()
    with clock, contextlib.redirect_stdout(sys.stderr):  # what a retry logs is no answer
        for line in sys.stdin:
            way, name, *told = json.loads(line)
            cold = ColdStore(asked.cold or settings.cold_dir, [named(name)])
            say(_answer(Tiers(hot, warm, cold, stores.work_dir(settings)), way, told))


if __name__ == "__main__":
    serve()
