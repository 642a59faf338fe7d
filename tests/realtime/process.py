"""`python -m realtime` as a process of its own, with the simulator, on ports of its own."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from config.settings import ROOT, Settings
from launcher import instance

KEY = "a-key-for-tests"
READY_SECONDS = 90.0
HEAD = "handshake 40\n"


class Realtime:
    """The process from `start` to `stop` or `ended`; its words are in `log`."""

    def __init__(self, settings: Settings, script: str, **variables: str) -> None:
        self.settings = settings
        self.url = settings.url("order-manager")
        self.script = settings.data_dir / "script.txt"
        self.log = settings.data_dir / "realtime.log"
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.script.write_text(HEAD + script, encoding="utf-8")
        own = {
            "TRADINGSYSTEM_SIMULATOR_SCRIPT": str(self.script),
            "TRADINGSYSTEM_API_KEY": KEY,
            "RATE_LIMIT_MAX": "1000000",
            "TRADINGSYSTEM_JOURNAL_KEY": "a-journal-key-for-these-tests-alone",
        }
        self.environment = {**instance.child_environment(settings), **own, **variables}

    def __enter__(self) -> "Realtime":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)

    def start(self, *arguments: str) -> None:
        """Begin; nothing is awaited."""
        command = [sys.executable, "-P", "-m", "realtime", *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        self.process.terminate()
        return self.process.wait(READY_SECONDS)

    def ended(self, *arguments: str) -> tuple[int, str]:
        """Exit code and words of a start that ends by itself."""
        self.start(*arguments)
        try:
            return self.process.wait(READY_SECONDS), self.words()
        finally:
            self.process.kill()

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str = "/api/v1/capture") -> Any:
        return httpx.get(self.url + path, timeout=10)

    def standing(self) -> dict[str, Any]:
        return self.get().json()

    def until(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first standing for which `holds`."""
        deadline = time.monotonic() + READY_SECONDS
        standing: dict[str, Any] = {}
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.words()[-2000:]}"
            try:
                if holds(standing := self.standing()):
                    return standing
            except httpx.TransportError:
                pass  # nobody listens yet
            time.sleep(0.05)
        raise AssertionError(f"{standing} after {READY_SECONDS:g} s; log: {self.words()[-2000:]}")

    def active(self) -> dict[str, Any]:
        return self.until(lambda now: now["link"] == "Active")
