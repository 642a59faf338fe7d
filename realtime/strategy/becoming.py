"""What a live order has become, from the messages about it: each difference to what is known is one update. Pure.

Messages repeat what was said and may be missed, so nothing is counted that an order's own sums do not say.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from realtime.strategy import Became, OrderUpdate, Signal
from realtime.strategy.proposing import BECAME

FILLING = ("PARTIALLY_FILLED", "FILLED")


class Known(Struct, kw_only=True):
    """An order of ours, as far as its strategy was told."""

    order: str
    signal: Signal
    status: Became = "SUBMITTED"
    filled: int = 0
    average: float | None = None
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


def _learnt(known: Known, said: Mapping[str, Any], filled: int, average: float | None) -> OrderUpdate | None:
    status: Became = "UNKNOWN" if said.get("ambiguous") else BECAME[said["status"]]
    brings = filled - known.filled
    if known.over or brings < 0 or (not brings and status == known.status):
        return None
    price = _price(known, filled, average) if brings else None
    known.status, known.filled, known.average = status, filled, average
    update = OrderUpdate(
        ts_ms=_ms(said.get("timestamp") or said["updatedAt"]),
        signal=known.signal,
        order=known.order,
        status=status,
        filled=filled,
        average_price=average,
        fill_quantity=brings,
        fill_price=price,
        reason=said.get("reason") or said.get("message") or "",
    )
    known.over = update.over
    return update


def _price(known: Known, filled: int, average: float | None) -> float | None:
    """Of what is new, from the sums before and after."""
    if average is None:
        return None
    money = average * filled - (known.average or 0.0) * known.filled
    return round(money / (filled - known.filled), 6)


def _ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)
