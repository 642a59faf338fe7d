"""ProfitDLL behind one synchronous object: connect, subscribe, ask, order, close. It calls back into two rings.

A request may block for minutes when the network is gone: call from a worker thread with a watchdog, never from an event
loop. Threads take turns (`turn`), so one that hangs holds up the others. `connect` and `close` belong to one thread.
"""

import atexit
import ctypes
import datetime as dt
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from realtime.orders.broker import AccountId
from realtime.profitdll import host
from realtime.profitdll.errors import (
    NO_POSITION,
    NOT_FOUND,
    LibraryError,
    ProfitDllError,
    WrongThreadError,
    checked,
    error_of,
)
from realtime.profitdll.messages import Control, events
from realtime.profitdll.requests import (
    Account,
    Asset,
    NewOrder,
    Order,
    OrderKey,
    Position,
    PositionType,
    Sent,
    instant,
    milliseconds,
    text_of,
)
from realtime.profitdll.rings import CAPACITY, ControlRing, MarketRing, Waiter
from sql.exchange import SAO_PAULO

DEPTH_LEVELS = 20  # of each side, that a full book brings
MISSING = -(2**63)
_SEND = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.c_int,
    *[ctypes.c_char_p] * 5,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_double,
    ctypes.c_double,
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_int64),
)
T = TypeVar("T")


