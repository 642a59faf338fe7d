"""What it takes that bytes and names survive a power cut, on each system."""

import os
import sys
from pathlib import Path

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def sync(descriptor: int) -> None:
    """Return when the file's bytes are on the disk itself."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the drive's cache there
    else:
        os.fsync(descriptor)  # FlushFileBuffers on Windows


def sync_folder(folder: Path) -> None:
    """Return when names that were made, changed or removed in `folder` are on the disk."""
    if sys.platform == "win32":
        return  # a directory cannot be flushed there; NTFS logs names by itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: memoryview) -> None:
    """Write every byte; a signal or a nearly full disk may take them in parts."""
    while len(data):
        data = data[os.write(descriptor, data) :]


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path`: after a power cut the old one or the new one is there, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, FLAGS, 0o644)
    try:
        write_all(descriptor, memoryview(content))
        sync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)
