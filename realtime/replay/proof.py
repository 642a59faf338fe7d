"""The proof of a replay: what was captured, row by row and in order, against the stored rows. Streams; no clock.

Trades must agree in time, symbol, number, price to the last bit, quantity, aggressor and brokers; then cancellations.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from msgspec import Struct, field
from pyroaring import BitMap64

from realtime.relay.rows import EDIT, Trades, frame_of, trades_of
from realtime.replay.told import CANCELLATION, TRADE
from realtime.spool.frames import FrameKind
from realtime.spool.reader import Position, Reader
from sql.tables import Flag

PRICE_UNITS = 10_000
SHOWN = 5
Frames = Callable[[], Iterable[pl.DataFrame]]


class Sums(Struct):
    """What one side holds. `turnover`: price times quantity, exact; the point value of a contract is not in it."""

    trades: int = 0
    cancelled: int = 0
    quantity: int = 0
    turnover: Decimal = Decimal(0)

    def add(self, trades: pl.DataFrame, cancelled: int) -> None:
        """Add some rows."""
        units = (trades["price"] * PRICE_UNITS).round().cast(pl.Int64).to_numpy()
        quantity = trades["quantity"].to_numpy()
        # In halves, so that neither sum leaves 64 bits.
        whole = (int((quantity * (units >> 16)).sum()) << 16) + int((quantity * (units & 0xFFFF)).sum())
        self.trades += trades.height
        self.cancelled += cancelled
        self.quantity += int(quantity.sum())
        self.turnover += Decimal(whole) / PRICE_UNITS


class Difference(Struct, frozen=True):
    """The first place where the two sides disagree."""

    place: int  # from 0, in the order of telling
    expected: str
    found: str


class Proof(Struct, kw_only=True):
    """Whether the replay told what is stored. `missing` and `strange`: ids by symbol, counted when it did not."""

    holds: bool
    stored: Sums
    replayed: Sums
    difference: Difference | None = None
    missing: dict[str, int] = field(default_factory=dict)
    strange: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0  # records that are no trades, and damages of the spool


class Spooled:
    """The trades and cancellations of a spool's folder. `heed` sees the records of each reading, for other figures."""

    def __init__(self, folder: Any, heed: Callable[[Trades], None] = lambda _: None) -> None:
        self._folder = folder
        self._heed = heed
        self.unreadable = 0

    def rows(self) -> Iterator[pl.DataFrame]:
        """Rows with the columns of `TRADE`, and `flags` 1 on those that take a trade back."""
        reader = Reader([self._folder], Position())
        while (found := reader.read()).frames or found.damages:
            self.unreadable += len(found.damages)
            frames = [frame for frame in found.frames if frame.kind == FrameKind.RECORDS]
            self.unreadable += sum(frame.count for frame in found.frames if frame.kind == FrameKind.LOSS)
            if not frames:
                continue
            trades, refused = trades_of(frames)
            self.unreadable += len(refused)
            if len(trades):
                self._heed(trades)
                edited = (np.ascontiguousarray(trades.records["flags"]) & EDIT) != 0
                rows = frame_of(trades, reader.assets)
                yield rows.select(*TRADE, flags=pl.Series(edited.astype(np.int32)))


def proven(stored: Frames, spooled: Spooled) -> Proof:
    """Compare; `stored` gives told rows of `ticks` in key order, each time it is called."""
    left, right = _Side(stored()), _Side(spooled.rows())
    difference = first_difference(left.trades(split=False), right.trades(split=True))
    left.drain(split=False)
    right.drain(split=True)
    if difference is None:
        difference = first_difference(iter(left.cancellations), iter(right.cancellations))
    proof = Proof(
        holds=difference is None and not spooled.unreadable,
        stored=left.sums,
        replayed=right.sums,
        difference=difference,
        unreadable=spooled.unreadable,
    )
    if difference:
        here, there = _ids(stored()), _ids(spooled.rows())
        proof.missing, proof.strange = _without(here, there), _without(there, here)
    return proof


class _Side:
    """One side's rows as trades, with its cancellations put aside and its sums made on the way."""

    def __init__(self, rows: Iterable[pl.DataFrame]) -> None:
        self.sums = Sums()
        self.cancellations: list[pl.DataFrame] = []
        self._rows = iter(rows)

    def trades(self, *, split: bool) -> Iterator[pl.DataFrame]:
        """`split`: a cancellation is a row of its own; else it is a flag of its trade."""
        for rows in self._rows:
            struck = (pl.col("flags") & int(Flag.CANCELLED)) != 0
            cancelled = rows.filter(struck).select(CANCELLATION)
            if cancelled.height:
                self.cancellations.append(cancelled)
            trades = (rows.filter(~struck) if split else rows).select(TRADE)
            self.sums.add(trades, cancelled.height)
            yield trades

    def drain(self, *, split: bool) -> None:
        for _ in self.trades(split=split):
            pass


def first_difference(expected: Iterator[pl.DataFrame], found: Iterator[pl.DataFrame]) -> Difference | None:
    """The first place where two streams of rows disagree, whatever frames they come in."""
    place = 0
    left = right = pl.DataFrame()
    while True:
        left, right = _filled(left, expected), _filled(right, found)
        count = min(left.height, right.height)
        if not count:
            if not left.height and not right.height:
                return None
            return Difference(place, _shown(left, 0), _shown(right, 0))
        if not left[:count].equals(right[:count], null_equal=True):
            at = _disagreeing(left[:count], right[:count])
            return Difference(place + at, _shown(left, at), _shown(right, at))
        place, left, right = place + count, left[count:], right[count:]


def _filled(frame: pl.DataFrame, more: Iterator[pl.DataFrame]) -> pl.DataFrame:
    while not frame.height and (following := next(more, None)) is not None:
        frame = following
    return frame


def _disagreeing(left: pl.DataFrame, right: pl.DataFrame) -> int:
    unlike = [left[name].ne_missing(right[name]).alias(name) for name in left.columns]
    return int(pl.DataFrame(unlike).select(pl.any_horizontal(pl.all())).to_series().to_numpy().argmax())


def _shown(frame: pl.DataFrame, at: int) -> str:
    if at >= frame.height:
        return "nothing"
    return " ".join("-" if value is None else str(value) for value in frame.row(at))


def _ids(frames: Iterable[pl.DataFrame]) -> dict[str, BitMap64]:
    found: dict[str, BitMap64] = {}
    for frame in frames:
        for (symbol,), own in frame.partition_by("symbol", as_dict=True).items():
            numbers = own["trade_id"].to_numpy().astype(np.uint64)
            found[str(symbol)] = found.get(str(symbol), BitMap64()) | BitMap64(numbers)
    return found


def _without(these: dict[str, BitMap64], those: dict[str, BitMap64]) -> dict[str, int]:
    left = {symbol: len(numbers - those.get(symbol, BitMap64())) for symbol, numbers in these.items()}
    return {symbol: count for symbol, count in left.items() if count}
