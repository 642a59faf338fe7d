"""What the stream tells and is told, as JSON: contracts that the relay encodes and both ports describe.

`sequence` is the number of a record in the spool: durable, and greater with each record, over restarts too. Prices are
BRL per contract or share.
"""

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct

Channel = Literal["market-data/trades", "market-data/quotes", "market-data/orderbook", "system/health"]
TRADES: Channel = "market-data/trades"
QUOTES: Channel = "market-data/quotes"
BOOK: Channel = "market-data/orderbook"
HEALTH: Channel = "system/health"
CHANNELS: tuple[Channel, ...] = (TRADES, QUOTES, BOOK, HEALTH)
EXCHANGE = "BVMF"  # of every instrument: what B3 was called when the original's clients were written
ALL = "*"

Sequence = Annotated[int, Meta(ge=0, description="Number of a record in the spool")]
Millis = Annotated[int, Meta(description="Exchange time, milliseconds since 1970, UTC")]
HostMillis = Annotated[int, Meta(description="Clock of the host, milliseconds since 1970, UTC")]
Instant = Annotated[str, Meta(description="Exchange time, ISO 8601, UTC", extra_json_schema={"format": "date-time"})]
Side = Annotated[Literal["B", "S"] | None, Meta(description="Who began: buyer or seller; null in auctions")]
FullSide = Annotated[Literal["buy", "sell"] | None, Meta(description="Who began; null in auctions")]
Filled = Annotated[bool, Meta(description="True: asked for afterwards, to fill a gap")]
Revision = Annotated[
    Literal["corrected", "cancelled"] | None, Meta(description="What the exchange did to a trade it told before")
]
Symbol = Annotated[str, Meta(min_length=1, max_length=20)]


class Trade(Struct, frozen=True, tag_field="type", tag="trade", rename="camel", omit_defaults=True):
    """A trade, in the short shape. Unique by symbol, session and `tradeId`."""

    symbol: str
    price: float
    volume: Annotated[int, Meta(description="Contracts or shares")]
    aggressor: Side
    timestamp: Millis
    sequence: Sequence
    trade_id: int
    session: dt.date
    filled: Filled = False
    revision: Revision = None


class FullTrade(Struct, frozen=True, tag_field="type", tag="trade", rename="camel", omit_defaults=True):
    """A trade, in the full shape (`?shape=full`)."""

    symbol: str
    exchange: str
    price: float
    volume: Annotated[int, Meta(description="Contracts or shares")]
    timestamp: Instant
    trade_id: int
    aggressor: FullSide
    sequence: Sequence
    session: dt.date
    filled: Filled = False
    revision: Revision = None


class Trades(Struct, frozen=True, tag_field="type", tag="trades"):
    """Trades of one moment (`?batch=true`). What was asked for is told up to `sequence`, the last included."""

    sequence: Sequence
    data: list[Trade]


class FullTrades(Struct, frozen=True, tag_field="type", tag="trades"):
    """The same in the full shape."""

    sequence: Sequence
    data: list[FullTrade]


class Quote(Struct, frozen=True, tag_field="type", tag="quote", rename="camel"):
    """The best prices of a symbol after a change of one side; null: that side is not known or empty."""

    symbol: str
    exchange: str
    bid_price: float | None
    ask_price: float | None
    bid_size: int | None
    ask_size: int | None
    timestamp: HostMillis
    sequence: Sequence


class Quotes(Struct, frozen=True, tag_field="type", tag="quotes"):
    """Quotes of one moment (`?batch=true`)."""

    sequence: Sequence
    data: list[Quote]


class Level(Struct, frozen=True):
    """A price of the book with all that stands there."""

    price: float
    quantity: int
    orders: int


class Book(Struct, frozen=True, tag_field="type", tag="book", omit_defaults=True):
    """The book of a symbol by price, best first, as it was after record `sequence`; at most fifty times a second."""

    symbol: str
    exchange: str
    bids: list[Level]
    asks: list[Level]
    timestamp: HostMillis
    sequence: Sequence
    partial: Annotated[bool, Meta(description="True: some of these levels were not told yet, and are left out")] = False


