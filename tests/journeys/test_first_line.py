"""The README's first line, in a fresh copy of the tree and a fresh environment."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from config.settings import ROOT, Settings
from launcher import instance
from tests.journeys.running import Platform
from tests.journeys.test_spine import until

OURS = re.compile(r"TRADINGSYSTEM_|QUESTDB_|DAGSTER_|PYTHONPATH|VIRTUAL_ENV|FRONTEND_")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of the checkout, tracked or new, without anything a run leaves behind."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = tmp_path / "a copy" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return tmp_path / "a copy"


@pytest.mark.timeout(600)
def test_it_is_all_a_new_user_needs(copy: Path, settings_in: Callable[..., Settings], tmp_path: Path):
    line = re.search(r"^```sh\n(.*?)\n```", (copy / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert line is not None
    assert line[1].split() == ["python3", "tradingsystem", "up"]
    home = tmp_path / "home"
    home.mkdir()
    settings = settings_in(copy / ".data" / "demo")
    ports = {k: v for k, v in instance.environment(settings).items() if k.endswith("_PORT")}
    clean = {name: value for name, value in os.environ.items() if not OURS.match(name)}

    platform = Platform(copy, {**clean, **ports, "HOME": str(home)}, [], root=copy)
    try:
        platform.wait_ready(400)
        status = platform.json("status")
        until(lambda: platform.query("hot", "SELECT count() AS n FROM ticks")[0]["n"] > 0, 60, "hot has rows")
        family = platform.stop()
    finally:
        platform.stop()

    assert {entry["state"] for entry in status["engines"] + status["services"]} == {"ok"}
    assert platform.process.returncode == 0
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert (copy / ".env.local").read_text(encoding="utf-8").count("TRADINGSYSTEM_API_KEY=") == 1
