"""Capture: the DLL's ring into the spool, and the link to the broker kept alive.

Three threads. The drain moves records and events and never waits for the DLL; the desk makes all requests to the DLL,
which may block for minutes; the watch looks at both and at the market's hours. The DLL reconnects by itself: each time
its market data comes up, everything is subscribed again. A new process is the last resort.
"""

import structlog
from msgspec import Struct

COMMIT_SECONDS = 0.02
WAIT_MS = 50
BATCH_RECORDS = 1 << 16
WATCH_SECONDS = 1.0
REQUEST_SECONDS = 30.0  # a request that takes longer is said to hang
CLOSE_SECONDS = 8.0

log = structlog.get_logger("capture")


class Login(Struct, frozen=True):
    """What the DLL wants to know of us."""

    key: str
    user: str
    password: str
    routing: bool


class Limits(Struct, frozen=True, kw_only=True):
    """When the feed counts as broken. `always_open`: an invented market has no hours."""

    silence_seconds: float = 60.0
    restart_seconds: float = 300.0
    always_open: bool = False


class RestartNeededError(Exception):
    """Nothing short of a new process will help: the DLL cannot be initialised twice in one."""
