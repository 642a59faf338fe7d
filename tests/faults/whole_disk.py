"""The disk of the data, with all three tiers on it, is full while hot changes and passes run; then there is room again.

Engines of their own run below a private mount (`full_disk`): `python -m tests.faults.whole_disk` is what runs inside.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from config.settings import Settings, load
from launcher import instance
from launcher.attach import PORTS
from sql.errors import StoreError, StoreUnavailableError
from tests.faults import tiers
from tests.faults.diary import to_stderr
from tests.faults.full_disk import private_mount
from tests.loopback import free_ports

SIZE = "1500m"
BLOCK = bytes(1 << 20)
ATTEMPTS = 12
SECONDS = 300.0


def counts(known: Settings, seed: int, folder: Path) -> dict[str, int]:
    """Fill the disk once; what a scene counted there. Raises NoPrivateMountError, AssertionError when it broke off."""
    folder.mkdir(parents=True, exist_ok=True)
    environ = instance.child_environment(known)
    environ |= dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    environ["TRADINGSYSTEM_DATA_DIR"] = str(folder)
    done = subprocess.run(
        [*private_mount(folder, SIZE), sys.executable, "-m", "tests.faults.whole_disk", str(seed)],
        env=environ,
        cwd=known.root,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, "the scene on a full disk broke off; its errors stand above"
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextlib.contextmanager
def ballast(folder: Path) -> Iterator[None]:
    """Nothing more fits on the disk of `folder` while the block lasts."""
    path = folder / "ballast"
    try:
        with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (len(BLOCK), 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(BLOCK[:size]):
                        pass
        yield
    finally:
        path.unlink()


def fill(scene: "tiers.Scene") -> None:
    """Changes and passes on a full disk, each done or refused with a reason; then the engines again, and a pass."""
    scene.writer.taken_seconds = 1.0
    refused = 0
    with ballast(scene.known.data_dir):
        for attempt in range(ATTEMPTS):
            try:
                scene.writer.settle()
                scene.writer.change()
            except (StoreError, OSError, pl.exceptions.PolarsError):
                refused += 1
            for way in tiers.WAYS if attempt % 3 == 2 else ():
                refused += "refused" in scene.ask(way)
    scene.writer.taken_seconds = 90.0
    for name in ("postgres", "questdb"):
        scene.restart(name)
    resume(scene)
    scene.writer.settle()
    scene.counts["refused_on_full_disk"] = refused
    if not refused:
        scene.counts["undetected"] += 1
    scene.judge("disk full")
    scene.counts["full_disks"] += 1


def resume(scene: "tiers.Scene") -> None:
    """What the message of SuspendedError tells the operator to do."""
    with contextlib.suppress(StoreUnavailableError):
        if scene.tiers.hot.wal(scene.table).suspended:
            scene.counts["resumed"] += 1
            scene.tiers.hot.execute(f"ALTER TABLE {scene.table.name} RESUME WAL")


def main() -> None:
    """One scene on the data directory of the environment; its counts as JSON."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), tiers.scene(load(os.environ), int(sys.argv[1]), to_stderr) as scene:
        fill(scene)
        answers.write(json.dumps(scene.counts) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
