"""One start of the platform on one data directory: its lock, its state file, and what a start before it left behind."""

import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from random import SystemRandom

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from config import manifest, secrets
from config.settings import Settings
from launcher import processes
from launcher.errors import DirectoryError, PortTakenError, explained
from launcher.processes import Mark
from launcher.report import Report

LEAST_FREE_BYTES = 500 * 2**20  # a new pair of engines takes about 120 MB before the first row
STOP_SECONDS = 15.0
PORTS = range(10_000, 20_000)  # above those of the services, below those that outgoing connections get


class State(Struct, frozen=True, kw_only=True):
    """What `run/state.json` says: who runs, how to talk to it, which ports it uses, which processes it started."""

    pid: int
    started: float
    environment: dict[str, str]
    children: list[Mark] = []
    control: tuple[str, int] | None = None

    @property
    def alive(self) -> bool:
        return Mark("tradingsystem", self.pid, self.started).process is not None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that lead another process with the same layers to the same directories and ports."""
    found = {
        "TRADINGSYSTEM_DATA_DIR": str(settings.data_dir),
        "TRADINGSYSTEM_DOWNLOADS_DIR": str(settings.downloads_dir),
        "QUESTDB_PG_PORT": str(settings.questdb.pg_port),
    }
    for service in manifest.services():
        if service.id in settings.ports and service.port_variables:
            found[service.port_variables[0]] = str(settings.ports[service.id])
    return found


def child_environment(settings: Settings) -> dict[str, str]:
    """Environment of a Python child: ours, the directories and ports in force, and the rooms on its path."""
    path = os.pathsep.join(filter(None, [str(settings.root), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **environment(settings), "PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def read(data_dir: Path) -> State | None:
    """The last state that was written; None when there is none that can be read."""
    try:
        return msgspec.json.decode((data_dir / "run" / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None


def running(data_dir: Path) -> State | None:
    """State of the start that lives on `data_dir` now."""
    state = read(data_dir)
    return state if state and state.alive else None


def ended(state: State, seconds: float) -> bool:
    """Wait until the start that `state` tells of has ended; False when it runs on after `seconds`."""
    process = Mark("tradingsystem", state.pid, state.started).process
    return process is None or not processes.await_end([process], seconds)


def write(data_dir: Path, state: State) -> None:
    """Replace the state file; a reader sees the old one or the new one."""
    path = data_dir / "run" / "state.json"
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(path)


@contextmanager
def claimed(settings: Settings, report: Report) -> Iterator[Settings]:
    """Hold the data directory for one start; yields the settings with the passwords of its engines.

    Ends what a killed start left running. Raises DirectoryError when the directory is in use, full or not writable.
    """
    lock = _claim(settings.data_dir)
    try:
        check_disk(settings.data_dir)
        end_leftovers(settings.data_dir, report)
        yield with_passwords(settings, secrets.ensure(settings.data_dir))
    finally:
        (settings.data_dir / "run" / "state.json").unlink(missing_ok=True)
        lock.release()


def _claim(data_dir: Path) -> FileLock:
    try:
        (data_dir / "run").mkdir(parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(exist_ok=True)
        lock = FileLock(data_dir / "run" / "lock")
        lock.acquire(blocking=False)
    except Timeout as error:
        raise DirectoryError(f"data directory {data_dir} is in use{_by(data_dir)}") from error
    except OSError as error:
        raise explained(error, data_dir) from error
    return lock


def _by(data_dir: Path) -> str:
    state = running(data_dir)
    if state is None:
        return " by another start: wait for it to end"
    since = datetime.fromtimestamp(state.started, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    who = processes.description(state.pid)
    return f" by {who}, started {since}: stop it with `tradingsystem down --data {data_dir}`, or use another --data"


def check_disk(data_dir: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Refuse to start on a disk that a first hour would fill."""
    free = shutil.disk_usage(data_dir).free
    if free < least:
        raise DirectoryError(
            f"the disk of {data_dir} has {free // 2**20} MB free and {least // 2**20} MB are needed: "
            "free some or use another --data"
        )


def check_port(service: str, port: int, setting: str) -> None:
    """Raise PortTakenError when somebody listens on `port` of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            _bind(probe, port)
        except OSError as error:
            raise PortTakenError(service, port, setting, processes.listener(port)) from error


def _bind(probe: socket.socket, port: int) -> None:
    if sys.platform == "win32":
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ended connections do not hold a port
    probe.bind(("127.0.0.1", port))


def free_ports(count: int, candidates: Iterable[int] | None = None) -> list[int]:
    """Ports of the loopback interface that nobody listens on, all different: the first of `candidates`, else of PORTS.

    The system itself gives none of PORTS away, so that a port is still free when the one who asked listens on it.
    """
    with ExitStack() as held:
        return list(islice((port for port in candidates or _anywhere() if _is_free(held, port)), count))


def _anywhere() -> Iterator[int]:
    first = SystemRandom().randrange(len(PORTS))  # two who ask at the same time do not begin at the same port
    return chain(PORTS[first:], PORTS[:first])


def _is_free(held: ExitStack, port: int) -> bool:
    try:
        _bind(held.enter_context(socket.socket()), port)
    except OSError:
        return False
    return True


def end_leftovers(data_dir: Path, report: Report) -> list[str]:
    """Stop the processes of a start that was killed, last started first. The caller holds the lock or knows it dead."""
    state = read(data_dir)
    if state is None or state.alive:
        return []
    ended = []
    for left in reversed(state.children):
        process = left.process
        family = processes.family(left.pid) if process or _reused(left) is False else []
        if process or family:
            report(f"{left.name} (process {left.pid}) was left by an earlier start: stopping it")
            processes.end([process] if process else [], STOP_SECONDS, left.stop_signal)
            processes.end(family, STOP_SECONDS)
            ended.append(left.name)
    (data_dir / "run" / "state.json").unlink(missing_ok=True)
    return ended


def _reused(left: Mark) -> bool:
    """True when the pid is somebody else's now: its family is none of ours."""
    now = processes.mark(left.name, left.pid)
    return now is not None and left.process is None


def with_passwords(settings: Settings, stored: Mapping[str, str]) -> Settings:
    """The same settings, knowing the passwords of the data directory's engines."""
    replace = msgspec.structs.replace
    hot = settings.questdb
    if not hot.external:
        hot = replace(
            hot,
            password=hot.password or stored["questdb"],
            reader_password=hot.reader_password or stored["questdb_reader"],
        )
    return replace(settings, questdb=hot, postgres=replace(settings.postgres, passwords=dict(stored)))
