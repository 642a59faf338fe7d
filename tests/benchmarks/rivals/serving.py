"""Ours and its rivals as processes, each on a port of its own, on one database."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from msgspec import Struct

from config import manifest
from config.settings import Settings
from launcher import instance
from launcher.report import Report
from tests.benchmarks.http_load import Load, load

HERE = Path(__file__).parent
GATEWAY = "api-gateway"
CONNECTIONS = 16
START_SECONDS = 90.0
TICK_SECONDS = 0.01  # the clock of a process goes by so much
ENDLESS = "1000000000"


class Server(Struct, frozen=True):
    """One that is measured."""

    port: int
    process: psutil.Process

    def asked(self, requests: list[bytes], status: int, seconds: float) -> tuple[Load, float]:
        """What it answered, and the processor's microseconds that its process spent on each answer."""
        before = self.process.cpu_times()
        measured = load(self.port, requests, status, seconds=seconds, connections=CONNECTIONS)
        after = self.process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return measured, max(spent, TICK_SECONDS) / measured.answers * 1e6


def ours(settings: Settings, place: Path) -> "contextlib.AbstractContextManager[Server]":
    """`python -m api` as it is delivered, asked at the gateway; its limits of requests are set out of reach."""
    variables = [s.port_variables[0] for s in manifest.services() if GATEWAY in (s.id, s.served_by)]
    ports = dict(zip(variables, map(str, instance.free_ports(len(variables))), strict=True))
    own = manifest.service(GATEWAY).port_variables[0]
    environment = ports | {"RATE_LIMIT_MAX": ENDLESS, "LOG_LEVEL": "info"}
    return _served(settings, place, "ours", [sys.executable, "-P", "-m", "api"], int(ports[own]), environment)


def python(settings: Settings, place: Path, name: str) -> "contextlib.AbstractContextManager[Server]":
    """A rival of this folder, served as ours is."""
    (port,) = instance.free_ports(1)
    line = [sys.executable, "-P", "-m", "tests.benchmarks.rivals", name, str(port)]
    return _served(settings, place, name, line, port)


def express(settings: Settings, place: Path, say: Report) -> "contextlib.AbstractContextManager[Server] | None":
    """Express 5 and pg, fetched by npm into `place`; None, and said, where that cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        say("express is left out: node or npm is not there")
        return None
    folder = Path(shutil.copytree(HERE / "express", place / "express"))
    npm = [str(shutil.which("npm")), "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        say(f"express is left out: npm install failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    (port,) = instance.free_ports(1)
    return _served(settings, place, "express", ["node", str(folder / "server.js"), str(port)], port)


@contextlib.contextmanager
def _served(
    settings: Settings, place: Path, name: str, line: list[str], port: int, more: dict[str, str] | None = None
) -> Iterator[Server]:
    environment = instance.child_environment(settings) | {
        "RIVAL_DSN": settings.postgres.dsn("app_workspace", "frontend_apps"),
        "RIVAL_TAPE_DSN": settings.postgres.dsn("tape_reader", "tradingsystem"),
        "RIVAL_HOT_DSN": settings.questdb.pg_dsn(reader=True),
        "RIVAL_BYTES": str(place),
        "NODE_ENV": "production",
        **(more or {}),
    }
    log = place / f"{name}.log"
    with log.open("wb") as told:
        process = subprocess.Popen(line, env=environment, cwd=settings.root, stdout=told, stderr=told)
        try:
            _wait(port, process, log)
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM) if os.name != "nt" else process.terminate()
            process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)  # nobody listens yet: there is nothing to wait on but the port
    raise AssertionError(f"nothing on port {port} after {START_SECONDS:g} s: {log.read_text(errors='replace')[-4000:]}")
