"""What is asked of ProfitDLL and what it answers, as values. Numbers stay raw where the DLL may grow new ones."""

import datetime as dt
import enum

from msgspec import Struct

from realtime.orders.broker import AccountId
from sql.exchange import SAO_PAULO

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the DLL's clock has no zone
AT_MARKET = -1.0


class Side(enum.IntEnum):
    """Of an order that is sent."""

    BUY = 1
    SELL = 2


class OrderType(enum.IntEnum):
    """The types that may be sent."""

    MARKET = 1
    LIMIT = 2
    STOP_LIMIT = 4


class PositionType(enum.IntEnum):
    """Which of the two books of a position."""

    DAY_TRADE = 1
    CONSOLIDATED = 2


class Asset(Struct, frozen=True):
    """A ticker at an exchange of one letter (B stocks, F futures), by one feed (0 Nelogica)."""

    ticker: str
    exchange: str
    feed: int = 0


class Account(Struct, frozen=True, kw_only=True):
    """An account's names. `flags`: 1 sub-account, 2 enabled; `kind`: 0 owner, 2 master, 3 sub-account …"""

    id: AccountId
    broker_name: str
    owner: str
    sub_owner: str
    flags: int
    kind: int


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order to send, for the day. Prices in the asset's currency or points; `quantity` in shares or contracts."""

    account: AccountId
    asset: Asset
    side: Side
    kind: OrderType
    quantity: int
    price: float = AT_MARKET
    stop: float = AT_MARKET


class OrderKey(Struct, frozen=True):
    """An order by the exchange's id (permanent) or, while that is unknown, by this login's number."""

    local: int = -1
    cl_order: str = ""


class Sent(Struct, frozen=True):
    """The DLL took a request; the broker has not seen it. `message` returns in `RequestResult.message`."""

    local: int
    message: int


class Order(Struct, frozen=True, kw_only=True):
    """An order as the DLL knows it now. Times are aware, None when never set; status, side, kind as it numbers them."""

    key: OrderKey
    account: AccountId
    asset: Asset
    side: int
    kind: int
    status: int
    validity: int
    quantity: int
    traded: int
    leaves: int
    price: float
    stop: float
    average: float  # of what was executed
    created: dt.datetime | None
    updated: dt.datetime | None
    closed: dt.datetime | None
    valid_until: dt.datetime | None
    text: str
    event: int


class Position(Struct, frozen=True, kw_only=True):
    """A position: `open` is absolute, `side` 1 bought, 2 sold, 0 or 200 flat. Averages in currency or points."""

    account: AccountId
    asset: Asset
    kind: PositionType
    open: int
    side: int
    average: float
    sold: int
    sold_average: float
    bought: int
    bought_average: float
    d1: int
    d2: int
    d3: int
    blocked: int
    pending: int
    allocated: int
    provisioned: int
    quantity: int
    available: int
    event: int


def local(instant: dt.datetime) -> dt.datetime:
    """São Paulo's clock without a zone, as the DLL wants it. Raises ValueError for a naive datetime."""
    if instant.tzinfo is None:
        raise ValueError(f"expected a time with a zone, found {instant.isoformat()}")
    return instant.astimezone(SAO_PAULO).replace(tzinfo=None)


def milliseconds(instant: dt.datetime) -> int:
    """Milliseconds since 1970-01-01 on São Paulo's clock, as in the records."""
    return (local(instant) - EPOCH) // dt.timedelta(milliseconds=1)


def instant(milliseconds: int) -> dt.datetime | None:
    """The aware time of a record's milliseconds; None for 0."""
    if not milliseconds:
        return None
    return (EPOCH + dt.timedelta(milliseconds=milliseconds)).replace(tzinfo=SAO_PAULO)


def text_of(moment: dt.datetime) -> str:
    """The DLL's form of a time, to the second."""
    return local(moment).strftime("%d/%m/%Y %H:%M:%S")
