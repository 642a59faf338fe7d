"""How a trade of the tape fills orders that were not there: the rules of the paper exchange. Pure.

Orders never trade more than the tape did: all of them share a trade's quantity, whatever its side. What was there
before comes first: an order that rests fills when what stood ahead of it at its price has traded, or when a trade goes
through its price. An order that takes fills from the next trade on, some ticks worse than that trade.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct, structs

from realtime.orders.states import Kind, Side, TimeInForce

AT_ONCE = ("IOC", "FOK")


class Rules(Struct, frozen=True, kw_only=True):
    """What is taken for granted. `slippage`: points or BRL that whoever takes pays beyond the tape's price."""

    slippage: Decimal
    queue: int  # quantity that stands ahead at a price of which nobody knows the quantity


class Trade(Struct, frozen=True, kw_only=True):
    """A trade of the tape. `aggressor` None: the tape does not tell."""

    symbol: str
    price: Decimal
    quantity: int
    aggressor: Side | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """What is known of a symbol's market; None: not yet."""

    last: Decimal | None = None
    bid: Decimal | None = None
    bid_quantity: int = 0
    ask: Decimal | None = None
    ask_quantity: int = 0


class Waiting(Struct, frozen=True, kw_only=True):
    """An order at the exchange. `number` is its place in time."""

    number: int
    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    time_in_force: TimeInForce = "DAY"
    traded: int = 0
    woken: bool = False  # a stop that was hit
    taking: bool = False
    ahead: int = 0  # quantity of others that must trade at its price first

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def leaves(self) -> int:
        return self.quantity - self.traded

    @property
    def asleep(self) -> bool:
        """Whether it waits for its stop."""
        return self.stop is not None and not self.woken


class Step(Struct, frozen=True, kw_only=True):
    """What a trade made of an order: so much filled at a price, or only its place changed. `over`: its rest is gone."""

    order: Waiting
    quantity: int = 0
    price: Decimal = Decimal(0)
    over: bool = False


def placed(order: Waiting, book: Iterable[Waiting], seen: Seen, rules: Rules) -> Waiting:
    """The order with its place in the book, at the back of its price, or taking. Orders that sleep have none."""
    if order.asleep:
        return order
    if order.price is None or order.time_in_force in AT_ONCE or _crosses(order, order.price, seen):
        return structs.replace(order, taking=True, ahead=0)
    own = (o.ahead for o in book if (o.symbol, o.side, o.price) == (order.symbol, order.side, order.price))
    return structs.replace(order, taking=False, ahead=max([_stands(order, order.price, seen, rules), *own]))


def changed(
    order: Waiting, *, quantity: int, price: Decimal | None, stop: Decimal | None, seen: Seen, rules: Rules
) -> Waiting:
    """The order after a change: it keeps its place when only its quantity shrinks."""
    after = structs.replace(order, quantity=quantity, price=price, stop=stop)
    if order.woken:  # its stop is history
        after = structs.replace(after, stop=order.stop)
    if after.price == order.price and quantity <= order.quantity:
        return after
    return placed(after, (), seen, rules)


def steps(book: Iterable[Waiting], trade: Trade, rules: Rules) -> list[Step]:
    """What `trade` makes of the orders of its symbol; those that it leaves alone are left out.

    Whoever takes comes first, then the best price, then the earlier one. A stop that is hit takes part in later trades.
    """
    left, found = trade.quantity, []
    orders = [order for order in book if order.symbol == trade.symbol]
    for order in sorted((order for order in orders if not order.asleep), key=_precedence):
        step = _taken(order, trade, left, rules) if order.taking else _made(order, trade, left)
        left -= step.quantity
        if step.order != order or step.over:
            found.append(step)
    seen = Seen(last=trade.price)
    woken = (structs.replace(order, woken=True) for order in orders if order.asleep and _hit(order, trade))
    return found + [Step(order=placed(order, orders, seen, rules)) for order in woken]


def _precedence(order: Waiting) -> tuple[bool, Decimal, int]:
    price = Decimal(0) if order.taking or order.price is None else -order.sign * order.price
    return not order.taking, price, order.number


def _taken(order: Waiting, trade: Trade, left: int, rules: Rules) -> Step:
    """The order takes from what traded, if its limit lets it; a limit that was passed begins to rest."""
    if order.price is not None and order.sign * (order.price - trade.price) < 0:
        if order.time_in_force in AT_ONCE:
            return Step(order=order, over=True)
        return Step(order=structs.replace(order, taking=False, ahead=rules.queue))
    quantity = min(order.leaves, left)
    if order.time_in_force == "FOK" and quantity < order.leaves:
        return Step(order=order, over=True)
    price = trade.price + order.sign * rules.slippage
    if order.price is not None:
        price = min(price, order.price) if order.side == "BUY" else max(price, order.price)
    if price <= 0:
        price = trade.price
    after = structs.replace(order, traded=order.traded + quantity)
    return Step(order=after, quantity=quantity, price=price, over=order.time_in_force == "IOC" and after.leaves > 0)


def _made(order: Waiting, trade: Trade, left: int) -> Step:
    """The order rests: a trade at its price first uses up what stood ahead, a trade through it leaves nothing there."""
    assert order.price is not None  # without a price it takes
    beyond = order.sign * (order.price - trade.price)
    if beyond < 0 or (beyond == 0 and trade.aggressor == order.side):
        return Step(order=order)
    eaten = order.ahead if beyond > 0 else min(order.ahead, left)
    quantity = min(order.leaves, left if beyond > 0 else left - eaten)
    after = structs.replace(order, traded=order.traded + quantity, ahead=order.ahead - eaten)
    return Step(order=after, quantity=quantity, price=order.price)


def _hit(order: Waiting, trade: Trade) -> bool:
    return order.stop is not None and order.sign * (trade.price - order.stop) >= 0


def _crosses(order: Waiting, price: Decimal, seen: Seen) -> bool:
    other = seen.ask if order.side == "BUY" else seen.bid
    if other is not None:
        return order.sign * (price - other) >= 0
    return seen.last is not None and order.sign * (price - seen.last) > 0


def _stands(order: Waiting, price: Decimal, seen: Seen, rules: Rules) -> int:
    best, quantity = (seen.bid, seen.bid_quantity) if order.side == "BUY" else (seen.ask, seen.ask_quantity)
    if best is None or order.sign * (price - best) < 0:
        return rules.queue
    return quantity if price == best else 0
