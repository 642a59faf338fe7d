"""What a strategy is: it hears the tape in its order and proposes signals. It sends nothing: orders are made of signals
elsewhere, under risk, and it hears what became of them, and may have its own changed and cancelled. The same class runs
live, in a replay and in a backtest, and knows of no difference: its only clock is the tape.

    class Mine:
        def on_tick(self, tick: Tick) -> Iterable[Wish]: ...
        def on_bar(self, bar: Bar) -> Iterable[Wish]: ...
        def on_order(self, update: OrderUpdate) -> Iterable[Wish]: ...
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

Happened = Literal["trade", "correction", "cancellation"]
SignalType = Literal["buy", "sell", "hold", "alert"]
Became = Literal[
    "REFUSED", "SUBMITTED", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "FAILED", "REJECTED", "UNKNOWN"
]
OVER: frozenset[Became] = frozenset({"REFUSED", "FILLED", "CANCELED", "EXPIRED", "FAILED", "REJECTED"})

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class StrategyError(Exception):
    """A strategy cannot be found or made, or proposes what is no signal; the message says what was expected."""


class Tick(Struct, frozen=True):
    """One trade, or what became of an earlier one of the same id: its corrected values, or its end (`quantity` 0).

    A trade that the exchange repeats is told once. What was filled into the tape later is told in replays alone.
    """

    ts_ms: int  # exchange time, milliseconds since 1970, UTC
    symbol: str
    trade_id: int
    price: float
    quantity: int
    aggressor: str | None  # BUYER, SELLER, AUCTION
    buyer: int | None  # brokers
    seller: int | None
    what: Happened = "trade"

    @property
    def ts(self) -> dt.datetime:
        """Exchange time, aware, UTC."""
        return instant(self.ts_ms)


class Bar(Struct, frozen=True, kw_only=True):
    """One interval of one symbol, told when the tape's clock has passed its end; without trades there is none.

    Equal to the candle of the store, as far as corrections had come by then.
    """

    start_ms: int  # milliseconds since 1970, UTC; aligned to midnight UTC
    end_ms: int
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    trades: int

    @property
    def ts(self) -> dt.datetime:
        """Its first instant, aware, UTC."""
        return instant(self.start_ms)


class Signal(Struct, frozen=True, kw_only=True):
    """A proposal. `confidence`: 0 to 1. Where orders are made, buy and sell become one: a limit order at `price`, a
    market order without; of `quantity`, else of the one that the runner was given; cancelled after `lives_ms`.
    """

    symbol: str
    type: SignalType
    confidence: float
    price: float | None = None
    quantity: int | None = None
    reasoning: str = ""
    features: Mapping[str, float] = {}
    lives_ms: int | None = None  # until it expires, of the tape's clock


class Cancel(Struct, frozen=True, kw_only=True):
    """End what is left of an order of its own. One that is over stays as it is."""

    order: str  # as its updates name it
    reasoning: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """Change a working order of its own; None: as it is. It is checked as a new order of its size and price."""

    order: str
    price: float | None = None
    quantity: int | None = None  # of the whole order, with what is filled
    reasoning: str = ""


Wish = Signal | Cancel | Change


class OrderUpdate(Struct, frozen=True, kw_only=True):
    """What became of the order that a signal asked for, each time that something did.

    REFUSED: nothing left, `reason` names check, limit and value. UNKNOWN: nobody knows whether it left.
    """

    ts_ms: int  # of the order's own records; in a backtest the tape's clock
    signal: Signal  # the very one that was proposed; of an order that an earlier process left, made of the order
    order: str | None  # None: there is none
    status: Became
    filled: int = 0  # so far
    average_price: float | None = None  # of what was filled
    fill_quantity: int = 0  # that this update brings
    fill_price: float | None = None
    reason: str = ""
    quantity: int = 0  # of the whole order, as it stands; 0 where there is none
    price: float | None = None  # its limit, as it stands
    unfollowed: Cancel | Change | None = None  # what was asked of the order in vain; `reason` says why

    @property
    def signed_fill(self) -> int:
        """What this update adds to the position."""
        return self.fill_quantity if self.signal.type == "buy" else -self.fill_quantity

    @property
    def over(self) -> bool:
        """Whether nothing more comes of the order."""
        return self.status in OVER


class Strategy(Protocol):
    """One instance hears all symbols. Output must follow from what it heard: no clock, no chance, no network.

    Without `on_order` a strategy is not told about its orders.
    """

    def on_tick(self, tick: Tick) -> Iterable[Wish]:
        """A tick, after the bars that ended before it."""
        ...

    def on_bar(self, bar: Bar) -> Iterable[Wish]:
        """A bar that is over; bars of one moment come in the order of their symbols."""
        ...

    def on_order(self, update: OrderUpdate) -> Iterable[Wish]:
        """What became of one of its orders. A replay makes no orders and tells nothing here."""
        ...


def instant(ms: int) -> dt.datetime:
    """Milliseconds since 1970 as an instant."""
    return EPOCH + dt.timedelta(milliseconds=ms)
