"""Processes by identity: a pid alone may belong to somebody else by now, a pid with its start time does not."""

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil
from msgspec import Struct

KILL_SECONDS = 10.0
CLOCK_SLACK_SECONDS = 2.0  # a stepped clock moves the start times that are computed from the boot time


class Mark(Struct, frozen=True):
    """A process that was running: enough to find it again, and no other."""

    name: str
    pid: int
    started: float
    stop_signal: int = signal.SIGTERM

    @property
    def process(self) -> psutil.Process | None:
        """The very process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < CLOCK_SLACK_SECONDS
        except psutil.NoSuchProcess:
            return None
        return process if same and lives(process) else None


def mark(name: str, pid: int, stop_signal: int = signal.SIGTERM) -> Mark | None:
    """Identity of a running process; None when it is gone already."""
    try:
        return Mark(name, pid, psutil.Process(pid).create_time(), stop_signal)
    except psutil.NoSuchProcess:
        return None


def family(pid: int) -> list[psutil.Process]:
    """What descends from `pid`, also after `pid` itself has ended: its session (POSIX), its children (Windows)."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        found |= {child.pid: child for child in psutil.Process(pid).children(recursive=True)}
    for process in psutil.process_iter():
        try:
            if _leader(process) == pid and process.pid != pid:
                found[process.pid] = process
        except (OSError, psutil.Error):
            continue
    return list(found.values())


def end(processes: Iterable[psutil.Process], seconds: float, stop_signal: int = signal.SIGTERM) -> None:
    """Ask all to end, kill what is left after `seconds`; returns when none is left."""
    asked = list(processes)
    for process in asked:
        with suppress(psutil.Error):
            process.send_signal(stop_signal)
    left = await_end(asked, seconds)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    await_end(left, KILL_SECONDS)


def lives(process: psutil.Process) -> bool:
    """False for one that has ended, also when nobody has buried it: in a container the first process may never do."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended; those that live on after `seconds`."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if lives(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if lives(process)]
    return left


def listener(port: int) -> str | None:
    """Who listens on `port` of this machine, as far as we may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    for connection in connections:
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
            return description(connection.pid)
    return None


def description(pid: int) -> str:
    """`name (process 123)`."""
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


def _leader(process: psutil.Process) -> int:
    if sys.platform == "win32":
        return process.ppid()
    return os.getsid(process.pid)
