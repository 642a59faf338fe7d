"""What the simulator says it delivered, read from its proof file: it is mapped, so it outlives a killed process."""

import mmap
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

MAGIC = b"SIMEMIT1"
HEADER = np.dtype([("magic", "S8"), ("used", "<u4", 3), ("room", "<u4", 3), ("overflows", "<u8"), ("reserved", "S24")])
RUN = np.dtype(
    [
        ("started_ms", "<i8"),
        ("process", "<u4"),
        ("finished", "<u4"),
        ("trades", "<u8"),
        ("quantity", "<i8"),
        ("seed", "<u8"),
        ("reserved", "S24"),
    ]
)
ENTRY = np.dtype(
    [
        ("run", "<u4"),
        ("session", "<i4"),
        ("ticker", "S24"),
        ("first", "<u8"),
        ("last", "<u8"),
        ("count", "<u8"),
        ("quantity", "<i8"),
        ("step", "<u4"),
        ("reserved", "<u4"),
        ("spare", "<u8", 2),
    ]
)
FAULT = np.dtype(
    [
        ("entry", "<u4"),
        ("kind", "<u4"),
        ("cause", "<u4"),
        ("reserved", "<u4"),
        ("first", "<u8"),
        ("last", "<u8"),
        ("count", "<u8"),
    ]
)
MISSING = 1

Ids = npt.NDArray[np.int64]


class Span(Struct, frozen=True):
    """What one run delivered of one symbol and session, each id once, in its order."""

    run: int
    symbol: str
    session: str  # 2026-11-20
    ids: Ids
    others: Ids  # told as well: the cached last trade before a subscription, corrections, own fills


class Emitted(Struct, frozen=True):
    """All of it. `trades` counts callbacks, repeats included."""

    runs: int
    trades: int
    spans: list[Span]

    @property
    def count(self) -> int:
        """Different trades that were delivered at least once, by run."""
        return sum(len(span.ids) for span in self.spans)


def read(path: Path) -> Emitted:
    """Read the file. Raises AssertionError when it is another one, or ran out of room."""
    assert HEADER.itemsize == 64
    assert (RUN.itemsize, ENTRY.itemsize, FAULT.itemsize) == (64, 88, 40)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        data = bytes(mapped)
    header = np.frombuffer(data, HEADER, 1)[0]
    assert header["magic"] == MAGIC, f"{path} is no proof of the simulator"
    assert header["overflows"] == 0, f"{path}: {header['overflows']} records found no room"
    places = np.cumsum([HEADER.itemsize, *(header["room"] * [RUN.itemsize, ENTRY.itemsize, FAULT.itemsize])])
    runs, entries, faults = (
        np.frombuffer(data, kind, int(used), int(place))
        for kind, used, place in zip((RUN, ENTRY, FAULT), header["used"], places[:-1], strict=True)
    )
    spans = [_span(entry, faults[faults["entry"] == number]) for number, entry in enumerate(entries)]
    return Emitted(len(runs), int(runs["trades"].sum()), spans)


def _span(entry: np.void, faults: npt.NDArray[np.void]) -> Span:
    day = str(entry["session"])
    ids = np.arange(0, dtype=np.int64)
    if entry["count"]:
        ids = np.arange(entry["first"], entry["last"] + 1, max(int(entry["step"]), 1), dtype=np.int64)
        for fault in faults[faults["kind"] == MISSING]:
            ids = ids[(ids < fault["first"]) | (ids > fault["last"])]
        assert len(ids) == entry["count"], f"{entry['ticker']!r}: {len(ids)} ids reckoned, {entry['count']} delivered"
    others = faults[faults["kind"] != MISSING]["first"].astype(np.int64)
    return Span(int(entry["run"]), entry["ticker"].decode(), f"{day[:4]}-{day[4:6]}-{day[6:]}", ids, others)


def trades(path: Path) -> int:
    """Trade callbacks of all runs so far: cheap enough to be asked all the time."""
    with path.open("rb") as file:
        begun = file.read(HEADER.itemsize)
        if len(begun) < HEADER.itemsize:
            return 0  # the simulator makes it just now
        header = np.frombuffer(begun, HEADER, 1)[0]
        return int(np.frombuffer(file.read(RUN.itemsize * int(header["used"][0])), RUN)["trades"].sum())
