"""A cold tier on a file system of its own that is full: nothing half is left, and with room again all is written.

Needs Linux, root and `unshare`, for a mount that no other process sees. Where that cannot be had this is an error: a
fault that was not tried is not one that was survived.
"""

import subprocess
import sys
from pathlib import Path

from config.settings import Settings
from launcher.errors import LauncherError
from tests.faults.pass_process import pass_process

LEFT = "was left on the full disk"
MOUNTED = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
PROBE_SECONDS = 20


class NoPrivateMountError(LauncherError):
    """This machine gives us no file system of our own to fill."""


def private_mount(folder: Path, size: str) -> list[str]:
    """The prefix of a command that sees a small file system at `folder`. Raises NoPrivateMountError."""
    script = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && shift && exec "$@"'
    prefix = [*MOUNTED, script, str(folder), size]
    if sys.platform != "linux":
        raise NoPrivateMountError(f"a full disk can be tried on Linux only, this is {sys.platform}")
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except OSError as error:
        raise NoPrivateMountError(f"a full disk cannot be tried: {error}") from error
    if tried.returncode:
        raise NoPrivateMountError(f"a full disk cannot be tried without a mount of our own: {tried.stderr.strip()}")
    return prefix


def archive_onto(known: Settings, table: str, folder: Path, size: str, today: str) -> list[str]:
    """Archive `table` onto a disk of `size`, too small, then with room; what was wrong, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = []
    with pass_process(known, prefix=private_mount(folder, size), cold=folder) as passes:
        refused = passes.do("archive", table).get("refused", "")
        if "No space left" not in refused:
            wrong.append(f"the archive onto a disk of {size} answered {refused or 'that all is well'}")
        files = passes.do("files", table)["files"]
        wrong += [f"{name} {LEFT}" for name in files if name.endswith(".part")]
        passes.do("remount", table, "64m")
        passes.do("archive", table)
        wrong += passes.do("verify", table, today)["differences"]
        if not passes.do("files", table)["files"]:
            wrong.append("nothing was written with room again")
    return wrong
