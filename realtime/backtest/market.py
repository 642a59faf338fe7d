"""The tape's clock, and what the tape has said of each symbol by then: the reference of every check."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from realtime.orders.matching import Trade
from realtime.orders.prices import exact
from realtime.orders.risk import OPENED, Dispute, Mark
from realtime.orders.states import Side
from realtime.strategy import Tick, instant
from sql.exchange import Instrument, instrument_of

AGGRESSORS: dict[str | None, Side] = {"BUYER": "BUY", "SELLER": "SELL"}


class Clock:
    """Milliseconds of the tape. It never goes back."""

    def __init__(self, ms: int = 0) -> None:
        self.ms = ms
        self._said = (ms, instant(ms))  # asked for many times at one instant

    def __call__(self) -> dt.datetime:
        if self._said[0] != self.ms:
            self._said = (self.ms, instant(self.ms))
        return self._said[1]

    def reach(self, ms: int) -> None:
        """Be at `ms`, or where it is already."""
        self.ms = max(self.ms, ms)


class TapeMarket:
    """Last trades as they come; a symbol that has traded counts as open: the store has no states.

    An overnight position begins its day at the last trade of the session before.
    """

    def __init__(self) -> None:
        self._last: dict[str, Tick] = {}
        self._settled: dict[str, Decimal] = {}

    def note(self, tick: Tick) -> None:
        """A trade, in the tape's order."""
        self._last[tick.symbol] = tick

    def last(self, symbol: str) -> Mark | None:
        """As `decisions.Market`."""
        tick = self._last.get(symbol)
        return None if tick is None else Mark(exact(tick.price), tick.ts)

    def state(self, symbol: str) -> int | None:
        """As `decisions.Market`."""
        return OPENED if symbol in self._last else None

    def settlement(self, symbol: str, session: dt.date | None = None) -> Decimal | None:  # noqa: ARG002 - of any
        """As `decisions.Market`; told as soon as a session has ended."""
        return self._settled.get(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        """As `decisions.Market`: by our table, the store has no words of the broker about it."""
        return instrument_of(symbol)

    @property
    def disputes(self) -> Mapping[str, Dispute]:
        """As `decisions.Market`."""
        return {}

    def trade(self, symbol: str) -> Trade | None:
        """The last one, for the exchange."""
        tick = self._last.get(symbol)
        return None if tick is None else trade_of(tick)

    def session_ended(self) -> None:
        """What follows belongs to another session."""
        self._settled = {symbol: exact(tick.price) for symbol, tick in self._last.items()}


def trade_of(tick: Tick) -> Trade:
    """A tick for the exchange."""
    return Trade(
        symbol=tick.symbol,
        price=exact(tick.price),
        quantity=tick.quantity,
        aggressor=AGGRESSORS.get(tick.aggressor),
    )
