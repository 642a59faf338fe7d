"""`tradingsystem migrate`, on engines that it starts itself and on engines that run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import ROOT, Settings
from launcher import instance


@pytest.mark.timeout(300)
def test_a_seed_is_added_once_and_only_to_a_demo(settings_in: Callable[..., Settings], tmp_path: Path):
    environment = {**os.environ, **instance.environment(settings_in(tmp_path / "data")), "PYTHONPATH": str(ROOT)}

    def migrate(*arguments: str, code: int = 0) -> str:
        line = [sys.executable, "-P", "-m", "launcher", "migrate", *arguments]
        done = subprocess.run(
            line,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=110,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    first, second = json.loads(migrate("--seed", "--json")), json.loads(migrate("--seed", "--json"))
    (tmp_path / "data" / "stamp.json").write_text('{"kind":"live"}', encoding="utf-8")

    assert "hot/ticks" in first["applied"]
    assert first["seeded"] > 1_000
    assert second == {"applied": [], "seeded": 0}
    assert "live" in migrate("--seed", code=2)
    assert "--show" in migrate("--seed", "--show", code=2)


def test_engines_that_another_command_holds_are_used(tradingsystem):
    shown, done = tradingsystem("migrate", "--show", "--json"), tradingsystem("migrate", "--json")

    assert json.loads(shown.stdout) == {"pending": []}, shown.stderr
    assert json.loads(done.stdout) == {"applied": []}, done.stderr
