"""The broker outlives our process: killed at any moment, its orders, their ids and the positions are there again."""

import os
import random
import subprocess
import sys
import time

import pytest

from tests.realtime.profitdll.broker_abi import (
    CANCELED,
    FILLED,
    HADES_CREATED,
    NEW,
    OK,
    PARTIALLY_FILLED,
    SELL,
    TERMINAL,
    WAITING_SERVER,
)

# Tells line by line what it was told, as a journal would hold it; the parent kills it in the middle.
CHILD = """
import os
import sys
import time
from pathlib import Path
from tests.realtime.profitdll.broker_client import ORDER, Client, narrow
def tell(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())  # whole lines, whichever thread tells
def on_order(given):
    now = client.details(given.LocalOrderID)
    tell("order", given.LocalOrderID, narrow(given.ClOrderID) or "-", now.status, now.traded)
client = Client(Path(sys.argv[1])).ready()
client.install("SetOrderCallback", ORDER, on_order)
tell("ready")
for number in range(int(sys.argv[2])):
    quantity = 1 + number % 5
    kind = number % 3
    if kind == 0:
        order = client.send(quantity=quantity, side=1 + number % 2)
    elif kind == 1:
        order = client.send(price=100000 + 5 * number, quantity=quantity)
    else:
        order = client.send(price=100000 + 5 * number, quantity=quantity)
        client.cancel(order)
    tell("sent", order, quantity)
if passed := sys.argv[3:]:
    client.command("pass " + passed[0])
time.sleep(60)
"""


def child(library, script, orders, *passed):
    environment = {**os.environ, "PROFITDLL_SIMULATOR_SCRIPT": str(script), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-c", CHILD, str(library), str(orders), *map(str, passed)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def killed_after(process, seconds):
    time.sleep(seconds)
    process.kill()
    told, _ = process.communicate()
    return [line.split() for line in told.splitlines(keepends=True) if line.endswith("\n")]


def test_orders_survive_with_their_cl_ord_ids_and_new_local_ids(simulated, tmp_path):
    state = tmp_path / "broker.state"
    client = simulated(f"order broker-state {state}")
    filled = client.send(quantity=3)
    client.until(filled, FILLED)
    resting = client.send(price=100000, quantity=2)
    client.until(resting, NEW)
    gone = client.send(price=100000)
    client.until(gone, NEW)
    client.cancel(gone)
    client.until(gone, CANCELED)
    client.quiet()
    before = {order.cl_ord_id: order for order in client.orders()}
    client.close()

    again = simulated(f"order broker-state {state}")
    assert again.orders() == []
    assert again.net() == 3
    after = {order.cl_ord_id: order for order in again.load()}

    assert after.keys() == before.keys()
    for key, order in before.items():
        assert after[key]._replace(local_id=0, event_id=0) == order._replace(local_id=0, event_id=0)
    assert {order.local_id for order in after.values()} == {1, 2, 3}
    assert ("000123", "-1") in [event[:2] for event in again.of("position")]
    working = next(order for order in after.values() if order.status == NEW)
    assert again.cancel(working.local_id) == OK
    again.until(working.local_id, CANCELED)
    fresh = again.send()
    again.until(fresh, FILLED)
    assert len({order.cl_ord_id for order in again.orders()}) == 4


@pytest.mark.parametrize("damage", ["torn", "changed"])
def test_a_damaged_tail_is_written_over(simulated, tmp_path, damage):
    state = tmp_path / "broker.state"
    client = simulated(f"order broker-state {state}")
    client.until(client.send(quantity=2), FILLED)
    client.close()
    whole = state.read_bytes()
    record = len(whole) // whole.count(whole[:4])
    tail = bytearray(whole[-record:])
    tail[record // 2] ^= 1
    state.write_bytes(whole + (whole[:100] if damage == "torn" else tail))

    again = simulated(f"order broker-state {state}")
    again.until(again.send(quantity=1), FILLED)
    again.close()
    last = simulated(f"order broker-state {state}")

    assert last.net() == 3
    assert [order.traded for order in last.load()] == [2, 1]


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_the_broker_knows_all_that_was_told(simulated, library, tmp_path, seed):
    state, script = tmp_path / "broker.state", tmp_path / "child.script"
    chance = random.Random(seed)
    script.write_text(simulated.script(f"order broker-state {state}", "latency 2"), encoding="utf-8")
    process = child(library, script, 60)
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["ready"]
    told = killed_after(process, chance.uniform(0, 0.25))

    client = simulated(f"order broker-state {state}")
    orders = {order.cl_ord_id: order for order in client.load()}

    last: dict[str, tuple[int, int]] = {}
    for word, *rest in told:
        if word == "order" and rest[1] != "-":
            last[rest[1]] = (int(rest[2]), int(rest[3]))
    for key, (status, traded) in last.items():
        assert key in orders, f"{key} was announced with status {status}, and the broker does not know it"
        assert orders[key].traded >= traded
        if status in TERMINAL:
            assert (orders[key].status, orders[key].traded) == (status, traded)
    sent = sum(1 for word, *_ in told if word == "sent")
    assert len(orders) <= sent + 1  # one may have been on its way when its line was not out yet

    def settled():
        return all(order.status in {*TERMINAL, NEW, PARTIALLY_FILLED} for order in client.orders())

    client.wait(settled)
    orders = {order.cl_ord_id: order for order in client.orders()}
    assert client.net() == sum(-order.traded if order.side == SELL else order.traded for order in orders.values())


def test_an_order_in_flight_at_death_goes_on_at_the_broker(simulated, library, tmp_path):
    state, script = tmp_path / "broker.state", tmp_path / "child.script"
    script.write_text(simulated.script(f"order broker-state {state}", "latency 200000"), encoding="utf-8")
    process = child(library, script, 3, 560)  # seconds: the orders are out of its hands, and 80 before their next step
    assert process.stdout is not None
    deadline = time.monotonic() + 20
    while not (state.exists() and state.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.communicate()

    client = simulated(f"order broker-state {state}", "latency 40")
    assert client.has_orders() == WAITING_SERVER
    client.wait(lambda: client.of("loaded"))
    early = client.orders()

    assert early
    assert all(order.cl_ord_id and order.status in {HADES_CREATED, NEW, FILLED} for order in early)
    for order in early:
        client.until(order.local_id, NEW, FILLED, CANCELED)


def test_day_orders_expire_when_the_next_day_finds_them(simulated, tmp_path):
    state = tmp_path / "broker.state"
    client = simulated(f"order broker-state {state}")
    order = client.send(price=100000)
    client.until(order, NEW)
    client.until(client.send(quantity=2), FILLED)
    client.close()

    again = simulated(f"order broker-state {state}", start="2026-11-23 10:30:00")
    start, end = again.today()
    start.Day = 20
    assert again.has_orders(start, end) == WAITING_SERVER
    again.wait(lambda: again.of("loaded"))

    assert [each.status for each in again.orders()] == [12, FILLED]
    assert again.net() == 2
    assert again.net(kind=1) == 0
