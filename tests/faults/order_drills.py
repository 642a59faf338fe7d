"""The kill switch pulled while several threads send orders: nothing leaves after the latch, and all that left ends."""

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from realtime.orders import switch
from realtime.orders.chronicle import opened
from realtime.orders.commands import CommandError, Release
from realtime.orders.limits import Hours, RiskLimits
from realtime.orders.loop import OrderLoop
from realtime.orders.prices import Prices
from realtime.orders.switch import Switch
from tests.realtime.orders.scenes import ANA, KEY, RULES, SYMBOL, base, patient, place
from tests.realtime.orders.scripted_broker import ACCOUNT, Exchange, ScriptedBroker

WRONG = ("after_latch", "never_quiet", "broken", "disagreeing")
SENDERS, LEFT, PATIENCE = 3, 15, 60.0


@contextmanager
def flooded(folder: Path) -> Iterator[OrderLoop]:
    """A loop on its own thread, and threads that send to it without a pause."""
    prices = Prices()
    prices.note(SYMBOL, Decimal(130_000))
    prices.noted_state(SYMBOL, 0)
    long = dt.timedelta(days=1)  # as long as a price stays fresh
    many = {"position": 10**6, "open_orders": 10**6, "per_second": 10**6, "per_minute": 10**6}
    limits = base(price_age=long, mark_age=long, **many)
    chronicle = patient(opened(folder, KEY, RiskLimits(base=limits, hours=Hours(start="00:00", end="23:59"))))
    broker = ScriptedBroker(Exchange(lambda: dt.datetime.now(dt.UTC)))
    loop = OrderLoop(broker, chronicle, Switch(folder / "switch", used_before=False), prices, RULES)
    loop.start()
    over = threading.Event()
    threads = [threading.Thread(target=_flood, args=(loop, number, over)) for number in range(SENDERS)]
    send_seconds, switch.SEND_SECONDS = switch.SEND_SECONDS, PATIENCE  # a send that is slow here does not hang
    try:
        _await(lambda: loop.agreement.agreed(str(ACCOUNT)))
        for thread in threads:
            thread.start()
        yield loop
    finally:
        switch.SEND_SECONDS = send_seconds
        over.set()
        for thread in threads:
            thread.join(PATIENCE)
        loop.stop(PATIENCE)
        chronicle.close()
        loop.switch.close()


def run(folder: Path, seed: int, drills: int) -> tuple[Counter[str], Counter[str]]:
    """So many drills of one loop; what was wrong, and what was done."""
    wrong, counts = Counter(dict.fromkeys(WRONG, 0)), Counter[str]()
    with flooded(folder) as loop:
        for _ in range(drills):
            _drill(loop, wrong, counts)
        wrong["broken"] += loop.broken
    sent = {entry.order.id for entry in loop.chronicle.ledger.entries.values() if entry.order.status != "FAILED"}
    wrong["disagreeing"] += {order.id for order in _exchange(loop).arrivals} != sent
    return wrong, counts


def _drill(loop: OrderLoop, wrong: Counter[str], counts: Counter[str]) -> None:
    exchange = _exchange(loop)
    begun = len(exchange.arrivals)
    _await(lambda: len(exchange.arrivals) >= begun + LEFT)
    loop.pull("a drill", ANA)
    left = len(exchange.arrivals)
    try:
        _await(lambda: not exchange.working and not loop.winding.busy)
    except TimeoutError:
        wrong["never_quiet"] += 1
    wrong["after_latch"] += len(exchange.arrivals) - left
    counts["orders"] += left - begun
    counts["drills"] += 1
    loop.answer(Release(caller=ANA, reason="the drill is over"), PATIENCE)


def _exchange(loop: OrderLoop) -> Exchange:
    broker = loop._broker
    assert isinstance(broker, ScriptedBroker)
    return broker.exchange


def _flood(loop: OrderLoop, number: int, over: threading.Event) -> None:
    sent = 0
    while not over.is_set():
        sent += 1
        price = str(130_000 - 5 * (number * 800 + sent % 800))
        try:
            reply = loop.answer(place(1, price))
        except CommandError:
            continue
        if reply.status != 202:
            over.wait(0.002)  # the switch is on: knock again


def _await(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)
