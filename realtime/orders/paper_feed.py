"""The live tape for the paper broker: capture's records as trades and quotes, on the drain's thread.

Where no order works, a batch is worth its last trade and quotes of each symbol; else every record counts, in order.
"""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import structlog

from realtime.orders.matching import Trade
from realtime.orders.paper import PaperBroker
from realtime.orders.paper_book import BookError
from realtime.orders.prices import exact
from realtime.orders.states import Side
from realtime.records import Kind

EDITED = 1
BUY_SIDE = 0
DAY_MS = 86_400_000
NUMBER_BITS = 40  # of a trade; they begin anew each day
AGGRESSORS: dict[int, Side] = {2: "BUY", 3: "SELL"}  # types of trades

log = structlog.get_logger("orders")


class PaperFeed:
    """Takes what capture takes. `failed` is told once when the paper exchange cannot write its book any more."""

    def __init__(self, broker: PaperBroker, failed: Callable[[str], None] | None = None) -> None:
        self._broker = broker
        self._failed = failed
        self._names: dict[int, str] = {}
        self._places: dict[int, int] = {}  # asset -> day and number of its newest trade
        self._broken = threading.Event()

    def named(self, number: int, symbol: str) -> None:
        """A symbol has this number in the records of this process."""
        self._names[number] = symbol

    def take(self, batch: "np.ndarray[Any, Any]") -> None:
        """Tell the broker what matters of a batch."""
        if self._broken.is_set():
            return
        kinds = batch["kind"]
        live = (kinds == Kind.TRADE) & (batch["price"] > 0) & (batch["quantity"] > 0) & (batch["flags"] & EDITED == 0)
        quotes = (kinds == Kind.QUOTE) & (batch["price"] > 0)
        market = batch[live | quotes]
        try:
            for asset in np.unique(market["asset"]).tolist() if len(market) else ():
                if symbol := self._names.get(asset):
                    self._tell(symbol, self._new(asset, market[market["asset"] == asset]))
        except BookError as error:  # its orders are as they were; what has traded since is not theirs
            self._broken.set()
            self._broker.close()
            log.exception("paper_broken")
            if self._failed is not None:
                self._failed(str(error))

    def _new(self, asset: int, records: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Without trades that were told before: a link that comes back repeats some, and who fills them fills twice."""
        numbered = (records["kind"] == Kind.TRADE) & (records["number"] > 0)
        places = np.where(numbered, (records["time"] // DAY_MS << NUMBER_BITS) + records["number"], 0)
        newest = np.maximum.accumulate(np.concatenate(([self._places.get(asset, 0)], places)))
        self._places[asset] = int(newest[-1])
        new: np.ndarray[Any, Any] = records[~numbered | (places > newest[:-1])]
        return new

    def _tell(self, symbol: str, records: "np.ndarray[Any, Any]") -> None:
        if not self._broker.wants(symbol):
            trades, quotes = records[records["kind"] == Kind.TRADE], records[records["kind"] == Kind.QUOTE]
            sides = [quotes[quotes["side"] == side][-1:] for side in np.unique(quotes["side"])]
            records = np.concatenate([trades[-1:], *sides])
        for record in records:
            price, quantity = exact(float(record["price"])), int(record["quantity"])
            if record["kind"] == Kind.QUOTE:
                self._broker.quote(symbol, buy=int(record["side"]) == BUY_SIDE, price=price, quantity=quantity)
            else:
                self._broker.trade(_trade(symbol, price, quantity, int(record["action"])))


def _trade(symbol: str, price: Decimal, quantity: int, kind: int) -> Trade:
    return Trade(symbol=symbol, price=price, quantity=quantity, aggressor=AGGRESSORS.get(kind))
