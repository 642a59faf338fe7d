"""What works, added up as it changes, so that a decision need not look at every order. For one thread.

A recount of all working orders gives the same at any time: the tests hold one against the other.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from realtime.orders.entries import Entry, unknown
from realtime.orders.risk import Mark, Open, exact
from realtime.orders.states import Order, Side
from sql.exchange import Instrument, instrument_of

ZERO = Decimal(0)


class Weight(Struct, frozen=True):
    """How a working order counts: while a change is on its way, with the worse of before and after."""

    account: str
    symbol: str
    side: Side
    leaves: int
    shapes: tuple[tuple[int, Decimal | None], ...]  # quantity and price by which the broker may list it
    dearest: Decimal | None  # of its prices; None: at the market
    unknown: bool


def weight_of(entry: Entry) -> Weight:
    """What a working order weighs now."""
    order, asked = entry.order, entry.change
    quantity, prices = order.quantity, [order.price, order.stop]
    shapes: tuple[tuple[int, Decimal | None], ...] = ((order.quantity, order.price),)
    if asked is not None:
        quantity = max(quantity, asked.quantity or 0)
        prices += [asked.price, asked.stop]
        shapes += ((asked.quantity or order.quantity, asked.price),)
    dearest = max([price for price in prices if price is not None], default=None)
    leaves = quantity - order.traded
    return Weight(order.account, order.symbol, order.side, leaves, shapes, dearest, unknown(entry))


def _alike(weight: Weight, order: Order) -> bool:
    same = (weight.symbol, weight.side) == (order.symbol, order.side)
    return same and (order.quantity, order.price) in weight.shapes


class Exposure:
    """The weights of all working orders, by account."""

    def __init__(self) -> None:
        self._all: dict[str, Weight] = {}  # by order
        self._accounts: dict[str, dict[str, Weight]] = defaultdict(dict)
        self._unknown: dict[str, dict[str, Weight]] = defaultdict(dict)
        self._leaves: Counter[tuple[str, str, Side]] = Counter()

    def put(self, entry: Entry) -> None:
        """An order works, or works otherwise than before."""
        name, weight = entry.order.id, weight_of(entry)
        if self._all.get(name) == weight:
            return
        self.drop(name)
        self._all[name] = self._accounts[weight.account][name] = weight
        self._leaves[weight.account, weight.symbol, weight.side] += weight.leaves
        if weight.unknown:
            self._unknown[weight.account][name] = weight

    def drop(self, order: str) -> None:
        """An order works no more."""
        weight = self._all.pop(order, None)
        if weight is None:
            return
        del self._accounts[weight.account][order]
        self._unknown[weight.account].pop(order, None)
        key = (weight.account, weight.symbol, weight.side)
        self._leaves[key] -= weight.leaves
        if not self._leaves[key]:
            del self._leaves[key]

    def met_by(self, order: Order, notional: Decimal | None, instead_of: str = "") -> Open:
        """What an order meets. `instead_of`: the one that it would replace does not count."""
        account = order.account
        orders = len(self._accounts.get(account, ()))
        same_side = self._leaves.get((account, order.symbol, order.side), 0)
        own = self._all.get(instead_of) if instead_of else None
        if own is not None and own.account == account:
            orders -= 1
            same_side -= own.leaves if (own.symbol, own.side) == (order.symbol, order.side) else 0
        strangers = self._unknown.get(account)
        alike = [n for n in strangers if n != instead_of and _alike(strangers[n], order)] if strangers else ()
        return Open(orders=orders, same_side=same_side, unknown=len(alike), notional=notional)

    def notional(
        self,
        account: str,
        last: Callable[[str], Mark | None],
        instead_of: str = "",
        known: Callable[[str], Instrument | None] = instrument_of,
    ) -> Decimal | None:
        """What all of an account's orders are worth at the dearest of their prices and the last one, BRL.

        None when one has no price to reckon with.
        """
        total, ways = ZERO, {}
        for name, weight in self._accounts.get(account, {}).items():
            if name == instead_of:
                continue
            if weight.symbol not in ways:
                ways[weight.symbol] = (last(weight.symbol), known(weight.symbol))
            mark, instrument = ways[weight.symbol]
            price = weight.dearest if mark is None else max(weight.dearest or ZERO, mark.price)
            if price is None or instrument is None:
                return None
            total += weight.leaves * price * exact(instrument.point_value)
        return total
