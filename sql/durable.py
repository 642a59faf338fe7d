"""Files that survive a kill and a power cut: whole or not at all."""

import os
import sys
from pathlib import Path
from typing import BinaryIO


def replace(path: Path, content: bytes) -> None:
    """Make or replace a file: whoever looks sees the old one or the new one, whole, and it is on disk on return."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        flush(file)
    draft.replace(path)
    sync_folder(path.parent)


def flush(file: BinaryIO) -> None:
    """What was written to `file` is on disk, not in a cache of the system or the drive."""
    file.flush()
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)  # fsync leaves it in the drive's cache there
    else:
        os.fsync(file.fileno())  # on Windows this is FlushFileBuffers


def sync_folder(folder: Path) -> None:
    """The folder's entries are on disk: a file that was made or renamed in it stays so."""
    if os.name == "nt":  # Windows has no handle for a folder's entries; NTFS journals the rename itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
