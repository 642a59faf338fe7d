"""What an order must look like before a broker is asked: its kind's prices, whole lots, whole ticks. Pure."""

from collections.abc import Callable
from decimal import Decimal

from realtime.orders.broker import NewOrder, NotSentError
from realtime.orders.states import Kind
from sql.exchange import Instrument, instrument_of

PRICED: tuple[Kind, ...] = ("LIMIT", "STOP_LIMIT")
Lookup = Callable[[str], Instrument | None]
STOPPED: tuple[Kind, ...] = ("STOP", "STOP_LIMIT")


def known(symbol: str, instruments: Lookup = instrument_of) -> Instrument:
    """The instrument of a symbol. Raises NotSentError when there is none."""
    if (instrument := instruments(symbol)) is None:
        raise NotSentError(f"{symbol}: expected a symbol whose tick and lot are known", "INVALID_TICKER")
    return instrument


def check(order: NewOrder, instruments: Lookup = instrument_of) -> None:
    """Raise NotSentError for an order that no broker would take, saying what was expected."""
    instrument = known(order.symbol, instruments)
    if order.quantity <= 0 or order.quantity % instrument.lot:
        raise NotSentError(f"quantity: expected a multiple of {instrument.lot}, found {order.quantity}", "INVALID_ARGS")
    check_prices(order.kind, order.price, order.stop, Decimal(str(instrument.tick_size)))
    if order.kind == "STOP_LIMIT" and order.price is not None and order.stop is not None:
        reaches = order.price >= order.stop if order.side == "BUY" else order.price <= order.stop
        if not reaches:
            side = "at or above" if order.side == "BUY" else "at or below"
            raise NotSentError(f"price: expected {side} the stop {order.stop}, found {order.price}", "INVALID_ARGS")


def check_change(
    instrument: Instrument, kind: Kind, quantity: int, price: Decimal | None, stop: Decimal | None
) -> None:
    """The same for what an order is to become."""
    if quantity <= 0 or quantity % instrument.lot:
        raise NotSentError(f"quantity: expected a multiple of {instrument.lot}, found {quantity}", "INVALID_ARGS")
    check_prices(kind, price, stop, Decimal(str(instrument.tick_size)))


def check_prices(kind: Kind, price: Decimal | None, stop: Decimal | None, tick: Decimal) -> None:
    """Raise NotSentError unless the kind's prices are there, no others, and all are whole ticks above zero."""
    for name, value, needed in (("price", price, kind in PRICED), ("stop", stop, kind in STOPPED)):
        if needed != (value is not None):
            raise NotSentError(f"{name}: {kind} {'needs one' if needed else 'has none'}, found {value}", "INVALID_ARGS")
        if value is not None and (value <= 0 or value % tick):
            raise NotSentError(f"{name}: expected a multiple of {tick} above zero, found {value}", "INVALID_ARGS")
