"""The contracts: one frozen Struct for every table that moves between the tiers, and what all stores must know of it.

Arrow and Parquet schemas, QuestDB and PostgreSQL DDL, JSON and the list of Dagster assets derive from here.
"""

import enum
from typing import Annotated

from msgspec import Struct

from sql.columns import (
    Amount,
    Balance,
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
from sql.market_tables import MARKET
from sql.model_tables import MODEL_SIGNALS
from sql.signal_tables import TP_CAPITAL

FOREIGN = 1 << 43  # no source gives numbers from here on


class Flag(enum.IntFlag):
    """Bits of `ticks.flags`."""

    CANCELLED = 1  # the exchange took the trade back; the row stays, candles and sums leave it out
    AFTER_MARKET = 2  # traded after the regular session
    NOMINAL_TIME = 4  # `ts` is the clock time the file states, the instant itself is not known
    FOREIGN_NUMBER = 8  # `trade_id` is the source's number plus FOREIGN: its numbering is not that of the session


class Tick(Struct, frozen=True):
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


class OrderEvent(Struct, frozen=True, kw_only=True):
    """One record of the journal of orders, and what the order was after it. Identity: (journal, number)."""

    ts: Annotated[Instant, says("when it was written into the journal, the host's clock")]
    journal: Annotated[Symbol, says("which journal: a name that follows from its key")]
    number: Annotated[Count, says("of the record, from 1 without holes")]
    kind: Annotated[Symbol, says("the journal's word: intent, event, limits …")]
    event_type: Annotated[Symbol, says("order.created, order.filled, kill-switch.activated …")]
    order_id: Text | None
    account: Annotated[Text, says("broker:account")] | None
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")] | None
    side: Annotated[Symbol, says("BUY, SELL")] | None
    order_type: Annotated[Symbol, says("MARKET, LIMIT, STOP, STOP_LIMIT")] | None
    quantity: Quantity | None
    filled_quantity: Quantity | None
    price: Annotated[Amount, says("limit price; null: none")] | None
    stop_price: Annotated[Amount, says("null: none")] | None
    avg_fill_price: Annotated[Amount, says("of what was traded; 0: nothing was")] | None
    status: Annotated[Symbol, says("after the record: SUBMITTED, FILLED …; UNKNOWN: nobody knows its fate")] | None
    time_in_force: Annotated[Symbol, says("DAY, GTC, IOC, FOK")] | None
    strategy_id: Text | None
    broker_order_id: Annotated[Text, says("the exchange's name of it")] | None
    user_id: Annotated[Text, says("who asked, or whose order it is")] | None
    source: Annotated[Symbol, says("api, dashboard, agent, scheduler, strategy, kill-switch, foreign")] | None
    correlation_id: Text | None
    idempotency_key: Text | None
    payload: Annotated[Text, says("the record's body as JSON, without what was answered")]
    mac: Annotated[Text, says("the record's hash in the journal: it ties this row to the chain")]
    ingested_at: Annotated[Instant, says("when it was sent to hot; takes no part in comparisons")]


class OwnTrade(Struct, frozen=True, kw_only=True):
    """One fill of an own order. The broker tells sums only, so several trades of the exchange may be one."""

    ts: Annotated[Instant, says("when we were told, the host's clock")]
    journal: Annotated[Symbol, says("as in order_events")]
    number: Annotated[Count, says("of the record that brought it")]
    trade_id: Annotated[Text, says("the order's id and what of it was traded by then")]
    order_id: Text
    account: Annotated[Text, says("broker:account")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    side: Annotated[Symbol, says("BUY, SELL")]
    quantity: Annotated[Amount, says("shares or contracts, a whole number")]
    price: Annotated[Amount, says("points, or BRL a share")]
    cost: Annotated[Amount, says("BRL")]
    strategy_id: Text | None
    source: Annotated[Symbol, says("who had the order sent: api, strategy, kill-switch …")]
    ingested_at: Annotated[Instant, says("when it was sent to hot; takes no part in comparisons")]


class PositionState(Struct, frozen=True, kw_only=True):
    """An account's position in a symbol after a record that changed it. Closed: quantity 0, and the row stays."""

    ts: Annotated[Instant, says("when it changed, the host's clock")]
    journal: Annotated[Symbol, says("as in order_events")]
    number: Annotated[Count, says("of the record that changed it")]
    position_id: Annotated[Text, says("account and symbol")]
    account: Annotated[Text, says("broker:account")]
    symbol: Annotated[Symbol, says("instrument, as the exchange writes it")]
    quantity: Annotated[Balance, says("net shares or contracts, a whole number; below 0: short")]
    avg_price: Annotated[Balance, says("volume weighted, from the entry; 0: closed")]
    unrealized_pnl: Annotated[Balance, says("BRL at the price of the fill; null: no price was told")] | None
    realized_pnl: Annotated[Balance, says("BRL since ever, costs not taken off")]
    day_realized_pnl: Annotated[Balance, says("BRL of the session, from the last settlement, costs not taken off")]
    costs: Annotated[Amount, says("BRL since ever")]
    point_value: Annotated[Amount, says("BRL a point and contract, or a share")]
    strategy_id: Annotated[Text, says("of the fill that changed it; null: no fill did")] | None
    updated_at: Annotated[Instant, says("when the record was written")]


class AuditLog(Struct, frozen=True, kw_only=True):
    """Who decided what about orders, limits and the switch, why, and what came of it. From the journal of orders."""

    ts: Annotated[Instant, says("when it was written into the journal, the host's clock")]
    journal: Annotated[Symbol, says("as in order_events")]
    number: Annotated[Count, says("of the record")]
    actor: Annotated[Text, says("person, key, strategy; broker; process")]
    source: Annotated[Symbol, says("api, dashboard, agent, scheduler, strategy, kill-switch, foreign, broker")]
    action: Annotated[Symbol, says("as event_type of order_events")]
    entity: Annotated[Symbol, says("order, position, limits, kill-switch, account, session, process, journal")]
    entity_id: Text
    details: Annotated[Text, says("JSON: why, from what, to what")]
    result: Annotated[Symbol, says("SUCCESS, FAILURE")]
    correlation_id: Text | None


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
RECORD_KEY = ("ts", "journal", "number")  # follows from the journal: what is sent again changes nothing
ORDER_EVENTS = Table(
    name="order_events",
    row=OrderEvent,
    key=RECORD_KEY,
    time="ts",
    compress_after_days=30,
    writer="sql.order_rows.store",
    not_compared=frozenset({"ingested_at"}),
)
OWN_TRADES = Table(
    name="trades",
    row=OwnTrade,
    key=RECORD_KEY,
    time="ts",
    writer="sql.order_rows.store",
    not_compared=frozenset({"ingested_at"}),
)
POSITIONS = Table(
    name="positions",
    row=PositionState,
    key=(*RECORD_KEY, "position_id"),
    time="ts",
    writer="sql.order_rows.store",
)
AUDIT_LOGS = Table(
    name="audit_logs",
    row=AuditLog,
    key=RECORD_KEY,
    time="ts",
    compress_after_days=30,
    writer="sql.order_rows.store",
)
SYNC_CONTROL = Table(name="sync_control", row=SyncControl, key=("stream",), tiers=("warm",), writer="sql.control.store")
RECEIPTS = Table(
    name="receipts", row=Receipt, key=("table_name", "day", "tier"), tiers=("warm",), writer="sql.receipts.store"
)

OF_ORDERS = (ORDER_EVENTS, OWN_TRADES, POSITIONS, AUDIT_LOGS)  # what is shipped of the journal, 365 days in warm
EVERY = (TICKS, DAILY, QUOTES, BOOK, *OF_ORDERS, *MARKET, *TP_CAPITAL, MODEL_SIGNALS, SYNC_CONTROL, RECEIPTS)
TABLES: dict[str, Table] = {table.name: table for table in EVERY}
MOVING: tuple[Table, ...] = tuple(table for table in TABLES.values() if len(table.tiers) > 1)
SYNCED: tuple[Table, ...] = tuple(table for table in MOVING if not table.direct)
DIRECT: tuple[Table, ...] = tuple(table for table in MOVING if table.direct)
