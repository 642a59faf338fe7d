"""What can keep the platform from running. Every message is one sentence for the operator, with the remedy.

LauncherError             something does not hold: exit code 1
├── EngineError           a database engine cannot be provided, started or reached
│   └── DownloadError     a file could not be fetched, or is not the one we pinned
├── PortTakenError        another process listens where one of ours should
├── DirectoryError        the data directory cannot be written, is full or belongs to another start
├── ChildError            a supervised process did not become ready
└── UsageError            wrong usage or configuration: exit code 2
"""

import errno
from pathlib import Path

DISK = (errno.ENOSPC, errno.EDQUOT)


class LauncherError(Exception):
    """Base of what the command line prints as one line."""

    exit_code = 1


class EngineError(LauncherError):
    """A database engine cannot be provided, started or reached."""


class DownloadError(EngineError):
    """A file could not be fetched, or what came is not the file we pinned."""


class PortTakenError(LauncherError):
    """Another process listens on a port of ours."""

    def __init__(self, service: str, port: int, setting: str, holder: str | None) -> None:
        by = f"by {holder}" if holder else "by another process"
        super().__init__(
            f"port {port}, which {service} needs, is taken {by}: end that process or set {setting} to a free port"
        )
        self.service = service
        self.port = port
        self.setting = setting
        self.holder = holder


class DirectoryError(LauncherError):
    """The data directory cannot be used by this start."""


class ChildError(LauncherError):
    """A supervised process ended, or did not become ready in time. `log` holds what it said."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        said = tail(log)
        self.summary = f"{reason}; its log is {log}"
        super().__init__(f"{name} {self.summary}" + (f" and ends with:\n{said}" if said else ""))
        self.name = name
        self.log = log


class UsageError(LauncherError):
    """Wrong usage or configuration."""

    exit_code = 2


def explained(error: OSError, place: Path | str) -> DirectoryError:
    """What an error of the file system means for the operator."""
    where = error.filename or place
    if error.errno in DISK:
        return DirectoryError(f"no space left on the disk of {where}: free some, then start again; nothing is lost")
    return DirectoryError(f"{where} cannot be used ({error.strerror}): fix its owner, or use another --data")


def tail(log: Path, lines: int = 15) -> str:
    """The last `lines` of a log, or nothing when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
