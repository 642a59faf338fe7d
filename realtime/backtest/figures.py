"""Figures of a backtest, from its fills and its equity. Pure; money in exact decimals, BRL."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from realtime.backtest.account import Equity, Fill
from realtime.orders.positions import Position, Trade, after_trade, flat
from realtime.orders.states import Side
from sql.exchange import Instrument, instrument_of

ZERO = Decimal(0)


class Trip(Struct, frozen=True, kw_only=True):
    """From flat to flat in one symbol, or to the turn through zero; an open one ends with its last fill.

    Averages in points or BRL a share; `result` and `costs` in BRL.
    """

    symbol: str
    side: Side  # of the entry
    opened_ms: int
    closed_ms: int
    quantity: int  # that was bought and sold again
    entry: Decimal
    exit: Decimal
    result: Decimal  # before costs
    costs: Decimal
    fills: int
    open: bool = False

    @property
    def net(self) -> Decimal:
        return self.result - self.costs


class Drawdown(Struct, frozen=True):
    """The deepest fall of the equity below what it had reached; when it was reached, and when it was deepest."""

    amount: Decimal
    peak_ms: int
    trough_ms: int


class Figures(Struct, frozen=True, kw_only=True):
    """What it comes to. `profit_factor`: None when no trip lost."""

    net: Decimal
    gross: Decimal
    costs: Decimal
    slippage: Decimal  # that market orders paid beyond the tape, within the gross
    drawdown: Drawdown
    trips: int
    won: int
    lost: int
    profit_factor: Decimal | None
    best: Decimal
    worst: Decimal


class _Open(Struct):
    """A trip under way."""

    side: Side
    opened_ms: int
    closed_ms: int = 0
    bought: int = 0
    sold: int = 0
    bought_money: Decimal = ZERO
    sold_money: Decimal = ZERO
    costs: Decimal = ZERO
    fills: int = 0


def trips(fills: Iterable[Fill]) -> list[Trip]:
    """The trips of fills, in the order of their ends; a fill that turns a position is split, its cost in proportion."""
    net: dict[str, int] = {}
    under_way: dict[str, _Open] = {}
    found: list[Trip] = []
    for fill in fills:
        held = net.get(fill.symbol, 0)
        closes = min(abs(held), fill.quantity) if held * fill.signed < 0 else 0
        opens = fill.quantity - closes
        if closes:
            _add(under_way[fill.symbol], fill, closes)
            if closes == abs(held):
                found.append(_trip(fill.symbol, under_way.pop(fill.symbol)))
        if opens:
            _add(under_way.setdefault(fill.symbol, _Open(fill.side, fill.ts_ms)), fill, opens)
        net[fill.symbol] = held + fill.signed
    return found + [_trip(symbol, each, still_open=True) for symbol, each in sorted(under_way.items())]


def positions_of(fills: Iterable[Fill], account: str) -> dict[str, Position]:
    """What the fills add up to, by the rules of the ledger."""
    found: dict[str, Position] = {}
    for fill in fills:
        before = found.get(fill.symbol) or flat(account, fill.symbol, instrument_of(fill.symbol))
        trade = Trade(account=account, symbol=fill.symbol, side=fill.side, quantity=fill.quantity, price=fill.price)
        found[fill.symbol] = after_trade(before, trade)
    return found


def drawdown(equity: Sequence[Equity]) -> Drawdown:
    """From nothing on: a test that only loses falls from zero."""
    start = equity[0].ts_ms if equity else 0
    peak, peak_ms, worst = ZERO, start, Drawdown(ZERO, start, start)
    for point in equity:
        if point.net > peak:
            peak, peak_ms = point.net, point.ts_ms
        if peak - point.net > worst.amount:
            worst = Drawdown(peak - point.net, peak_ms, point.ts_ms)
    return worst


def figures(fills: Sequence[Fill], equity: Sequence[Equity], slippage_ticks: int) -> Figures:
    """All of them. Trips that are still open count neither as won nor as lost."""
    done = [trip.net for trip in trips(fills) if not trip.open]
    gained, lost = sum((n for n in done if n > 0), ZERO), -sum((n for n in done if n < 0), ZERO)
    last = equity[-1] if equity else Equity(0, ZERO, ZERO)
    return Figures(
        net=last.net,
        gross=last.net + last.costs,
        costs=last.costs,
        slippage=sum((_slipped(fill, slippage_ticks) for fill in fills if fill.at_market), ZERO),
        drawdown=drawdown(equity),
        trips=len(done),
        won=sum(n > 0 for n in done),
        lost=sum(n < 0 for n in done),
        profit_factor=(gained / lost).quantize(Decimal("0.01")) if lost else None,
        best=max(done, default=ZERO),
        worst=min(done, default=ZERO),
    )


def _add(trip: _Open, fill: Fill, quantity: int) -> None:
    if fill.side == "BUY":
        trip.bought += quantity
        trip.bought_money += quantity * fill.price
    else:
        trip.sold += quantity
        trip.sold_money += quantity * fill.price
    trip.costs += fill.cost * quantity / fill.quantity
    trip.closed_ms = fill.ts_ms
    trip.fills += 1


def _trip(symbol: str, done: _Open, *, still_open: bool = False) -> Trip:
    value = _value(instrument_of(symbol))
    bought = done.bought_money / done.bought if done.bought else ZERO
    sold = done.sold_money / done.sold if done.sold else ZERO
    quantity = min(done.bought, done.sold)
    return Trip(
        symbol=symbol,
        side=done.side,
        opened_ms=done.opened_ms,
        closed_ms=done.closed_ms,
        quantity=quantity or max(done.bought, done.sold),
        entry=bought if done.side == "BUY" else sold,
        exit=sold if done.side == "BUY" else bought,
        result=(sold - bought) * quantity * value if quantity else ZERO,
        costs=done.costs,
        fills=done.fills,
        open=still_open,
    )


def _slipped(fill: Fill, ticks: int) -> Decimal:
    instrument = instrument_of(fill.symbol)
    tick = Decimal(str(instrument.tick_size)) if instrument else ZERO
    return ticks * tick * fill.quantity * _value(instrument)


def _value(instrument: Instrument | None) -> Decimal:
    return Decimal(str(instrument.point_value)) if instrument else Decimal(1)
