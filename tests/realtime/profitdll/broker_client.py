"""A small client of the simulator's trading functions, by ctypes with UTF-16 by hand: no binding of ours takes part."""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_double, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.realtime.profitdll.broker_abi import (
    BUY,
    CANCELED,
    CLIENT_CREATED,
    CONSOLIDATED,
    EXPIRED,
    FILLED,
    HADES_CREATED,
    LIMIT,
    MARKET,
    NEW,
    NO_POSITION,
    NOT_CREATED,
    OK,
    PARTIALLY_CANCELED,
    PARTIALLY_EXPIRED,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    SELL,
    STOP_LIMIT,
    WAITING_SERVER,
    Account,
    Asset,
    CancelOrder,
    ChangeOrder,
    LegacyAsset,
    Message,
    Order,
    OrderId,
    OrderOut,
    PositionOut,
    SendOrder,
    SystemTime,
    ZeroPosition,
)
from tests.realtime.profitdll.market_client import counters


def wide(text: str) -> Any:
    """A NUL-terminated UTF-16 buffer, to be kept while the DLL reads it."""
    units = text.encode("utf-16-le")
    return (c_uint16 * (len(units) // 2 + 1)).from_buffer_copy(units + b"\0\0")


def narrow(pointer: int | None) -> str:
    if not pointer:
        return ""
    length = 0
    while c_uint16.from_address(pointer + 2 * length).value:
        length += 1
    return ctypes.string_at(pointer, 2 * length).decode("utf-16-le")


class Seen(NamedTuple):
    """What GetOrderDetails said, or an enumeration."""

    local_id: int
    cl_ord_id: str
    status: int
    quantity: int
    traded: int
    leaves: int
    price: float
    stop: float
    average: float
    side: int
    type: int
    text: str
    event_id: int


@dataclass
class Event:
    kind: str
    values: tuple[Any, ...]
    at: float


STATUS_OF_NAME = {
    "New": NEW,
    "PartiallyFilled": PARTIALLY_FILLED,
    "Filled": FILLED,
    "Canceled": CANCELED,
    "Replaced": REPLACED,
    "PendingCancel": PENDING_CANCEL,
    "Rejected": REJECTED,
    "Expired": EXPIRED,
    "PendingReplace": PENDING_REPLACE,
    "PartiallyFilledCanceled": PARTIALLY_CANCELED,
    "PartiallyFilledExpired": PARTIALLY_EXPIRED,
    "HadesCreated": HADES_CREATED,
    "ClientCreated": CLIENT_CREATED,
    "OrderNotCreated": NOT_CREATED,
}

CALL = ctypes.CFUNCTYPE
STATE = CALL(None, c_int32, c_int32)
ACCOUNT = CALL(None, c_int32, c_void_p, c_void_p, c_void_p)
BROKER_ACCOUNTS = CALL(None, c_int32, c_uint32)
SUB_ACCOUNTS = CALL(None, Account)
ORDER = CALL(None, OrderId)
ORDER_HISTORY = CALL(None, Account)
POSITION_LIST = CALL(None, Account, Asset, c_int64)
MESSAGE = CALL(None, POINTER(Message))
EACH_ORDER = CALL(c_int32, POINTER(Order), c_int64)
EACH_ASSET = CALL(c_int32, POINTER(Asset), c_int64)
LEGACY_CHANGE = CALL(
    None, LegacyAsset, *[c_int32] * 5, *[c_double] * 3, c_int64, *[c_void_p] * 7
)  # asset, broker, quantity, traded, leaves, side, prices, ProfitID, type … text
LEGACY_CHANGE_V2 = CALL(None, LegacyAsset, *[c_int32] * 6, *[c_double] * 3, c_int64, *[c_void_p] * 10)
LEGACY_HISTORY = CALL(None, LegacyAsset, *[c_int32] * 5, *[c_double] * 3, c_int64, *[c_void_p] * 6)
# The initialiser's data callbacks: real functions, or the handshake stalls; what they are told matters elsewhere.
IGNORED_DAILY = CALL(None, LegacyAsset, c_void_p, *[c_double] * 10, *[c_int32] * 7)(lambda *_: None)
IGNORED_PROGRESS = CALL(None, LegacyAsset, c_int32)(lambda *_: None)
IGNORED_TINY = CALL(None, LegacyAsset, c_double, c_int32, c_int32)(lambda *_: None)


class Client:
    """One login to one copy of the library. Events are recorded in the order of delivery."""

    def __init__(self, library: Path, *, market_only: bool = False, history_event: bool = True) -> None:
        self.dll = ctypes.CDLL(str(library))
        self.dll.SendOrder.restype = self.dll.SendZeroPositionV2.restype = c_int64
        self.dll.GetPosition.restype = c_void_p
        self.events: list[Event] = []
        self.snapshots: list[Seen] = []
        self.arrived = threading.Condition()
        self.kept: list[Any] = []
        self.details_in_callback = True
        self.account = (3001, "000123", "")
        self.password = "routing"
        ignored = (IGNORED_DAILY, None, None, None, IGNORED_PROGRESS, IGNORED_TINY)
        state = self.keep(STATE(lambda kind, result: self.record("state", kind, result)))
        account = self.keep(ACCOUNT(self.on_account))
        texts = [self.keep(wide(text)) for text in ("key", "user", "password")]
        if market_only:
            self.started = self.dll.DLLInitializeMarketLogin(*texts, state, None, *ignored)
        else:
            daily, *rest = ignored
            self.started = self.dll.DLLInitializeLogin(*texts, state, None, None, account, None, daily, *rest)
        self.install("SetBrokerAccountListChangedCallback", BROKER_ACCOUNTS, self.on_broker_accounts)
        self.install("SetBrokerSubAccountListChangedCallback", SUB_ACCOUNTS, self.on_sub_accounts)
        self.install("SetOrderCallback", ORDER, self.on_order)
        self.install("SetOrderChangeCallback", LEGACY_CHANGE, self.on_change)
        self.install("SetAssetPositionListCallback", POSITION_LIST, self.on_position)
        self.install("SetTradingMessageResultCallback", MESSAGE, self.on_message)
        if history_event:
            self.install("SetOrderHistoryCallback", ORDER_HISTORY, self.on_history)

    def keep(self, held: Any) -> Any:
        self.kept.append(held)
        return held

    def install(self, setter: str, kind: Any, function: Callable[..., Any]) -> None:
        assert getattr(self.dll, setter)(self.keep(kind(function))) == OK

    def close(self) -> None:
        self.dll.DLLFinalize()

    # ---- events

    def record(self, kind: str, *values: Any) -> None:
        with self.arrived:
            self.events.append(Event(kind, values, time.monotonic()))
            self.arrived.notify_all()

    def on_account(self, broker: int, name: int, account: int, holder: int) -> None:
        self.record("account", broker, narrow(name), narrow(account), narrow(holder))

    def on_broker_accounts(self, broker: int, changed: int) -> None:
        self.record("broker accounts", broker, self.dll.GetAccountCountByBroker(broker))

    def on_sub_accounts(self, account: Account) -> None:
        self.record("sub-accounts", account.BrokerID, narrow(account.AccountID))

    def on_order(self, order: OrderId) -> None:
        """Reads the details at once, as the vendor's own examples do; they may be newer than the event."""
        status = -1
        if self.details_in_callback:
            result, raw, text, _ = self.raw_details(order.LocalOrderID)
            if result == OK:
                self.snapshots.append(seen(raw, "", text))
                status = raw.OrderStatus
        self.record("order", order.LocalOrderID, narrow(order.ClOrderID), status)

    def on_change(self, asset: LegacyAsset, *given: Any) -> None:
        """The older callback carries the state as it was, so it tells histories that no slow reader can blur."""
        _, _, traded, _, _, _, _, _, local_id, _, _, _, _, status, _, text = given
        self.record("change", local_id, STATUS_OF_NAME[narrow(status)], traded, narrow(text))

    def on_history(self, account: Account) -> None:
        self.record("loaded", account.BrokerID, narrow(account.AccountID))

    def on_position(self, account: Account, asset: Asset, event_id: int) -> None:
        self.record("position", narrow(account.AccountID), narrow(asset.Ticker), event_id)

    def on_message(self, message: Any) -> None:
        given = message.contents
        text = narrow(given.Message)
        assert given.MessageLength == len(text)
        self.record("message", given.OrderID.LocalOrderID, given.MessageID, given.ResultCode, text)

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        with self.arrived:
            return [event.values for event in self.events if event.kind == kind]

    def wait(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        """Waits until `holds()` is true after some event, and returns what it said."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while not (answer := holds()):
                left = deadline - time.monotonic()
                assert left > 0, f"nothing like it in {seconds} s; seen: {[event.kind for event in self.events][-20:]}"
                self.arrived.wait(min(left, 0.02))
        return answer

    def ready(self) -> "Client":
        assert self.started == OK
        self.wait(lambda: (1, 5) in self.of("state") and (2, 4) in self.of("state"))
        self.wait(lambda: self.of("broker accounts"))
        return self

    def command(self, line: str) -> None:
        """Tells the simulator a line of script while it runs."""
        assert self.dll.SimCommand(wide(line)) == OK, line

    # ---- identifiers

    def account_id(self, account: tuple[int, str, str] | None = None) -> Account:
        broker, main, sub = account or self.account
        return Account(0, broker, self.address(main), self.address(sub), 0)

    def asset_id(self, ticker: str, exchange: str) -> Asset:
        return Asset(0, self.address(ticker), self.address(exchange), 0)

    def address(self, text: str) -> int:
        return ctypes.addressof(self.keep(wide(text)))

    # ---- requests

    def send(
        self,
        ticker: str = "WINZ26",
        *,
        side: int = BUY,
        price: float = -1,
        stop: float = -1,
        quantity: int = 1,
        kind: int | None = None,
        version: int = 1,
        exchange: str = "F",
        account: tuple[int, str, str] | None = None,
        password: str | None = None,
    ) -> int:
        chosen = kind if kind is not None else MARKET if price == -1 else LIMIT if stop == -1 else STOP_LIMIT
        request = SendOrder(
            version,
            self.account_id(account),
            self.asset_id(ticker, exchange),
            self.address(self.password if password is None else password),
            chosen,
            side,
            price,
            stop,
            quantity,
            -77,
        )
        result = int(self.dll.SendOrder(ctypes.byref(request)))
        self.message_id = int(request.MessageID)
        return result

    def change(self, order: int, *, price: float, quantity: int, stop: float = -1) -> int:
        request = ChangeOrder(
            1, self.account_id(), OrderId(0, order, None), self.address(self.password), price, stop, quantity, -77
        )
        result = int(self.dll.SendChangeOrderV2(ctypes.byref(request)))
        self.message_id = int(request.MessageID)
        return result

    def cancel(self, order: int, cl_ord_id: str = "", account: tuple[int, str, str] | None = None) -> int:
        key = OrderId(0, order, self.address(cl_ord_id) if cl_ord_id else None)
        request = CancelOrder(1, self.account_id(account), key, self.address(self.password), -77)
        result = int(self.dll.SendCancelOrderV2(ctypes.byref(request)))
        self.message_id = int(request.MessageID)
        return result

    def zero(self, ticker: str = "WINZ26", *, price: float = -1, kind: int = CONSOLIDATED, version: int = 2) -> int:
        request = ZeroPosition(
            version, self.account_id(), self.asset_id(ticker, "F"), self.address(self.password), price, kind, -77
        )
        result = int(self.dll.SendZeroPositionV2(ctypes.byref(request)))
        self.message_id = int(request.MessageID)
        return result

    # ---- questions

    def raw_details(self, local_id: int, cl_ord_id: str = "") -> tuple[int, OrderOut, str, str]:
        key = OrderId(0, local_id, ctypes.addressof(held) if cl_ord_id and (held := wide(cl_ord_id)) else None)
        order = OrderOut(Version=1, OrderID=key)
        result = self.dll.GetOrderDetails(ctypes.byref(order))
        ticker = (c_uint16 * (order.AssetID.TickerLength + 1))()
        exchange = (c_uint16 * (order.AssetID.ExchangeLength + 1))()
        text = (c_uint16 * (order.TextMessageLength + 64))()
        order.AssetID.Ticker, order.AssetID.Exchange = ctypes.addressof(ticker), ctypes.addressof(exchange)
        order.TextMessage, order.TextMessageLength = ctypes.addressof(text), order.TextMessageLength + 63
        if result == OK:
            result = self.dll.GetOrderDetails(ctypes.byref(order))
        return result, order, narrow(ctypes.addressof(text)), narrow(ctypes.addressof(ticker))

    def details(self, local_id: int, cl_ord_id: str = "") -> Seen:
        result, order, text, _ = self.raw_details(local_id, cl_ord_id)
        assert result == OK, result
        return seen(order, "", text)

    def status(self, local_id: int) -> int:
        return self.details(local_id).status

    def orders(self, version: int = 1, account: tuple[int, str, str] | None = None, stop_after: int = 0) -> list[Seen]:
        found: list[Seen] = []

        def each(order: Any, user: int) -> int:
            assert user == 4242
            given = order.contents
            found.append(seen(given, narrow(given.OrderID.ClOrderID), narrow(given.TextMessage)))
            return 0 if len(found) == stop_after else 1

        call = EACH_ORDER(each)
        result = self.dll.EnumerateAllOrders(
            ctypes.byref(self.account_id(account)), c_uint8(version), c_int64(4242), call
        )
        assert result == OK, result
        return found

    def now(self) -> SystemTime:
        date = c_double()
        parts = [c_int32() for _ in range(7)]
        assert self.dll.GetServerClock(ctypes.byref(date), *[ctypes.byref(part) for part in parts]) == OK
        year, month, day, hour, minute, second, millisecond = (part.value for part in parts)
        return SystemTime(year, month, 0, day, hour, minute, second, millisecond)

    def today(self) -> tuple[SystemTime, SystemTime]:
        now = self.now()
        return SystemTime(now.Year, now.Month, 0, now.Day, 0, 0, 0, 0), now

    def has_orders(self, start: SystemTime | None = None, end: SystemTime | None = None) -> int:
        first, last = self.today()
        return int(self.dll.HasOrdersInInterval(ctypes.byref(self.account_id()), start or first, end or last))

    def load(self) -> list[Seen]:
        """The day's orders as after a login: asked for, awaited, listed."""
        loads = len(self.of("loaded"))
        assert self.has_orders() == WAITING_SERVER
        self.wait(lambda: len(self.of("loaded")) > loads)
        assert self.has_orders() == OK
        return self.orders()

    def position(self, ticker: str = "WINZ26", kind: int = CONSOLIDATED, version: int = 2) -> tuple[int, PositionOut]:
        position = PositionOut(
            Version=version,
            AccountID=self.account_id(),
            AssetID=self.asset_id(ticker, "F"),
            PositionType=kind,
        )
        return int(self.dll.GetPositionV2(ctypes.byref(position))), position

    def net(self, ticker: str = "WINZ26", kind: int = CONSOLIDATED) -> int:
        result, position = self.position(ticker, kind)
        if result == NO_POSITION:
            return 0
        assert result == OK
        return -position.OpenQuantity if position.OpenSide == SELL else position.OpenQuantity

    # ---- waiting for an order

    def until(self, local_id: int, *statuses: int, seconds: float = 30) -> Seen:
        return self.wait(lambda: (now := self.details(local_id)).status in statuses and now, seconds)

    def history_of(self, local_id: int) -> list[int]:
        return [status for order, status, _, _ in self.of("change") if order == local_id]

    def codes_of(self, message_id: int) -> list[int]:
        return [number for _, message, number, _ in self.of("message") if message == message_id]

    def quiet(self) -> None:
        """Returns when all that was to come has come: nothing waits for its time any more, and nothing for delivery."""
        self.wait(lambda: (table := counters(self.dll)).timers_waiting == table.queue_depth == 0)


def seen(order: Any, cl_ord_id: str, text: str) -> Seen:
    return Seen(
        order.OrderID.LocalOrderID,
        cl_ord_id,
        order.OrderStatus,
        order.Quantity,
        order.TradedQuantity,
        order.LeavesQuantity,
        order.Price,
        order.StopPrice,
        order.AveragePrice,
        order.OrderSide,
        order.OrderType,
        text,
        order.EventID,
    )


def copies_of(library: Path, into: Path) -> Iterator[Path]:
    """Copies of the library, each with globals of its own: a process may log in only once to each."""
    number = 0
    while True:
        number += 1
        copy = into / f"copy{number}-{library.name}"
        copy.write_bytes(library.read_bytes())
        yield copy
