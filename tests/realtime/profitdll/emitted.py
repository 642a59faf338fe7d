"""Reads the proof file of the simulator's `emitted` line: what each run delivered, and what it left out on purpose."""

import struct
from pathlib import Path

from msgspec import Struct

HEADER = struct.Struct("<8s6IQ24x")
RUN = struct.Struct("<qIIQqQ24x")
ENTRY = struct.Struct("<Ii24sQQQqII16x")
FAULT = struct.Struct("<4I3Q")
KINDS = ("", "missing", "repeated", "edited", "cached", "sentinel", "untranslatable", "fill")


class Run(Struct, frozen=True):
    """One process. `finished` is false for one that was killed."""

    started_ms: int
    process: int
    finished: bool
    trades: int
    quantity: int
    seed: int


class Entry(Struct, frozen=True):
    """One symbol and session of a run; `first` to `quantity` are about first deliveries. `session` is 20261120."""

    run: int
    session: int
    ticker: str
    first: int
    last: int
    count: int
    quantity: int
    step: int


class Fault(Struct, frozen=True):
    """Numbers `first` to `last`, both included, that were missing, repeated and so on."""

    entry: int
    kind: str
    cause: int
    first: int
    last: int
    count: int


class Emitted(Struct, frozen=True):
    """The whole file."""

    runs: list[Run]
    entries: list[Entry]
    faults: list[Fault]
    overflows: int

    def numbers(self, ticker: str, session: int) -> set[int]:
        """Every number first delivered by any run."""
        found: set[int] = set()
        for place, entry in enumerate(self.entries):
            if (entry.ticker, entry.session) != (ticker, session) or not entry.count:
                continue
            own = set(range(entry.first, entry.last + 1, entry.step))
            for fault in self.faults:
                if fault.entry == place and fault.kind == "missing":
                    own.difference_update(range(fault.first, fault.last + 1, entry.step))
            found |= own
        return found


def read(path: Path) -> Emitted:
    """Raises ValueError when it is no such file."""
    data = path.read_bytes()
    magic, runs, entries, faults, run_room, entry_room, _, overflows = HEADER.unpack_from(data)
    if magic != b"SIMEMIT1":
        raise ValueError(f"{path} begins with {magic!r}, not SIMEMIT1")
    at = HEADER.size
    run_rows = [RUN.unpack_from(data, at + k * RUN.size) for k in range(runs)]
    at += run_room * RUN.size
    entry_rows = [ENTRY.unpack_from(data, at + k * ENTRY.size) for k in range(entries)]
    at += entry_room * ENTRY.size
    fault_rows = [FAULT.unpack_from(data, at + k * FAULT.size) for k in range(faults)]
    return Emitted(
        runs=[Run(a, b, bool(c), d, e, f) for a, b, c, d, e, f in run_rows],
        entries=[Entry(a, b, c.rstrip(b"\0").decode(), d, e, f, g, h) for a, b, c, d, e, f, g, h, _ in entry_rows],
        faults=[Fault(a, KINDS[b], c, e, f, g) for a, b, c, _, e, f, g in fault_rows],
        overflows=overflows,
    )