class ProfitDll:
    """The DLL at `library`, once for a process. Raises what `host.load` raises.

    `market` is the ring of market records, `control` the ring of control events; both fill from `connect` on.
    """

    def __init__(
        self,
        library: Path,
        *,
        runtime: host.Choice = "auto",
        capacity: int = CAPACITY,
        depth_levels: int = DEPTH_LEVELS,
    ) -> None:
        self.turn = threading.RLock()  # whose call is in the DLL
        interop = host.load(library, runtime)
        self._interop, self._requests = interop, interop.Requests
        self._missing = importlib.import_module("System").EntryPointNotFoundException
        self.market = MarketRing(interop.Market.Open(capacity, sys.platform == "linux"), capacity)
        self.control = ControlRing(interop)
        self._native(interop.Callbacks.Open, depth_levels)
        self._send = _SEND(interop.Requests.SendPointer())
        self._counters = (ctypes.c_int64 * 16).from_address(interop.Counters.Address())
        self._names: dict[int, Asset] = {}
        self._thread = 0  # that connected
        self._closed = False
        self.lacking: tuple[str, ...] = ()  # callbacks that this build of the DLL does not offer

    # Life-cycle

    def connect(self, key: str, user: str, password: str, *, routing: bool) -> None:
        """Log in, for orders too when `routing`. Returns before anything is connected: follow the State events.

        Once in the life of a process. Raises ResultError for what is refused here; wrong credentials come as states.
        """
        if self._thread:
            raise ProfitDllError("this process has connected already: ProfitDLL needs a new process")
        self._thread = threading.get_ident()
        atexit.register(self._at_exit)  # after pythonnet's, so that it runs before the runtime goes
        name = "DLLInitializeLogin" if routing else "DLLInitializeMarketLogin"
        checked(name, self._native(self._interop.Callbacks.Initialize, key, user, password, routing))
        wrong = dict(line.split() for line in self._interop.Callbacks.Install(routing).splitlines())
        self.lacking = tuple(setter for setter, code in wrong.items() if code == "0")
        for setter, code in wrong.items():
            if code != "0":
                raise error_of(setter, int(code))
        for setter in ("SetTradeCallbackV2", *(("SetOrderCallback",) if routing else ())):
            if setter in self.lacking:
                raise LibraryError(f"expected the function {setter} in the DLL, found none: it is older than 4.0.0.31")

    def close(self) -> None:
        """Log out; callbacks that still come are dropped and counted. The process cannot connect again.

        Raises WrongThreadError on another thread than `connect`. Repeatable.
        """
        if not self._thread or self._closed:
            return
        if threading.get_ident() != self._thread:
            raise WrongThreadError(f"expected close() on thread {self._thread}, found {threading.get_ident()}")
        self._closed = True
        try:
            checked("DLLFinalize", self._native(self._requests.Finalize))
        finally:
            self._interop.Callbacks.Close()
            atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        if threading.get_ident() == self._thread:
            self.close()
        else:
            self._interop.Callbacks.Close()

    def use_server(self, server: str, port: str) -> None:
        """Another server than the DLL's own; before `connect`, and only when the vendor says so."""
        self._ask("SetServerAndPort", self._requests.SetServer, server, port)

    def log_to_files(self, on: bool) -> None:
        """The DLL's own debug logs, which grow without bound."""
        self._ask("SetEnabledLogToDebug", self._requests.SetLog, on)

    def mark_day_trades(self, on: bool) -> None:
        """Orders count as day trades where the broker supports it."""
        self._ask("SetDayTrade", self._requests.SetDayTrade, on)

    def health(self) -> int:
        """0 responsive, 1 frozen."""
        code, health = self._native(self._requests.Health)
        checked("GetHealthStatus", code)
        return int(health)

    def server_clock(self) -> dt.datetime:
        """The market's clock, aware, to the millisecond."""
        code, year, month, day, hour, minute, second, ms = self._native(self._requests.ServerClock)
        checked("GetServerClock", code)
        return dt.datetime(year, month, day, hour, minute, second, ms * 1000, tzinfo=SAO_PAULO)

    # What was called back

    def events(self) -> Iterable[Control]:
        """The control events that wait, as values. The only reader of `control` is whoever calls this."""
        return events(self.control.read())

    def waiter(self, number: int, eventfd: int = 0) -> Waiter:
        """A bed for reader `number` (0 to 7); with an eventfd (Linux) for an event loop."""
        return Waiter(self._interop, number, eventfd)

    def asset(self, number: int) -> Asset:
        """The symbol behind a number of the market records, from any thread."""
        found = self._names.get(number)
        if found is None:
            symbols = self._interop.Symbols
            if (feed := symbols.Feed(number)) < 0:
                raise KeyError(f"no symbol has the number {number} yet")
            found = self._names[number] = Asset(symbols.Ticker(number), symbols.Exchange(number), feed)
        return found

    def counters(self) -> dict[str, int]:
        """What was dropped, refused or wrong in callbacks since the process began, and how many events there were."""
        names = str(self._interop.Counters.Names).split(",")
        counted = {name: int(self._counters[i]) for i, name in enumerate(names)}
        return counted | {"events": self.market.events, "dropped": self.market.dropped}

    def first_error(self) -> str | None:
        """The first exception inside a callback, with its stack."""
        return self._interop.Counters.FirstError()  # type: ignore[no-any-return]

    # Market data

    def subscribe(self, ticker: str, exchange: str) -> None:
        """Trades, quotes, daily values, state, theoretical price. Again after each return to state (2, 4); repeatable.

        An unknown ticker is reported later by an InvalidTicker event.
        """
        self._ask("SubscribeTicker", self._requests.SubscribeTicker, ticker, exchange)

    def unsubscribe(self, ticker: str, exchange: str) -> None:
        """A few late events are normal."""
        self._ask("UnsubscribeTicker", self._requests.UnsubscribeTicker, ticker, exchange)

    def subscribe_depth(self, ticker: str, exchange: str) -> None:
        """The book by price level: first a full book of `depth_levels` a side, then changes of any level."""
        self._ask("SubscribePriceDepth", self._requests.SubscribeDepth, ticker, exchange)

    def unsubscribe_depth(self, ticker: str, exchange: str) -> None:
        self._ask("UnsubscribePriceDepth", self._requests.UnsubscribeDepth, ticker, exchange)

    def subscribe_offers(self, ticker: str, exchange: str) -> None:
        """The book by order: full books in pages, then changes."""
        self._ask("SubscribeOfferBook", self._requests.SubscribeOffers, ticker, exchange)

    def unsubscribe_offers(self, ticker: str, exchange: str) -> None:
        self._ask("UnsubscribeOfferBook", self._requests.UnsubscribeOffers, ticker, exchange)

    def subscribe_adjustments(self, ticker: str, exchange: str) -> None:
        """Corporate actions, as Adjustment events."""
        self._ask("SubscribeAdjustHistory", self._requests.SubscribeAdjustments, ticker, exchange)

    def unsubscribe_adjustments(self, ticker: str, exchange: str) -> None:
        self._ask("UnsubscribeAdjustHistory", self._requests.UnsubscribeAdjustments, ticker, exchange)

    def request_info(self, ticker: str, exchange: str) -> None:
        """Ask for the AssetInfo event of an asset."""
        self._ask("RequestTickerInfo", self._requests.RequestInfo, ticker, exchange)

    def request_history(self, ticker: str, exchange: str, since: dt.datetime, until: dt.datetime) -> None:
        """Ask for the trades of a subscribed asset from `since` up to and without `until`, both aware, whole seconds.

        They come as HISTORY_TRADE records; HistoryEnd, or Progress 100 and silence, mark the end. One request at a time
        in the whole process: answers carry no number. At most 30 days back, less than 10 days for WIN and WDO.
        """
        if since >= until:
            raise ValueError(f"expected a beginning before the end, found {since} to {until}")
        arguments = (ticker, exchange, text_of(since), text_of(until))
        self._ask("GetHistoryTrades", self._requests.History, *arguments)

    def last_daily_close(self, ticker: str, exchange: str, *, adjusted: bool = False) -> float:
        """The last close of a subscribed asset. Raises RetryLaterError while the server is asked."""
        code, close = self._native(self._requests.LastDailyClose, ticker, exchange, adjusted)
        checked("GetLastDailyClose", int(code))
        return float(close)

    def agent_name(self, agent: int, *, short: bool = False) -> str | None:
        """The name of a broker code; None when it has none."""
        code = _code()
        name = self._native(self._requests.AgentName, agent, short, code)
        if code[0] == NOT_FOUND:
            return None
        checked("GetAgentName", code[0])
        return str(name)

    # Accounts and positions

    def replay_accounts(self) -> None:
        """Ask for an AccountSeen event of each known account."""
        self._ask("GetAccount", self._requests.ReplayAccounts)

    def accounts(self) -> list[AccountId]:
        """Those known now: incomplete until AccountsChanged has come and some quiet after it."""
        return _ids("GetAccounts", self._native(self._requests.Accounts))

    def sub_accounts(self, master: AccountId) -> list[AccountId]:
        """Of a master account; others raise ResultError (NL_NOT_MASTER_ACCOUNT, NL_LICENSE_NOT_ALLOWED)."""
        return _ids("GetSubAccounts", self._native(self._requests.SubAccounts, master.broker, master.account))

    def account_details(self, account: AccountId) -> Account:
        """Names and kind of an account."""
        found = self._native(self._requests.AccountDetails, *_key(account))
        checked("GetAccountDetails", found.Code)
        return Account(
            id=account,
            broker_name=found.BrokerName,
            owner=found.Owner,
            sub_owner=found.SubOwner,
            flags=found.Flags,
            kind=found.Type,
        )

    def position(self, account: AccountId, asset: Asset, kind: PositionType) -> Position | None:
        """From the DLL's memory, after a PositionChanged event; None for an asset that was never traded."""
        place = (asset.ticker, asset.exchange, int(kind))
        found = self._native(self._requests.Position, *_key(account), *place)
        if found.Code == NO_POSITION:
            return None
        checked("GetPositionV2", found.Code)
        return Position(
            account=account,
            asset=asset,
            kind=kind,
            open=found.Open,
            side=found.OpenSide,
            average=found.OpenAverage,
            sold=found.Sold,
            sold_average=found.SellAverage,
            bought=found.Bought,
            bought_average=found.BuyAverage,
            d1=found.D1,
            d2=found.D2,
            d3=found.D3,
            blocked=found.Blocked,
            pending=found.Pending,
            allocated=found.Allocated,
            provisioned=found.Provisioned,
            quantity=found.Quantity,
            available=found.Available,
            event=found.Event,
        )

    def positions(self, account: AccountId, kind: PositionType) -> list[Position]:
        """Of every asset that the account has or had a position in."""
        code = _code()
        assets = [
            Asset(found.Ticker, found.Exchange, found.Feed)
            for found in self._native(self._requests.PositionAssets, *_key(account), code)
        ]
        if code[0] == NO_POSITION:
            return []
        checked("EnumerateAllPositionAssets", code[0])
        found = (self.position(account, asset, kind) for asset in assets)
        return [position for position in found if position is not None]

    # Orders

    def load_orders(self, account: AccountId, since: dt.datetime, until: dt.datetime) -> None:
        """Have the orders of two aware times in memory. Raises RetryLaterError until OrdersLoaded has come."""
        span = (milliseconds(since), milliseconds(until))
        self._ask("HasOrdersInInterval", self._requests.HasOrders, *_key(account), *span)

    def orders(
        self, account: AccountId, since: dt.datetime | None = None, until: dt.datetime | None = None
    ) -> list[Order]:
        """All orders in memory, or those between two aware times. Raises RetryLaterError while these are loaded."""
        code = _code()
        span = (milliseconds(since), milliseconds(until)) if since and until else (0, 0)
        found = list(map(_order, self._native(self._requests.Orders, *_key(account), *span, code)))
        checked("EnumerateOrdersByInterval" if span[1] else "EnumerateAllOrders", code[0])
        return found

    def order_details(self, key: OrderKey) -> Order:
        """An order as it is now. May raise NothingDoneError (NL_NOT_FOUND) for some milliseconds after its event."""
        found = self._native(self._requests.OrderDetails, key.local, key.cl_order)
        checked("GetOrderDetails", found.Code)
        return _order(found)

    def send_order(self, order: NewOrder, password: str) -> Sent:
        """Send an order; `password` is the routing password, not the login's. The broker has not seen it on return.

        Raises ResultError when the DLL refused: only AmbiguousError leaves open whether it was sent; never resend then.
        """
        message = ctypes.c_int64()
        texts = (order.account.account, order.account.sub_account, order.asset.ticker, order.asset.exchange, password)
        figures = (order.kind, order.side, order.price, order.stop, order.quantity)
        with self.turn:
            local = self._send(order.account.broker, *map(_units, texts), *figures, ctypes.byref(message))
        if local == MISSING:
            raise LibraryError(f"SendOrder cannot be called: {self.first_error()}")
        return Sent(checked("SendOrder", local), message.value)

    def change_order(
        self, account: AccountId, key: OrderKey, password: str, *, quantity: int, price: float, stop: float = -1.0
    ) -> Sent:
        """Replace price, stop and quantity of a working order."""
        arguments = (*_key(account), key.local, key.cl_order, password, price, stop, quantity)
        return self._request("SendChangeOrderV2", key, self._requests.Change, *arguments)

    def cancel_order(self, account: AccountId, key: OrderKey, password: str) -> Sent:
        """Ask for the end of one order; it may be filled first."""
        arguments = (*_key(account), key.local, key.cl_order, password)
        return self._request("SendCancelOrderV2", key, self._requests.Cancel, *arguments)

    def cancel_orders(self, account: AccountId, asset: Asset, password: str) -> None:
        """All orders of an account in one asset."""
        arguments = (*_key(account), asset.ticker, asset.exchange, password)
        self._ask("SendCancelOrdersV2", self._requests.CancelAsset, *arguments)

    def cancel_all(self, account: AccountId, password: str) -> None:
        """All orders of an account."""
        self._ask("SendCancelAllOrdersV2", self._requests.CancelAll, *_key(account), password)

    def zero_position(
        self, account: AccountId, asset: Asset, password: str, *, kind: PositionType, price: float = -1.0
    ) -> Sent:
        """Send the order that closes a position, at market or at `price`. It lives like any other order."""
        arguments = (*_key(account), asset.ticker, asset.exchange, password, price, int(kind))
        local, message = self._native(self._requests.Zero, *arguments)
        return Sent(checked("SendZeroPositionV2", local), message)

    def _request(self, name: str, key: OrderKey, call: Callable[..., Any], *arguments: object) -> Sent:
        if (key.local > 0) == bool(key.cl_order):
            raise ValueError(f"{name}: expected one key of the order, found {key}")
        code, message = self._native(call, *arguments)
        checked(name, code)
        return Sent(key.local, message)

    def _ask(self, name: str, call: Callable[..., int], *arguments: object) -> None:
        checked(name, self._native(call, *arguments))

    def _native(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            with self.turn:
                return call(*arguments)
        except self._missing as error:
            raise LibraryError(f"this build of the DLL lacks a function: {error}") from None


def _code() -> Any:
    """Room for a result beside a result."""
    system = importlib.import_module("System")
    return system.Array[system.Int32]([0])


@functools.lru_cache(maxsize=4096)
def _units(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def _key(account: AccountId) -> tuple[int, str, str]:
    return account.broker, account.account, account.sub_account


def _ids(call: str, found: Any) -> list[AccountId]:
    for entry in found:
        checked(call, entry.Code)
    return [AccountId(entry.Broker, entry.Account, entry.SubAccount) for entry in found]


def _order(found: Any) -> Order:
    return Order(
        key=OrderKey(found.Local, found.ClOrder),
        account=AccountId(found.Broker, found.Account, found.SubAccount),
        asset=Asset(found.Ticker, found.Exchange, found.Feed),
        side=found.Side,
        kind=found.Type,
        status=found.Status,
        validity=found.Validity,
        quantity=found.Quantity,
        traded=found.Traded,
        leaves=found.Leaves,
        price=found.Price,
        stop=found.Stop,
        average=found.Average,
        created=instant(found.Created),
        updated=instant(found.Updated),
        closed=instant(found.Closed),
        valid_until=instant(found.ValidUntil),
        text=found.Text,
        event=found.Event,
    )
