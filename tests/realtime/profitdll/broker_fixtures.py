"""Logins to copies of the simulator, each with a script of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.realtime.profitdll.broker_client import Client, copies_of

# A Friday with the market open, everybody soon listed, hops fast enough to wait for.
SESSION = ("seed 7", "handshake 60", "latency 1", "accounts after 5 rest 15", "order history 20")


class Simulated:
    """Makes clients; all are closed at the end."""

    def __init__(self, library: Path, directory: Path) -> None:
        self.copies = copies_of(library, directory)
        self.directory = directory
        self.clients: list[Client] = []

    def script(self, *lines: str, start: str = "2026-11-20 10:30:00") -> str:
        return "\n".join((f"start {start}", *SESSION, *lines)) + "\n"

    def __call__(self, *lines: str, ready: bool = True, start: str = "2026-11-20 10:30:00", **login: Any) -> Client:
        path = self.directory / f"script{len(self.clients)}.txt"
        path.write_text(self.script(*lines, start=start), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PROFITDLL_SIMULATOR_SCRIPT", str(path))
            client = Client(next(self.copies), **login)
        self.clients.append(client)
        return client.ready() if ready and not login.get("market_only") else client

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture(scope="session")
def library(market_library: Path) -> Path:
    return market_library


@pytest.fixture
def simulated(library: Path, tmp_path: Path) -> Iterator[Simulated]:
    made = Simulated(library, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def simulated_for_module(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    made = Simulated(library, tmp_path_factory.mktemp("simulator"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def broker(simulated_for_module: Callable[..., Client]) -> Client:
    """One login for tests that leave no fault behind."""
    return simulated_for_module()
