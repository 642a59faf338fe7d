"""Orders of every kind, sane and mad, and an observer at the exchange who knows only limits, fills and the clock.

At each arrival it looks for a limit that is broken: sizes, prices, ticks, lots, position and exposure with all that may
still trade, messages, twins, the day's loss, the kill switch. The journal is written and not synced: nothing is killed.
"""

import datetime as dt
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import structs

from realtime.orders.broker import NewOrder, Report
from realtime.orders.commands import Alter, Cancel, CommandError, Release
from realtime.orders.ground import Ways
from realtime.orders.risk import Limits
from sql import durable
from sql.exchange import FUTURES
from tests.realtime.orders.scenes import ANA, RULES, Scene, answers, place
from tests.realtime.orders.scripted_broker import Exchange, Fault

LIMITS = Limits(
    quantity=8,
    notional=Decimal(400_000),
    collar=Decimal("0.02"),
    position=10,
    open_orders=12,
    open_notional=Decimal(1_200_000),
    per_second=15,
    per_minute=250,
    daily_loss=Decimal(4000),
    capital=Decimal(400_000),
    margin_rate=Decimal("0.2"),
)
BEGINS = {"WINZ26": Decimal(130_000), "WDOZ26": Decimal(5400), "DOLZ26": Decimal(5400)}
TWIN_SECONDS = 1.0
SENT: tuple[Fault | None, ...] = (*(None,) * 60, "refused", "unclear before", "unclear after", "late", "rejected")
WRONG = (
    "quantity",
    "notional",
    "grid",
    "collar",
    "position",
    "open_orders",
    "exposure",
    "margin",
    "rate",
    "twins",
    "daily_loss",
    "after_latch",
    "doubled",
    "broken",
)
DAY = dt.timedelta(days=1)


class Observer(Exchange):
    """Looks at each order that arrives and each that is changed."""

    def __init__(self, scene: "Generated") -> None:
        super().__init__(scene.clock)
        self.scene = scene
        self.seen: set[str] = set()
        self.lately: deque[tuple[dt.datetime, tuple[object, ...]]] = deque()
        self.paid: Counter[str] = Counter()  # of the day, in thousandths of a point: what fills have cost

    def arrived(self, order: NewOrder, local_id: int | None) -> Report:
        wrong, now = self.scene.wrong, self.clock()
        wrong["doubled"] += order.id in self.seen
        self.seen.add(order.id)
        wrong["after_latch"] += self.scene.latched
        wrong["open_orders"] += len(self.working) >= LIMITS.open_orders
        self._look_at_pace(order, now)
        wrong["daily_loss"] += self.loss() >= LIMITS.daily_loss
        report = super().arrived(order, local_id)
        self.look(report, report.quantity)
        return report

    def put(self, report: Report, **changes: object) -> Report:
        before = self.orders.get(report.key.exchange_id or "")
        found = super().put(report, **changes)
        if before is not None and (found.quantity, found.price) != (before.quantity, before.price):
            grows = found.quantity > before.quantity or found.price != before.price
            if grows:
                self.look(found, found.quantity - found.traded)
        return found

    def look(self, report: Report, leaves: int) -> None:
        """The limits of one order's size and price, and of what it leads to with all the others."""
        wrong, last = self.scene.wrong, self.scene.last(report.symbol)
        instrument, price = FUTURES[report.symbol[:3]], report.price
        wrong["quantity"] += leaves > LIMITS.quantity
        wrong["grid"] += bool(report.quantity % instrument.lot)
        if price is not None:
            wrong["grid"] += bool(price % Decimal(str(instrument.tick_size)))
            wrong["collar"] += abs(price - last) > last * LIMITS.collar
        wrong["notional"] += worth(report.symbol, leaves, max(price or last, last)) > LIMITS.notional
        sign = 1 if report.side == "BUY" else -1
        working = [r for r in self.working if (r.symbol, r.side) == (report.symbol, report.side)]
        open_ = sum(r.quantity - r.traded for r in working)
        wrong["position"] += sign * self.held.get(report.symbol, 0) + open_ > LIMITS.position
        exposure = sum(worth(r.symbol, r.quantity - r.traded, self._dearest(r)) for r in self.working)
        wrong["exposure"] += exposure > LIMITS.open_notional
        reduces = sign * self.held.get(report.symbol, 0) + open_ <= 0
        wrong["margin"] += not reduces and self._margin(exposure) > LIMITS.capital

    def _dearest(self, report: Report) -> Decimal:
        last = self.scene.last(report.symbol)
        return max(report.price or last, last)

    def _margin(self, exposure: Decimal) -> Decimal:
        assert LIMITS.margin_rate is not None
        held = sum(worth(symbol, abs(net), self.scene.last(symbol)) for symbol, net in self.held.items())
        return (exposure + held) * LIMITS.margin_rate

    def _look_at_pace(self, order: NewOrder, now: dt.datetime) -> None:
        """How many messages went before this one, and whether the same order did."""
        wrong, scene = self.scene.wrong, self.scene
        for seconds, most in ((1.0, LIMITS.per_second), (60.0, LIMITS.per_minute)):
            since = now - dt.timedelta(seconds=seconds)
            wrong["rate"] += sum(at > since for at in scene.sent) >= most
        same = (order.symbol, order.side, order.kind, order.quantity, order.price)
        since = now - dt.timedelta(seconds=TWIN_SECONDS)
        while self.lately and self.lately[0][0] <= since:
            self.lately.popleft()
        wrong["twins"] += any(was == same for _, was in self.lately)
        self.lately.append((now, same))

    def traded(self, exchange_id: str, quantity: int, price: Decimal) -> Report:
        report = self.orders[exchange_id]
        self.paid[report.symbol] += int(price * 1000) * (quantity if report.side == "BUY" else -quantity)
        return super().traded(exchange_id, quantity, price)

    def loss(self) -> Decimal:
        """Of the day, at the last prices."""
        total = Decimal(0)
        for symbol, paid in self.paid.items():
            points = self.held.get(symbol, 0) * self.scene.last(symbol) - Decimal(paid) / 1000
            total -= points * Decimal(str(FUTURES[symbol[:3]].point_value))
        return total

    def day_begins(self) -> None:
        """What is held counts from the last price; what works is over."""
        self.paid.clear()
        for symbol, net in self.held.items():
            self.paid[symbol] = int(self.scene.last(symbol) * 1000) * net


