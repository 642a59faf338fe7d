"""The worked example: who is in a hurry? Over the last trades of a symbol, buyers' quantity against sellers', confirmed
by the last bar. An example of the form, not advice.

Where its proposals become orders it holds `size` lots either way: a proposal against what it holds turns it round.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal

from realtime.strategy import Bar, OrderUpdate, Signal, Tick
from sql.exchange import instrument_of


class Flow:
    """What buyers and sellers in a hurry took in the last trades of one symbol.

    Where the tape names no aggressor (B3's files), a higher price than before was a buyer, a lower one a seller.
    """

    def __init__(self, trades: int) -> None:
        self.bought = self.sold = 0
        self._last: deque[tuple[int, int]] = deque(maxlen=trades)
        self._price = 0.0
        self._side: str | None = None  # of the last move

    def heard(self, tick: Tick) -> Literal["buy", "sell"] | None:
        """Take a trade in; who took more, when enough trades are known."""
        if len(self._last) == self._last.maxlen:
            bought, sold = self._last[0]
            self.bought, self.sold = self.bought - bought, self.sold - sold
        side = tick.aggressor or self._moved(tick.price)
        bought, sold = tick.quantity * (side == "BUYER"), tick.quantity * (side == "SELLER")
        self._last.append((bought, sold))
        self.bought, self.sold = self.bought + bought, self.sold + sold
        if len(self._last) < (self._last.maxlen or 0) or self.bought == self.sold:
            return None
        return "buy" if self.bought > self.sold else "sell"

    def _moved(self, price: float) -> str | None:
        if self._price and price != self._price:
            self._side = "BUYER" if price > self._price else "SELLER"
        self._price = price
        return self._side


class AggressorFlow:
    """Proposes when one side took much more than the other and the last bar went the same way; once a bar and symbol.

    Quantities are integers, so that the same ticks give the same figures on every machine.
    """

    def __init__(self, trades: int = 100, share: float = 0.65, lives_ms: int = 60_000, size: int = 1) -> None:
        self._trades = trades
        self._share = share
        self._lives_ms = lives_ms
        self._size = size
        self._flow: dict[str, Flow] = {}
        self._moved: dict[str, float] = {}  # symbol -> close less open of its last bar
        self._may_speak: set[str] = set()
        self._held: dict[str, int] = {}  # by fills of its own orders, signed
        self._working: dict[str, str] = {}  # symbol -> its order that may still trade

    def on_bar(self, bar: Bar) -> Iterable[Signal]:
        """The direction that a proposal must have; each bar allows one."""
        self._moved[bar.symbol] = bar.close - bar.open
        self._may_speak.add(bar.symbol)
        return ()

    def on_tick(self, tick: Tick) -> Iterable[Signal]:
        """Counts who took how much. Corrections and cancellations are let be: they are too late to act upon."""
        if tick.what != "trade":
            return ()
        side = self._flow.setdefault(tick.symbol, Flow(self._trades)).heard(tick)
        return self._proposal(tick, side) if side and tick.symbol in self._may_speak else ()

    def on_order(self, update: OrderUpdate) -> Iterable[Signal]:
        """Counts what it holds. While an order of a symbol works there is no other."""
        symbol = update.signal.symbol
        self._held[symbol] = self._held.get(symbol, 0) + update.signed_fill
        if update.order is not None and not update.over:
            self._working[symbol] = update.order
        elif self._working.get(symbol) == update.order:
            self._working.pop(symbol, None)
        return ()

    def _proposal(self, tick: Tick, side: Literal["buy", "sell"]) -> Iterable[Signal]:
        flow, moved = self._flow[tick.symbol], self._moved[tick.symbol]
        share = max(flow.bought, flow.sold) / (flow.bought + flow.sold)
        if share < self._share or not moved or (moved > 0) != (side == "buy"):
            return ()
        held = self._held.get(tick.symbol, 0)
        if tick.symbol in self._working or (held > 0 if side == "buy" else held < 0):
            return ()
        self._may_speak.discard(tick.symbol)
        return (
            Signal(
                symbol=tick.symbol,
                type=side,
                confidence=round(share, 4),
                price=tick.price,
                quantity=self._size * _lot(tick.symbol) + abs(held),
                reasoning=f"{side}ers took {share:.0%} of the last {self._trades} trades",
                features={"bought": flow.bought, "sold": flow.sold, "moved": moved},
                lives_ms=self._lives_ms,
            ),
        )


def _lot(symbol: str) -> int:
    instrument = instrument_of(symbol)
    return instrument.lot if instrument else 1
