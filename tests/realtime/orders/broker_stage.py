"""A stage for the cases of every broker: orders sent through the border and followed by the state machine."""

import datetime as dt
import itertools
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from realtime.orders import states as orders
from realtime.orders.broker import (
    AccountId,
    AccountsNews,
    Broker,
    LateNews,
    LinkNews,
    ListLoaded,
    NewOrder,
    OrderKey,
    OrderNews,
    PositionNews,
    Report,
    RequestNews,
    Sent,
)
from realtime.orders.states import Order, Side, Status

PATIENCE = 60.0


class Stage:
    """One login. `sure` prices trade at once or never; `market` lets the market go on where it does not by itself."""

    broker: Broker
    memory: Path
    began: dt.datetime  # before everything that the stage did
    symbol = "WINX99"
    powers: frozenset[str] = frozenset()  # what this stage can bring about
    poll_seconds = 0.02

    def __init__(self, account: AccountId) -> None:
        self.account = account
        self.numbers = itertools.count(1)
        self.orders: dict[str, Order] = {}
        self.ids: dict[int, str] = {}  # local id -> ours
        self.parked: list[orders.Event] = []
        self.messages: dict[int, tuple[str, str]] = {}  # message -> our id, what was asked
        self.codes: dict[int, list[int]] = {}
        self.reports: list[Report] = []
        self.fills: dict[str, list[orders.Fill]] = {}
        self.contradictions: list[str] = []
        self.seen: Counter[str] = Counter()
        self.links: list[bool] = []
        self.late: list[LateNews] = []

    # What a stage must bring

    def market(self) -> None:
        """Let the market go on a little."""

    def bring(self, power: str, *figures: int) -> None:
        """Bring about what one of `powers` names, for the next order."""
        raise NotImplementedError(power)

    def remember(self, reports: list[Report]) -> None:
        """Keep what the next login at this exchange has to know."""
        self.memory.write_bytes(msgspec.json.encode(reports))

    def remembered(self) -> list[Report]:
        return msgspec.json.decode(self.memory.read_bytes(), type=list[Report])

    # Prices

    @staticmethod
    def fillable(side: Side) -> Decimal:
        return Decimal(150000 if side == "BUY" else 100000)

    @staticmethod
    def resting(side: Side) -> Decimal:
        return Decimal(100000 if side == "BUY" else 150000)

    # Requests

    def new(self, **given: Any) -> NewOrder:
        figures: dict[str, Any] = {"kind": "LIMIT" if given.get("price") else "MARKET", "side": "BUY", "quantity": 1}
        return NewOrder(id=f"O{next(self.numbers)}", account=self.account, symbol=self.symbol, **{**figures, **given})

    def send(self, **given: Any) -> str:
        """Send an order; its id. Its news are followed from here on."""
        new = self.broker.shaped(self.new(**given))
        self.orders[new.id] = Order(
            id=new.id,
            symbol=new.symbol,
            side=new.side,
            kind=new.kind,
            quantity=new.quantity,
            price=new.price,
            stop=new.stop,
            account=str(new.account),
        )
        self.fills[new.id] = []
        sent = self.broker.send(new)
        self.ids[sent.local_id] = new.id
        self.messages[sent.message] = (new.id, "send")
        self.apply(new.id, orders.Sent(sent.local_id))
        return new.id

    def cancel(self, name: str) -> int:
        """Ask for an order's end; the message's number."""
        return self.asked(name, "cancel", self.broker.cancel(self.account, self.key(name)))

    def change(self, name: str, **figures: Any) -> int:
        return self.asked(name, "change", self.broker.change(self.account, self.key(name), **figures))

    def asked(self, name: str, what: str, sent: Sent) -> int:
        self.messages[sent.message] = (name, what)
        self.apply(name, orders.CancelAsked() if what == "cancel" else orders.ChangeAsked())
        return sent.message

    def key(self, name: str) -> OrderKey:
        order = self.orders[name]
        return OrderKey(exchange_id=order.exchange_id) if order.exchange_id else OrderKey(local_id=order.local_id)

    # News

    def take(self) -> None:
        for news in self.broker.news():
            self.seen[type(news).__name__] += 1
            match news:
                case OrderNews(report):
                    self.reports.append(report)
                    self.hear(report)
                case RequestNews():
                    self.codes.setdefault(news.message, []).append(news.code)
                    if news.code in orders.MESSAGE_FAILED and news.message in self.messages:
                        name, what = self.messages[news.message]
                        self.apply(name, orders.RequestFailed(what, news.code, news.text))
                case LinkNews(ready):
                    self.links.append(ready)
                case LateNews():
                    self.late.append(news)
                case AccountsNews() | PositionNews() | ListLoaded():
                    pass

    def hear(self, report: Report) -> None:
        name = self.ids.get(report.key.local_id or 0) or next(
            (o.id for o in self.orders.values() if o.exchange_id and o.exchange_id == report.key.exchange_id), None
        )
        if name is not None:
            self.apply(name, reported(report))

    def apply(self, name: str, event: orders.Event) -> None:
        outcome = orders.after(self.orders[name], event)
        self.orders[name] = outcome.order
        if outcome.fill:
            self.fills[name].append(outcome.fill)
        if outcome.contradiction:
            self.contradictions.append(f"{name}: {outcome.contradiction}")

    def until(self, holds: Callable[[], Any], what: str = "") -> Any:
        """Follow the news until `holds`."""
        deadline = time.monotonic() + PATIENCE
        while not (answer := (self.take(), holds())[1]):
            assert time.monotonic() < deadline, (what, self.orders, self.reports[-8:], dict(self.seen))
            self.market()
            self.broker.wait(self.poll_seconds)
        return answer

    def until_status(self, name: str, *statuses: Status) -> Order:
        self.until(lambda: self.orders[name].status in statuses, f"{name} {statuses}")
        return self.orders[name]

    def until_code(self, message: int, code: int) -> None:
        self.until(lambda: code in self.codes.get(message, ()), f"message {message} {code}")

    def load(self) -> None:
        """Have the list loaded, once more."""
        loaded = self.seen["ListLoaded"]
        self.broker.load(self.account, self.began)
        self.until(lambda: self.seen["ListLoaded"] > loaded, "the list")

    def quiet(self, seconds: float = 0.3) -> None:
        """Follow the news until none has come for a while."""
        while True:
            self.take()
            if not self.broker.wait(seconds):
                return

    def working(self, **given: Any) -> str:
        """An order that rests at the exchange."""
        name = self.send(price=self.resting(given.get("side", "BUY")), **given)
        self.until(lambda: self.orders[name].exchange_id and self.of(name)[-1].status == 0, name)
        return name

    def of(self, name: str) -> list[Report]:
        """What was told of an order."""
        local = self.orders[name].local_id
        return [report for report in self.reports if report.key.local_id == local]

    def net(self) -> int:
        held = self.broker.position(self.account, self.symbol)
        return held.quantity if held else 0


def reported(report: Report) -> orders.Reported:
    return orders.Reported(
        status=report.status,
        traded=report.traded,
        average_price=report.average_price,
        quantity=report.quantity,
        price=report.price,
        stop=report.stop,
        exchange_id=report.key.exchange_id,
        local_id=report.key.local_id,
        at=report.updated,
        text=report.text,
    )


def sums(stage: Stage, name: str) -> tuple[int, Decimal]:
    """Quantity and money of the fills of an order, as the state machine inferred them."""
    fills = stage.fills[name]
    return sum(f.quantity for f in fills), sum((f.quantity * f.price for f in fills), Decimal(0)).quantize(Decimal(1))


def as_told(report: Report) -> Report:
    """A report without what belongs to one login."""
    return structs.replace(report, key=OrderKey(None, report.key.exchange_id))