def worth(symbol: str, quantity: int, price: Decimal) -> Decimal:
    return quantity * price * Decimal(str(FUTURES[symbol[:3]].point_value))


class Generated(Scene):
    """A scene whose prices walk and whose orders are drawn."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
        self.counts: Counter[str] = Counter()
        self.latched = False
        self.hurries = False  # many orders within a second
        self.sent: deque[dt.datetime] = deque(maxlen=1000)
        ways = Ways(always_open=True, twin_seconds=TWIN_SECONDS)
        super().__init__(folder, rules=structs.replace(RULES, ways=ways), base=LIMITS)
        self.settle()

    def start(self, **more: Any) -> None:
        self.exchange = Observer(self)
        super().start(**more)
        broker, pull = self.broker, self.switch.pull

        def noted(call: Any) -> Any:
            def made(*args: Any, **named: Any) -> Any:
                found = call(*args, **named)
                self.sent.append(self.clock())
                return found

            return made

        def pulled(latch: Any) -> Any:
            found = pull(latch)
            self.latched = True
            return found

        broker._sent, broker.cancel, broker.change = map(noted, (broker._sent, broker.cancel, broker.change))  # type: ignore[method-assign]
        self.switch.pull = pulled  # type: ignore[method-assign]

    def last(self, symbol: str) -> Decimal:
        mark = self.prices.last(symbol)
        return mark.price if mark else BEGINS[symbol]

    def ticks(self) -> None:
        """Every price moves a little, or stays."""
        for symbol in BEGINS:
            tick = Decimal(str(FUTURES[symbol[:3]].tick_size))
            self.tick(str(self.last(symbol) + tick * self.chance.randint(-6, 6)), symbol)

    def settle(self, seconds: float = 6.0) -> None:
        for _ in range(int(seconds * 2)):
            self.clock.move(0.5)
            for symbol in BEGINS:
                self.tick(str(self.last(symbol)), symbol)
            self.loop.step()

    def one(self) -> None:
        """One order, and now and then something else."""
        if self.chance.random() < 0.02:
            self.hurries = not self.hurries
        self.clock.move(self.chance.expovariate(100.0 if self.hurries else 5.0))
        if self.chance.random() < 0.3:
            self.ticks()
        chance = self.chance.random()
        if chance < 0.25:
            self._fill()
        elif chance < 0.40:
            self._touch()
        elif chance < 0.402:
            self.loop.pull("a drill", ANA)
            self.counts["pulls"] += 1
        self.loop.step()
        self._order()
        if self.latched:
            self._mend()

    def _order(self) -> None:
        draw = self.chance
        symbol = draw.choice(("WINZ26",) * 5 + ("WDOZ26",) * 4 + ("DOLZ26",))
        tick, last = Decimal(str(FUTURES[symbol[:3]].tick_size)), self.last(symbol)
        price: str | None = str(last + tick * draw.choice((draw.randint(-30, 30), draw.randint(-800, 800))))
        if draw.random() < 0.03:
            price = str(last + Decimal("0.25"))
        if draw.random() < 0.25:
            price = None
        quantity = draw.choice((1, 1, 2, 3, 5, 5, draw.randint(0, 12)))
        self.broker.faults = [draw.choice(SENT)]
        self.counts["orders"] += 1
        before = len(self.exchange.arrivals)
        self.tell(place(quantity, price, symbol=symbol, side=draw.choice(("BUY", "SELL"))))
        self.broker.faults = []
        self.counts["arrived"] += len(self.exchange.arrivals) - before
        if price is None and len(self.exchange.arrivals) > before:
            self._all_of(next(reversed(self.exchange.orders.values())))

    def _all_of(self, report: Report) -> None:
        named = report.key.exchange_id in {entry.order.exchange_id for entry in self.ledger.working.values()}
        if named and report.key.exchange_id:
            self.broker.fill(report.key.exchange_id, report.quantity, str(self.last(report.symbol)))
            self.loop.step()

    def _fill(self) -> None:
        """Of an order whose name the client knows: what others have traded, its results cannot tell yet."""
        named = {entry.order.exchange_id for entry in self.ledger.working.values()}
        working = [report for report in self.exchange.working if report.key.exchange_id in named]
        if not working:
            return
        report = self.chance.choice(working)
        assert report.key.exchange_id is not None
        quantity = self.chance.randint(1, report.quantity - report.traded)
        price = self.last(report.symbol) if report.price is None else report.price
        tick = Decimal(str(FUTURES[report.symbol[:3]].tick_size))
        beyond = tick * self.chance.randint(0, 12) * (1 if report.side == "BUY" else -1)
        self.tick(str(price - beyond), report.symbol)  # the market went through it
        self.broker.fill(report.key.exchange_id, quantity, str(price))
        self.counts["fills"] += 1

    def _touch(self) -> None:
        """Cancel an order, or change it to something sane or mad."""
        working = list(self.ledger.working.values())
        if not working:
            return
        entry, draw = self.chance.choice(working), self.chance
        if draw.random() < 0.5:
            self.tell(Cancel(caller=ANA, order=entry.order.id, reason="asked"))
            return
        price = None if entry.order.price is None else entry.order.price + 5 * draw.randint(-20, 20)
        quantity = draw.choice((None, draw.randint(1, 12)))
        self.counts["changes"] += 1
        self.tell(Alter(caller=ANA, answers=answers(), order=entry.order.id, quantity=quantity, price=price))

    def tell(self, command: Any) -> None:
        try:
            self.ask(command)
        except CommandError:
            self.counts["command_errors"] += 1

    def _mend(self) -> None:
        """The switch has done its work; a person releases it. After a loss it is another day."""
        self.settle(5)
        if self.exchange.loss() >= LIMITS.daily_loss / 2:
            self.counts["days"] += 1
            self.clock.at += DAY
            self.exchange.day_begins()
            self.settle(70)
        self.tell(Release(caller=ANA, reason="the drill is over"))
        self.latched = self.switch.latch is not None
        self.settle(1)


def run(folder: Path, seed: int, orders: int) -> tuple[Counter[str], Counter[str]]:
    """So many orders; what was wrong, and what was done."""
    with unsynced():
        scene = Generated(folder, seed)
        try:
            for _ in range(orders):
                scene.one()
            scene.wrong["broken"] += scene.loop.broken
        finally:
            scene.close()
    return scene.wrong, scene.counts


@contextmanager
def unsynced() -> Iterator[None]:
    """Files are written, and the disk is not waited for."""
    sync = durable.sync
    durable.sync = lambda _: None
    try:
        yield
    finally:
        durable.sync = sync
