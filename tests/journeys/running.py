"""`tradingsystem up` as a user runs it, in a process of its own, and the command line beside it."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from config.settings import ROOT

READY = "Press Ctrl-C to stop"
PYTHON = getattr(sys, "_base_executable", sys.executable)  # what a user has: the environment is for the command to make


class Platform:
    """A running `tradingsystem up` and the command line beside it."""

    def __init__(self, folder: Path, environ: dict[str, str], arguments: list[str], *, root: Path = ROOT) -> None:
        self.folder = folder
        self.environ = environ
        self.root = root
        self._said: list[str] = []
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [PYTHON, str(root / "tradingsystem"), "up", *arguments],
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def wait_ready(self, seconds: float = 180) -> None:
        """Wait for the line that says so."""
        deadline = time.monotonic() + seconds
        while not self._ready.wait(0.2):
            assert self.process.poll() is None, f"up ended with {self.process.returncode}:\n{self.said}"
            assert time.monotonic() < deadline, f"up is not ready after {seconds} s:\n{self.said}"

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run a command of the command line beside it; its stdout."""
        done = subprocess.run(
            [PYTHON, str(self.root / "tradingsystem"), *arguments],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{arguments} exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """The same with --json, decoded."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def query(self, tier: str, statement: str) -> list[dict[str, Any]]:
        """Rows of a statement on a tier."""
        return self.json("query", "--tier", tier, statement)["rows"]

    def stop(self) -> list[psutil.Process]:
        """Stop it as Ctrl-C does; the processes that were its family."""
        family = []
        if self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        if self.process.poll() is None:
            self.process.kill()
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return family

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line)
            if READY in line:
                self._ready.set()
