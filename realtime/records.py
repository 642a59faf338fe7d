"""The fixed records in which everything that ProfitDLL calls back with reaches Python, and in which the spool keeps it.

The C# side (`profitdll/Interop.cs`) writes the same layouts; sizes and offsets are compared when the library is loaded.
Little-endian. Exchange times are the São Paulo clock, without a zone; `mono` is the host's monotonic clock.
"""

import enum

import numpy as np


class Kind(enum.IntEnum):
    """What a market record is (`kind`)."""

    TRADE = 1
    HISTORY_TRADE = 2
    QUOTE = 3  # best price of one side, the DLL's tiny book
    DEPTH = 4  # one change of the aggregated book with the level as the callback found it, or a level of a full book
    OFFER = 5  # one change of the book by order, or one entry of a full book, worst first
    DAILY_PRICES = 6  # first half of the DLL's daily aggregate
    DAILY_COUNTS = 7  # second half, always the next record
    THEORETICAL = 8  # auction price and quantity
    LAST_QUOTE = 9  # last trade as the DLL remembers it
    ASSET_STATE = 10  # open, auction, closed … in `count`


class Event(enum.IntEnum):
    """What a control record is (`kind`). These are never dropped."""

    STATE = 1  # code: connection type, value: result
    HEALTH = 2  # code
    ASSET = 3  # a symbol was seen first: code its number; texts ticker, exchange; value its feed
    INVALID_TICKER = 4  # texts ticker, exchange
    PROGRESS = 5  # history: code asset, value percent
    ASSET_INFO = 6  # texts ticker, exchange, expiry, ISIN, name, description; see `AssetInfo` in profitdll/messages.py
    ACCOUNT = 7  # code broker; texts account, sub-account, broker's name, holder
    ACCOUNTS_CHANGED = 8  # code broker, value changed; of sub-accounts: texts account, sub-account
    ORDER = 9  # number local id; text ClOrdID. Details are asked for outside the callback
    ORDERS_LOADED = 10  # code broker; texts account, sub-account
    POSITION = 11  # code broker, number event id; texts account, sub-account, ticker, exchange
    MESSAGE = 12  # code result, value broker, number message id, other local id; texts ClOrdID, message
    ADJUSTMENT = 13  # code asset, amount value, amount2 multiplier, value flags; texts ticker, type, three dates, note
    ASSET_LISTED = 14  # texts ticker, exchange, name; value its feed
    HISTORY_END = 15  # the last trade of a history answer: code asset, number the trade's, value 1 when it was written


# One market event: 96 bytes.
RECORD = np.dtype(
    {
        "names": [
            "seq",  # number of the event since the process began; what was dropped leaves a hole
            "mono",  # nanoseconds
            "time",  # exchange time, milliseconds since 1970-01-01 on the São Paulo clock; 0: none
            "price",
            "quantity",
            "volume",  # money, as the exchange computed it
            "number",  # trade number, or offer id
            "buyer",  # broker; the offer's broker
            "seller",
            "asset",  # number of the symbol in this process, from 1
            "position",  # level or offer, 0 the best
            "count",  # orders of a level; the state of an asset
            "kind",
            "action",  # trade type, depth update type or offer action, as the DLL numbers them
            "side",  # 0 buy, 1 sell, 255 none
            "has",  # offers: bits price, quantity, date, id, broker
            "flags",  # trades: 1 edit, 2 last of a history; books: 1 last, 2 first; depth: 4 unread, 8 theoretical
            "rest",  # no meaning; but numpy copies only what a field covers, and daily halves lie here
        ],
        "formats": ["i8", "i8", "i8", "f8", "i8", "f8", "i8"] + ["i4"] * 5 + ["u1"] * 4 + ["u4", "V12"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56, 60, 64, 68, 72, 76, 77, 78, 79, 80, 84],
        "itemsize": 96,
    }
)

# The halves of a daily aggregate lie over the same 96 bytes; seq, mono, time, asset and kind stand where they do above.
DAILY_PRICES = np.dtype(
    {
        "names": ["open", "high", "low", "close", "volume", "adjustment", "max_limit"],
        "formats": ["f8"] * 7,
        "offsets": [24, 32, 40, 48, 56, 80, 88],
        "itemsize": 96,
    }
)
DAILY_COUNTS = np.dtype(
    {
        "names": [
            "min_limit",
            "buyer_volume",
            "seller_volume",
            "quantity",
            "trades",
            "open_contracts",
            "buyer_quantity",
            "seller_quantity",
            "buyer_trades",
            "seller_trades",
        ],
        "formats": ["f8"] * 3 + ["i4"] * 7,
        "offsets": [24, 32, 40, 48, 52, 56, 60, 68, 72, 80],
        "itemsize": 96,
    }
)

# One control event: 640 bytes. The texts stand one behind the other in `text`, UTF-16; `lengths` counts their units.
CONTROL = np.dtype(
    {
        "names": [
            "seq",
            "mono",
            "kind",
            "code",
            "value",
            "number",
            "other",
            "amount",
            "amount2",
            "lengths",
            "cut",
            "text",
        ],
        "formats": ["i8", "i8", "i4", "i4", "i8", "i8", "i8", "f8", "f8", ("u2", 6), "u4", ("u2", 280)],
        "offsets": [0, 8, 16, 20, 24, 32, 40, 48, 56, 64, 76, 80],
        "itemsize": 640,
    }
)

# The ring of market records: a header of 512 bytes, then the records. Each number on a cache line of its own.
RING_HEADER = 512
HEAD, TAIL, WAITING, DROPPED = 0, 64, 128, 192  # DROPPED: 16 counters, one for each kind; 0 for all
EVENTS = 320  # number of the last event, written or dropped
