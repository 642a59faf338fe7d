"""What is known at the instant of a decision, from the ledger, the prices and the switch; for `risk`. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from realtime.orders.ledger import Ledger
from realtime.orders.limits import Hours
from realtime.orders.positions import Position
from realtime.orders.records import Caller
from realtime.orders.risk import MONEY_DIGITS, Dispute, Finding, Intent, Known, Limits, Mark, refused
from realtime.orders.states import Order
from sql.exchange import Instrument, market_of, rows_expected

ZERO = Decimal(0)
SOURCE, CONFIDENCE = Finding(code="SOURCE", passed=True), Finding(code="CONFIDENCE", passed=True)


class Market(Protocol):
    """What the tape says of a symbol now."""

    def last(self, symbol: str) -> Mark | None: ...

    def state(self, symbol: str) -> int | None: ...

    def settlement(self, symbol: str, session: dt.date | None = None) -> Decimal | None: ...

    def instrument(self, symbol: str) -> Instrument | None: ...

    @property
    def disputes(self) -> Mapping[str, Dispute]: ...


class Standing(Struct, frozen=True, kw_only=True):
    """How the process stands at the instant."""

    now: dt.datetime
    orders_ready: bool
    day_begun: bool
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


def known_of(
    order: Order, ledger: Ledger, market: Market, standing: Standing, limits: Limits, *, instead_of: str = ""
) -> Known:
    """Everything that the checks want to know of an order. `instead_of`: the order that it replaces does not count."""
    account, symbol, now = order.account, order.symbol, standing.now
    seconds = now.timestamp()
    in_second, in_minute = ledger.messages(seconds)
    held = ledger.positions.get((account, symbol))
    positions = [p for p in ledger.positions.values() if p.account == account]
    realised, open_result, oldest = result_of(positions, market)
    reckoned = limits.open_notional is not None or limits.margin_rate is not None
    notional = ledger.exposure.notional(account, market.last, instead_of, market.instrument) if reckoned else None
    return Known(
        now=now,
        orders_ready=standing.orders_ready,
        day_begun=standing.day_begun,
        journal_ready=standing.journal_ready,
        switched_off=standing.switched_off,
        in_hours=in_hours(ledger.limits.hours, symbol, int(seconds) // 60, standing.always_open),
        state=market.state(symbol),
        instrument=market.instrument(symbol),
        dispute=market.disputes.get(symbol),
        last=market.last(symbol),
        position=held.net if held else 0,
        open=ledger.exposure.met_by(order, notional, instead_of),
        realised=realised,
        open_result=open_result,
        oldest_mark=oldest,
        margin_used=margin_used(positions, notional, market, limits) if reckoned else ZERO,
        messages_second=in_second,
        messages_minute=in_minute,
        twins=0 if instead_of else ledger.twins(order, seconds, standing.twin_seconds),
    )


def result_of(positions: Iterable[Position], market: Market) -> tuple[Decimal, Decimal | None, dt.datetime | None]:
    """What a day has brought: realised, open at the marks, and the oldest mark in that.

    Open is None when a position has no mark.
    """
    realised, total, oldest, known = ZERO, ZERO, None, True
    for position in positions:
        realised += position.day_realised - position.day_costs
        if position.net == 0:
            continue
        mark = market.last(position.symbol)
        if mark is None:
            known = False
            continue
        total += position.day_unrealised(mark.price)
        oldest = mark.at if oldest is None or mark.at < oldest else oldest
    return realised, total if known else None, oldest


def loss_of(positions: Iterable[Position], market: Market, now: dt.datetime, limits: Limits) -> Decimal | None:
    """The day's loss at fresh marks (a gain is negative); None when a mark is missing or stale: that pulls nothing."""
    realised, open_result, oldest = result_of(positions, market)
    if open_result is None or (oldest is not None and abs(now - oldest) > limits.mark_age):
        return None
    return round(-(realised + open_result), MONEY_DIGITS)


def sure_loss(positions: Iterable[Position], market: Market, now: dt.datetime, limits: Limits) -> Decimal | None:
    """The day's loss as far as nobody can doubt it: a stale mark may take from it, and adds nothing to it.

    None when a mark is missing. With fresh marks it is `loss_of`.
    """
    total = ZERO
    for position in positions:
        total += position.day_result
        if position.net == 0:
            continue
        mark = market.last(position.symbol)
        if mark is None:
            return None
        result = position.day_unrealised(mark.price)
        total += result if abs(now - mark.at) <= limits.mark_age else max(result, ZERO)
    return round(-total, MONEY_DIGITS)


def margin_used(
    positions: Iterable[Position], notional: Decimal | None, market: Market, limits: Limits
) -> Decimal | None:
    """What open positions and working orders bind, by the rate of settings; None when that cannot be reckoned."""
    if limits.margin_rate is None:
        return ZERO
    if notional is None:
        return None
    total = notional
    for position in positions:
        mark = market.last(position.symbol)
        price = mark.price if mark else position.average
        total += abs(position.net) * price * position.point_value
    return total * limits.margin_rate


def source_finding(source: str) -> Finding:
    """Agents and Telegram propose; a person or a strategy that a person runs executes."""
    if source not in ("agent", "telegram"):
        return SOURCE
    return refused(SOURCE.code, "a person, or a strategy that one runs", source)


def changer_finding(caller: Caller, owner: Caller) -> Finding:
    """Whose orders may leave may change them, a strategy those that it sent itself; everybody may cancel."""
    finding = source_finding(caller.source)
    if not finding.passed or caller.source != "strategy" or (owner.source, owner.user) == ("strategy", caller.user):
        return finding
    return refused(SOURCE.code, f"{owner.source} {owner.user}, who sent it", f"strategy {caller.user}")


def confidence_finding(confidence: float | None, least: float, *, needed: bool) -> Finding:
    """A signal that is not sure enough goes nowhere. `needed`: it is somebody's guess; else it need not be said."""
    if confidence >= least if confidence is not None else not needed:
        return CONFIDENCE
    return refused(CONFIDENCE.code, f"at least {least:g}", "none" if confidence is None else f"{confidence:g}")


@lru_cache(maxsize=1024)
def in_hours(hours: Hours, symbol: str, minute: int, always_open: bool) -> bool:
    """Whether orders may leave in a minute since 1970: all bounds are whole minutes, so that one has one answer."""
    at = dt.datetime.fromtimestamp(minute * 60, dt.UTC)
    return hours.hold(at) and (always_open or rows_expected(at, market_of(symbol), symbol))
