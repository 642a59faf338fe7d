"""One client: what it wants, and what is done when it does not take it. Nothing here waits."""

import time
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from realtime.relay.stream.batches import Batch, Form
from realtime.relay.stream.trades import EVERYTHING, NO_ROWS, Symbols
from realtime.relay.stream.wire import TRY_AGAIN, Wire, framed
from sql.messages import BOOK, CHANNELS, HEALTH, QUOTES, TRADES, Channel, Conflated, Heartbeat

NOBODY: Symbols = frozenset()
NOTHING = Batch(0, 0, NO_ROWS)
States = Mapping[Channel, Mapping[str, tuple[int, bytes]]]  # channel -> symbol -> number and text of what holds


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
        self.resuming: dict[object, int] = {}  # what is told from the disk -> up to which number it is
        self.wanted: dict[Channel, Symbols] = dict.fromkeys(CHANNELS, NOBODY)
        self._slow = slow
        self.bound = bound
        self._counts = counts
        self._skipped: Skipped | None = None
        self._stale: dict[Channel, set[str]] = {QUOTES: set(), BOOK: set()}  # symbols with a state it was not told

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

    def tell(self, batch: Batch, states: States) -> None:
        """A batch, if it takes it. `states` has the newest of each symbol, those of the batch included."""
        if self.wanted[TRADES]:
            self._tell_trades(batch, self.wanted[TRADES])
        for channel, news in ((QUOTES, batch.quotes), (BOOK, batch.books)):
            if self.wanted[channel] and (news or self._stale[channel]):
                self._tell_states(channel, batch, states[channel])

    def tell_newest(self, channel: Channel, states: Mapping[str, tuple[int, bytes]]) -> None:
        """What holds now, to one who came just now."""
        wanted = self.wanted[channel]
        chosen = [state for symbol, state in states.items() if symbol in wanted or wanted == EVERYTHING]
        self.write(framed(text for _, text in sorted(chosen)))

    def _tell_trades(self, batch: Batch, symbols: Symbols) -> None:
        waiting = self.wire.waiting_bytes()
        if self._skipped and waiting > self.bound // 4:
            self._skip(batch, symbols)
            return
        if self._skipped:
            self._catch_up(self._skipped)
        data = batch.frames(TRADES, symbols, self.form)
        if waiting and waiting + len(data) > self.bound:
            self._behind(batch, symbols)
        elif data:
            self.write(data)
            self.sequence = batch.sequence

    def _tell_states(self, channel: Channel, batch: Batch, newest: Mapping[str, tuple[int, bytes]]) -> None:
        """States: one that is slow is told the newest of each symbol later, and that is all."""
        symbols, stale = self.wanted[channel], self._stale[channel]
        late = self.wire.waiting_bytes() > self.bound // 16
        if late or stale:
            changed = batch.states(channel).keys()
            stale.update(changed if symbols == EVERYTHING else changed & symbols)
        if late:
            return
        if stale:
            self.write(framed(newest[symbol][1] for symbol in sorted(stale) if symbol in newest))
            stale.clear()
        else:
            self.write(batch.frames(channel, symbols, self.form))

    def beat(self, frame: bytes, states: States) -> None:
        """A heartbeat, unless it would only wait."""
        waiting = self.wire.waiting_bytes()
        for channel in self._stale:
            if self._stale[channel]:
                self._tell_states(channel, NOTHING, states[channel])
        if self._skipped and waiting <= self.bound // 4:
            self._catch_up(self._skipped)
        if self._skipped or waiting > self.bound // 64:
            return
        if self.resuming:  # it may go on from the number it hears
            told = min(self.resuming.values())
            if told < 0:
                return  # the oldest that is kept is asked for, and not known yet
            beat = Heartbeat(told, int(time.time() * 1000))
            frame = framed([msgspec.json.encode(beat)])
        self.write(frame)

    def takes_answers(self) -> bool:
        """Whether it may ask more; one that asks and does not read is cut."""
        if self.wire.waiting_bytes() > self.bound:
            self.cut(TRY_AGAIN, "answers are not taken")
        return not self.wire.gone

    def cut(self, code: int, why: str) -> None:
        """End it, saying from where to come back: nothing below was left out."""
        if not self.wire.gone:
            self._counts.cut += 1
            told = min(self.sequence, *self.resuming.values()) if self.resuming else self.sequence
            self.wire.cut(code, f"{why}; resume with from_sequence={told + 1}")

    def _behind(self, batch: Batch, symbols: Symbols) -> None:
        if self._slow == "conflate":
            self._skip(batch, symbols)
        else:
            self.cut(TRY_AGAIN, "too slow")

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
