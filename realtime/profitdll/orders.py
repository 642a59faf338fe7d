"""Orders and positions between the DLL's numbers and the border's values. Pure.

The DLL's doubles become Decimals as whole ticks; what is no whole tick of a known symbol stays as it was printed.
"""

import math
from decimal import Decimal

from msgspec import structs

from realtime.orders import forms
from realtime.orders.broker import AccountId, Held, NewOrder, NotSentError, OrderKey, Report
from realtime.orders.states import Kind, Side
from realtime.profitdll import requests
from realtime.profitdll.requests import AT_MARKET, Asset, Order, OrderType, Position
from sql.exchange import SERIES, instrument_of, market_of

KINDS: dict[int, Kind] = {1: "MARKET", 2: "LIMIT", 3: "STOP", 4: "STOP_LIMIT"}
SIDES: dict[int, Side] = {1: "BUY", 2: "SELL", 3: "BUY", 4: "SELL", 5: "SELL", 6: "SELL"}
TYPES = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "STOP_LIMIT": OrderType.STOP_LIMIT}
BOUGHT, SOLD = 1, 2  # of a position
NEAR = 1e-3  # share of a tick that is a double's rounding


class StrangeOrderError(Exception):
    """An order that cannot be counted: neither bought nor sold."""


class StrangePositionError(Exception):
    """A position that cannot be counted: there is something, and it is neither bought nor sold."""


def asset_of(symbol: str) -> Asset:
    """The symbol at its exchange, by its shape."""
    return Asset(symbol, market_of(symbol))


def shaped(order: NewOrder, stop_offset_ticks: int, instruments: forms.Lookup = instrument_of) -> NewOrder:
    """The order as the DLL can send it: a plain stop becomes a stop-limit so many ticks behind its stop.

    Raises NotSentError for validities other than the day, for series, and for what no broker takes.
    """
    if order.time_in_force != "DAY":
        raise NotSentError(f"validity: ProfitDLL sends day orders only, found {order.time_in_force}", "UNSUPPORTED")
    if SERIES.fullmatch(order.symbol):
        raise NotSentError(f"{order.symbol}: expected a dated contract, found a series", "INVALID_TICKER")
    forms.check(order, instruments)
    if order.kind != "STOP" or order.stop is None:
        return order
    offset = stop_offset_ticks * Decimal(str(forms.known(order.symbol, instruments).tick_size))
    price = order.stop + offset if order.side == "BUY" else order.stop - offset
    if price <= 0:
        raise NotSentError(f"stop: expected more than {offset}, the offset of its limit, found {order.stop}")
    return structs.replace(order, kind="STOP_LIMIT", price=price)


def request_of(order: NewOrder) -> requests.NewOrder:
    """What the DLL is asked for a shaped order."""
    return requests.NewOrder(
        account=order.account,
        asset=asset_of(order.symbol),
        side=requests.Side[order.side],
        kind=TYPES[order.kind],
        quantity=order.quantity,
        price=double(order.price),
        stop=double(order.stop),
    )


def double(price: Decimal | None) -> float:
    """A price for the DLL: the nearest double, or its word for none."""
    return AT_MARKET if price is None else float(price)


def report_of(order: Order, exchange_id: str | None, instruments: forms.Lookup = instrument_of) -> Report:
    """What the DLL says of an order. `exchange_id`: as far as it is known from elsewhere; details lack it.

    Raises StrangeOrderError.
    """
    side = SIDES.get(order.side)
    if side is None:
        raise StrangeOrderError(f"order {order.key.cl_order or order.key.local}: side {order.side}")
    tick = _tick_of(order.asset.ticker, instruments)
    return Report(
        key=OrderKey(order.key.local if order.key.local > 0 else None, order.key.cl_order or exchange_id or None),
        account=order.account,
        symbol=order.asset.ticker,
        side=side,
        kind=KINDS.get(order.kind),
        quantity=order.quantity,
        traded=order.traded,
        average_price=average(order.average, order.traded, tick),
        price=price_of(order.price, tick),
        stop=price_of(order.stop, tick),
        status=order.status,
        created=order.created,
        updated=order.updated,
        text=order.text,
    )


def held_of(position: Position, instruments: forms.Lookup = instrument_of) -> Held:
    """A position with its sign. Raises StrangePositionError: what has none must not be taken for flat."""
    if position.open and position.side not in (BOUGHT, SOLD):
        raise StrangePositionError(
            f"{position.open} {position.asset.ticker}: expected side 1 or 2, found {position.side}"
        )
    tick = _tick_of(position.asset.ticker, instruments)
    sign = {BOUGHT: 1, SOLD: -1}.get(position.side, 0)
    return Held(
        account=position.account,
        symbol=position.asset.ticker,
        quantity=sign * position.open,
        average_price=average(position.average, position.open, tick),
        bought=position.bought,
        bought_average=average(position.bought_average, position.bought, tick),
        sold=position.sold,
        sold_average=average(position.sold_average, position.sold, tick),
    )


def price_of(value: float, tick: Decimal | None) -> Decimal | None:
    """A price of the DLL; None for its ways to say none."""
    if not math.isfinite(value) or value <= 0:
        return None
    return _whole(value, tick) or Decimal(repr(value))


def average(value: float, quantity: int, tick: Decimal | None) -> Decimal:
    """The mean of `quantity` prices, exact where their sum is whole ticks; 0 of nothing."""
    if quantity <= 0 or not math.isfinite(value) or value <= 0:
        return Decimal(0)
    total = _whole(value * quantity, tick)
    return Decimal(repr(value)) if total is None else total / quantity


def _whole(value: float, tick: Decimal | None) -> Decimal | None:
    if tick is None:
        return None
    ticks = value / float(tick)
    near = round(ticks)
    return near * tick if abs(ticks - near) < NEAR else None


def _tick_of(symbol: str, instruments: forms.Lookup) -> Decimal | None:
    instrument = instruments(symbol)
    return None if instrument is None else Decimal(str(instrument.tick_size))


def key_of(account: AccountId, key: OrderKey) -> requests.OrderKey:
    """One key for the DLL, which refuses two: the permanent one when it is known. Raises NotSentError for none."""
    if key.exchange_id:
        return requests.OrderKey(cl_order=key.exchange_id)
    if key.local_id and key.local_id > 0:
        return requests.OrderKey(local=key.local_id)
    raise NotSentError(f"{account}: expected an order's local or exchange id, found none", "INVALID_ARGS")
