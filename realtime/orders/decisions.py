"""What is known at the instant of a decision, from the ledger, the prices and the switch; for `risk`. Pure."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from realtime.orders.entries import Entry, unknown
from realtime.orders.ledger import Ledger
from realtime.orders.positions import Position
from realtime.orders.risk import Finding, Intent, Known, Limits, Mark, Working
from realtime.orders.states import Order
from sql.exchange import Instrument, instrument_of, market_of, rows_expected

ZERO = Decimal(0)


class Market(Protocol):
    """What the tape says of a symbol now."""

    def last(self, symbol: str) -> Mark | None: ...

    def state(self, symbol: str) -> int | None: ...

    def settlement(self, symbol: str) -> Decimal | None: ...


class Standing(Struct, frozen=True, kw_only=True):
    """How the process stands at the instant."""

    now: dt.datetime
    orders_ready: bool
    journal_ready: bool
    switched_off: str | None
    always_open: bool = False  # an invented market has no hours
    twin_seconds: float = 1.0


def intent_of(order: Order, quantity: int | None = None) -> Intent:
    """What the checks ask about an order; `quantity` where another than its own would be added."""
    return Intent(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity if quantity is None else quantity,
        price=order.price,
        stop=order.stop,
        account=order.account,
        strategy=order.strategy,
    )


def known_of(order: Order, ledger: Ledger, market: Market, standing: Standing, *, instead_of: str = "") -> Known:
    """Everything that the checks want to know of an order. `instead_of`: the order that it replaces does not count."""
    mine = [e for e in ledger.working.values() if e.order.account == order.account and e.order.id != instead_of]
    positions = [p for p in ledger.positions.values() if p.account == order.account]
    working = [working_of(each, market) for each in mine]
    limits = ledger.limits.of(order.account, order.strategy, order.symbol)
    held = ledger.positions.get((order.account, order.symbol))
    open_result, oldest = marked(positions, market)
    return Known(
        now=standing.now,
        orders_ready=standing.orders_ready,
        journal_ready=standing.journal_ready,
        switched_off=standing.switched_off,
        in_hours=ledger.limits.hours.hold(standing.now) and (standing.always_open or _open(order.symbol, standing.now)),
        state=market.state(order.symbol),
        instrument=instrument_of(order.symbol),
        last=market.last(order.symbol),
        position=held.net if held else 0,
        working=working,
        realised=sum((p.day_result for p in positions), ZERO),
        open_result=open_result,
        oldest_mark=oldest,
        margin_used=margin_used(positions, working, market, limits),
        messages_second=ledger.messages(standing.now, 1.0),
        messages_minute=ledger.messages(standing.now, 60.0),
        twins=0 if instead_of else ledger.twins(order, standing.now, standing.twin_seconds),
    )


def working_of(entry: Entry, market: Market) -> Working:
    """A working order as it counts: while a change is on its way, with the worse of before and after."""
    order, asked = entry.order, entry.change
    quantity = order.quantity if asked is None or asked.quantity is None else max(order.quantity, asked.quantity)
    leaves = quantity - order.traded
    prices = (order.price, order.stop, *((asked.price, asked.stop) if asked else ()))
    price = max((p for p in prices if p is not None), default=None)
    last = market.last(order.symbol)
    reckoned = price if last is None else max(price or ZERO, last.price)
    instrument = instrument_of(order.symbol)
    return Working(
        symbol=order.symbol,
        side=order.side,
        leaves=leaves,
        price=order.price,
        notional=None if reckoned is None or instrument is None else money(leaves, reckoned, instrument),
        account=order.account,
        strategy=order.strategy,
        unknown=unknown(entry),
    )


def marked(positions: Iterable[Position], market: Market) -> tuple[Decimal | None, dt.datetime | None]:
    """The open result of a day and the oldest mark in it; None when a position has no mark."""
    total, oldest = ZERO, None
    for position in positions:
        if position.net == 0:
            continue
        mark = market.last(position.symbol)
        if mark is None:
            return None, oldest
        total += position.day_unrealised(mark.price)
        oldest = mark.at if oldest is None else min(oldest, mark.at)
    return total, oldest


def loss_of(positions: Iterable[Position], market: Market, now: dt.datetime, limits: Limits) -> Decimal | None:
    """The day's loss at fresh marks (a gain is negative); None when a mark is missing or stale: that pulls nothing."""
    mine = list(positions)
    open_result, oldest = marked(mine, market)
    if open_result is None or (oldest is not None and now - oldest > limits.mark_age):
        return None
    return -(sum((p.day_result for p in mine), ZERO) + open_result)


def margin_used(positions: Iterable[Position], working: Iterable[Working], market: Market, limits: Limits) -> Decimal:
    """What open positions and working orders bind, by the rate of settings."""
    if limits.margin_rate is None:
        return ZERO
    total = sum((each.notional or ZERO for each in working), ZERO)
    for position in positions:
        mark = market.last(position.symbol)
        price = mark.price if mark else position.average
        total += abs(position.net) * price * position.point_value
    return total * limits.margin_rate


def money(quantity: int, price: Decimal, instrument: Instrument) -> Decimal:
    """What a quantity is worth at a price, BRL."""
    return quantity * price * Decimal(str(instrument.point_value))


def source_finding(source: str) -> Finding:
    """Agents and Telegram propose; a person or a strategy that a person runs executes."""
    passed = source not in ("agent", "telegram")
    return Finding(code="SOURCE", passed=passed, limit="a person, or a strategy that one runs", observed=source)


def confidence_finding(confidence: float | None, least: float) -> Finding:
    """A signal that is not sure enough goes nowhere; an order without one is nobody's guess."""
    passed = confidence is None or confidence >= least
    said = "none" if confidence is None else f"{confidence:g}"
    return Finding(code="CONFIDENCE", passed=passed, limit=f"at least {least:g}", observed=said)


def _open(symbol: str, now: dt.datetime) -> bool:
    return rows_expected(now, market_of(symbol), symbol)
