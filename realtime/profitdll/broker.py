"""ProfitDLL as a broker. One worker makes its calls, so that none of them holds the caller up for longer than its time.

Capture's drain hands over the control events (`hear`), since their ring has one reader; the worker asks for the details
outside the callback, and again when they are not there yet. The routing password is never logged.
"""

import datetime as dt
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from realtime.broker import (
    AccountId,
    AccountsNews,
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
from realtime.connection import Connection, heard
from realtime.profitdll import orders, requests
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import (
    NOT_FOUND,
    AmbiguousError,
    NothingDoneError,
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

CALL_SECONDS = 5.0
STOP_OFFSET_TICKS = 20
RETRY_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.1, 0.5)  # details are missing for some 5 ms at times
ALL = "-1"  # the ticker of a position event that means every one

T = TypeVar("T")
log = structlog.get_logger("orders")


class Job:
    """A call for the worker. Whoever asked waits for `done`, or gives up: then the job is dropped, or told late."""

    def __init__(self, name: str, call: Callable[[], Any], order: str) -> None:
        self.name = name
        self.call = call
        self.order = order  # our id of what is sent, else empty
        self.done = threading.Event()
        self.begun: float | None = None
        self.left = False  # by whoever asked
        self.answer: Any = None
        self.error: Exception | None = None


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
    ) -> None:
        self.call_seconds = call_seconds
        self.trouble: str | None = None  # why nothing may be sent any more, whatever the link says
        if not password:  # an order without it vanishes on its way, and nobody tells
            self.trouble = "PROFITDLL_ROUTING_PASSWORD is not set"
        self._dll = dll
        self._password = password
        self._kind = kind
        self._offset = stop_offset_ticks
        self._news = NewsQueue()
        self._lock = threading.Lock()  # of jobs and of what is known
        self._jobs: deque[Job] = deque()
        self._events: deque[Callable[[], None]] = deque()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._turns = itertools.count()
        self._bell = threading.Event()
        self._running: Job | None = None
        self._stopping = False
        self._connection = Connection(routing_wanted=True)
        self._ready = False
        self._accounts: list[AccountId] = []
        self._names: dict[int, str] = {}  # exchange ids by this login's numbers
        self._loading: dict[AccountId, dt.datetime] = {}
        self._loaded: dict[AccountId, dt.datetime] = {}
        self._thread = threading.Thread(target=self._work, name="broker", daemon=True)
        self._thread.start()

    # What the drain hands over

    def hear(self, event: Control) -> None:
        """Take a control event; quick, from the drain's thread alone."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            self._soon(lambda: handler(self, event))

    # The broker

    @property
    def ready(self) -> bool:
        return self._ready and not self._hanging()

    def accounts(self) -> list[AccountId]:
        with self._lock:
            return list(self._accounts)

    def shaped(self, order: NewOrder) -> NewOrder:
        return orders.shaped(order, self._offset)

    def send(self, order: NewOrder) -> Sent:
        request = orders.request_of(self.shaped(order))
        self._check_ready()
        call = lambda: self._sent(self._dll.send_order(request, self._password))  # noqa: E731 - a job's body
        return self._asked("SendOrder", call, order.id, f"{order.id} for {order.account}")

    def change(
        self, account: AccountId, key: OrderKey, *, quantity: int, price: Decimal | None, stop: Decimal | None = None
    ) -> Sent:
        asked = orders.key_of(account, key)
        figures = {"quantity": quantity, "price": orders.double(price), "stop": orders.double(stop)}
        call = lambda: self._sent(self._dll.change_order(account, asked, self._password, **figures))  # type: ignore[arg-type]  # noqa: E731
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
        self._soon(lambda: self._load(account))

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
        return None if found is None else orders.held_of(found)

    def positions(self, account: AccountId) -> list[Held]:
        found = self._read("EnumerateAllPositionAssets", lambda: self._dll.positions(account, self._kind))
        return [orders.held_of(position) for position in found]

    def news(self) -> Iterable[News]:
        return self._news.take()

    def wait(self, seconds: float) -> bool:
        return self._news.wait(seconds)

    def wake(self) -> None:
        self._news.wake()

    def close(self) -> None:
        """End the worker. The DLL is capture's to close."""
        self._stopping = True
        self._bell.set()
        self._thread.join(1.0)

    # Asking

    def _check_ready(self) -> None:
        if not self._ready:
            raise NotReadyError(self.trouble or "the broker is not connected, or has no account")

    def _asked(self, name: str, call: Callable[[], T], order: str = "", what: str = "") -> T:
        """Have the worker make a request with effects. Raises NotSentError, UnclearError."""
        try:
            made: T = self._made(Job(name, call, order))
        except ProfitDllError as error:
            raise _border_error(error, what, known=bool(order)) from error
        return made

    def _read(self, name: str, call: Callable[[], T]) -> T:
        """Have the worker ask what is known. Raises NotReadyError."""
        try:
            answer: T = self._made(Job(name, call, ""))
        except (UnclearError, ProfitDllError) as error:
            raise NotReadyError(f"{name}: {error}") from error
        return answer

    def _made(self, job: Job) -> Any:
        if hanging := self._hanging():
            raise NotReadyError(hanging)
        self._jobs.append(job)
        self._bell.set()
        if not job.done.wait(self.call_seconds):
            with self._lock:
                if not job.done.is_set():
                    job.left = True
                    if job.begun is None:
                        raise NotReadyError(f"{job.name} was not made: the DLL is busy with something else")
                    raise UnclearError(f"{job.name} has not come back within {self.call_seconds:g} s")
        if isinstance(job.error, ProfitDllError):
            raise job.error
        if job.error is not None:
            raise UnclearError(f"{job.name} broke: {job.error!r}") from job.error
        return job.answer

    def _hanging(self) -> str | None:
        job = self._running
        if job is None or not job.left:
            return None
        return f"{job.name} has not come back for {time.monotonic() - (job.begun or 0):.0f} s"

    @staticmethod
    def _sent(sent: requests.Sent) -> Sent:
        return Sent(sent.local, sent.message)

    # The worker

    def _soon(self, task: Callable[[], None]) -> None:
        self._events.append(task)
        self._bell.set()

    def _work(self) -> None:
        """Requests first, then what was heard, then what is to be asked again."""
        while not self._stopping:
            self._bell.clear()
            if self._jobs:
                self._run(self._jobs.popleft())
            elif self._events:
                self._guarded(self._events.popleft())
            elif self._later and self._later[0][0] <= time.monotonic():
                self._guarded(heapq.heappop(self._later)[2])
            else:
                self._bell.wait(max(self._later[0][0] - time.monotonic(), 0) if self._later else None)

    def _run(self, job: Job) -> None:
        with self._dll.turn:  # the desk of capture may be in a call, and hang there
            with self._lock:
                if job.left:
                    return
                job.begun = time.monotonic()
                self._running = job
            try:
                job.answer = job.call()
            except Exception as error:  # whoever asked has to know
                job.error = error
        with self._lock:
            self._running = None
            job.done.set()
            left = job.left
        if left:
            log.warning("call_came_back", call=job.name, seconds=round(time.monotonic() - job.begun, 3))
            if job.order:
                refused = "" if job.error is None else str(job.error)
                self._news.put(LateNews(id=job.order, sent=job.answer, refused=refused))

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            with self._dll.turn:
                task()
        except Exception:  # the top of a thread: one event that cannot be handled must not silence the others
            log.exception("broker_event_failed")

    def _again(self, attempt: int, task: Callable[[], None]) -> bool:
        """Do `task` a little later; False when it was tried often enough."""
        if attempt >= len(RETRY_SECONDS):
            return False
        heapq.heappush(self._later, (time.monotonic() + RETRY_SECONDS[attempt], next(self._turns), task))
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
        except NothingDoneError as error:
            if error.code != NOT_FOUND or not self._again(attempt, lambda: self._order(event, attempt + 1)):
                log.warning("order_details_missing", local=event.local, exchange_id=event.cl_order, reason=str(error))
            return
        if (report := self._report(order)) is not None:
            self._news.put(OrderNews(report))

    def _report(self, order: requests.Order) -> Report | None:
        if order.key.cl_order and order.key.local > 0:
            self._names[order.key.local] = order.key.cl_order
        try:
            return orders.report_of(order, self._names.get(order.key.local))
        except orders.StrangeOrderError as error:
            self.trouble = f"an order that cannot be counted: {error}"
            log.critical("order_strange", reason=str(error))
            self._soon(self._judge)
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
