"""All that a ledger knows, as the first record of a journal's file: who starts needs no file before it.

It says nothing new: the records before it lead to the same, and that is held against it where all of them are read.
"""

import datetime as dt
from typing import Any

import msgspec
from msgspec import Struct

from realtime.orders import records
from realtime.orders.entries import Entry, OwnFill, Remembered
from realtime.orders.limits import Change
from realtime.orders.positions import Position
from realtime.orders.states import Order
from realtime.orders.switch import Latch


class Carried(Struct, frozen=True, kw_only=True):
    """The state of a ledger. `limits`: what was changed at run time; the rest of them are those of settings."""

    entries: tuple[Entry, ...]
    positions: tuple[Position, ...]
    fills: tuple[OwnFill, ...]
    refusals: tuple[records.Refused, ...]
    differences: tuple[records.Differed, ...]
    latch: Latch | None
    session: dt.date | None
    begun_at: dt.datetime | None = None
    left: dt.date | None = None  # the session that a clock was put back from
    left_at: dt.datetime | None = None  # when that one had begun
    records: int
    limits: Change
    version: int
    keys: tuple[tuple[str, Remembered], ...]
    by_exchange: tuple[tuple[str, str], ...]
    by_local: tuple[tuple[int, str], ...]
    sent: tuple[dt.datetime, ...]
    intents: tuple[tuple[dt.datetime, Order], ...]
    last_id: tuple[str, int]


def body_of(carried: Carried) -> dict[str, Any]:
    """The record's body, in types that JSON has."""
    body: dict[str, Any] = msgspec.to_builtins(carried)
    return body


def carried_of(body: dict[str, Any]) -> Carried:
    """The state again. Raises msgspec.ValidationError for a body that does not fit."""
    return msgspec.convert(body, Carried)


def carried_in(body: msgspec.Raw) -> Carried:
    """The same from the JSON of the body."""
    return msgspec.json.decode(body, type=Carried)
