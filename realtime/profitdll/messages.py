"""Control events as values, one type for each. `cut` counts the characters of texts that a record had no room for."""

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from realtime.profitdll.rings import Records
from realtime.records import Event


class Control(Struct, frozen=True, kw_only=True):
    """What every event has: its number, from 1 without holes, and the host's monotonic nanoseconds."""

    seq: int
    mono: int
    cut: int = 0


class State(Control, frozen=True, kw_only=True):
    """A connection changed, or said again what it is: ready for data is (2, 4), for orders (1, 5)."""

    channel: int  # 0 login, 1 routing, 2 market data, 3 activation
    result: int


class Health(Control, frozen=True, kw_only=True):
    """0 responsive, 1 frozen."""

    health: int


class AssetSeen(Control, frozen=True, kw_only=True):
    """The number that a symbol has in the market records of this process."""

    number: int
    ticker: str
    exchange: str
    feed: int


class InvalidTicker(Control, frozen=True, kw_only=True):
    """A subscription named a ticker that does not exist."""

    ticker: str
    exchange: str


class Progress(Control, frozen=True, kw_only=True):
    """History on its way, 0 to 100 percent."""

    asset: int
    percent: int


class HistoryEnd(Control, frozen=True, kw_only=True):
    """The last trade of a history answer; `written` says whether it is among the market records."""

    asset: int
    trade: int
    written: bool


class AssetInfo(Control, frozen=True, kw_only=True):
    """What the exchange says of an asset: quantities in its units, `increment` and `multiplier` in its currency."""

    ticker: str
    exchange: str
    name: str
    description: str
    expiry: str  # day/month/year
    isin: str
    security_type: int
    sub_type: int
    minimum: int
    maximum: int
    lot: int
    increment: float
    multiplier: float


class AssetListed(Control, frozen=True, kw_only=True):
    """A ticker exists."""

    ticker: str
    exchange: str
    name: str


class AccountSeen(Control, frozen=True, kw_only=True):
    """An account of this login."""

    broker: int
    account: str
    sub_account: str
    broker_name: str
    holder: str


class AccountsChanged(Control, frozen=True, kw_only=True):
    """The accounts of a broker, or the sub-accounts of `account`, changed: ask for them again."""

    broker: int
    changed: int
    account: str
    sub_account: str


class OrderChanged(Control, frozen=True, kw_only=True):
    """Something about an order changed: ask for its details. `cl_order` is empty until the exchange knows it."""

    local: int
    cl_order: str


class OrdersLoaded(Control, frozen=True, kw_only=True):
    """The order history of an account is there."""

    broker: int
    account: str
    sub_account: str


class PositionChanged(Control, frozen=True, kw_only=True):
    """A position changed; ticker "-1" means all of the account."""

    broker: int
    account: str
    sub_account: str
    ticker: str
    exchange: str
    event: int


class RequestResult(Control, frozen=True, kw_only=True):
    """How far a request came, as the DLL numbers it, not what the order is. `message` is what the request returned."""

    result: int
    broker: int
    message: int
    local: int
    cl_order: str
    text: str


class Adjustment(Control, frozen=True, kw_only=True):
    """A corporate action. Dates are day/month/year as the DLL writes them; `multiplier` -9999 means none."""

    asset: int
    ticker: str
    action: str
    value: float
    multiplier: float
    flags: int
    adjusted: str
    decided: str
    paid: str
    note: str


class Row(Struct, frozen=True):
    """A control record's fields and texts."""

    code: int
    value: int
    number: int
    other: int
    amount: float
    amount2: float
    texts: list[str]


def _texts(*names: str) -> "Maker":
    return lambda row: dict(zip(names, row.texts, strict=False))


def _account(row: Row) -> dict[str, object]:
    return {"broker": row.code, "account": row.texts[0], "sub_account": row.texts[1]}


def _asset_info(row: Row) -> dict[str, object]:
    names = ("ticker", "exchange", "expiry", "isin", "name", "description")
    return {
        **dict(zip(names, row.texts, strict=True)),
        "security_type": row.code & 0xFFFF,
        "sub_type": row.code >> 16,
        "minimum": row.number,
        "maximum": row.other,
        "lot": row.value,
        "increment": row.amount,
        "multiplier": row.amount2,
    }


def _adjustment(row: Row) -> dict[str, object]:
    names = ("ticker", "action", "adjusted", "decided", "paid", "note")
    numbers = {"asset": row.code, "value": row.amount, "multiplier": row.amount2, "flags": row.value}
    return {**dict(zip(names, row.texts, strict=True)), **numbers}


NUMBERS = ("code", "value", "number", "other", "amount", "amount2")
Maker = Callable[[Row], dict[str, object]]
TYPES: dict[Event, tuple[type[Control], Maker]] = {
    Event.STATE: (State, lambda row: {"channel": row.code, "result": row.value}),
    Event.HEALTH: (Health, lambda row: {"health": row.code}),
    Event.ASSET: (
        AssetSeen,
        lambda row: {"number": row.code, "ticker": row.texts[0], "exchange": row.texts[1], "feed": row.value},
    ),
    Event.INVALID_TICKER: (InvalidTicker, _texts("ticker", "exchange")),
    Event.PROGRESS: (Progress, lambda row: {"asset": row.code, "percent": row.value}),
    Event.ASSET_INFO: (AssetInfo, _asset_info),
    Event.ACCOUNT: (
        AccountSeen,
        lambda row: _account(row) | {"broker_name": row.texts[2], "holder": row.texts[3]},
    ),
    Event.ACCOUNTS_CHANGED: (AccountsChanged, lambda row: _account(row) | {"changed": row.value}),
    Event.ORDER: (OrderChanged, lambda row: {"local": row.number, "cl_order": row.texts[0]}),
    Event.ORDERS_LOADED: (OrdersLoaded, _account),
    Event.POSITION: (
        PositionChanged,
        lambda row: _account(row) | {"ticker": row.texts[2], "exchange": row.texts[3], "event": row.number},
    ),
    Event.MESSAGE: (
        RequestResult,
        lambda row: {
            "result": row.code,
            "broker": row.value,
            "message": row.number,
            "local": row.other,
            "cl_order": row.texts[0],
            "text": row.texts[1],
        },
    ),
    Event.ADJUSTMENT: (Adjustment, _adjustment),
    Event.ASSET_LISTED: (AssetListed, _texts("ticker", "exchange", "name")),
    Event.HISTORY_END: (
        HistoryEnd,
        lambda row: {"asset": row.code, "trade": row.number, "written": row.value == 1},
    ),
}


def texts_of(record: np.void) -> list[str]:
    """The six texts of a control record."""
    units, found, at = record["text"].tobytes(), [], 0
    for length in record["lengths"].tolist():
        found.append(units[2 * at : 2 * (at + length)].decode("utf-16-le", errors="replace"))
        at += length
    return found


def events(records: Records) -> Iterator[Control]:
    """The events of control records, in their order."""
    for record in records:
        row = Row(texts=texts_of(record), **{name: record[name].item() for name in NUMBERS})
        kind, fields = TYPES[Event(int(record["kind"]))]
        common = {name: record[name].item() for name in ("seq", "mono", "cut")}
        yield kind(**common, **fields(row))  # type: ignore[arg-type]
