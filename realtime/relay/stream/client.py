"""One client: what it wants, and what is done when it does not take it. Nothing here waits."""

from typing import Literal

import msgspec
from msgspec import Struct

from realtime.relay.stream.batches import Batch, Form
from realtime.relay.stream.trades import EVERYTHING, Symbols
from realtime.relay.stream.wire import TRY_AGAIN, Wire, framed
from sql.messages import CHANNELS, HEALTH, TRADES, Channel, Conflated

NOBODY: Symbols = frozenset()


class Counts(Struct):
    """What was done for all clients since the process began."""

    clients: int = 0
    bytes: int = 0
    cut: int = 0
    conflated: int = 0  # trades that slow clients were not told
    resumed: int = 0


class Skipped(Struct):
    """Trades that a slow client was not told, and number and text of the last one of each symbol."""

    first: int
    sequence: int
    trades: int = 0
    last: dict[str, tuple[int, bytes]] = {}


class Client:
    """A connection. `bound` is how many bytes may wait for it."""

    def __init__(self, wire: Wire, form: Form, slow: Literal["cut", "conflate"], bound: int, counts: Counts) -> None:
        self.wire = wire
        self.form = form
        self.sequence = 0  # of the last batch that was told, or of what was resumed
        self.wanted: dict[Channel, Symbols] = dict.fromkeys(CHANNELS, NOBODY)
        self._slow = slow
        self._bound = bound
        self._counts = counts
        self._skipped: Skipped | None = None

    def want(self, channel: Channel, symbols: Symbols) -> None:
        """Tell these too, from the next batch on."""
        now = self.wanted[channel] | symbols
        self.wanted[channel] = EVERYTHING if now >= EVERYTHING or channel == HEALTH else now

    def forget(self, channel: Channel, symbols: Symbols) -> None:
        """Tell these no more; everything when that is what is named."""
        self.wanted[channel] = NOBODY if symbols >= EVERYTHING else self.wanted[channel] - symbols

    def say(self, *messages: Struct) -> None:
        """Answer, whatever waits."""
        self.write(framed(map(msgspec.json.encode, messages)))

    def write(self, data: bytes) -> None:
        """Write frames."""
        self._counts.bytes += len(data)
        self.wire.write_frames(data)

    def tell(self, batch: Batch) -> None:
        """The trades of a batch, if it takes them."""
        symbols = self.wanted[TRADES]
        if not symbols:
            return
        waiting = self.wire.waiting_bytes()
        if self._skipped and waiting > self._bound // 4:
            self._skip(batch, symbols)
            return
        if self._skipped:
            self._catch_up(self._skipped)
        data = batch.trades(symbols, self.form)
        if waiting and waiting + len(data) > self._bound:
            self._behind(batch, symbols)
        elif data:
            self.write(data)
            self.sequence = batch.sequence

    def beat(self, frame: bytes) -> None:
        """A heartbeat, unless it would only wait."""
        waiting = self.wire.waiting_bytes()
        if self._skipped and waiting <= self._bound // 4:
            self._catch_up(self._skipped)
        if not self._skipped and waiting <= self._bound // 64:
            self.write(frame)

    def _behind(self, batch: Batch, symbols: Symbols) -> None:
        if self._slow == "conflate":
            self._skip(batch, symbols)
        elif not self.wire.gone:
            self._counts.cut += 1
            self.wire.cut(TRY_AGAIN, f"too slow; resume with from_sequence={self.sequence + 1}")

    def _skip(self, batch: Batch, symbols: Symbols) -> None:
        rows = batch.rows.of(symbols)
        if not len(rows):
            return
        skipped = self._skipped = self._skipped or Skipped(int(rows.sequence[0]), 0)
        skipped.sequence = int(rows.sequence[-1])
        skipped.trades += len(rows)
        skipped.last = skipped.last | batch.last(symbols, self.form.shape)
        self._counts.conflated += len(rows)

    def _catch_up(self, skipped: Skipped) -> None:
        self._skipped = None
        text = msgspec.json.encode(Conflated(skipped.first, skipped.sequence, skipped.trades))
        self.write(framed([text, *(last for _, last in sorted(skipped.last.values()))]))
