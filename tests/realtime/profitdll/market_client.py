"""A client of the simulator's market data by ctypes, with UTF-16 by hand; each login uses a copy of the library."""

import ctypes
import datetime as dt
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, byref, c_double, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

OK = 0
COPIES = itertools.count()


def code(number: int) -> int:
    """An NResult as signed 32-bit integer."""
    return number - 2**31


INTERNAL, NOT_INITIALIZED, INVALID_ARGS, WAITING = code(1), code(2), code(3), code(4)
OUT_OF_RANGE, NOT_FOUND, VERSION, UNKNOWN_EXCHANGE, PERIOD = code(9), code(0xC), code(0xD), code(0xF), code(0x2E)


def wide(text: str | None) -> Any:
    """A UTF-16 text to hand in."""
    return None if text is None else ctypes.create_string_buffer(text.encode("utf-16-le") + b"\0\0")


def narrow(address: int | None) -> str:
    """The UTF-16 text at an address."""
    if not address:
        return ""
    units = itertools.takewhile(bool, (c_uint16.from_address(address + 2 * k).value for k in range(400)))
    return "".join(map(chr, units))


class Time(ctypes.Structure):
    _fields_ = [(n, c_uint16) for n in ("year", "month", "weekday", "day", "hour", "minute", "second", "ms")]


class Asset(ctypes.Structure):
    _fields_ = [("version", c_uint8), ("ticker", c_void_p), ("exchange", c_void_p), ("feed", c_uint8)]


class LegacyAsset(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("ticker", c_void_p), ("exchange", c_void_p), ("feed", c_int32)]


class Trade(ctypes.Structure):
    _fields_ = [
        ("version", c_uint8),
        ("date", Time),
        ("number", c_uint32),
        ("price", c_double),
        ("quantity", c_int64),
        ("volume", c_double),
        ("buyer", c_int32),
        ("seller", c_int32),
        ("type", c_uint8),
    ]


class Group(ctypes.Structure):
    _fields_ = [
        ("version", c_uint8),
        ("price", c_double),
        ("count", c_uint32),
        ("quantity", c_int64),
        ("flags", c_uint32),
    ]


class Counters(ctypes.Structure):
    _fields_ = [
        ("size", c_int64),
        ("queue_depth", c_int64),
        ("queue_max", c_int64),
        ("queue_capacity", c_int64),
        ("delivered", c_int64 * 32),
        ("longest_callback_ns", c_int64),
        ("connector_requests", c_int64),
        ("stale_translations", c_int64),
        ("arrays_outstanding", c_int64),
        ("arrays_allocated", c_int64),
        ("double_frees", c_int64),
        ("wrong_sizes", c_int64),
        ("version_errors", c_int64),
        ("dropped", c_int64 * 32),
        ("trades_made", c_int64),
        ("trades_silent", c_int64),
        ("overdue_ns", c_int64),
        ("waits", c_int64),
        ("load_done", c_int64),
        ("callbacks_without_slot", c_int64),
        ("timers_waiting", c_int64),
        ("reserved", c_int64 * 15),
    ]


def counters(dll: ctypes.CDLL) -> Counters:
    """The simulator's own figures, all of one moment."""
    table = Counters()
    assert dll.SimCounters(byref(table), ctypes.sizeof(table)) == OK
    assert table.size == ctypes.sizeof(table)
    return table


class Told(NamedTuple):
    """A trade as it reached the client."""

    ticker: str
    number: int
    time: dt.datetime | None
    price: float
    quantity: int
    volume: float
    buyer: int
    seller: int
    type: int
    flags: int


STATE = CFUNCTYPE(None, c_int32, c_int32)
HEALTH = CFUNCTYPE(None, c_int32)
TRADE = CFUNCTYPE(None, Asset, c_void_p, c_uint32)
DAILY = CFUNCTYPE(None, LegacyAsset, c_void_p, *[c_double] * 10, *[c_int32] * 7)
PROGRESS = CFUNCTYPE(None, LegacyAsset, c_int32)
TINY = CFUNCTYPE(None, LegacyAsset, c_double, c_int32, c_int32)
DEPTH = CFUNCTYPE(None, Asset, c_uint8, c_int32, c_uint8)
INVALID = CFUNCTYPE(None, Asset)
ASSET_STATE = CFUNCTYPE(None, LegacyAsset, c_void_p, c_int32)
THEORETICAL = CFUNCTYPE(None, LegacyAsset, c_double, c_int64)
QUOTE = CFUNCTYPE(None, LegacyAsset, c_void_p, c_uint32, c_double)
OFFER = CFUNCTYPE(
    None, LegacyAsset, *[c_int32] * 3, c_int64, c_int32, c_int64, c_double, *[c_uint16] * 5, *[c_void_p] * 3
)
ADJUST = CFUNCTYPE(None, LegacyAsset, c_double, *[c_void_p] * 5, c_uint32, c_double)
LEGACY_TRADE = CFUNCTYPE(None, LegacyAsset, c_void_p, c_uint32, c_double, c_double, *[c_int32] * 4, c_uint16)
PRICE_BOOK = CFUNCTYPE(None, LegacyAsset, *[c_int32] * 5, c_double, c_void_p, c_void_p)
SETTERS = {
    "SetTradeCallbackV2": TRADE,
    "SetHistoryTradeCallbackV2": TRADE,
    "SetPriceDepthCallback": DEPTH,
    "SetInvalidTickerCallback": INVALID,
    "SetChangeStateTickerCallback": ASSET_STATE,
    "SetTheoreticalPriceCallback": THEORETICAL,
    "SetChangeCotationCallback": QUOTE,
    "SetOfferBookCallbackV2": OFFER,
    "SetAdjustHistoryCallbackV2": ADJUST,
    "SetHealthCallback": HEALTH,
    "SetTradeCallback": LEGACY_TRADE,
    "SetPriceBookCallback": PRICE_BOOK,
}


