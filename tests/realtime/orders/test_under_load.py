"""The loop on its own thread, flooded from several, and the switch pulled from another."""

import datetime as dt
import threading
import time
from decimal import Decimal

import pytest

from realtime.orders.chronicle import opened
from realtime.orders.commands import CommandError
from realtime.orders.limits import Hours, RiskLimits
from realtime.orders.loop import OrderLoop
from realtime.orders.prices import Prices
from realtime.orders.switch import Switch
from tests.realtime.orders.scenes import ANA, KEY, RULES, SYMBOL, base, place
from tests.realtime.orders.scripted_broker import Exchange, ScriptedBroker


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def loop(tmp_path):
    prices = Prices()
    prices.note(SYMBOL, Decimal(130_000))
    prices.noted_state(SYMBOL, 0)
    limits = RiskLimits(base=base(position=10_000, open_orders=100_000), hours=Hours(start="00:00", end="23:59"))
    chronicle = opened(tmp_path, KEY, limits)
    made = OrderLoop(ScriptedBroker(Exchange(now)), chronicle, Switch(tmp_path / "switch"), prices, RULES)
    made.start()
    deadline = time.monotonic() + 20
    while not made.agreement.agreed("1:0042"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield made
    assert made.stop()
    chronicle.close()


def test_no_order_leaves_once_the_switch_was_pulled_and_all_that_left_are_cancelled(loop):
    exchange, over = loop._broker.exchange, threading.Event()
    refused = []

    def flood(number: int) -> None:
        n = 0
        while not over.is_set():
            n += 1
            price = str(130_000 - 5 * (number * 500 + n % 400))
            try:
                reply = loop.answer(place(1, price))
            except CommandError:
                continue
            if "KILL_SWITCH" in reply.body:
                refused.append(reply)

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    while len(exchange.arrivals) < 30:
        time.sleep(0.001)
    loop.pull("enough", ANA)
    left_by_then = len(exchange.arrivals)
    deadline = time.monotonic() + 20
    while len(refused) < 10 or exchange.working or loop.winding.busy:
        assert time.monotonic() < deadline, (len(refused), len(exchange.working), loop.winding.busy)
        time.sleep(0.005)
    over.set()
    for thread in threads:
        thread.join(10)

    assert len(exchange.arrivals) == left_by_then
    assert loop.broken == 0
    assert {order.id for order in exchange.arrivals} == set(loop.chronicle.ledger.entries) - {
        e.order.id for e in loop.chronicle.ledger.entries.values() if e.order.status == "FAILED"
    }
