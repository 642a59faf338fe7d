"""The codes, enumerations and structs of ProfitDLL's trading functions, typed once more from the vendor's sheet."""

from ctypes import Structure, c_double, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_void_p

OK = 0


def code(number: int) -> int:
    """An NResult as signed 32-bit integer."""
    return -(2**31) + number


NOT_INITIALIZED, INVALID_ARGS, WAITING_SERVER, NO_LOGIN = code(2), code(3), code(4), code(5)
OUT_OF_RANGE, MARKET_ONLY, NO_POSITION, NOT_FOUND = code(9), code(0xA), code(0xB), code(0xC)
VERSION_NOT_SUPPORTED, EXCHANGE_UNKNOWN, INVALID_TICKER, NOT_MASTER = code(0xD), code(0xF), code(0x1F), code(0x20)

MARKET, LIMIT, STOP, STOP_LIMIT = 1, 2, 3, 4
BUY, SELL = 1, 2
NEW, PARTIALLY_FILLED, FILLED, CANCELED, REPLACED, PENDING_CANCEL, REJECTED = 0, 1, 2, 4, 5, 6, 8
EXPIRED, PENDING_REPLACE, PARTIALLY_CANCELED, PARTIALLY_EXPIRED = 12, 14, 15, 17
HADES_CREATED, CLIENT_CREATED, NOT_CREATED = 201, 203, 204
TERMINAL = {2, 3, 4, 8, 12, 15, 17, 18, 204, 205}
DAY_TRADE, CONSOLIDATED = 1, 2


class Account(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("BrokerID", c_int32),
        ("AccountID", c_void_p),
        ("SubAccountID", c_void_p),
        ("Reserved", c_int64),
    ]


class AccountOut(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("BrokerID", c_int32),
        ("AccountID", c_uint16 * 100),
        ("AccountIDLength", c_int32),
        ("SubAccountID", c_uint16 * 100),
        ("SubAccountIDLength", c_int32),
        ("Reserved", c_int64),
    ]


class Asset(Structure):
    _fields_ = [("Version", c_uint8), ("Ticker", c_void_p), ("Exchange", c_void_p), ("FeedType", c_uint8)]


class AssetOut(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("Ticker", c_void_p),
        ("TickerLength", c_int32),
        ("Exchange", c_void_p),
        ("ExchangeLength", c_int32),
        ("FeedType", c_uint8),
    ]


class OrderId(Structure):
    _fields_ = [("Version", c_uint8), ("LocalOrderID", c_int64), ("ClOrderID", c_void_p)]


class SystemTime(Structure):
    _fields_ = [
        (name, c_uint16) for name in ("Year", "Month", "DayOfWeek", "Day", "Hour", "Minute", "Second", "Milliseconds")
    ]


class SendOrder(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("AssetID", Asset),
        ("Password", c_void_p),
        ("OrderType", c_uint8),
        ("OrderSide", c_uint8),
        ("Price", c_double),
        ("StopPrice", c_double),
        ("Quantity", c_int64),
        ("MessageID", c_int64),
    ]


class ChangeOrder(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("OrderID", OrderId),
        ("Password", c_void_p),
        ("Price", c_double),
        ("StopPrice", c_double),
        ("Quantity", c_int64),
        ("MessageID", c_int64),
    ]


class CancelOrder(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("OrderID", OrderId),
        ("Password", c_void_p),
        ("MessageID", c_int64),
    ]


class CancelOrders(Structure):
    _fields_ = [("Version", c_uint8), ("AccountID", Account), ("AssetID", Asset), ("Password", c_void_p)]


class CancelAllOrders(Structure):
    _fields_ = [("Version", c_uint8), ("AccountID", Account), ("Password", c_void_p)]


class ZeroPosition(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("AssetID", Asset),
        ("Password", c_void_p),
        ("Price", c_double),
        ("PositionType", c_uint8),
        ("MessageID", c_int64),
    ]


class TradingAccount(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("BrokerName", c_void_p),
        ("BrokerNameLength", c_int32),
        ("OwnerName", c_void_p),
        ("OwnerNameLength", c_int32),
        ("SubOwnerName", c_void_p),
        ("SubOwnerNameLength", c_int32),
        ("AccountFlags", c_uint32),
        ("AccountType", c_uint8),
    ]


class PositionOut(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("AccountID", Account),
        ("AssetID", Asset),
        ("OpenQuantity", c_int64),
        ("OpenAveragePrice", c_double),
        ("OpenSide", c_uint8),
        ("DailyAverageSellPrice", c_double),
        ("DailySellQuantity", c_int64),
        ("DailyAverageBuyPrice", c_double),
        ("DailyBuyQuantity", c_int64),
        *((f"Custody{index}", c_int64) for index in range(8)),
        ("DailyQuantityAvailable", c_int64),
        ("PositionType", c_uint8),
        ("EventID", c_int64),
    ]


ORDER_TAIL = [
    ("Quantity", c_int64),
    ("TradedQuantity", c_int64),
    ("LeavesQuantity", c_int64),
    ("Price", c_double),
    ("StopPrice", c_double),
    ("AveragePrice", c_double),
    ("OrderSide", c_uint8),
    ("OrderType", c_uint8),
    ("OrderStatus", c_uint8),
    ("ValidityType", c_uint8),
    ("Date", SystemTime),
    ("LastUpdate", SystemTime),
    ("CloseDate", SystemTime),
    ("ValidityDate", SystemTime),
    ("TextMessage", c_void_p),
]


class Order(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("OrderID", OrderId),
        ("AccountID", Account),
        ("AssetID", Asset),
        *ORDER_TAIL,
        ("EventID", c_int64),
    ]


class OrderOut(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("OrderID", OrderId),
        ("AccountID", AccountOut),
        ("AssetID", AssetOut),
        *ORDER_TAIL,
        ("TextMessageLength", c_int32),
        ("EventID", c_int64),
    ]


class Message(Structure):
    _fields_ = [
        ("Version", c_uint8),
        ("BrokerID", c_int32),
        ("OrderID", OrderId),
        ("MessageID", c_int64),
        ("ResultCode", c_uint8),
        ("Message", c_void_p),
        ("MessageLength", c_int32),
    ]


class LegacyAsset(Structure):
    _pack_ = 1
    _fields_ = [("Ticker", c_void_p), ("Exchange", c_void_p), ("Feed", c_int32)]


SIZES = {
    Account: 32,
    AccountOut: 424,
    Asset: 32,
    AssetOut: 40,
    OrderId: 24,
    SendOrder: 120,
    ChangeOrder: 104,
    CancelOrder: 80,
    CancelOrders: 80,
    CancelAllOrders: 48,
    ZeroPosition: 104,
    TradingAccount: 96,
    PositionOut: 216,
    Order: 232,
    OrderOut: 640,
    Message: 64,
}
