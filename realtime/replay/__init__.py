"""Replay: a stored session told again by the simulated broker, through interop, ring, capture and spool as it is live.

The spool is one of its own, below `replay/` of the data directory; nothing of it ever reaches a tier.
"""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Speed = float | Literal["max"]
PLAN, TAPE, SPOOL, SCRIPT = "plan.json", "session.tape", "spool", "script.txt"
RECORD_BYTES = 96
MOST_SEGMENTS_BYTES = 1 << 30  # that the spool may need beside the trades' own


class ReplayError(Exception):
    """The session cannot be replayed, or was not replayed whole; the message says why and what helps."""


class Subscribed(Struct, frozen=True):
    """A symbol that is subscribed, and its market."""

    symbol: str
    market: Literal["F", "B"]


class Plan(Struct, frozen=True, kw_only=True):
    """What the playing process is told: the script, whom to subscribe, and how many trade records must come."""

    script: str
    symbols: tuple[Subscribed, ...]
    session: str  # a date; the calendar of subscriptions stands still at its noon
    records: int  # trades and cancellations
    downloads: str  # where the simulator's library is, or is built
    ring_records: int = 1 << 19


class Told(Struct, frozen=True, kw_only=True):
    """A line of the playing process: how far it is. The last one is `whole`, or says what went wrong."""

    trades: int
    whole: bool = False
    dropped: int = 0  # by ring or spool
    errors: int = 0  # exceptions inside callbacks
    cpu_seconds: float = 0.0  # of all threads, from the first trade to the last
    trouble: str | None = None


def script_of(tape: Path, symbols: int, speed: Speed) -> str:
    """What the simulator plays: the tape alone, from when all symbols are subscribed, without invented quotes."""
    return f"""\
handshake 40
settle 50
await {symbols}
quotes off
daily-every 1000000000
speed {speed if speed == "max" else f"{speed:g}"}
source tape "{tape.as_posix()}"
"""


def write_plan(folder: Path, plan: Plan) -> None:
    """Put the plan into the folder of a replay."""
    (folder / PLAN).write_bytes(msgspec.json.encode(plan))


def read_plan(folder: Path) -> Plan:
    """The plan of a folder."""
    return msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
