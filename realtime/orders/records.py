"""What the journal of orders holds: one type for each kind of record, everything that a restart must know.

An answer to a caller lies in the record of the decision that it answers, as the very text that was sent, so that the
same key gets the same bytes for as long as it is remembered.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from realtime.orders.limits import Change
from realtime.orders.risk import Finding, Known
from realtime.orders.states import Event, Order
from realtime.orders.switch import Latch

Source = Literal["api", "dashboard", "agent", "telegram", "scheduler", "strategy", "kill-switch", "foreign"]


class Reply(Struct, frozen=True):
    """An answer over HTTP, with its body as it was sent."""

    status: int
    body: str


class Caller(Struct, frozen=True, kw_only=True):
    """Who asked, by which key of idempotency, and the hash of what was asked under it."""

    user: str
    source: Source = "api"
    correlation_id: str | None = None
    key: str | None = None
    body_hash: str | None = None


class Intended(Struct, frozen=True, kw_only=True, tag="intent"):
    """An order that passed every check and is about to leave. `known`: what it was decided by."""

    at: dt.datetime
    order: Order
    caller: Caller
    checks: tuple[Finding, ...]
    known: Known | None = None
    reply: Reply
    confidence: float | None = None
    emulated: str = ""  # how it differs from what was asked


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """An order that a check refused; it never got a life of its own."""

    at: dt.datetime
    order: Order
    caller: Caller
    checks: tuple[Finding, ...]
    known: Known | None = None
    refusal: Finding
    reply: Reply


class Happened(Struct, frozen=True, kw_only=True, tag="event"):
    """Something about an order. `cost` and `point_value` of the fill, where the event brings one."""

    at: dt.datetime
    order: str
    event: Event
    cost: Decimal = Decimal(0)
    point_value: Decimal | None = None


class Asked(Struct, frozen=True, kw_only=True, tag="request"):
    """A cancellation or a change is about to leave."""

    at: dt.datetime
    order: str
    what: Literal["cancel", "change"]
    caller: Caller
    reason: str = ""
    quantity: int | None = None
    price: Decimal | None = None
    stop: Decimal | None = None
    reply: Reply | None = None


class Answered(Struct, frozen=True, kw_only=True, tag="answer"):
    """What the broker's call said to a request: taken with a number, a definite no, or nobody knows."""

    at: dt.datetime
    order: str
    what: Literal["cancel", "change"]
    message: int | None = None
    refused: str | None = None
    unclear: str | None = None


class Adopted(Struct, frozen=True, kw_only=True, tag="adopted"):
    """An order that was placed elsewhere. `maybe`: orders of ours that it may be."""

    at: dt.datetime
    order: Order
    created: dt.datetime
    maybe: tuple[str, ...] = ()


class Disputed(Struct, frozen=True, kw_only=True, tag="disputed"):
    """Several orders at the broker may be this one."""

    at: dt.datetime
    order: str
    candidates: tuple[str, ...]


class TakenOver(Struct, frozen=True, kw_only=True, tag="position"):
    """A position as the broker states it, which our fills do not explain."""

    at: dt.datetime
    account: str
    symbol: str
    before: int
    net: int
    average: Decimal
    point_value: Decimal
    reason: str


class DayBegun(Struct, frozen=True, kw_only=True, tag="day"):
    """A session began: positions count from these settlements."""

    at: dt.datetime
    session: dt.date
    settlements: Mapping[str, Decimal] = {}


class LimitsSet(Struct, frozen=True, kw_only=True, tag="limits"):
    """Somebody changed the limits: from what, to what."""

    at: dt.datetime
    before: Change
    change: Change
    caller: Caller
    reply: Reply | None = None


class SwitchPulled(Struct, frozen=True, kw_only=True, tag="switch-on"):
    """The kill switch is on."""

    at: dt.datetime
    latch: Latch


class SwitchDone(Struct, frozen=True, kw_only=True, tag="switch-done"):
    """The broker lists nothing working that the switch was pulled for."""

    at: dt.datetime
    seconds: float
    cancelled: int


class SwitchReleased(Struct, frozen=True, kw_only=True, tag="switch-off"):
    """A person released the kill switch."""

    at: dt.datetime
    caller: Caller
    reason: str


class Reconciled(Struct, frozen=True, kw_only=True, tag="reconciled"):
    """We agree with the broker on what is open, and orders may leave."""

    at: dt.datetime
    account: str
    listed: int
    working: int


class Differed(Struct, frozen=True, kw_only=True, tag="difference"):
    """We and the broker do not agree, and how."""

    at: dt.datetime
    account: str
    what: str


class Started(Struct, frozen=True, kw_only=True, tag="start"):
    """A process took the journal up: local ids of before mean nothing any more."""

    at: dt.datetime
    broker: str
    version: str


class Stopped(Struct, frozen=True, kw_only=True, tag="stop"):
    """The process ended as it was asked to."""

    at: dt.datetime


Entry = (
    Intended
    | Refused
    | Happened
    | Asked
    | Answered
    | Adopted
    | Disputed
    | TakenOver
    | DayBegun
    | LimitsSet
    | SwitchPulled
    | SwitchDone
    | SwitchReleased
    | Reconciled
    | Differed
    | Started
    | Stopped
)
KINDS: Mapping[str, Any] = {str(kind.__struct_config__.tag): kind for kind in Entry.__args__}
_DECODERS: Mapping[str, Any] = {tag: msgspec.json.Decoder(kind) for tag, kind in KINDS.items()}


def kind_of(entry: Entry) -> str:
    """The journal's word for the record."""
    return str(type(entry).__struct_config__.tag)


def body_of(entry: Entry) -> dict[str, Any]:
    """The record's body, in types that JSON has."""
    body: dict[str, Any] = msgspec.to_builtins(entry)
    del body["type"]
    return body


def entry_of(kind: str, body: Mapping[str, Any]) -> Entry | None:
    """The record again; None for kinds that are not of orders (a torn record that was cut).

    Raises msgspec.ValidationError for a body that does not fit.
    """
    found = KINDS.get(kind)
    if found is None:
        return None
    entry: Entry = msgspec.convert({**body, "type": kind}, found)
    return entry


def entry_in(kind: str, body: msgspec.Raw) -> Entry | None:
    """The same from the JSON of the body."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return None
    entry: Entry = decoder.decode(body)
    return entry
