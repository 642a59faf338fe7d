"""One order loop over the scripted broker, driven step by step; journal, exchange and clock outlive a restart."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from realtime.orders.broker import NewOrder
from realtime.orders.chronicle import Chronicle, opened
from realtime.orders.commands import Alter, Answers, Cancel, Place
from realtime.orders.entries import Entry
from realtime.orders.ground import Ways
from realtime.orders.limits import Hours, RiskLimits
from realtime.orders.loop import LoopRules, OrderLoop
from realtime.orders.prices import Prices
from realtime.orders.records import Caller, Reply
from realtime.orders.risk import Finding, Limits
from realtime.orders.states import Order
from realtime.orders.switch import Switch
from tests.realtime.orders.scripted_broker import ACCOUNT, Clock, Exchange, ScriptedBroker

KEY = b"a key of the tests"
SYMBOL = "WINZ26"
BASE = Limits(position=100, per_second=1000, per_minute=10_000, open_orders=1000)
RULES = LoopRules(ways=Ways(always_open=True, twin_seconds=0.0), broker="scripted")
ANA = Caller(user="ana")
DISK_SECONDS = 60.0


def patient(chronicle: Chronicle) -> Chronicle:
    """Waits for its disk however busy the machine is, cancellations too."""
    kept = chronicle.record_durably
    chronicle.record_durably = lambda entry, _=0.0: kept(entry, DISK_SECONDS)  # type: ignore[method-assign]
    return chronicle


def at_noon() -> Callable[[], dt.datetime]:
    """A clock that goes, on a day that does not end meanwhile."""
    began = time.monotonic()
    return lambda: NOON + dt.timedelta(seconds=time.monotonic() - began)


def answers() -> Answers:
    def placed(order: Order, emulated: str) -> Reply:
        return Reply(202, f"{order.id} {emulated}".strip())

    def refused(order: Order, finding: Finding) -> Reply:
        return Reply(403, f"{finding.code}: {finding.limit}; {finding.observed}")

    return Answers(placed=placed, refused=refused)


def place(quantity: int = 1, price: str | None = "130000", *, key: str | None = None, **more: Any) -> Place:
    given = {"side": "BUY", "kind": "LIMIT" if price else "MARKET", "symbol": SYMBOL, **more}
    caller = given.pop("caller", None) or Caller(user="ana", key=key, body_hash=key and f"{quantity} {price}")
    return Place(caller=caller, answers=answers(), quantity=quantity, price=Decimal(price) if price else None, **given)


def elsewhere(quantity: int) -> NewOrder:
    """An order that somebody places by hand."""
    price = Decimal(130_000)
    return NewOrder(id="", account=ACCOUNT, symbol=SYMBOL, side="BUY", kind="LIMIT", quantity=quantity, price=price)


class Scene:
    """What a test holds: everything but the loop outlives `restart`."""

    def __init__(self, folder: Path, rules: LoopRules = RULES, base: Limits = BASE) -> None:
        self.folder = folder
        self.clock = Clock()
        self.exchange = Exchange(self.clock)
        self.rules = rules
        self.limits = RiskLimits(base=base, hours=Hours(start="00:00", end="23:59"))
        self.prices = Prices(self.clock)
        self.broker: ScriptedBroker
        self.loop: OrderLoop
        self.tick()
        self.start()

    def start(self, *, key: bytes | None = KEY, confirms: bool = True, loads: bool = True) -> None:
        chronicle = patient(opened(self.folder, key, self.limits, self.clock))
        self.switch = Switch(self.folder / "switch", used_before=chronicle.ledger.records > 0)
        self.broker = ScriptedBroker(self.exchange, confirms=confirms)
        self.broker.loads = loads
        self.loop = OrderLoop(self.broker, chronicle, self.switch, self.prices, self.rules)
        self.loop.begin()

    def restart(self, **more: Any) -> None:
        """As after a kill: nothing is said to anybody. The journal's lock and threads go, its bytes stay."""
        self.loop.chronicle.close()
        self.switch.close()
        self.start(**more)
        self.settle()

    def close(self) -> None:
        self.loop.chronicle.close()
        self.switch.close()

    def headed(self) -> None:
        """Until the journal's head names the last record, of those too that nobody waited for."""
        last = self.loop.chronicle._number
        deadline = time.monotonic() + DISK_SECONDS
        while msgspec.json.decode((self.folder / "head.json").read_bytes())["number"] < last:
            assert time.monotonic() < deadline, f"the head does not reach record {last}"
            time.sleep(0.005)

    def tick(self, price: str = "130000", symbol: str = SYMBOL) -> None:
        self.prices.note(symbol, Decimal(price))
        self.prices.noted_state(symbol, 0)

    def settle(self, seconds: float = 6.0) -> None:
        """Let time go by, with fresh prices and the loop at work."""
        left = seconds
        while left > 0:
            self.clock.move(0.5)
            left -= 0.5
            for symbol in [SYMBOL]:
                last = self.prices.last(symbol)
                self.tick(str(last.price) if last else "130000", symbol)
            self.loop.step()

    def ask(self, command: Any) -> Any:
        future = self.loop.ask(command)
        self.loop.step()
        return future.result(10)

    def place(self, quantity: int = 1, price: str | None = "130000", **more: Any) -> Entry:
        """Place an order that passes; its entry."""
        reply = self.ask(place(quantity, price, **more))
        assert reply.status == 202, reply.body
        return self.loop.chronicle.ledger.entries[reply.body.split()[0]]

    def refusal(self, *args: Any, **more: Any) -> str:
        reply = self.ask(place(*args, **more))
        assert reply.status == 403, reply.body
        return reply.body.split(":")[0]

    def cancel(self, entry: Entry) -> Any:
        return self.ask(Cancel(caller=ANA, order=entry.order.id, reason="asked"))

    def alter(self, entry: Entry, **more: Any) -> Reply:
        reply: Reply = self.ask(Alter(caller=ANA, answers=answers(), order=entry.order.id, **more))
        return reply

    @property
    def ledger(self) -> Any:
        return self.loop.chronicle.ledger

    def order(self, name: str) -> Order:
        found: Order = self.ledger.entries[name].order
        return found


@contextlib.contextmanager
def scene(folder: Path, *, ready: bool = True, **more: Any) -> Iterator[Scene]:
    made = Scene(folder, **more)
    if ready:
        made.settle()
    try:
        yield made
    finally:
        made.close()


def rules(**more: Any) -> LoopRules:
    return structs.replace(RULES, **more)


def base(**more: Any) -> Limits:
    return structs.replace(BASE, **more)


NOON = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)
