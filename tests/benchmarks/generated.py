"""Requests that schemathesis generates, against every port of the API process: what was answered, and what was wrong.

The rate limits of the run are out of the way (RATE_LIMIT_MAX=1000000000) and the caller has the installation's key, so
that every operation is reached. Firecrawl is not there: its proxy may say so (502, 503, 504).
"""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import click
import httpx
import msgspec

from config.settings import ROOT, Settings
from launcher import instance
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from tests.api.explored import Explored, explore

KEY = "the-key-of-this-run-" + "k" * 20
START_SECONDS = 120.0
EACH = 20  # requests of an operation and round
OPTIONS = [
    click.Option(["--requests"], type=click.IntRange(1), default=50_000, show_default=True, help="At least so many."),
    click.Option(["--seed"], type=int, default=1, show_default=True, help="The same one asks the same."),
]


def run(settings: Settings, say: Report, *, requests: int, seed: int) -> Result:
    """Ask all ports until there were so many requests; every round has another seed."""
    from api.served import documents

    asked: dict[str, Explored] = {}
    with served(settings) as there:
        names = list(documents(there))
        operations = sum(len(_operations(there, name)) for name in names)
        rounds = 0
        while sum(found.requests for found in asked.values()) < requests:
            each = min(EACH, max(2, math.ceil(requests / operations)))
            for name in names:
                one = explore(there.url(name), each, number=seed + rounds, headers={"X-API-Key": KEY})
                asked[name] = _together(asked.get(name), one)
                say(f"{name}: {asked[name].requests} requests, {len(asked[name].wrong)} findings")
            rounds += 1
    for name, found in asked.items():
        for what, shown in found.wrong.items():
            say(f"{name}: {what}\n  {shown}")
    return _result(asked, rounds, requests)


@contextlib.contextmanager
def served(settings: Settings, **variables: str) -> Iterator[Settings]:
    """The API process on these engines and on free ports, until the block ends."""
    names = [name for name in settings.ports if name not in ("questdb", "postgres")]
    ports = {**settings.ports, **dict(zip(names, instance.free_ports(len(names)), strict=True))}
    there = msgspec.structs.replace(settings, ports=ports)
    variables = {
        "TRADINGSYSTEM_API_KEY": KEY,
        "TP_CAPITAL_TOKEN_KEY": KEY,
        "TP_CAPITAL_GATEWAY_SECRET": KEY,
        "RATE_LIMIT_MAX": "1000000000",
        "LOG_LEVEL": "error",
        **variables,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=ROOT, env=instance.child_environment(there) | variables
    )
    try:
        _await(there, process)
        yield there
    finally:
        process.terminate() if os.name == "nt" else process.send_signal(signal.SIGTERM)
        process.wait(60)


def _await(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", settings.ports["api-gateway"]), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"python -m api does not answer (exit code {process.poll()})")


def _operations(settings: Settings, name: str) -> list[str]:
    document = httpx.get(settings.url(name, "/docs/openapi.json"), timeout=60).json()
    return [f"{method} {path}" for path, methods in document["paths"].items() for method in methods]


def _together(before: Explored | None, one: Explored) -> Explored:
    before = before or Explored(0, Counter(), {})
    return Explored(
        before.requests + one.requests,
        before.statuses + one.statuses,
        before.wrong | one.wrong,
        before.server_errors + one.server_errors,
    )


def _result(asked: dict[str, Explored], rounds: int, wanted: int) -> Result:
    figures = {f"{name.replace('-', '_')}_requests": float(found.requests) for name, found in asked.items()}
    total = sum(found.requests for found in asked.values())
    errors = sum(found.server_errors for found in asked.values())
    findings = sum(len(found.wrong) for found in asked.values())
    statuses: Counter[int] = sum((found.statuses for found in asked.values()), Counter())
    figures |= {f"answers_{status}": float(count) for status, count in sorted(statuses.items())}
    aims = {
        "requests": at_least(total, wanted),
        "server_errors": at_most(errors, 0),
        "schema_findings": at_most(findings, 0),
    }
    return Result("generated", rounds, figures, aims)