class Market:
    """One login. `events` holds (kind, values) in the order of delivery; trades are translated inside the callback."""

    def __init__(self, library: Path, folder: Path, *script: str, ready: bool = True, **given: Any) -> None:
        copy = folder / f"{next(COPIES)}-{library.name}"
        shutil.copy(library, copy)
        self.dll = ctypes.CDLL(str(copy))
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.kept: list[Any] = [given]  # callbacks must outlive the drain of DLLFinalize
        self.arrived = threading.Condition()
        self.handles: list[int] = []
        self.path = copy.with_suffix(".script")
        self.path.write_text("\n".join(("handshake 20", *script)) + "\n", encoding="utf-8")
        self.loaded = self.dll.SimLoadScript(wide(str(self.path)))
        key, user, password = (wide(given.get(name, name)) for name in ("key", "user", "password"))
        state = self.keep(STATE(lambda kind, result: self.add("state", kind, result)))
        daily = self.keep(DAILY(lambda asset, date, *rest: self.add("daily", narrow(asset.ticker), *rest)))
        progress = self.keep(PROGRESS(lambda asset, percent: self.add("progress", narrow(asset.ticker), percent)))
        tiny = self.keep(TINY(lambda asset, *rest: self.add("tiny", narrow(asset.ticker), *rest)))
        self.started = self.dll.DLLInitializeMarketLogin(
            key, user, password, state, given.get("trade"), given.get("daily", daily), None, None, None, progress, tiny
        )
        self.set("SetTradeCallbackV2", lambda *told: self.translated("trade", *told))
        self.set("SetHistoryTradeCallbackV2", lambda *told: self.translated("history", *told))
        if ready:
            assert self.started == OK, self.last_error()
            self.wait(lambda: (2, 4) in self.of("state"))

    def keep(self, held: Any) -> Any:
        self.kept.append(held)
        return held

    def set(self, setter: str, function: Callable[..., Any]) -> int:
        return getattr(self.dll, setter)(self.keep(SETTERS[setter](function)))

    def add(self, kind: str, *values: Any) -> None:
        with self.arrived:
            self.events.append((kind, values))
            self.arrived.notify_all()

    def of(self, kind: str, ticker: str | None = None) -> list[Any]:
        with self.arrived:
            return [values for k, values in self.events if k == kind and ticker in (None, values[0])]

    def translated(self, kind: str, asset: Asset, handle: int, flags: int) -> None:
        trade = Trade()
        result = self.dll.TranslateTrade(c_void_p(handle), byref(trade))
        if result != OK:
            self.add("untranslated", narrow(asset.ticker), result)
            return
        d = trade.date
        when = dt.datetime(d.year, d.month, d.day, d.hour, d.minute, d.second, d.ms * 1000) if d.year else None
        parties = (trade.buyer, trade.seller, trade.type, flags)
        self.add(
            kind, *Told(narrow(asset.ticker), trade.number, when, trade.price, trade.quantity, trade.volume, *parties)
        )

    def trades(self, kind: str = "trade", ticker: str | None = None) -> list[Told]:
        return [Told(*values) for values in self.of(kind, ticker)]

    def wait(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := holds()):
            assert time.monotonic() < deadline, f"nothing like it in {seconds} s; last: {self.events[-8:]}"
            with self.arrived:
                self.arrived.wait(0.02)
        return answer

    def subscribe(self, *tickers: str, exchange: str = "F") -> None:
        for ticker in tickers:
            assert self.dll.SubscribeTicker(wide(ticker), wide(exchange)) == OK

    def asset(self, ticker: str, exchange: str = "F") -> Any:
        texts = self.keep((wide(ticker), wide(exchange)))
        return Asset(0, ctypes.addressof(texts[0]), ctypes.addressof(texts[1]), 0)

    def history(self, ticker: str, start: str, end: str, exchange: str = "F") -> int:
        return self.dll.GetHistoryTrades(wide(ticker), wide(exchange), wide(start), wide(end))

    def whole_history(self, ticker: str, start: str, end: str) -> list[Told]:
        """Asks, waits for progress 100, and hands over what came."""
        before, done = len(self.of("history")), self.of("progress").count((ticker, 100))
        assert self.history(ticker, start, end) == OK
        self.wait(lambda: self.of("progress").count((ticker, 100)) > done, 90)
        return self.trades("history")[before:]

    def command(self, line: str) -> int:
        return self.dll.SimCommand(wide(line))

    def last_error(self) -> str:
        text = (c_uint16 * 512)()
        length = self.dll.SimLastError(text, 512)
        return "".join(map(chr, text[:length]))

    def counters(self) -> Counters:
        return counters(self.dll)

    def clock(self) -> dt.datetime:
        date, parts = c_double(), [c_int32() for _ in range(7)]
        assert self.dll.GetServerClock(byref(date), *map(byref, parts)) == OK
        *whole, ms = (part.value for part in parts)
        return dt.datetime(*whole, ms * 1000)

    def close(self) -> None:
        self.dll.DLLFinalize()


def build_flags() -> tuple[str, ...]:
    """Warnings are errors in tests; TRADINGSYSTEM_SIMULATOR_FLAGS adds, for example, sanitizers."""
    return ("-Wall", "-Wextra", "-Werror", *os.environ.get("TRADINGSYSTEM_SIMULATOR_FLAGS", "").split())
