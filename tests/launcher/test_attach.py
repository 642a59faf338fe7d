"""Engines of one command end with it, however it ends."""

import subprocess
import sys

import psutil
import pytest

from launcher import instance

BLOCK = """
import sys
from pathlib import Path
from launcher import attach
from launcher.report import Silent
with attach.attached(Path(sys.argv[1]), Silent(), migrated=False):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
@pytest.mark.timeout(120)
def test_a_command_that_is_told_to_end_takes_its_engines_along(settings_in, process_environment, tmp_path):
    settings = settings_in(tmp_path / "data")
    with subprocess.Popen(
        [sys.executable, "-c", BLOCK, str(settings.data_dir)],
        env=process_environment(settings),
        cwd=settings.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout.readline() == "up\n"
        children = instance.read(settings.data_dir).children
        assert children
        assert all(psutil.pid_exists(child.pid) for child in children)
        command.terminate()
        assert command.wait(60) == 128 + 15
    assert not any(child.process for child in children)
