"""Best prices and books as the records leave them: states, kept for all symbols of the run that is read."""

import math
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from msgspec import Struct, field

from realtime.records import Kind
from realtime.spool.frames import Asset, Frame, FrameKind, Records
from sql.messages import EXCHANGE, Book, Level, Quote

DEEPEST = 20  # levels of a side that are told
MOST_LEVELS = 500  # that are remembered
EDIT, DELETE, INSERT, FULL, DELETE_FROM = 1, 2, 3, 4, 8  # depth update types; the others change no level
LAST, FIRST, UNREAD = 1, 2, 4  # flags of depth records

Ladder = list[Level | None]  # the best first; None: a level that was not told yet


class Best(Struct):
    """The best price of each side."""

    prices: list[float | None] = field(default_factory=lambda: [None, None])
    sizes: list[int | None] = field(default_factory=lambda: [None, None])
    timestamp: int = 0
    sequence: int = 0

    def quote(self, symbol: str) -> Quote:
        """As it is told."""
        (bid, ask), (bids, asks) = self.prices, self.sizes
        return Quote(symbol, EXCHANGE, bid, ask, bids, asks, self.timestamp, self.sequence)


class Depth(Struct):
    """Both sides of a book."""

    sides: tuple[Ladder, Ladder] = field(default_factory=lambda: ([], []))
    whole: bool = False  # a full book came; before it, what was not told is not known
    timestamp: int = 0
    sequence: int = 0

    def book(self, symbol: str) -> Book:
        """As it is told."""
        tops = [side[:DEEPEST] for side in self.sides]
        bids, asks = ([level for level in top if level and math.isfinite(level.price)] for top in tops)
        partial = not self.whole or any(None in top for top in tops)
        return Book(symbol, EXCHANGE, bids, asks, self.timestamp, self.sequence, partial)


class Prices:
    """Follows frames; `quotes` and `books` are by the number of the asset."""

    def __init__(self) -> None:
        self._run = 0
        self._names: Mapping[int, Asset] = {}
        self._quotes: dict[int, Best] = {}
        self._books: dict[int, Depth] = {}

    def read(
        self, frames: Iterable[Frame], names: Mapping[int, Asset], *, quotes: bool
    ) -> tuple[list[Quote], set[int]]:
        """The quotes that these frames bring, if `quotes` are wanted, and the assets whose books they change."""
        found: list[Quote] = []
        changed: set[int] = set()
        self._names = names
        for frame in frames:
            if frame.run != self._run:
                self._run, self._quotes, self._books = frame.run, {}, {}
            if frame.kind == FrameKind.RECORDS:
                self._read_quotes(frame, found if quotes else None)
                self._read_depth(frame, changed)
        return found, changed

    def quotes(self) -> list[Quote]:
        """All that is known."""
        return [best.quote(self._names[asset].ticker) for asset, best in self._quotes.items() if asset in self._names]

    def books(self, assets: Iterable[int] | None = None) -> dict[str, tuple[int, bytes]]:
        """Number and text of the books of some assets, or of all, by symbol."""
        chosen = self._books if assets is None else assets
        books = (self._books[asset].book(self._names[asset].ticker) for asset in chosen if asset in self._names)
        return {book.symbol: (book.sequence, msgspec.json.encode(book)) for book in books}

    def _read_quotes(self, frame: Frame, told: list[Quote] | None) -> None:
        records, numbers, millis = _chosen(frame, Kind.QUOTE)
        columns = (records[name].tolist() for name in ("asset", "side", "price", "quantity"))
        for asset, side, price, quantity, number, at in zip(*columns, numbers, millis, strict=True):
            best = self._quotes.get(asset)
            if best is None:
                best = self._quotes[asset] = Best()
            if side < 2:
                there = 0 < price < math.inf
                best.prices[side], best.sizes[side] = (price, quantity) if there else (None, None)
            best.timestamp, best.sequence = at, number
            if told is not None and asset in self._names:
                told.append(best.quote(self._names[asset].ticker))

    def _read_depth(self, frame: Frame, changed: set[int]) -> None:
        records, numbers, millis = _chosen(frame, Kind.DEPTH)
        if not numbers:
            return
        names = ("asset", "side", "action", "position", "flags", "price", "quantity", "count")
        columns = (records[name].tolist() for name in names)
        for asset, side, action, *change, number, at in zip(*columns, numbers, millis, strict=True):
            if side > 1 or action not in (EDIT, DELETE, INSERT, FULL, DELETE_FROM):
                continue
            depth = self._books.get(asset)
            if depth is None:
                depth = self._books[asset] = Depth()
            position, flags, *level = change
            applied(depth.sides[side], action, position, flags, None if flags & UNREAD else Level(*level))
            depth.whole = depth.whole or (action == FULL and side == 1 and bool(flags & LAST))
            depth.timestamp, depth.sequence = at, number
            changed.add(asset)


def applied(side: Ladder, action: int, position: int, flags: int, level: Level | None) -> None:
    """Change one side of a book as a depth record says."""
    if action == FULL:
        if flags & FIRST:
            side.clear()
        if position >= 0:
            side.append(level)
        return
    if not 0 <= position < MOST_LEVELS:
        return
    if action == DELETE_FROM:
        del side[position:]
    elif action == DELETE:
        del side[position : position + 1]
    else:
        side.extend([None] * (position - len(side)))  # levels that nobody told us of
        side[position : position + (action == EDIT)] = [level]
        del side[MOST_LEVELS:]


def _chosen(frame: Frame, kind: Kind) -> tuple[Records, list[int], list[int]]:
    """Records of a kind, their numbers, and the host's clock at each in milliseconds."""
    records = frame.records()
    places = np.flatnonzero(records["kind"] == kind)
    chosen = records[places]
    return chosen, (frame.first + places).tolist(), ((frame.wall - frame.mono + chosen["mono"]) // 1_000_000).tolist()
