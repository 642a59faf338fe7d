"""An order and what belongs to it: its fills, its story, what was asked under its key."""

import datetime as dt
from decimal import Decimal

from msgspec import Struct, structs

from realtime.orders import records
from realtime.orders.positions import Position
from realtime.orders.records import Caller, Reply, Source
from realtime.orders.states import MESSAGE_FAILED, Event, Order, RequestFailed, Status


class OwnFill(Struct, frozen=True, kw_only=True):
    """A fill of an order. The broker tells sums only, so several trades may be one."""

    id: str
    order: str
    account: str
    symbol: str
    side: str
    quantity: int
    price: Decimal
    cost: Decimal
    at: dt.datetime
    strategy: str | None
    source: Source


class Evidence(Struct, frozen=True, kw_only=True):
    """One line of an order's story: the journal's record and what it said."""

    number: int | None  # of the record; None: the journal could not be written
    at: dt.datetime
    kind: str
    text: str | Event  # an event is worded when somebody asks

    @property
    def said(self) -> str:
        """What it says, for people."""
        return self.text if isinstance(self.text, str) else words_of(self.text)


class Entry(Struct, kw_only=True):
    """An order and what belongs to it."""

    order: Order
    made_at: dt.datetime
    updated_at: dt.datetime
    caller: Caller
    confidence: float | None = None
    emulated: str = ""
    this_login: bool = True  # its local id means something to the broker
    cancel_wanted: str | None = None  # why; sent as soon as the broker's name of the order is known
    change: records.Asked | None = None  # on its way: the worse of before and after counts
    disputed: bool = False
    maybe: tuple[str, ...] = ()  # orders of ours that one placed elsewhere may be
    contradiction: str | None = None  # the last one
    fills: list[OwnFill] = []
    evidence: list[Evidence] = []

    @property
    def foreign(self) -> bool:
        return self.caller.source == "foreign"


class Remembered(Struct, frozen=True, kw_only=True):
    """What was asked under a key, and the answer."""

    at: dt.datetime
    body_hash: str | None
    reply: Reply
    order: str | None


class Change(Struct, frozen=True, kw_only=True):
    """What a record changed, for those who watch."""

    entry: records.Entry
    order: Order | None = None
    was: Status | None = None  # the order's status before; None: it is new
    fill: OwnFill | None = None
    position: Position | None = None


def same(one: Order, other: Order) -> bool:
    """Whether two orders want the same of the same account."""
    return (one.account, one.symbol, one.side, one.kind, one.quantity, one.price, one.stop) == (
        other.account,
        other.symbol,
        other.side,
        other.kind,
        other.quantity,
        other.price,
        other.stop,
    )


def tell(entry: Entry, number: int | None, at: dt.datetime, kind: str, text: str | Event) -> None:
    """Add a line to an order's story."""
    entry.evidence.append(Evidence(number=number, at=at, kind=kind, text=text))


def kind_of(event: Event) -> str:
    """The word for an event in an order's story."""
    if isinstance(event, RequestFailed) and event.code not in MESSAGE_FAILED:
        return "progress"
    return type(event).__name__


def words_of(event: Event) -> str:
    """What an event says, for people."""
    fields = {name: value for name, value in structs.asdict(event).items() if value not in (None, "")}
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def unknown(entry: Entry) -> bool:
    """Whether nobody can tell it from another that is alike: its fate is not known, or the broker has not named it."""
    return entry.order.status is Status.UNKNOWN or (entry.order.exchange_id is None and not entry.foreign)
