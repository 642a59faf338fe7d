"""What became durable between two numbers of the spool, and its messages: each is made once, for all who want it."""

from collections import deque
from collections.abc import Iterable

import msgspec
import numpy as np
from msgspec import Struct, field

from realtime.relay.rows import Longs
from realtime.relay.stream.trades import BATCH_TRADES, EVERYTHING, Rows, Shape, Symbols, encode
from realtime.relay.stream.wire import framed
from sql.messages import BOOK, QUOTES, TRADES, Channel, Gap, Quote

RECENT_BYTES = 8 << 20
RECENT_BATCHES = 256
MOST_LISTS = 32  # whose frames are shared, of one batch: each list's are as large as its texts


class Form(Struct, frozen=True):
    """How a client wants its trades."""

    shape: Shape = "short"
    batch: bool = False


class Batch(Struct):
    """All records with numbers above `after`, up to `sequence`. Its trades are not changed any more."""

    after: int
    sequence: int
    rows: Rows
    gaps: list[Gap] = []
    quotes: list[Quote] = []
    books: dict[str, tuple[int, bytes]] = {}  # symbol -> number and text of its newest state
    _texts: dict[Shape, list[bytes]] = field(default_factory=dict)
    _made: dict[tuple[Channel, Symbols, Form], bytes] = field(default_factory=dict)
    _quotes: list[bytes] | None = None

    def texts(self, shape: Shape) -> list[bytes]:
        """The text of each trade."""
        if shape not in self._texts:
            self._texts[shape] = self.rows.texts(shape)
        return self._texts[shape]

    def frames(self, channel: Channel, symbols: Symbols, form: Form) -> bytes:
        """What a channel tells of these symbols; empty when that is nothing."""
        key = (channel, symbols, form)
        made = self._made.get(key)
        if made is None:
            make = {TRADES: self._trade_frames, QUOTES: self._quote_frames, BOOK: self._book_frames}[channel]
            made = make(symbols, form)
            if symbols == EVERYTHING or len(self._made) < MOST_LISTS:
                self._made[key] = made
        return made

    def quote_texts(self) -> list[bytes]:
        """The text of each quote."""
        if self._quotes is None:
            self._quotes = encode(self.quotes).splitlines()
        return self._quotes

    def states(self, channel: Channel) -> dict[str, tuple[int, bytes]]:
        """Number and text of the newest state of each symbol that a channel of states tells of."""
        if channel == BOOK:
            return self.books
        pairs = zip(self.quotes, self.quote_texts(), strict=True)
        return {quote.symbol: (quote.sequence, text) for quote, text in pairs}

    def last(self, symbols: Symbols, shape: Shape) -> dict[str, tuple[int, bytes]]:
        """Number and text of the last trade of each symbol."""
        rows, texts = self.rows.of(symbols), self._chosen(symbols, shape)
        assets = rows.records["asset"]
        newest = np.full(int(assets.max(initial=0)) + 1, -1)
        newest[assets] = np.arange(len(assets))  # of several, the last one stays
        return {
            rows.names[number].ticker: (int(rows.sequence[newest[number]]), texts[newest[number]])
            for number in np.flatnonzero(newest >= 0).tolist()
        }

    def later(self, than: int) -> "Batch":
        """Its trades and gaps with numbers above `than`."""
        if than <= self.after:
            return self.trades()
        gaps = [gap for gap in self.gaps if gap.sequence > than]
        return Batch(than, self.sequence, self.rows.where(self.rows.sequence > than), gaps)

    def trades(self) -> "Batch":
        """It without states and frames; texts are shared."""
        return Batch(self.after, self.sequence, self.rows, self.gaps, _texts=self._texts)

    def _chosen(self, symbols: Symbols, shape: Shape) -> list[bytes]:
        texts = self.texts(shape)
        if symbols == EVERYTHING:
            return texts
        return [texts[place] for place in np.flatnonzero(self.rows.chosen(symbols)).tolist()]

    def _quote_frames(self, symbols: Symbols, form: Form) -> bytes:
        texts, every = self.quote_texts(), symbols == EVERYTHING
        places = [at for at, quote in enumerate(self.quotes) if every or quote.symbol in symbols]
        numbers = np.array([self.quotes[at].sequence for at in places], np.int64)
        return _told("quotes", [texts[at] for at in places], numbers, self.sequence, form)

    def _book_frames(self, symbols: Symbols, _: Form) -> bytes:
        every = symbols == EVERYTHING
        return framed(text for symbol, (_, text) in self.books.items() if every or symbol in symbols)

    def _trade_frames(self, symbols: Symbols, form: Form) -> bytes:
        """Trades and gaps in their order."""
        texts, numbers = self._chosen(symbols, form.shape), self.rows.of(symbols).sequence
        told, at = [], 0
        for gap in self.gaps:
            until = int(np.searchsorted(numbers, gap.first))
            told += [
                _told("trades", texts[at:until], numbers[at:until], gap.first - 1, form),
                framed([msgspec.json.encode(gap)]),
            ]
            at = until
        return b"".join([*told, _told("trades", texts[at:], numbers[at:], self.sequence, form)])


def _told(kind: str, texts: list[bytes], numbers: Longs, sequence: int, form: Form) -> bytes:
    """The frames of these texts, after which everything up to `sequence` is told."""
    if not form.batch:
        return framed(texts)
    messages = []
    for at in range(0, len(texts), BATCH_TRADES):
        following = at + BATCH_TRADES
        end = sequence if following >= len(texts) else int(numbers[following - 1])
        head = b'{"type":"%b","sequence":%d,"data":[' % (kind.encode(), end)
        messages.append(b"%b%b]}" % (head, b",".join(texts[at:following])))
    return framed(messages)


class Recent:
    """The batches that were told last, for those who come a little late."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._bytes = 0

    def add(self, batch: Batch) -> None:
        """The newest. Frames are made again for who comes late: there may be many, and he is one."""
        self._batches.append(batch.trades())
        self._bytes += batch.rows.records.nbytes
        while len(self._batches) > 1 and (self._bytes > RECENT_BYTES or len(self._batches) > RECENT_BATCHES):
            self._bytes -= self._batches.popleft().rows.records.nbytes

    def since(self, sequence: int) -> Iterable[Batch] | None:
        """Everything above `sequence`; None when that is more than is remembered."""
        if not self._batches or sequence < self._batches[0].after:
            return None
        return [batch.later(sequence) for batch in self._batches if batch.sequence > sequence]
