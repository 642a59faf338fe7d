"""The last price, state and settlement of each symbol, as the tape tells them: what orders are checked against.

Written by the thread that drains the market's records, read by any other. A mark's time is when it reached this host,
so that its age does not hang on the exchange's clock. But the DLL repeats the last trade after a subscription, which
may be of yesterday, and a broken feed catches up: a trade that says itself that it is old is as old as it says.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from realtime.orders.instruments import Instruments
from realtime.orders.risk import Dispute, Mark
from realtime.records import DAILY_PRICES, Kind
from sql.exchange import SAO_PAULO, Instrument

FINEST = 10_000  # parts of one: no tick of B3 is finer; the DLL gives doubles
EDITED = 1
ABSENT = 0.0
APART = dt.timedelta(seconds=10)  # the exchange's clock and ours may be off by so much
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - on the clock of São Paulo


class Prices:
    """Latest values by symbol. `dated`: the times of trades are of this day, unlike those of an invented market."""

    def __init__(
        self,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        instruments: Instruments | None = None,
        *,
        dated: bool = False,
    ) -> None:
        self.instruments = instruments or Instruments()
        self._now = now
        self._dated = dated
        self._names: dict[int, str] = {}
        self._last: dict[str, Mark] = {}
        self._states: dict[str, int] = {}
        self._settlements: dict[str, Mark] = {}

    def named(self, number: int, symbol: str) -> None:
        """A symbol has this number in the records of this process."""
        self._names[number] = symbol

    def last(self, symbol: str) -> Mark | None:
        """The last trade that was told live."""
        return self._last.get(symbol)

    def state(self, symbol: str) -> int | None:
        """As the exchange numbers it; None before it was told."""
        return self._states.get(symbol)

    def settlement(self, symbol: str, session: dt.date | None = None) -> Decimal | None:
        """The last settlement (the adjustment of the daily aggregate). `session`: only if it was told on that day.

        What was told the day before is the one that the day before began with.
        """
        told = self._settlements.get(symbol)
        if told is None or (session is not None and told.at.astimezone(SAO_PAULO).date() < session):
            return None
        return told.price

    def instrument(self, symbol: str) -> Instrument | None:
        """What is reckoned with: by the operator, our table or the broker."""
        return self.instruments(symbol)

    @property
    def disputes(self) -> Mapping[str, Dispute]:
        """Symbols on which our table and the broker disagree."""
        return self.instruments.disputes

    def note(self, symbol: str, price: Decimal, at: dt.datetime | None = None) -> None:
        """A trade that came another way than in records."""
        self._last[symbol] = Mark(price, at or self._now())

    def noted_state(self, symbol: str, state: int) -> None:
        """A state that came another way than in records."""
        self._states[symbol] = state

    def noted_settlement(self, symbol: str, price: Decimal) -> None:
        """A settlement that came another way than in records."""
        self._settlements[symbol] = Mark(price, self._now())

    def take(self, batch: "np.ndarray[Any, Any]") -> None:
        """Take the newest of each symbol out of records in their order."""
        kinds = batch["kind"]
        trades = batch[(kinds == Kind.TRADE) & (batch["price"] > ABSENT) & (batch["flags"] & EDITED == 0)]
        if len(trades):
            now = self._now()
            for asset, trade in _newest(trades["asset"], trades[["price", "time"]]):
                if symbol := self._names.get(asset):
                    self._last[symbol] = Mark(exact(trade["price"]), self._at(int(trade["time"]), now))
        states = batch[kinds == Kind.ASSET_STATE]
        for asset, state in _newest(states["asset"], states["count"]) if len(states) else ():
            if symbol := self._names.get(asset):
                self._states[symbol] = int(state)
        daily = batch[kinds == Kind.DAILY_PRICES]
        if len(daily):
            for asset, value in _newest(daily["asset"], daily.view(DAILY_PRICES)["adjustment"]):
                if (symbol := self._names.get(asset)) and value > ABSENT:
                    self.noted_settlement(symbol, exact(value))

    def _at(self, milliseconds: int, now: dt.datetime) -> dt.datetime:
        """When a trade was true, at the latest."""
        if not self._dated or not milliseconds:
            return now
        said = (EPOCH + dt.timedelta(milliseconds=milliseconds)).replace(tzinfo=SAO_PAULO)
        return min(now, said.astimezone(dt.UTC) + APART)

    def trouble(self, symbol: str) -> str | None:
        """Why a symbol cannot be traded by what is known of it; None when it can."""
        if symbol not in self._last:
            return "no trade was seen yet"
        return None if symbol in self._states else "its state was not told yet"


def exact(price: float) -> Decimal:
    """A double of the DLL as the price that it means."""
    return Decimal(round(price * FINEST)) / FINEST


def _newest(assets: "np.ndarray[Any, Any]", values: "np.ndarray[Any, Any]") -> list[tuple[int, Any]]:
    """The last value of each asset."""
    found, first_from_behind = np.unique(assets[::-1], return_index=True)
    return [(int(a), values[len(values) - 1 - i]) for a, i in zip(found, first_from_behind, strict=True)]
