"""Commands as an operator calls them, and bounded waiting for what another process does."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from config.settings import Settings
from tests.loopback import free_port

Process = subprocess.CompletedProcess[str]


@pytest.fixture
def until() -> Callable[..., None]:
    """Returns when a condition is true; AssertionError when it is not within the given seconds."""

    def wait(holds: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"still not true after {seconds:g} s"
            time.sleep(0.02)

    return wait


@pytest.fixture
def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    return free_port()


@pytest.fixture
def tradingsystem(
    engines: Settings, process_environment: Callable[[Settings], dict[str, str]]
) -> Callable[..., Process]:
    """Calls `tradingsystem ARGUMENTS…` where the shared engines run."""

    def call(*arguments: object, seconds: float = 110.0) -> Process:
        return subprocess.run(
            [sys.executable, "-P", "-m", "launcher", *map(str, arguments)],
            env=process_environment(engines),
            cwd=engines.root,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )

    return call
