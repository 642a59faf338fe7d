"""The life of an order: one pure function from an order and an event to the order after it.

Total: every event in every state has a result. The broker repeats itself, skips states and tells old news late, so an
order only moves forward: its traded quantity grows, a final state stays, older news changes nothing. Whatever is
impossible (more traded than ordered, life after death) is kept as a contradiction for people, never applied.
"""

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct, structs

Side = Literal["BUY", "SELL"]
Kind = Literal["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]
TimeInForce = Literal["DAY", "GTC", "IOC", "FOK"]


class Status(enum.StrEnum):
    """What the world is told of an order."""

    PENDING = "PENDING"  # intent in the journal, nothing has left
    SUBMITTED = "SUBMITTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"  # the broker never saw it
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"  # it may or may not have left: it counts in full, and blocks the same intent


FINAL = frozenset({Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.FAILED, Status.REJECTED})

# The broker's numbers. What is not here is news without a state of its own: quantities count, the status stays.
BROKER_FINAL = {
    2: Status.FILLED,
    3: Status.EXPIRED,  # done for the day
    4: Status.CANCELED,
    8: Status.REJECTED,
    12: Status.EXPIRED,
    15: Status.CANCELED,  # after a partial fill
    17: Status.EXPIRED,
    18: Status.REJECTED,
    204: Status.REJECTED,  # refused before the exchange
    205: Status.CANCELED,
}
PENDING_CANCEL, PENDING_REPLACE, REPLACED = 6, 14, 5
CLIENT_CREATED = 203  # this login's own library speaks of it, and nobody beyond
ON_ITS_WAY = frozenset({10, 16, 201, 202, 203, 206, 207})  # to the exchange, which has not said that it works
MESSAGE_FAILED = frozenset({1, 3, 5, 7, 9, 24})  # results of a request, not of the order


class Order(Struct, frozen=True, kw_only=True):
    """One order. Quantities in shares or contracts, prices in points or BRL, instants in UTC."""

    id: str
    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    time_in_force: TimeInForce = "DAY"
    account: str
    strategy: str | None = None
    status: Status = Status.PENDING
    traded: int = 0
    average_price: Decimal = Decimal(0)  # of what was traded
    local_id: int | None = None  # this login's
    exchange_id: str | None = None  # the only name that outlives a login
    canceling: bool = False
    replacing: bool = False
    newest: dt.datetime | None = None  # the broker's time of the newest news
    text: str = ""
    contradictions: int = 0

    @property
    def leaves(self) -> int:
        """What may still trade: nothing once it is final, all of the rest while nobody knows."""
        return 0 if self.status in FINAL else self.quantity - self.traded

    @property
    def working(self) -> bool:
        """Whether it must be counted as open, cancelled by the switch, and looked for after a restart."""
        return self.status not in FINAL


class Fill(Struct, frozen=True, kw_only=True):
    """A growth of the traded quantity. The broker reports sums only, so several trades may be one fill."""

    quantity: int
    price: Decimal


class Sent(Struct, frozen=True, tag=True):
    """The send call returned an id."""

    local_id: int


class NotSent(Struct, frozen=True, tag=True):
    """The send call said no: nothing left. Or it was not called, and its caller told so: then the key is free again."""

    reason: str
    called: bool = True


class SendUnclear(Struct, frozen=True, tag=True):
    """The send call did not come back in time, or the process died in it."""

    reason: str


class Reported(Struct, frozen=True, kw_only=True, tag=True):
    """What the broker says of the order as a whole."""

    status: int  # the broker's number
    traded: int
    average_price: Decimal = Decimal(0)
    quantity: int | None = None  # after a change
    price: Decimal | None = None
    stop: Decimal | None = None
    exchange_id: str | None = None
    local_id: int | None = None
    at: dt.datetime | None = None
    text: str = ""


class RequestFailed(Struct, frozen=True, tag=True):
    """A request about the order failed on its way. `what` tells which one: the order itself may be well."""

    what: Literal["send", "cancel", "change"]
    code: int
    text: str = ""


class CancelAsked(Struct, frozen=True, tag=True):
    """A cancellation was sent."""


class ChangeAsked(Struct, frozen=True, tag=True):
    """A change of price or quantity was sent."""


class NotListed(Struct, frozen=True, tag=True):
    """The broker's loaded list of the day does not have it."""


class Overdue(Struct, frozen=True, tag=True):
    """It was taken, and nobody beyond this login's own library has spoken of it for too long."""


class ValidityEnded(Struct, frozen=True, tag=True):
    """Its time is over: an order of the day after the session's close."""


class Ruled(Struct, frozen=True, tag=True):
    """A person says what became of it; allowed for what nobody else can tell."""

    status: Status
    by: str
    reason: str


Event = (
    Sent
    | NotSent
    | SendUnclear
    | Reported
    | RequestFailed
    | CancelAsked
    | ChangeAsked
    | NotListed
    | Overdue
    | ValidityEnded
    | Ruled
)


class Outcome(Struct, frozen=True, kw_only=True):
    """The order after an event, and what the event meant: a fill, a contradiction, or neither."""

    order: Order
    fill: Fill | None = None
    contradiction: str | None = None


def after(order: Order, event: Event) -> Outcome:
    """The order after `event`, whatever its state. Never raises; never takes an order out of a final state."""
    if order.status in FINAL and not isinstance(event, Reported):
        return _too_late(order, event)
    found: Outcome = _RULES[type(event)](order, event)
    return found


def _sent(order: Order, event: Sent) -> Outcome:
    """Also when the call came back late: then it is known to have left."""
    waited = order.status in (Status.PENDING, Status.UNKNOWN)
    status = Status.SUBMITTED if waited else order.status
    return Outcome(order=structs.replace(order, local_id=event.local_id, status=status))


def _not_sent(order: Order, event: NotSent) -> Outcome:
    waited = order.status in (Status.PENDING, Status.UNKNOWN)
    if waited and not order.traded and order.exchange_id is None:
        return Outcome(order=_ended(order, Status.FAILED, event.reason))
    return _contradicted(order, f"`{event.reason}` for an order that the broker knows")


def _send_unclear(order: Order, event: SendUnclear) -> Outcome:
    if order.status is Status.PENDING:
        return Outcome(order=structs.replace(order, status=Status.UNKNOWN, text=event.reason))
    return Outcome(order=order)  # news of it came before the call came back


def _reported(order: Order, event: Reported) -> Outcome:
    older = event.at is not None and order.newest is not None and event.at < order.newest
    older = older and event.status not in BROKER_FINAL  # the last word on an order, whatever its time
    quantity = order.quantity if event.quantity is None or (older and not _goes_on(order, event)) else event.quantity
    grown = event.traded - order.traded
    if impossible := _impossible(order, event, quantity):
        return _contradicted(order, impossible)
    if order.status in FINAL:
        return Outcome(order=_named_late(order, event))
    named, claimed = _named(order, event), BROKER_FINAL.get(event.status)
    if claimed is None and (grown < 0 or (older and grown == 0)):
        return Outcome(order=named)
    fill = _fill(order, event) if grown > 0 else None
    moved = _moved(named, event, quantity, older=older)
    if claimed is not None or moved.traded == quantity:
        status = Status.FILLED if moved.traded == quantity or claimed is None else claimed
        return Outcome(order=_ended(moved, status, moved.text), fill=fill)
    status = Status.PARTIALLY_FILLED if moved.traded else Status.SUBMITTED
    if order.status is Status.UNKNOWN and event.status == CLIENT_CREATED and moved.exchange_id is None:
        status = Status.UNKNOWN if not moved.traded else status
    canceling = order.canceling or event.status == PENDING_CANCEL
    replacing = event.status == PENDING_REPLACE or (order.replacing and not _replaced(order, event, moved))
    return Outcome(order=structs.replace(moved, status=status, canceling=canceling, replacing=replacing), fill=fill)


def _goes_on(order: Order, event: Reported) -> bool:
    """Whether all that we know of has traded, and the broker says that there is more."""
    return event.quantity is not None and event.quantity > event.traded >= order.quantity


def _replaced(order: Order, event: Reported, moved: Order) -> bool:
    """Whether a change is over: news that say neither a later time nor other figures are about the one before."""
    newer = event.at is None or order.newest is None or event.at > order.newest
    figures = (moved.quantity, moved.price, moved.stop) != (order.quantity, order.price, order.stop)
    return event.status == REPLACED and (newer or figures)


def _impossible(order: Order, event: Reported, quantity: int) -> str | None:
    """What no order can have done, in words."""
    if not 0 <= event.traded <= quantity or quantity == 0:
        return f"{event.traded} of {quantity} traded"
    if order.traded > quantity:
        return f"{quantity} ordered after {order.traded} traded"
    if event.traded > order.traded and _money(event) <= _money(order):
        return f"{event.traded - order.traded} more traded for nothing, at an average of {event.average_price}"
    if order.status in FINAL:
        return (
            f"{event.traded - order.traded} more traded after {order.status}" if event.traded > order.traded else None
        )
    if BROKER_FINAL.get(event.status) is Status.FILLED and max(order.traded, event.traded) < quantity:
        return f"filled with {event.traded} of {quantity} traded"
    return None


def _moved(order: Order, event: Reported, quantity: int, *, older: bool) -> Order:
    """What newer news say; older ones may tell a greater sum that nobody told, and change nothing else."""
    grown = event.traded > order.traded
    newest = max(filter(None, (order.newest, event.at)), default=None)
    return structs.replace(
        order,
        quantity=quantity,
        price=order.price if event.price is None or older else event.price,
        stop=order.stop if event.stop is None or older else event.stop,
        traded=max(order.traded, event.traded),
        average_price=event.average_price if grown else order.average_price,
        newest=newest,
        text=event.text or order.text,
    )


def _named(order: Order, event: Reported) -> Order:
    return structs.replace(
        order,
        local_id=order.local_id if event.local_id is None else event.local_id,
        exchange_id=event.exchange_id or order.exchange_id,
    )


def _named_late(order: Order, event: Reported) -> Order:
    """What has ended may still get the name by which it is known after a restart."""
    return order if order.exchange_id is not None else structs.replace(order, exchange_id=event.exchange_id or None)


def _fill(order: Order, event: Reported) -> Fill:
    """What was traded since: the sums tell its price as well."""
    quantity = event.traded - order.traded
    return Fill(quantity=quantity, price=(_money(event) - _money(order)) / quantity)


def _money(what: Order | Reported) -> Decimal:
    return what.average_price * what.traded


def _ended(order: Order, status: Status, text: str) -> Order:
    return structs.replace(order, status=status, text=text, canceling=False, replacing=False)


def _request_failed(order: Order, event: RequestFailed) -> Outcome:
    if event.code not in MESSAGE_FAILED:
        return Outcome(order=order)
    if event.what == "cancel":
        return Outcome(order=structs.replace(order, canceling=False, text=event.text or order.text))
    if event.what == "change":
        return Outcome(order=structs.replace(order, replacing=False, text=event.text or order.text))
    if order.traded:
        return _contradicted(order, f"sending failed with {event.code} after {order.traded} traded")
    if order.exchange_id is not None:  # it is known there: its own report says whether it has ended
        return Outcome(order=structs.replace(order, text=event.text or order.text))
    return Outcome(order=_ended(order, Status.REJECTED, event.text or order.text))


def _cancel_asked(order: Order, _: CancelAsked) -> Outcome:
    return Outcome(order=structs.replace(order, canceling=True))


def _change_asked(order: Order, _: ChangeAsked) -> Outcome:
    return Outcome(order=structs.replace(order, replacing=True))


def _not_listed(order: Order, _: NotListed) -> Outcome:
    """Only an order that may never have left can be settled by a list that lacks it."""
    if order.status in (Status.PENDING, Status.UNKNOWN) and not order.traded and order.exchange_id is None:
        return Outcome(order=_ended(order, Status.FAILED, "the broker does not list it: it never left"))
    return _contradicted(order, "the broker does not list an order that it reported")


def _overdue(order: Order, _: Overdue) -> Outcome:
    if order.status is Status.SUBMITTED and order.exchange_id is None and not order.traded:
        return Outcome(order=structs.replace(order, status=Status.UNKNOWN, text="nobody has confirmed it"))
    return Outcome(order=order)


def _validity_ended(order: Order, _: ValidityEnded) -> Outcome:
    return Outcome(order=_ended(order, Status.EXPIRED, order.text))


def _ruled(order: Order, event: Ruled) -> Outcome:
    if event.status not in FINAL or event.status is Status.FILLED:
        return _contradicted(order, f"{event.by} may end an order, not make it {event.status}")
    return Outcome(order=_ended(order, event.status, f"{event.by}: {event.reason}"))


def _too_late(order: Order, event: Event) -> Outcome:
    if isinstance(event, Sent) and order.local_id is None:
        return Outcome(order=structs.replace(order, local_id=event.local_id))
    return Outcome(order=order)


def _contradicted(order: Order, what: str) -> Outcome:
    return Outcome(order=structs.replace(order, contradictions=order.contradictions + 1), contradiction=what)


_RULES: Mapping[type, Callable[[Order, Any], Outcome]] = MappingProxyType(
    {
        Sent: _sent,
        NotSent: _not_sent,
        SendUnclear: _send_unclear,
        Reported: _reported,
        RequestFailed: _request_failed,
        CancelAsked: _cancel_asked,
        ChangeAsked: _change_asked,
        NotListed: _not_listed,
        Overdue: _overdue,
        ValidityEnded: _validity_ended,
        Ruled: _ruled,
    }
)
