"""Supervised children: started after what they need, watched, restarted after a crash, stopped in reverse order.

One thread per child walks it through `waiting`, `starting`, `ok`, `failing` and `down`. A child lives in a session of
its own, so that Ctrl-C in the terminal reaches only us; nothing that descends from it outlives it.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher import processes
from launcher.errors import ChildError, LauncherError
from launcher.processes import Mark
from launcher.report import Report

LOG_BYTES = 16 * 2**20
LOGS_KEPT = 3
WATCH_SECONDS = 5.0
FIRST_DELAY_SECONDS = 0.25
LAST_DELAY_SECONDS = 30.0
FAILING_AFTER = 3  # crashes, or unanswered checks, in a row
# Python children take Ctrl-Break as a request to end; Windows' SIGTERM would kill them.
if sys.platform == "win32":
    POLITE_SIGNAL = signal.CTRL_BREAK_EVENT
else:
    POLITE_SIGNAL = signal.SIGTERM
STEADY_SECONDS = 60.0  # a child that ran so long starts with a clean record


class NotReadyError(Exception):
    """A health check that was not passed; the message says what came instead."""


class IllError(NotReadyError):
    """It answers, and says that it is not well: what it needs is missing, not the process."""


def nothing() -> None:
    """For children without preparation."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """How one process is prepared, started, asked for its health and stopped."""

    name: str
    command: Callable[[], list[str]]  # asked before each start
    ready: Callable[[], None]  # returns when healthy; raises NotReadyError
    environment: Mapping[str, str]
    directory: Path
    url: str | None = None
    needs: tuple[str, ...] = ()
    outlived_by: tuple[str, ...] = ()  # starts without them, but they stop after it
    prepare: Callable[[], None] = nothing  # before each start: heal what a crash left
    stop_signal: int = POLITE_SIGNAL
    stop_command: tuple[str, ...] = ()  # instead of the signal, where a system has none that fits
    ready_seconds: float = 60.0
    stop_seconds: float = 20.0
    tries: int = FAILING_AFTER  # failures in a row after which whoever waits for it is told
    stays_when_ill: bool = False  # not started again while it answers: a new process would not be better off
    user: str | None = None  # POSIX: the account it runs under, ours when None


@dataclass
class Life:
    """One start of a child, until its process has ended."""

    process: "subprocess.Popen[bytes]"
    mark: Mark | None
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass
class Runner:
    """One child and the thread that walks it through its states."""

    child: Child
    log: Path
    changed: Callable[[], None]
    report: Report
    needs: list["Runner"] = field(default_factory=list)
    state: str = "down"
    detail: str = ""
    error: Exception | None = None  # the last one that kept it from running
    restarts: int = 0
    life: Life | None = None
    settled: threading.Event = field(default_factory=threading.Event)  # ready, or given up waiting for the first time
    ready: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _stopping: bool = False
    _failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once. A child that runs already is left alone."""
        with self._lock:
            if self._thread and self._thread.is_alive() and not self._stopping:
                return
            self._stopping, self._failures = False, 0
            self.settled.clear()
            self._become("waiting")
            self._thread = threading.Thread(target=self._walk, name=f"supervise {self.child.name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the process and its descendants; returns when they are gone, or after the bounded waits."""
        with self._lock:
            self._stopping = True
            life = self.life
            self._wake.set()
        if life is not None:
            self._end(life)
        if self._thread is not None:
            self._thread.join(self.child.stop_seconds)
        self.ready.clear()
        self.settled.set()
        self._become("down")

    def _walk(self) -> None:
        try:
            while not self._stopping and not all(need.ready.is_set() for need in self.needs):
                self._sleep(0.1)
            while not self._stopping:
                self._live_once()
        except Exception as error:  # the top of a thread: what broke must be seen, not lost with the thread
            self._become("failing", f"supervision ended: {error!r}")
        finally:
            self.ready.clear()
            self.settled.set()

    def _live_once(self) -> None:
        began = time.monotonic()
        try:
            life = self._spawn()
            if life is not None:
                self._await_ready(life)
                self._watch(life)
        except (LauncherError, OSError) as error:
            self.error = error
            self.detail = error.summary if isinstance(error, ChildError) else str(error)
        self.ready.clear()
        self._bury()
        if self._stopping:
            return
        self._failures = 0 if time.monotonic() - began > STEADY_SECONDS else self._failures + 1
        self.restarts += 1
        self._become("failing" if self._failures >= FAILING_AFTER else "starting", self.detail)
        if self._failures >= self.child.tries:
            self.settled.set()
        delay = min(LAST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (self._failures - 1))
        self._sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - spreads restarts, hides nothing

    def _spawn(self) -> Life | None:
        self._become("failing" if self._failures >= FAILING_AFTER else "starting", self.detail)
        self.child.prepare()
        command = self.child.command()
        with self._lock:
            if self._stopping:
                return None
            process = _popen(self.child, command, self.log)
            life = self.life = Life(process, processes.mark(self.child.name, process.pid, self.child.stop_signal))
            threading.Thread(target=self._await_end, args=(life,), daemon=True).start()
        self.changed()
        return life

    def _await_end(self, life: Life) -> None:
        life.process.wait()
        life.ended.set()
        self._wake.set()

    def _await_ready(self, life: Life) -> None:
        deadline = time.monotonic() + self.child.ready_seconds
        pause = 0.05
        while True:
            self._raise_if_ended(life, "before it was ready")
            if self._stopping:
                return
            try:
                self.child.ready()
                break
            except NotReadyError as error:
                if time.monotonic() > deadline:
                    if isinstance(error, IllError) and self.child.stays_when_ill:
                        self._serve("failing", str(error))
                        return
                    raise self._error(f"was not ready after {self.child.ready_seconds:g} s ({error})") from error
            self._sleep(pause)
            pause = min(pause * 1.3, 0.5)
        self._serve("ok")

    def _serve(self, state: str, detail: str = "") -> None:
        self.ready.set()
        self._become(state, detail)
        self.settled.set()

    def _watch(self, life: Life) -> None:
        missed = 0
        while not self._stopping:
            self._sleep(WATCH_SECONDS)
            self._raise_if_ended(life, "unexpectedly")
            if self._stopping:
                return
            try:
                self.child.ready()
                missed = 0
            except NotReadyError as error:
                self._raise_if_ended(life, "unexpectedly")
                missed += 1
                if missed >= FAILING_AFTER:
                    ill = isinstance(error, IllError)
                    self._become("failing", str(error) if ill else f"runs, but does not answer: {error}")
            else:
                if self.state != "ok":
                    self._become("ok")

    def _raise_if_ended(self, life: Life, when: str) -> None:
        if life.ended.is_set() and not self._stopping:
            raise self._error(f"ended {when} ({_reason(life.process.returncode)})")

    def _error(self, reason: str) -> ChildError:
        return ChildError(self.child.name, reason, self.log)

    def _bury(self) -> None:
        with self._lock:
            life, self.life = self.life, None
        if life is not None and not self._stopping:
            self._end(life)

    def _end(self, life: Life) -> None:
        process = life.process
        family = processes.family(process.pid)
        if not life.ended.is_set():
            _ask_to_end(self.child, process)
            if not life.ended.wait(self.child.stop_seconds):
                process.kill()
                life.ended.wait(10)
        left = {p.pid: p for p in [*family, *processes.family(process.pid)] if processes.lives(p)}
        processes.end(left.values(), 2.0)

    def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        life = self.life
        if not self._stopping and not (life and life.ended.is_set()):
            self._wake.wait(seconds)

    def _become(self, state: str, detail: str = "") -> None:
        before, different = self.state, (state, detail) != (self.state, self.detail)
        self.state, self.detail = state, detail
        if different:
            self.changed()
        if state != before and self.settled.is_set() and not self._stopping:  # before that, who waits tells of it
            self.report(
                f"{self.child.name}: {state} again" if state == "ok" else f"{self.child.name}: {state}, {detail}"
            )


class Supervisor:
    """All children of one start."""

    def __init__(self, logs: Path, report: Report, changed: Callable[["Supervisor"], None]) -> None:
        self.runners: dict[str, Runner] = {}
        self._logs = logs
        self._report = report
        self._changed = changed

    def add(self, children: Iterable[Child]) -> None:
        """Take children in; each after those it needs. A need that is not supervised here is somebody else's."""
        for child in children:
            needs = [self.runners[name] for name in child.needs if name in self.runners]
            log = self._logs / f"{child.name}.log"
            self.runners[child.name] = Runner(child, log, self._notify, self._report, needs)

    def start(self, names: Iterable[str]) -> None:
        """Begin to start them; returns at once."""
        for name in names:
            self.runners[name].start()

    def await_settled(self, names: Iterable[str], stopping: threading.Event | None = None) -> None:
        """Wait until each is ready, or has shown that it will not be soon, or all shall stop."""
        for name in names:
            runner = self.runners[name]
            deadline = time.monotonic() + runner.child.ready_seconds * (FAILING_AFTER + 1)
            while not runner.settled.wait(0.2) and time.monotonic() < deadline:
                if stopping is not None and stopping.is_set():
                    return
            self._report(f"{name}: {runner.state}" + (f" at {runner.child.url}" if runner.child.url else ""))

    def require(self, names: Iterable[str], stopping: threading.Event | None = None) -> None:
        """Wait for them and raise what kept the first one from being ready."""
        wanted = list(names)
        self.await_settled(wanted, stopping)
        if stopping is not None and stopping.is_set():
            return
        for name in wanted:
            runner = self.runners[name]
            if not runner.ready.is_set():
                if isinstance(runner.error, LauncherError):
                    raise runner.error
                raise LauncherError(runner.detail or f"{name} is {runner.state}; its log is {runner.log}")

    def stop(self, names: Iterable[str] | None = None) -> None:
        """Stop these (all, when None) and whatever needs them is left to notice; dependents go first."""
        left = {name: self.runners[name] for name in (self.runners if names is None else names)}
        while left:
            later = {name for r in left.values() for name in (*r.child.needs, *r.child.outlived_by)}
            last = [name for name in left if name not in later]
            threads = [threading.Thread(target=left.pop(name).stop) for name in last]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def marks(self) -> list[Mark]:
        """Identities of all running children, in the order they were added."""
        return [r.life.mark for r in self.runners.values() if r.life and r.life.mark]

    def _notify(self) -> None:
        try:
            self._changed(self)
        except OSError as error:  # a full disk must not end supervision; the next change tries again
            self._report(f"the state could not be noted: {error}")


def rotate(log: Path) -> None:
    """Keep the log of a child bounded: a big one becomes `.1`, the oldest goes."""
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    for number in range(LOGS_KEPT, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def _ask_to_end(child: Child, process: "subprocess.Popen[bytes]") -> None:
    if child.stop_command:
        subprocess.run(child.stop_command, capture_output=True, timeout=30, check=False)
    else:
        process.send_signal(child.stop_signal)


def _popen(child: Child, command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    rotate(log)
    # A group of its own: Ctrl-C in the terminal reaches only us.
    if sys.platform == "win32":
        own_group: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        own_group = {"start_new_session": True, **account(child.user)}
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=child.directory,
            env=dict(child.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **own_group,
        )


def account(user: str | None) -> dict[str, Any]:
    if user is None or sys.platform == "win32":
        return {}
    import pwd

    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _reason(code: int) -> str:
    if code < 0 and os.name == "posix":
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
