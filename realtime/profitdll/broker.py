"""ProfitDLL as a broker. One worker makes its calls, so that none of them holds the caller up for longer than its time.

Capture's drain hands over the control events (`hear`), since their ring has one reader; the worker asks for the details
outside the callback, and again when they are not there yet. The routing password is never logged.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from realtime.connection import Connection, heard
from realtime.orders.broker import (
    OPEN,
    AccountId,
    AccountsNews,
    Gate,
    Held,
    LateNews,
    LinkNews,
    ListLoaded,
    NewOrder,
    News,
    NewsQueue,
    NotLoadedError,
    NotReadyError,
    NotSentError,
    OrderKey,
    OrderNews,
    PositionNews,
    Report,
    RequestNews,
    Sent,
    UnclearError,
    UnknownOrderError,
)
from realtime.orders.forms import Lookup
from realtime.profitdll import orders, requests
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import (
    NOT_FOUND,
    AmbiguousError,
    ProfitDllError,
    ReconnectFirstError,
    ResultError,
    RetryLaterError,
)
from realtime.profitdll.messages import (
    AccountsChanged,
    AccountSeen,
    Control,
    OrderChanged,
    OrdersLoaded,
    PositionChanged,
    RequestResult,
    State,
)
from realtime.profitdll.requests import PositionType
from realtime.profitdll.worker import Job, Worker
from sql.exchange import instrument_of

CALL_SECONDS = 5.0
STOP_OFFSET_TICKS = 20
RETRY_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.1, 0.5)  # details are missing for some 5 ms at times
ALL = "-1"  # the ticker of a position event that means every one

T = TypeVar("T")
log = structlog.get_logger("orders")


class ProfitBroker:
    """The broker behind a DLL that `Capture` logs in to. `stop_offset_ticks`: of the limit that a plain stop gets."""

    def __init__(
        self,
        dll: ProfitDll,
        password: str,
        *,
        kind: PositionType = PositionType.CONSOLIDATED,
        stop_offset_ticks: int = STOP_OFFSET_TICKS,
        call_seconds: float = CALL_SECONDS,
        instruments: Lookup = instrument_of,
    ) -> None:
        self._instruments = instruments
        self.call_seconds = call_seconds
        self.trouble: str | None = None  # why nothing may be sent any more, whatever the link says
        if not password:  # an order without it vanishes on its way, and nobody tells
            self.trouble = "PROFITDLL_ROUTING_PASSWORD is not set"
        self._dll = dll
        self._password = password
        self._kind = kind
        self._offset = stop_offset_ticks
        self._news = NewsQueue()
        self._lock = threading.Lock()  # of what is known
        self._connection = Connection(routing_wanted=True)
        self._ready = False
        self._accounts: list[AccountId] = []
        self._names: dict[int, str] = {}  # exchange ids by this login's numbers
        self._loading: dict[AccountId, dt.datetime] = {}
        self._loaded: dict[AccountId, dt.datetime] = {}
        self._worker = Worker(dll.turn, self._late)

    # What the drain hands over

    def hear(self, event: Control) -> None:
        """Take a control event; quick, from the drain's thread alone."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            self._worker.soon(lambda: handler(self, event))

    # The broker

    @property
    def ready(self) -> bool:
        return self._ready and not self._worker.hanging()

    def accounts(self) -> list[AccountId]:
        with self._lock:
            return list(self._accounts)

    def shaped(self, order: NewOrder) -> NewOrder:
        return orders.shaped(order, self._offset, self._instruments)

    def send(self, order: NewOrder, gate: Gate = OPEN) -> Sent:
        request = orders.request_of(self.shaped(order))
        self._check_ready()

        def call() -> Sent:
            with gate:  # by the worker, in its turn: whatever was waited for before is over
                sent = self._dll.send_order(request, self._password)
            if sent.local <= 0:  # no refusal and no order that could be asked for
                raise UnclearError(f"SendOrder: expected the number of an order, found {sent.local}")
            return self._sent(sent)

        return self._asked("SendOrder", call, order.id, f"{order.id} for {order.account}")

    def change(
        self,
        account: AccountId,
        key: OrderKey,
        *,
        quantity: int,
        price: Decimal | None,
        stop: Decimal | None = None,
        gate: Gate = OPEN,
    ) -> Sent:
        asked = orders.key_of(account, key)
        figures = {"quantity": quantity, "price": orders.double(price), "stop": orders.double(stop)}

        def call() -> Sent:
            with gate:
                return self._sent(self._dll.change_order(account, asked, self._password, **figures))  # type: ignore[arg-type]

        return self._asked("SendChangeOrderV2", call, what=f"{asked} of {account}")

    def cancel(self, account: AccountId, key: OrderKey) -> Sent:
        asked = orders.key_of(account, key)
        call = lambda: self._sent(self._dll.cancel_order(account, asked, self._password))  # noqa: E731
        return self._asked("SendCancelOrderV2", call, what=f"{asked} of {account}")

    def cancel_all(self, account: AccountId) -> None:
        self._asked("SendCancelAllOrdersV2", lambda: self._dll.cancel_all(account, self._password), what=str(account))

    def load(self, account: AccountId, since: dt.datetime) -> None:
        if not self._connection.orders_ready:
            raise NotReadyError("the broker is not connected")
        with self._lock:
            self._loading[account] = min(since, self._loading.get(account, since))
        self._worker.soon(lambda: self._load(account))

    def listed(self, account: AccountId) -> list[Report]:
        with self._lock:
            since = self._loaded.get(account)
        if since is None:
            raise NotLoadedError(f"the orders of {account} were not loaded since the broker was connected")
        found = self._read("EnumerateAllOrders", lambda: self._dll.orders(account))
        reports = (self._report(order) for order in found)
        return [r for r in reports if r is not None and (r.created is None or r.created >= since)]

    def position(self, account: AccountId, symbol: str) -> Held | None:
        asset = orders.asset_of(symbol)
        found = self._read("GetPositionV2", lambda: self._dll.position(account, asset, self._kind))
        return None if found is None else self._held(found)

    def positions(self, account: AccountId) -> list[Held]:
        found = self._read("EnumerateAllPositionAssets", lambda: self._dll.positions(account, self._kind))
        return [self._held(position) for position in found]

    def news(self) -> Iterable[News]:
        return self._news.take()

    def wait(self, seconds: float) -> bool:
        return self._news.wait(seconds)

    def wake(self) -> None:
        self._news.wake()

    def close(self) -> None:
        """End the worker. The DLL is capture's to close."""
        self._worker.close()

    # Asking

    def _check_ready(self) -> None:
        if not self._ready:
            raise NotReadyError(self.trouble or "the broker is not connected, or has no account")

    def _asked(self, name: str, call: Callable[[], T], order: str = "", what: str = "") -> T:
        """Have the worker make a request with effects. Raises NotSentError, UnclearError."""
        try:
            made: T = self._worker.made(Job(name, call, order), self.call_seconds)
        except ProfitDllError as error:
            raise _border_error(error, what, known=bool(order)) from error
        return made

    def _read(self, name: str, call: Callable[[], T]) -> T:
        """Have the worker ask what is known. Raises NotReadyError."""
        try:
            answer: T = self._worker.made(Job(name, call), self.call_seconds)
        except (UnclearError, ProfitDllError) as error:
            raise NotReadyError(f"{name}: {error}") from error
        return answer

    def _held(self, position: requests.Position) -> Held:
        try:
            return orders.held_of(position, self._instruments)
        except orders.StrangePositionError as error:
            raise NotReadyError(f"the position cannot be counted: {error}") from error

    @staticmethod
    def _sent(sent: requests.Sent) -> Sent:
        return Sent(sent.local, sent.message)

    def _late(self, job: Job) -> None:
        if not job.order:
            return
        error = job.error
        if isinstance(error, ProfitDllError):
            error = _border_error(error, job.order, known=True)
        if error is None or isinstance(error, NotSentError):
            self._news.put(LateNews(id=job.order, sent=job.answer, refused="" if error is None else str(error)))
        else:  # nobody knows more than before: the list or a person will tell
            log.warning("late_answer_unclear", order=job.order, reason=str(error))

    def _again(self, attempt: int, task: Callable[[], None]) -> bool:
        """Do `task` a little later; False when it was tried often enough."""
        if attempt >= len(RETRY_SECONDS):
            return False
        self._worker.later(RETRY_SECONDS[attempt], task)
        return True

    # What was heard

    def _state(self, event: State) -> None:
        self._connection = heard(self._connection, event.channel, event.result)
        if not self._connection.orders_ready:
            with self._lock:
                self._loaded.clear()  # events of a gap are not told again
                self._loading.clear()
        elif not self._accounts:
            self._list_accounts()
        self._judge()

    def _judge(self) -> None:
        ready = self._connection.orders_ready and bool(self._accounts) and self.trouble is None
        if ready != self._ready:
            self._ready = ready
            log.info("orders_ready" if ready else "orders_not_ready", accounts=len(self._accounts))
            self._news.put(LinkNews(ready))

    def _account(self, _: AccountSeen | AccountsChanged) -> None:
        self._list_accounts()
        self._judge()

    def _list_accounts(self) -> None:
        try:
            found = self._dll.accounts()
        except ResultError as error:
            log.warning("accounts_unknown", reason=str(error))
            return
        if found != self._accounts:
            with self._lock:
                self._accounts = found
            self._news.put(AccountsNews())

    def _order(self, event: OrderChanged, attempt: int = 0) -> None:
        if event.cl_order:
            self._names[event.local] = event.cl_order
        key = requests.OrderKey(event.local, "" if event.local > 0 else event.cl_order)
        try:
            order = self._dll.order_details(key)
        except ResultError as error:  # of any code: the event is told once, and a fill may be in it
            if not self._again(attempt, lambda: self._order(event, attempt + 1)):
                log.warning("order_details_missing", local=event.local, exchange_id=event.cl_order, reason=str(error))
            return
        if (report := self._report(order)) is not None:
            self._news.put(OrderNews(report))

    def _report(self, order: requests.Order) -> Report | None:
        if order.key.cl_order and order.key.local > 0:
            self._names[order.key.local] = order.key.cl_order
        try:
            return orders.report_of(order, self._names.get(order.key.local), self._instruments)
        except orders.StrangeOrderError as error:
            self.trouble = f"an order that cannot be counted: {error}"
            log.critical("order_strange", reason=str(error))
            self._worker.soon(self._judge)
            return None

    def _load(self, account: AccountId, attempt: int = 0) -> None:
        with self._lock:
            since = self._loading.get(account)
        if since is None:
            return
        try:
            self._dll.load_orders(account, since, self._dll.server_clock())
        except RetryLaterError:
            return  # OrdersLoaded will tell
        except ResultError as error:
            if not self._again(attempt, lambda: self._load(account, attempt + 1)):
                log.warning("orders_not_loaded", account=str(account), reason=str(error))
            return
        self._list_is_there(account)

    def _orders_loaded(self, event: OrdersLoaded) -> None:
        self._list_is_there(AccountId(event.broker, event.account, event.sub_account))

    def _list_is_there(self, account: AccountId) -> None:
        with self._lock:
            since = self._loading.pop(account, None)
            if since is not None:
                self._loaded[account] = min(since, self._loaded.get(account, since))
        if since is not None:
            self._news.put(ListLoaded(account))

    def _position(self, event: PositionChanged) -> None:
        account = AccountId(event.broker, event.account, event.sub_account)
        self._news.put(PositionNews(account, None if event.ticker == ALL else event.ticker))

    def _message(self, event: RequestResult) -> None:
        local = event.local if event.local > 0 else None
        self._news.put(RequestNews(message=event.message, local_id=local, code=event.result, text=event.text))


_HANDLERS: dict[type[Control], Callable[[ProfitBroker, Any], None]] = {
    State: ProfitBroker._state,
    AccountSeen: ProfitBroker._account,
    AccountsChanged: ProfitBroker._account,
    OrderChanged: ProfitBroker._order,
    OrdersLoaded: ProfitBroker._orders_loaded,
    PositionChanged: ProfitBroker._position,
    RequestResult: ProfitBroker._message,
}


def _border_error(error: ProfitDllError, what: str, *, known: bool) -> NotSentError | UnclearError:
    """What a refusal of the DLL means at the border. `known`: the request names no order that may not exist."""
    if isinstance(error, AmbiguousError | RetryLaterError):
        return UnclearError(f"{what}: {error}")
    if isinstance(error, ReconnectFirstError):
        return NotReadyError(f"{what}: {error}")
    if isinstance(error, ResultError) and error.code == NOT_FOUND and not known:
        return UnknownOrderError(f"{what}: {error}")
    return NotSentError(f"{what}: {error}", error.name if isinstance(error, ResultError) else "LIBRARY")
