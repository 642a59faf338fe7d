"""What callers want of the order loop, and what they are told. Values only."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from realtime.orders.limits import Change as LimitsChange
from realtime.orders.records import Caller, Reply
from realtime.orders.risk import Finding
from realtime.orders.states import Kind, Order, Side, Status, TimeInForce


class Answers(Struct, frozen=True, kw_only=True):
    """How a decision is said to its caller; what comes out is kept for a repetition of the same key."""

    placed: Callable[[Order, str], Reply]  # and how it differs from what was asked
    refused: Callable[[Order, Finding], Reply]


class Place(Struct, frozen=True, kw_only=True):
    """Send an order. `account` None: the only one that there is."""

    caller: Caller
    answers: Answers
    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    time_in_force: TimeInForce = "DAY"
    account: str | None = None
    strategy: str | None = None
    confidence: float | None = None
    closes: bool = False  # somebody asked to be flat: no guess


class Cancel(Struct, frozen=True, kw_only=True):
    """End an order; repeatable."""

    caller: Caller
    order: str
    reason: str = ""


class CancelAll(Struct, frozen=True, kw_only=True):
    """End all working orders, of an account or a symbol where one is named; repeatable."""

    caller: Caller
    account: str | None = None
    symbol: str | None = None
    reason: str = ""


class Alter(Struct, frozen=True, kw_only=True):
    """Change a working order; None: as it is. `quantity` is that of the whole order."""

    caller: Caller
    answers: Answers
    order: str
    quantity: int | None = None
    price: Decimal | None = None
    stop: Decimal | None = None


class Flatten(Struct, frozen=True, kw_only=True):
    """Cancel what works in a symbol (all, when none is named), then close its position at the market."""

    caller: Caller
    account: str | None = None
    symbol: str | None = None
    reason: str = ""


class SetLimits(Struct, frozen=True, kw_only=True):
    """Change limits. `version`: the one that the caller saw; None: whatever it is."""

    caller: Caller
    change: LimitsChange
    version: int | None = None


class Pull(Struct, frozen=True, kw_only=True):
    """Pull the kill switch. Its latch is on before this is asked."""

    caller: Caller


class Release(Struct, frozen=True, kw_only=True):
    """Release the kill switch; a person's right."""

    caller: Caller
    reason: str


class Rule(Struct, frozen=True, kw_only=True):
    """A person says what became of an order that nobody else can tell."""

    caller: Caller
    order: str
    status: Status
    reason: str


Command = Place | Cancel | CancelAll | Alter | Flatten | SetLimits | Pull | Release | Rule


class Done(Struct, frozen=True, kw_only=True):
    """What a cancellation or the like has led to so far."""

    orders: tuple[str, ...] = ()  # that are asked to end, or changed
    order: Order | None = None
    text: str = ""
    refusal: Finding | None = None  # the part of it that a check let not happen


class CommandError(Exception):
    """A command that cannot be followed. `status` is HTTP's number for it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Busy(CommandError):  # noqa: N818 - a state of the process, not a fault
    """The loop does not answer in time: nobody knows what became of the command."""

    def __init__(self) -> None:
        super().__init__(503, "the order loop does not answer in time; look at the order before you try again")
