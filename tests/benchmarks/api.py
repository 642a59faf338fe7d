"""Requests per second of the workspace's API, over the same endpoints with FastAPI and SQLAlchemy's ORM.

Same database, same server (uvicorn), same load, in turns: list of 50 items, an item by id, a new item. Ours runs as it
is delivered, with access rules, limits, metrics and a log line for each request; the others have none of that. Beside
them a bare handler that answers as many bytes (the limit) and, where node and npm are there, Express 5 with pg.
"""

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psutil
import psycopg
from msgspec import Struct

from config.settings import Settings
from launcher import instance
from launcher.commands.bench import Aim, Result, at_least
from launcher.report import Report
from tests.benchmarks.http_load import Load, load, one, request

RIVALS = Path(__file__).parent / "rivals"
ITEMS = 50
CONNECTIONS = 16
SECONDS = 2.0
START_SECONDS = 60.0
NEW_ITEM = {
    "title": "Volume profile of the opening auction",
    "description": "Where the volume of the first five minutes stands, against the mean of twenty sessions.",
    "category": "analise-dados",
    "priority": "high",
    "tags": ["win", "opening", "volume"],
}
STATUS = {"list": 200, "get": 200, "create": 201}
AIMS = {"list_vs_fastapi": 3.0, "get_vs_fastapi": 3.0, "create_vs_fastapi": 2.5}
AIMS |= {f"{what}_vs_express": 1.0 for what in ("list", "get", "create")}
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=5, show_default=True, help="Turns; medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of each measurement."),
    click.Option(["--express/--no-express"], default=True, help="Fetch Express 5 and pg with npm, where it is there."),
]


def run(settings: Settings, say: Report, *, rounds: int, seconds: float, express: bool) -> Result:
    """Measure every server and endpoint in turns."""
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="tradingsystem-api-") as folder, contextlib.ExitStack() as stack:
        place = Path(folder)
        database = stack.enter_context(psycopg.connect(settings.postgres.admin_dsn("frontend_apps"), autocommit=True))
        asked = _requests(database)
        servers = {"ours": stack.enter_context(_python(settings, place, "ours"))}
        for name in ("list", "get"):
            (place / name).write_bytes(one(servers["ours"].port, asked[name][0], 200))
        servers |= {name: stack.enter_context(_python(settings, place, name)) for name in ("fastapi_items", "bare")}
        if express and (program := _express(place, say)):
            servers["express"] = stack.enter_context(_served(settings, place, "express", ["node", str(program)]))
        for number in range(rounds):
            for name, server in _turn(servers, number):
                for what, requests in asked.items():
                    _note(
                        found, f"{what}_{name.removesuffix('_items')}", *server.asked(requests, STATUS[what], seconds)
                    )
                database.execute("DELETE FROM workspace.workspace_items WHERE title = %s", (NEW_ITEM["title"],))
                database.execute("VACUUM workspace.workspace_items, workspace.workspace_audit_log")
            say(f"round {number + 1}: {_line(found)}")
    return _result(found, rounds)


def _requests(database: "psycopg.Connection[Any]") -> dict[str, list[bytes]]:
    database.execute(
        "INSERT INTO workspace.workspace_items (title, description, category, priority, tags, created_at) "
        "SELECT 'Item ' || n, 'What it is about, in a sentence of usual length. ' || n, 'analise-dados', 'high', "
        "ARRAY['win', 'book'], now() - n * interval '1 minute' FROM generate_series(1, %s) AS n",
        (ITEMS,),
    )
    database.execute("ANALYZE workspace.workspace_items")
    ids = [str(row[0]) for row in database.execute("SELECT id FROM workspace.workspace_items").fetchall()]
    return {
        "list": [request("GET", "/api/items")],
        "get": [request("GET", f"/api/items/{name}") for name in ids],
        "create": [request("POST", "/api/items", NEW_ITEM)],
    }


def _turn(servers: "dict[str, Server]", number: int) -> "list[tuple[str, Server]]":
    names = list(servers.items())
    start = number % len(names)
    return [*names[start:], *names[:start]]


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
        return measured, spent / measured.answers * 1e6


def _note(found: dict[str, list[float]], name: str, measured: Load, spent: float) -> None:
    found[f"{name}_cpu_us"].append(spent)
    found[f"{name}_per_second"].append(measured.per_second)
    found[f"{name}_p50_ms"].append(measured.p50_ms)
    found[f"{name}_p99_ms"].append(measured.p99_ms)


def _line(found: dict[str, list[float]]) -> str:
    speeds = {name.removesuffix("_per_second"): values[-1] for name, values in found.items() if "_per_" in name}
    return ", ".join(f"{name} {speed:,.0f}/s" for name, speed in speeds.items())


def _result(found: dict[str, list[float]], rounds: int) -> Result:
    figures = {name: round(statistics.median(values), 3) for name, values in found.items()}
    aims: dict[str, Aim] = {}
    for what in ("list", "get", "create"):
        for rival in ("fastapi", "express", "bare"):
            theirs = found.get(f"{what}_{rival}_per_second")
            if theirs is None:
                continue
            # Of each round, since a busy machine is as busy for both.
            ours = found[f"{what}_ours_per_second"]
            ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
            figures[f"{what}_vs_{rival}"] = round(ratio, 3)
            if aim := AIMS.get(f"{what}_vs_{rival}"):
                aims[f"{what}_vs_{rival}"] = at_least(ratio, aim)
        figures[f"{what}_p99_vs_fastapi"] = round(figures[f"{what}_ours_p99_ms"] / figures[f"{what}_fastapi_p99_ms"], 3)
    return Result(name="api", rounds=rounds, figures=figures, aims=aims)


def _python(settings: Settings, place: Path, name: str) -> contextlib.AbstractContextManager[Server]:
    return _served(settings, place, name, [sys.executable, "-P", "-m", "tests.benchmarks.rivals", name])


@contextlib.contextmanager
def _served(settings: Settings, place: Path, name: str, line: list[str]) -> Iterator[Server]:
    (port,) = instance.free_ports(1)
    environment = instance.child_environment(settings) | {
        "RIVAL_DSN": settings.postgres.dsn("app_workspace", "frontend_apps"),
        "RIVAL_BYTES": str(place),
        "RATE_LIMIT_MAX": "1000000000",
        "NODE_ENV": "production",
    }
    with (place / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([*line, str(port)], env=environment, cwd=settings.root, stdout=log, stderr=log)
        try:
            _wait(port, process, place / f"{name}.log")
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
    raise AssertionError(
        f"nothing listens on {port} after {START_SECONDS:g} s: {log.read_text(errors='replace')[-4000:]}"
    )


def _express(place: Path, say: Report) -> Path | None:
    if not (shutil.which("node") and shutil.which("npm")):
        say("express is left out: node or npm is not there")
        return None
    folder = shutil.copytree(RIVALS / "express", place / "express")
    npm = [str(shutil.which("npm")), "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        say(f"express is left out: npm install failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return Path(folder) / "server.js"
