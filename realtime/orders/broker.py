"""The border to whoever executes orders: one protocol, the values that cross it, and what can go wrong there.

One thread owns a broker and makes all calls; what comes back later is news, taken by that thread in the order in which
it came. A request that was taken has not been seen by the exchange, and nothing is ever sent twice by this side.

BrokerError
    NotSentError          a definite no: nothing left
        NotReadyError        the broker takes no orders now
        UnknownOrderError    no order has this key
    UnclearError          it may or may not have left: never send it again
    NotLoadedError        the list was not loaded since the link came up
"""

import datetime as dt
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from realtime.orders.states import Kind, Side, TimeInForce

Gate = AbstractContextManager[None]  # held for the act of sending; entering it may refuse
OPEN: Gate = nullcontext()


class AccountId(Struct, frozen=True):
    """Who an order is for. `account` verbatim, with its leading zeros; `sub_account` empty for ordinary clients."""

    broker: int
    account: str
    sub_account: str = ""

    def __str__(self) -> str:
        """`broker:account` or `broker:account:sub_account`, as journals, commands and tables name it."""
        return ":".join(filter(None, (str(self.broker), self.account, self.sub_account)))

    @classmethod
    def of(cls, text: str) -> "AccountId":
        """The account that `str` wrote. Raises ValueError."""
        broker, *rest = text.split(":")
        if not broker.isdecimal() or not 1 <= len(rest) <= 2 or not all(rest):
            raise ValueError(f"expected an account as broker:account[:sub-account], found {text!r}")
        return cls(int(broker), *rest)


class OrderKey(Struct, frozen=True):
    """An order at the broker: by this login's number, by the exchange's id (permanent), or by both."""

    local_id: int | None = None
    exchange_id: str | None = None


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order to send. `id` is ours and never leaves; prices in points or BRL, None where the kind has none."""

    id: str
    account: AccountId
    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    time_in_force: TimeInForce = "DAY"


class Sent(Struct, frozen=True):
    """A request was taken. `message` is its number, with which its progress is told."""

    local_id: int
    message: int


class Report(Struct, frozen=True, kw_only=True):
    """What the broker says of an order as a whole; it may be old news, and it may come many times.

    `status` is the broker's number (`states.BROKER_FINAL`); `average_price` times `traded` is a whole number of ticks,
    up to Decimal's rounding. `kind` None: one that we do not send.
    """

    key: OrderKey
    account: AccountId
    symbol: str
    side: Side
    kind: Kind | None
    quantity: int
    traded: int
    average_price: Decimal
    price: Decimal | None
    stop: Decimal | None
    status: int
    created: dt.datetime | None
    updated: dt.datetime | None
    text: str = ""


class Held(Struct, frozen=True, kw_only=True):
    """A position as the broker counts it: `quantity` signed (short < 0), the day's sums beside it."""

    account: AccountId
    symbol: str
    quantity: int
    average_price: Decimal
    bought: int = 0
    bought_average: Decimal = Decimal(0)
    sold: int = 0
    sold_average: Decimal = Decimal(0)


class OrderNews(Struct, frozen=True, tag=True):
    """Something about an order changed, or was said again. Foreign orders are told as well."""

    report: Report


class RequestNews(Struct, frozen=True, tag=True, kw_only=True):
    """How far a request came, by the broker's code (`realtime.orders.states.MESSAGE_FAILED`): not what its order is."""

    message: int
    local_id: int | None
    code: int
    text: str = ""


class LateNews(Struct, frozen=True, tag=True, kw_only=True):
    """A send that was unclear has come back after all: `sent`, or the reason of a definite no."""

    id: str  # of the NewOrder
    sent: Sent | None = None
    refused: str = ""


class LinkNews(Struct, frozen=True, tag=True):
    """Orders may leave, or no longer. Events of the time between are not told again: load the list."""

    ready: bool


class AccountsNews(Struct, frozen=True, tag=True):
    """The accounts changed: ask for them."""


class PositionNews(Struct, frozen=True, tag=True):
    """A position changed: ask for it. `symbol` None: any of the account's."""

    account: AccountId
    symbol: str | None


