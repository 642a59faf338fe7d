"""What a live order has become, from the messages about it: each difference to what is known is one update. Pure.

Messages repeat what was said and may be missed, so nothing is counted that an order's own sums do not say.
"""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from realtime.strategy import Became, Cancel, Change, OrderUpdate, Signal, SignalType
from realtime.strategy.proposing import BECAME

FILLING = ("PARTIALLY_FILLED", "FILLED")
TYPES: Mapping[str, SignalType] = {"BUY": "buy", "SELL": "sell"}


class Known(Struct, kw_only=True):
    """An order of ours, as far as its strategy was told."""

    order: str
    signal: Signal
    status: Became = "SUBMITTED"
    filled: int = 0
    average: float | None = None
    quantity: int = 0  # of the whole order; 0: nobody has said it
    price: float | None = None
    as_of_ms: int = 0  # of the quantity and the price
    asked: Change | None = None  # was taken, and is not done yet as far as is known
    over: bool = False


def heard(known: Known, message: Mapping[str, Any]) -> OrderUpdate | None:
    """What a message of `/ws/orders` says that was not known; learns it.

    A status that only a fill can bring is left to the message with the fill; an end may bring one as well, and says so.
    """
    status = message["channel"] == "orders/status" and message["status"] not in FILLING
    if not status and message["channel"] != "orders/execution":
        return None
    return _learnt(known, message, int(message["filledQuantity"]), message["averagePrice"])


def looked_up(known: Known, order: Mapping[str, Any]) -> OrderUpdate | None:
    """The same of an order that was asked for: what was said while nobody listened."""
    return _learnt(known, order, int(order["filledQuantity"]), order["avgFillPrice"])


def settled(known: Known, order: Mapping[str, Any]) -> OrderUpdate | None:
    """Whether the change that is on its way is over, by the order as it stands now; an update where it was in vain."""
    asked = known.asked
    if asked is None or known.over or order.get("changing", True):
        return None
    known.asked = None
    if _same(asked.price, known.price) and asked.quantity in (None, known.quantity):
        return None
    return unfollowed(known, asked, order.get("message") or "the broker did not change it", _at(order))


def unfollowed(known: Known, wish: Cancel | Change, why: str, now_ms: int) -> OrderUpdate:
    """What was asked of an order changed nothing: it stands as it did."""
    return structs.replace(_as_it_stands(known, now_ms, why), unfollowed=wish)


def left_over(order: Mapping[str, Any], why: str) -> tuple[Known, OrderUpdate]:
    """An order that works and was not known. What was filled by then is told as a sum, not as a fill."""
    signal = Signal(
        symbol=order["symbol"],
        type=TYPES[order["side"]],
        confidence=order["confidence"] or 0.0,
        price=order["price"],
        quantity=order["quantity"],
        reasoning=why,
    )
    known = Known(
        order=order["orderId"],
        signal=signal,
        status=_status(order),
        filled=order["filledQuantity"],
        average=order["avgFillPrice"],
        quantity=order["quantity"],
        price=order["price"],
        as_of_ms=_at(order),
    )
    return known, _as_it_stands(known, known.as_of_ms, why)


def _as_it_stands(known: Known, at_ms: int, why: str) -> OrderUpdate:
    return OrderUpdate(
        ts_ms=at_ms,
        signal=known.signal,
        order=known.order,
        status=known.status,
        filled=known.filled,
        average_price=known.average,
        quantity=known.quantity,
        price=known.price,
        reason=why,
    )


def _learnt(known: Known, said: Mapping[str, Any], filled: int, average: float | None) -> OrderUpdate | None:
    status, at, brings = _status(said), _at(said), filled - known.filled
    if known.over or brings < 0:
        return None
    moved = at >= known.as_of_ms and _moved(known, said)
    if not brings and not moved and status == known.status:
        return None
    price = _price(known, filled, average) if brings else None
    known.status, known.filled, known.average = status, filled, average
    if moved:
        known.quantity, known.price, known.as_of_ms = said["quantity"], said["price"], at
    why = said.get("reason") or said.get("message") or ""
    update = structs.replace(_as_it_stands(known, at, why), fill_quantity=brings, fill_price=price)
    known.over = update.over
    return update


def _same(asked: float | None, price: float | None) -> bool:
    return asked is None or (price is not None and math.isclose(asked, price))


def _moved(known: Known, said: Mapping[str, Any]) -> bool:
    """Whether the order is another than it was: a change has reached the exchange."""
    return "quantity" in said and (said["quantity"], said["price"]) != (known.quantity, known.price)


def _status(said: Mapping[str, Any]) -> Became:
    return "UNKNOWN" if said.get("ambiguous") else BECAME[said["status"]]


def _price(known: Known, filled: int, average: float | None) -> float | None:
    """Of what is new, from the sums before and after."""
    if average is None:
        return None
    money = average * filled - (known.average or 0.0) * known.filled
    return round(money / (filled - known.filled), 6)


def _at(said: Mapping[str, Any]) -> int:
    text = said.get("timestamp") or said["updatedAt"]
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)
