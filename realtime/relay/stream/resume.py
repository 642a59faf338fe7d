"""Telling from the disk what a client missed, at its own pace, until it can go on with everybody else."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
from msgspec import Struct

from realtime.relay.stream.batches import Batch
from realtime.relay.stream.client import Client
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.seen import Seen
from realtime.relay.stream.tail import Gaps
from realtime.relay.stream.trades import EVERYTHING, Symbols, rows_of
from realtime.spool import segments
from realtime.spool.reader import Position, Reader
from realtime.spool.segments import OPEN, SEALED
from sql.messages import TRADES, Gap, Live
from sql.ticks import member

LEAST_BYTES = PEEK_BYTES = 1 << 16
TEXT_BYTES = 220  # of a trade
AT_ONCE = 2  # reads of the disk, however many resume


class Kept(Struct, frozen=True):
    """The segment to begin with, and the first number that is on the disk."""

    segment: int
    oldest: int


def kept(folders: Sequence[Path], sequence: int) -> Kept | None:
    """Where `sequence` is, or should be; None when nothing is on the disk. Below `oldest`, it is gone."""
    numbers = sorted({number for folder in folders for number in segments.numbers(folder, OPEN, SEALED)})
    oldest = None
    while numbers and (oldest := _first(folders, numbers[0])) is None:
        del numbers[0]
    if oldest is None:
        return None
    low, high = 0, len(numbers) - 1
    while low < high:
        middle = (low + high + 1) // 2
        first = _first(folders, numbers[middle])
        if first is None or first > sequence:
            high = middle - 1
        else:
            low = middle
    return Kept(numbers[low], oldest)


def _first(folders: Sequence[Path], number: int) -> int | None:
    """The number of the first record of a segment; None while nothing is in it that can be read."""
    for folder in folders:
        if receipt := segments.receipt_of(folder, number):
            return receipt.first
    frames = Reader(folders, Position(number)).read(PEEK_BYTES).frames
    return frames[0].first if frames and frames[0].segment == number else None


class Resume:
    """Trades of some symbols from `sequence` on, for one client."""

    readers = anyio.CapacityLimiter(AT_ONCE)

    def __init__(self, hub: Hub, folders: Sequence[Path], client: Client, symbols: Symbols, sequence: int) -> None:
        self.symbols = symbols
        self._hub = hub
        self._folders = folders
        self._client = client
        self._cursor = sequence - 1  # of the last record that was told or passed over
        self._reader: Reader | None = None
        self._seen = Seen()
        self._gaps = Gaps()

    async def run(self) -> None:
        """Until the client is live, or gone."""
        self._hub.counts.resumed += 1
        try:
            while not self._client.wire.gone:
                self._client.resuming[self] = self._cursor
                await self._hub.reached(self._cursor)
                if self._joined():
                    return
                batch = await anyio.to_thread.run_sync(self._read, limiter=self.readers)
                self._client.write(batch.frames(TRADES, self.symbols, self._client.form))
                await self._client.wire.drained()
        finally:
            self._client.resuming.pop(self, None)

    def forget(self, symbols: Symbols) -> bool:
        """Tell these no more, from the next piece on; whether any are left."""
        self.symbols = frozenset() if symbols >= EVERYTHING else self.symbols - symbols
        return bool(self.symbols)

    def _joined(self) -> bool:
        """Tell what is left from memory and go live, if it is little. Nothing comes in between: this is one turn."""
        left = self._hub.since(self._cursor)
        client = self._client
        if left is None or sum(len(batch.rows) for batch in left) * TEXT_BYTES > client.bound // 2:
            return False
        client.write(b"".join(batch.frames(TRADES, self.symbols, client.form) for batch in left))
        client.want(TRADES, self.symbols)
        client.sequence = self._hub.told
        client.say(Live(TRADES, sorted(self.symbols), self._hub.told))
        self._hub.changed()
        return True

    def _read(self) -> Batch:
        """What the disk has next, its frames made: they need not be made in the loop."""
        if self._reader is None:
            place = kept(self._folders, self._cursor + 1)
            self._reader = Reader(self._folders, Position(place.segment if place else 0))
        found = self._reader.read(max(LEAST_BYTES, self._client.bound // 8))  # as text, it is more than twice as much
        rows = self._seen.fresh(rows_of(found.frames, self._reader.assets))
        gaps = self._gaps.read(found.frames)
        after, self._cursor = self._cursor, max(self._cursor, self._gaps.sequence)
        fresh = (rows.sequence > after) & ~member(rows.sequence, self._hub.seen.repeats)
        symbols = self.symbols
        batch = Batch(after, self._cursor, rows.where(fresh).of(symbols), _after(gaps, after))
        batch.frames(TRADES, symbols, self._client.form)
        return batch


def _after(gaps: list[Gap], sequence: int) -> list[Gap]:
    return [gap for gap in gaps if gap.sequence > sequence]
