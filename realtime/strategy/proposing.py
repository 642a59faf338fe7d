"""Which order a signal asks for. Pure: whether it may leave is decided by the checks of the order loop."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct

from realtime.orders.prices import exact
from realtime.orders.states import Kind, Side, Status
from realtime.strategy import Became, Signal

SIDES: dict[str, Side] = {"buy": "BUY", "sell": "SELL"}
BECAME: Mapping[str, Became] = MappingProxyType(
    {  # what a strategy is told of a status
        Status.PENDING: "SUBMITTED",
        Status.SUBMITTED: "SUBMITTED",
        Status.PARTIALLY_FILLED: "PARTIALLY_FILLED",
        Status.FILLED: "FILLED",
        Status.CANCELED: "CANCELED",
        Status.EXPIRED: "EXPIRED",
        Status.FAILED: "FAILED",
        Status.REJECTED: "REJECTED",
        Status.UNKNOWN: "UNKNOWN",
    }
)
TOO_LATE = "{age} ms after it was proposed"


class Wanted(Struct, frozen=True, kw_only=True):
    """An order that a signal asks for."""

    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None


def wanted_of(signal: Signal, quantity: int) -> Wanted | None:
    """The order of a signal, of `quantity` where it names none; None for one that asks for none (hold, alert)."""
    side = SIDES.get(signal.type)
    if side is None:
        return None
    price = None if signal.price is None else exact(signal.price)
    return Wanted(
        symbol=signal.symbol,
        side=side,
        kind="MARKET" if price is None else "LIMIT",
        quantity=signal.quantity or quantity,
        price=price,
    )


def too_late(signal: Signal, age_ms: int) -> str | None:
    """Why an order of the signal would come too late; None while it may leave."""
    if signal.lives_ms is None or age_ms < signal.lives_ms:
        return None
    return TOO_LATE.format(age=age_ms)
