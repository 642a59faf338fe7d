"""A broker in memory for the order loop: an exchange that outlives it, and faults at every step, as a test asks."""

import datetime as dt
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from realtime.orders.broker import (
    OPEN,
    AccountId,
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
    Report,
    RequestNews,
    Sent,
    UnclearError,
    UnknownOrderError,
)
from realtime.orders.states import BROKER_FINAL

ACCOUNT = AccountId(1, "0042")
Fault = Literal["refused", "unclear before", "unclear after", "late", "late no", "silent", "rejected", "broken"]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: dt.datetime = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)


class Exchange:
    """The orders that arrived, for ever: no restart of ours changes it."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self.clock = clock
        self.orders: dict[str, Report] = {}
        self.arrivals: list[NewOrder] = []
        self.held: dict[str, int] = {}
        self._ids = itertools.count(1)

    def arrived(self, order: NewOrder, local_id: int | None) -> Report:
        self.arrivals.append(order)
        report = Report(
            key=OrderKey(local_id, f"EX{next(self._ids)}"),
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            quantity=order.quantity,
            traded=0,
            average_price=Decimal(0),
            price=order.price,
            stop=order.stop,
            status=0,
            created=self.clock(),
            updated=self.clock(),
        )
        return self.put(report)

    def put(self, report: Report, **changes: object) -> Report:
        made = structs.replace(report, updated=self.clock(), **changes)
        assert made.key.exchange_id is not None
        self.orders[made.key.exchange_id] = made
        return made

    def traded(self, exchange_id: str, quantity: int, price: Decimal) -> Report:
        before = self.orders[exchange_id]
        total = before.traded + quantity
        average = (before.average_price * before.traded + price * quantity) / total
        self.held[before.symbol] = self.held.get(before.symbol, 0) + (quantity if before.side == "BUY" else -quantity)
        status = 2 if total == before.quantity else 1
        return self.put(before, traded=total, average_price=average, status=status)

    @property
    def working(self) -> list[Report]:
        return [report for report in self.orders.values() if report.status not in BROKER_FINAL]


class Called(Struct, frozen=True):
    """One call that was made of the broker."""

    name: str
    what: object


class ScriptedBroker:
    """One login. `faults` are used up by the sends in their order; everything else goes well and at once."""

    call_seconds = 1.0

    def __init__(self, exchange: Exchange, *, confirms: bool = True) -> None:
        self.exchange = exchange
        self.faults: list[Fault | None] = []
        self.calls: list[Called] = []
        self.confirms = confirms  # the exchange answers at once
        self.up = True
        self.loads = True  # lists arrive as soon as they are asked for
        self.cancels = True  # cancellations succeed
        self.cancel_code = 9  # of those that do not
        self.knows = True  # what was sent; not yet, right after a send
        self.waits: Callable[[], object] = lambda: None  # before an order or a change leaves
        self._queue = NewsQueue()
        self._locals = itertools.count(1)
        self._messages = itertools.count(1000)
        self._by_local: dict[int, str] = {}
        self._loaded: set[AccountId] = set()

    @property
    def ready(self) -> bool:
        return self.up

    def accounts(self) -> list[AccountId]:
        return [ACCOUNT]

    def shaped(self, order: NewOrder) -> NewOrder:
        if order.time_in_force in ("IOC", "FOK"):
            raise NotSentError("the broker sends orders of the day alone", "TIME_IN_FORCE")
        if order.kind == "STOP":
            return structs.replace(order, kind="STOP_LIMIT", price=order.stop)
        return order

    def send(self, order: NewOrder, gate: Gate = OPEN) -> Sent:
        self.waits()
        with gate:
            return self._sent(order)

    def _sent(self, order: NewOrder) -> Sent:
        self.calls.append(Called("send", order))
        fault = self.faults.pop(0) if self.faults else None
        if not self.up:
            raise NotReadyError("no link")
        if fault == "refused":
            raise NotSentError("no such ticker")
        if fault == "unclear before":
            raise UnclearError("no answer within 1 s")
        if fault == "broken":
            raise RuntimeError("a fault of the adapter")
        local = next(self._locals)
        sent = Sent(local, next(self._messages))
        if fault in ("silent", "late no"):
            if fault == "silent":
                return sent
            self._queue.put(LateNews(id=order.id, refused="refused after all"))
            raise UnclearError("no answer within 1 s")
        report = self.exchange.arrived(order, local)
        assert report.key.exchange_id is not None
        self._by_local[local] = report.key.exchange_id
        if fault == "rejected":
            self._queue.put(RequestNews(message=sent.message, local_id=local, code=7, text="sem saldo"))
            self.exchange.put(report, status=8, text="sem saldo")
            return sent
        if self.confirms and fault != "unclear after":
            self.tell(report)
        if fault == "late":
            self._queue.put(LateNews(id=order.id, sent=sent))
        if fault in ("late", "unclear after"):
            raise UnclearError("no answer within 1 s")
        return sent

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
        self.waits()
        with gate:
            self.calls.append(Called("change", key))
        report = self._found(key)
        message = next(self._messages)
        if report.status in BROKER_FINAL or quantity <= report.traded:
            self._queue.put(RequestNews(message=message, local_id=report.key.local_id, code=9, text="too late"))
        else:
            self.tell(self.exchange.put(report, quantity=quantity, price=price, stop=stop, status=5))
        return Sent(report.key.local_id or 0, message)

    def cancel(self, account: AccountId, key: OrderKey) -> Sent:
        self.calls.append(Called("cancel", key))
        report = self._found(key)
        message = next(self._messages)
        if not self.cancels:
            self._queue.put(
                RequestNews(message=message, local_id=report.key.local_id, code=self.cancel_code, text="no")
            )
        elif report.status not in BROKER_FINAL:
            self.tell(self.exchange.put(report, status=4 if report.traded == 0 else 15))
        return Sent(report.key.local_id or 0, message)

    def cancel_all(self, account: AccountId) -> None:
        self.calls.append(Called("cancel_all", account))
        if not self.up:
            raise NotReadyError("no link")

    def load(self, account: AccountId, since: dt.datetime) -> None:
        self.calls.append(Called("load", since))
        if not self.up:
            raise NotReadyError("no link")
        if self.loads:
            self._loaded.add(account)
            self._queue.put(ListLoaded(account))

    def listed(self, account: AccountId) -> list[Report]:
        if account not in self._loaded or not self.up:
            raise NotLoadedError(str(account))
        mine = set(self._by_local.values())
        return [
            report if report.key.exchange_id in mine else structs.replace(report, key=OrderKey(None, name))
            for name, report in self.exchange.orders.items()
        ]

    def position(self, account: AccountId, symbol: str) -> Held | None:
        return next((held for held in self.positions(account) if held.symbol == symbol), None)

    def positions(self, account: AccountId) -> list[Held]:
        if not self.up:
            raise NotReadyError("no link")
        return [
            Held(account=account, symbol=symbol, quantity=quantity, average_price=Decimal(130_000))
            for symbol, quantity in self.exchange.held.items()
        ]

    def news(self) -> list[News]:
        return self._queue.take()

    def wait(self, seconds: float) -> bool:
        return self._queue.wait(seconds)

    def wake(self) -> None:
        self._queue.wake()

    def close(self) -> None:
        pass

    # --- what a test does to it ---

    def put(self, news: News) -> None:
        self._queue.put(news)

    def tell(self, report: Report, times: int = 1) -> None:
        for _ in range(times):
            self._queue.put(OrderNews(report))

    def fill(self, exchange_id: str, quantity: int, price: str = "130000", *, told: bool = True) -> None:
        report = self.exchange.traded(exchange_id, quantity, Decimal(price))
        if told:
            self.tell(report)

    def link(self, *, up: bool) -> None:
        self.up = up
        if not up:
            self._loaded.clear()
        self._queue.put(LinkNews(up))

    def sends(self) -> list[NewOrder]:
        return [call.what for call in self.calls if call.name == "send"]  # type: ignore[misc]

    def _found(self, key: OrderKey) -> Report:
        if not self.up:
            raise NotReadyError("no link")
        if not self.knows:
            raise UnknownOrderError(str(key))
        name = key.exchange_id or self._by_local.get(key.local_id or 0)
        if name is None or name not in self.exchange.orders:
            raise UnknownOrderError(f"no order {key}")
        return self.exchange.orders[name]
