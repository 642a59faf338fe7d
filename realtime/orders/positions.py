"""What the fills add up to: net, average price, realised and open result of an account in a symbol. Pure.

A position counts twice: from its own entry price (`average`), and from the day's start (`basis`: an overnight position
begins at the last settlement), which is what the daily loss is made of. Both averages are reset when the position turns
through zero. Prices in points or BRL a share, money in BRL.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct, structs

from realtime.orders.states import Side
from sql.exchange import Instrument, market_of

ZERO = Decimal(0)


class Trade(Struct, frozen=True, kw_only=True):
    """One own fill, with its share of what trading costs."""

    account: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    cost: Decimal = ZERO

    @property
    def signed(self) -> int:
        return self.quantity if self.side == "BUY" else -self.quantity


class Position(Struct, frozen=True, kw_only=True):
    """An account in a symbol. `net` is signed (short < 0); closed means net 0, and the position stays."""

    account: str
    symbol: str
    point_value: Decimal  # BRL per point and contract, or share
    net: int = 0
    average: Decimal = ZERO  # of what is open, from its entry
    basis: Decimal = ZERO  # the same, from the day's start
    realised: Decimal = ZERO  # against `average`, since ever
    day_realised: Decimal = ZERO  # against `basis`, of the day; costs are not in it
    costs: Decimal = ZERO
    day_costs: Decimal = ZERO
    opened: int = 0  # net at the day's start
    bought: int = 0  # of the day
    sold: int = 0

    @property
    def day_result(self) -> Decimal:
        """What the day has brought so far in closed trades, costs taken off."""
        return self.day_realised - self.day_costs

    def unrealised(self, mark: Decimal) -> Decimal:
        """The open result at a price, from the entry."""
        return (mark - self.average) * self.net * self.point_value

    def day_unrealised(self, mark: Decimal) -> Decimal:
        """The open result at a price, from the day's start."""
        return (mark - self.basis) * self.net * self.point_value


class Costs(Struct, frozen=True, kw_only=True):
    """What a fill costs: BRL for each contract of a root (WIN, WDO …), a share of the money in the cash market."""

    per_contract: Mapping[str, Decimal] = {}
    share: Decimal = ZERO

    def of(self, symbol: str, quantity: int, price: Decimal) -> Decimal:
        """The cost of a fill. Futures of a root without a rate cost nothing here."""
        if market_of(symbol) == "B":
            return self.share * quantity * price
        return self.per_contract.get(symbol[:3], ZERO) * quantity


def flat(account: str, symbol: str, instrument: Instrument | None) -> Position:
    """The position before the first fill. An unknown instrument counts a point as one BRL."""
    value = Decimal(str(instrument.point_value)) if instrument else Decimal(1)
    return Position(account=account, symbol=symbol, point_value=value)


def after_trade(position: Position, trade: Trade) -> Position:
    """The position after a fill of it."""
    net, average, gained = _moved(position.net, position.average, trade)
    _, basis, day_gained = _moved(position.net, position.basis, trade)
    return structs.replace(
        position,
        net=net,
        average=average,
        basis=basis,
        realised=position.realised + gained * position.point_value,
        day_realised=position.day_realised + day_gained * position.point_value,
        costs=position.costs + trade.cost,
        day_costs=position.day_costs + trade.cost,
        bought=position.bought + max(trade.signed, 0),
        sold=position.sold + max(-trade.signed, 0),
    )


def day_begun(position: Position, settlement: Decimal | None) -> Position:
    """The position at the start of a session; the overnight part is counted from the settlement from now on.

    Without a settlement it goes on from where it stood.
    """
    basis = ZERO if position.net == 0 else position.basis if settlement is None else settlement
    return structs.replace(
        position, opened=position.net, basis=basis, day_realised=ZERO, day_costs=ZERO, bought=0, sold=0
    )


def taken_over(position: Position, net: int, average: Decimal) -> Position:
    """The position as the broker states it, where our fills do not explain it: realised results stay."""
    return structs.replace(
        position, net=net, average=average, basis=average, opened=position.opened + net - position.net
    )


def recomputed(start: Position, trades: Iterable[Trade]) -> Position:
    """What `after_trade` must have led to: all fills of the position once more, in their order."""
    for trade in trades:
        start = after_trade(start, trade)
    return start


def _moved(net: int, average: Decimal, trade: Trade) -> tuple[int, Decimal, Decimal]:
    """Net and average after a fill, and what was gained in points times quantity."""
    signed = trade.signed
    after = net + signed
    if net * signed >= 0:  # opens or grows
        return after, (average * abs(net) + trade.price * trade.quantity) / abs(after), ZERO
    closed = min(abs(net), trade.quantity)
    gained = (trade.price - average) * closed * (1 if net > 0 else -1)
    if after == 0:
        return 0, ZERO, gained
    return after, average if after * net > 0 else trade.price, gained