class ListLoaded(Struct, frozen=True, tag=True):
    """The list of an account's orders is complete: `listed` answers."""

    account: AccountId


News = OrderNews | RequestNews | LateNews | LinkNews | AccountsNews | PositionNews | ListLoaded


class BrokerError(Exception):
    """Anything of this border."""


class NotSentError(BrokerError):
    """A definite no: nothing left. `code` is a word for programs."""

    def __init__(self, reason: str, code: str = "NOT_SENT") -> None:
        super().__init__(reason)
        self.code = code


class NotReadyError(NotSentError):
    """The broker takes no orders now: no link, no account, or a call that does not come back."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "NOT_READY")


class UnknownOrderError(NotSentError):
    """The broker has no order of this key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "UNKNOWN_ORDER")


class UnclearError(BrokerError):
    """Nobody knows whether it left. Never send it again; LateNews, the broker's list or a person will tell."""


class NotLoadedError(BrokerError):
    """The list was not loaded since the link came up, so nothing can be concluded from what it lacks."""


class Broker(Protocol):
    """Whoever executes orders. One thread makes all calls but `wake`; none waits longer than its set time."""

    call_seconds: float  # the longest that a call waits

    @property
    def ready(self) -> bool:
        """Whether orders may leave: the link is up and accounts are known."""

    def accounts(self) -> list[AccountId]:
        """Those known now; AccountsNews tells of more."""

    def shaped(self, order: NewOrder) -> NewOrder:
        """The order as `send` would let it leave: what the broker lacks is emulated, and the result says how. Pure.

        Raises NotSentError for what it can neither do nor emulate.
        """

    def send(self, order: NewOrder, gate: Gate = OPEN) -> Sent:
        """Send an order, as `shaped`. Its first news may come before this returns.

        `gate` is entered for the act of sending itself, after all waiting, and may refuse with a NotSentError.

        Raises NotSentError (FAILED) or UnclearError (UNKNOWN), nothing else.
        """

    def change(
        self,
        account: AccountId,
        key: OrderKey,
        *,
        quantity: int,
        price: Decimal | None,
        stop: Decimal | None = None,
        gate: Gate = OPEN,
    ) -> Sent:
        """Replace quantity and prices of a working order; `gate` as in `send`. Raises NotSentError, UnclearError."""

    def cancel(self, account: AccountId, key: OrderKey) -> Sent:
        """Ask for the end of an order; it may be filled first. Repeatable. Raises NotSentError, UnclearError."""

    def cancel_all(self, account: AccountId) -> None:
        """Ask for the end of all orders of an account, foreign ones too. Repeatable. Raises as `cancel`."""

    def load(self, account: AccountId, since: dt.datetime) -> None:
        """Ask for the orders created from `since` on; ListLoaded tells when they are there. Repeatable.

        Raises NotReadyError.
        """

    def listed(self, account: AccountId) -> list[Report]:
        """The orders that were loaded and all since. Raises NotLoadedError, also after the link was lost."""

    def position(self, account: AccountId, symbol: str) -> Held | None:
        """A position; None for a symbol that was never traded. Raises NotReadyError when the broker cannot say."""

    def positions(self, account: AccountId) -> list[Held]:
        """Of every symbol that the account has or had a position in. Raises NotReadyError."""

    def news(self) -> Iterable[News]:
        """What came back since the last call, in its order; without waiting."""

    def wait(self, seconds: float) -> bool:
        """Sleep until there is news (True), until `wake`, or for so long."""

    def wake(self) -> None:
        """End the sleep of `wait`, or the next one; from any thread."""

    def close(self) -> None:
        """Let go. Orders stay where they are."""


class NewsQueue:
    """News on its way to the one thread that takes it; put from any thread."""

    def __init__(self) -> None:
        self._news: deque[News] = deque()
        self._bell = threading.Event()

    def put(self, news: News) -> None:
        self._news.append(news)
        self._bell.set()

    def take(self) -> list[News]:
        """What is there, oldest first."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def wait(self, seconds: float) -> bool:
        """Sleep until there is news, or until `wake`; whether there is news."""
        if not self._news:
            self._bell.wait(seconds)
        self._bell.clear()
        return bool(self._news)

    def wake(self) -> None:
        self._bell.set()