class Check(Struct, frozen=True):
    """One thing that the relay needs."""

    status: Literal["pass", "warn", "fail"]
    message: str
    timestamp: HostMillis


class Health(Struct, frozen=True, tag_field="type", tag="health"):
    """How the relay stands, every five seconds."""

    service: str
    status: Literal["ok", "degraded", "unhealthy"]
    checks: dict[str, Check]
    timestamp: HostMillis


class Subscribed(Struct, frozen=True, tag_field="type", tag="subscribed"):
    """The answer to `subscribe`. What follows has numbers above `sequence`."""

    channel: Channel
    symbols: list[str]
    sequence: Sequence


class Live(Struct, frozen=True, tag_field="type", tag="live"):
    """The end of what was resumed: everything up to `sequence` is told, and the rest comes as it happens."""

    channel: Channel
    symbols: list[str]
    sequence: Sequence


class Unsubscribed(Struct, frozen=True, tag_field="type", tag="unsubscribed"):
    """The answer to `unsubscribe`."""

    channel: Channel
    symbols: list[str]


class Heartbeat(Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """Once a second: all live channels are told up to `sequence`."""

    sequence: Sequence
    timestamp: HostMillis


class Gap(Struct, frozen=True, tag_field="type", tag="gap"):
    """Records that were received or expected and cannot be told: lost, damaged, or gone from the disk."""

    first: Sequence
    sequence: Sequence
    records: int
    reason: str


class Conflated(Struct, frozen=True, tag_field="type", tag="conflated"):
    """Trades that a slow client was not told (`?slow=conflate`); the last one of each symbol follows."""

    first: Sequence
    sequence: Sequence
    trades: int


class Refused(Struct, frozen=True, tag_field="type", tag="error", omit_defaults=True):
    """Something that was asked and is not done."""

    code: Literal["NOT_UNDERSTOOD", "SEQUENCE_GONE", "SEQUENCE_UNKNOWN", "NOT_RESUMABLE", "SUBSCRIBED", "TOO_MANY"]
    message: str
    oldest: Sequence | None = None
    newest: Sequence | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """What a client says. `channel` only on `/ws`; `from_sequence` is the first number wanted, 0 the oldest kept."""

    action: Literal["subscribe", "unsubscribe"]
    symbols: Annotated[list[Symbol], Meta(max_length=10_000)]
    channel: Channel | None = None
    from_sequence: Sequence | None = None


class Options(Struct, frozen=True, kw_only=True):
    """The query of the address."""

    shape: Literal["short", "full"] = "short"
    batch: bool = False
    slow: Literal["cut", "conflate"] = "cut"
    symbols: str = ""
    channel: Channel | None = None
    from_sequence: Sequence | None = None


class Address(Struct, frozen=True):
    """A place to connect to; without a channel, the client names one each time."""

    path: str
    channel: Channel | None
    summary: str
    told: tuple[type[Struct], ...]


SIGNS = (Subscribed, Unsubscribed, Heartbeat, Refused)
TRADE_TALK = (Trade, FullTrade, Trades, FullTrades, Live, Gap, Conflated)
ADDRESSES = (
    Address("/ws/trades", TRADES, "Every trade, once, in the order of the spool; resumable", (*TRADE_TALK, *SIGNS)),
    Address("/ws/quotes", QUOTES, "Best prices, as they change", (Quote, Quotes, *SIGNS)),
    Address("/ws/book", BOOK, "Books by price", (Book, *SIGNS)),
    Address("/ws", None, "All of these on one connection", (*TRADE_TALK, Quote, Quotes, Book, Health, *SIGNS)),
)
PATHS: dict[str, Channel | None] = {address.path: address.channel for address in ADDRESSES}
