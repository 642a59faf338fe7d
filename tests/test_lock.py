"""The lock: one file for every system, wheels only, nothing in it that names a host."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
UV = Path(sys.executable).with_name("uv.exe" if sys.platform == "win32" else "uv")
SYSTEMS = ("x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin")


def resolve(system: str, python: str, target: Path) -> subprocess.CompletedProcess[str]:
    """Choose a file for every pin; only wheels count."""
    command = [UV, "pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:", "--python-platform", system]
    command += ["--python-version", python, LOCK, "-o", target / f"{system}.txt"]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_it_resolves_with_wheels_alone(python, tmp_path):
    with ThreadPoolExecutor() as pool:  # nearly all of it is waiting for the index
        made = dict(zip(SYSTEMS, pool.map(lambda system: resolve(system, python, tmp_path), SYSTEMS), strict=True))

    assert {system: done.stderr for system, done in made.items() if done.returncode} == {}


def test_it_pins_and_hashes_everything_and_names_no_host():
    text = LOCK.read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)

    assert len(pins) > 100
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert re.search(r"^uv==", text, re.MULTILINE)


def test_every_direct_dependency_is_locked():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in wanted}
    pinned = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))

    assert names <= pinned
