"""The contracts: one frozen Struct for every table that moves between the tiers, and what all stores must know of it.

Arrow and Parquet schemas, QuestDB and PostgreSQL DDL, JSON and the list of Dagster assets derive from here.
"""

import enum
from typing import Annotated

from msgspec import Struct

from sql.columns import (
    Amount,
    Broker,
    Count,
    Day,
    Flags,
    Instant,
    Price,
    Quantity,
    Small,
    Symbol,
    Text,
    TradeId,
    says,
)
from sql.contract import Table
from sql.signal_tables import TP_CAPITAL

FOREIGN = 1 << 43  # no source gives numbers from here on


class Flag(enum.IntFlag):
    """Bits of `ticks.flags`."""

    CANCELLED = 1  # the exchange took the trade back; the row stays, candles and sums leave it out
    AFTER_MARKET = 2  # traded after the regular session
    NOMINAL_TIME = 4  # `ts` is the clock time the file states, the instant itself is not known
    FOREIGN_NUMBER = 8  # `trade_id` is the source's number plus FOREIGN: its numbering is not that of the session


class Tick(Struct, frozen=True, kw_only=True):
    """One exchange trade, exactly as the source reported it. Identity: (symbol, session, trade_id)."""

    ts: Annotated[Instant, says("exchange time of the first report")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    session: Annotated[Day, says("trading session that the id belongs to, a date in São Paulo")]
    trade_id: TradeId
    price: Price
    quantity: Quantity
    aggressor: Annotated[Symbol, says("BUYER, SELLER, AUCTION …; null where the source does not say")] | None
    buyer: Broker | None
    seller: Broker | None
    flags: Flags
    received_at: Annotated[Instant, says("host time of the first reception; takes no part in comparisons")]
    source: Annotated[Symbol, says("generated, b3, profitdll …")]


class Daily(Struct, frozen=True, kw_only=True):
    """The exchange's sums of one symbol and session up to an instant, as the broker told them. The greatest closes it.

    What is null was not told, or not as a number.
    """

    ts: Annotated[Instant, says("exchange time of the aggregate")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    session: Annotated[Day, says("date of `ts` in São Paulo")]
    open: Annotated[Amount, says("price; 0 before the first trade")] | None
    high: Annotated[Amount, says("price")] | None
    low: Annotated[Amount, says("price")] | None
    close: Annotated[Amount, says("price of the last trade")] | None
    volume: Annotated[Amount, says("BRL, as the exchange computed it")]
    quantity: Annotated[Count, says("shares or contracts")]
    trades: Annotated[Count, says("number of trades; part of the key, so that no smaller sum replaces a greater one")]
    buyer_volume: Annotated[Amount, says("BRL of trades that a buyer began")] | None
    seller_volume: Annotated[Amount, says("BRL of trades that a seller began")] | None
    buyer_quantity: Annotated[Count, says("shares or contracts of trades that a buyer began")] | None
    seller_quantity: Annotated[Count, says("shares or contracts of trades that a seller began")] | None
    buyer_trades: Annotated[Count, says("trades that a buyer began")] | None
    seller_trades: Annotated[Count, says("trades that a seller began")] | None
    open_contracts: Annotated[Count, says("open interest; 0 for shares")] | None
    adjustment: Annotated[Amount, says("settlement price; of the session before until this one has its own")] | None
    max_limit: Annotated[Amount, says("highest price that the exchange lets through")] | None
    min_limit: Annotated[Amount, says("lowest price that the exchange lets through")] | None
    received_at: Annotated[Instant, says("host time of a reception; takes no part in comparisons")]
    source: Annotated[Symbol, says("simulator, profitdll")]


class Quote(Struct, frozen=True, kw_only=True):
    """The best price of one side changed, or the price at which an auction would end. Order of events: (run, seq)."""

    ts: Annotated[Instant, says("when the host received it; the exchange tells no time")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    session: Annotated[Day, says("date of `ts` in São Paulo")]
    run: Annotated[Small, says("run of the spool's writer")]
    seq: Annotated[Count, says("number of the event in its run; a hole is an event that another table has, or a loss")]
    side: Annotated[Symbol, says("BID, ASK, or AUCTION: the theoretical price")]
    price: Annotated[Price, says("null: the side is empty")] | None
    quantity: Quantity | None
    source: Annotated[Symbol, says("simulator, profitdll")]


class BookEvent(Struct, frozen=True, kw_only=True):
    """One change of the book by price, as the broker told it; in the order (run, seq) they make the book again."""

    ts: Annotated[Instant, says("when the host received it; the exchange tells no time")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    session: Annotated[Day, says("date of `ts` in São Paulo")]
    run: Annotated[Small, says("run of the spool's writer")]
    seq: Annotated[Count, says("number of the event in its run; a hole is an event that another table has, or a loss")]
    action: Annotated[Symbol, says("INSERT, EDIT, DELETE, DELETE_FROM, FULL, PREPARE, FLUSH, THEORETICAL, ADD")]
    side: Annotated[Symbol, says("BID, ASK; null where both or none are meant")] | None
    position: Annotated[Small, says("level, 0 the best; null: the side is empty")] | None
    price: Annotated[Price, says("of the level as the callback found it; null where the event has no level")] | None
    quantity: Quantity | None
    orders: Annotated[Small, says("orders of the level")] | None
    flags: Annotated[Small, says("1 last and 2 first of a full side, 4 the level could not be read, 8 theoretical")]
    source: Annotated[Symbol, says("simulator, profitdll")]


class SyncControl(Struct, frozen=True, kw_only=True):
    """How far the sync of one table came; written in the same transaction as the rows.

    A table without warm has a row for its floor alone.
    """

    stream: Symbol  # the table's name
    last_synced: Instant  # greatest time of a row that is in warm
    updated_at: Instant
    hot_txn: Count | None  # last transaction of the hot table that is in warm
    hot_incarnation: Text | None  # which hot table that number belongs to
    hot_from: Instant | None  # retention's floor: below it hot is not complete, so its silence is no deletion


class Receipt(Struct, frozen=True, kw_only=True):
    """What one tier held of one table and UTC day when it was last written or verified."""

    table_name: Symbol
    day: Day
    tier: Symbol
    rows: Count
    sums: Text  # JSON: column -> integer sum
    digest: Text
    file: Text | None  # cold: path below the cold root
    file_sha256: Text | None
    made_at: Instant


TICKS = Table(
    name="ticks",
    row=Tick,
    key=("ts", "symbol", "session", "trade_id"),
    time="ts",
    writer="sql.ticks.store",
    watched=True,
    not_compared=frozenset({"received_at"}),
)
DAILY = Table(
    name="daily",
    row=Daily,
    key=("ts", "symbol", "trades"),
    time="ts",
    writer="sql.daily.store",
    not_compared=frozenset({"received_at"}),
)
EVENT_KEY = ("ts", "symbol", "run", "seq")  # follows from the spool's frame: what is sent again changes nothing
QUOTES = Table(
    name="quotes",
    row=Quote,
    key=EVENT_KEY,
    time="ts",
    tiers=("hot", "cold"),
    hot_days=10,
    writer="sql.books.store",
    rising=("ts", "seq"),
)
BOOK = Table(
    name="book",
    row=BookEvent,
    key=EVENT_KEY,
    time="ts",
    tiers=("hot", "cold"),
    hot_days=2,
    writer="sql.books.store",
    rising=("ts", "seq"),
)
SYNC_CONTROL = Table(name="sync_control", row=SyncControl, key=("stream",), tiers=("warm",), writer="sql.control.store")
RECEIPTS = Table(
    name="receipts", row=Receipt, key=("table_name", "day", "tier"), tiers=("warm",), writer="sql.receipts.store"
)

TABLES: dict[str, Table] = {
    table.name: table for table in (TICKS, DAILY, QUOTES, BOOK, *TP_CAPITAL, SYNC_CONTROL, RECEIPTS)
}
MOVING: tuple[Table, ...] = tuple(table for table in TABLES.values() if len(table.tiers) > 1)
SYNCED: tuple[Table, ...] = tuple(table for table in MOVING if not table.direct)
DIRECT: tuple[Table, ...] = tuple(table for table in MOVING if table.direct)
