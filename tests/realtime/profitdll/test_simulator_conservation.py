"""Whatever is sent, canceled and changed: quantities are conserved, and what is over stays over."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.realtime.profitdll.broker_abi import (
    BUY,
    CANCELED,
    FILLED,
    INVALID_ARGS,
    NEW,
    OK,
    PARTIALLY_CANCELED,
    PARTIALLY_FILLED,
    REJECTED,
    REPLACED,
    SELL,
    TERMINAL,
)

AT_REST = {*TERMINAL, NEW, PARTIALLY_FILLED, REPLACED}

sides = st.sampled_from([BUY, SELL])
quantities = st.integers(1, 60)
offsets = st.integers(-8, 8)  # ticks away from the touch: some trade at once, some rest, some are met by the market
sends = st.tuples(st.just("send"), st.sampled_from(["market", "limit", "stop-limit"]), sides, quantities, offsets)
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
changes = st.tuples(st.just("change"), st.integers(0, 30), quantities, offsets)


@pytest.fixture(scope="module")
def busy(simulated_for_module):
    return simulated_for_module(
        "latency 0.05",
        "symbol-rate 3000",  # a tape that meets resting orders
        "order partial any 1 in 3 split 20 50",
        "order race remainder any 1 in 4",
        "order skip any 1 in 5",
    )


def played(client, steps, touch):
    orders = []
    for step in steps:
        if step[0] == "send":
            _, kind, side, quantity, offset = step
            price = -1 if kind == "market" else touch + 5 * offset
            stop = touch - 5 * offset if kind == "stop-limit" else -1
            orders.append(client.send(side=side, quantity=quantity, price=price, stop=stop))
            assert orders[-1] > 0
        elif orders and step[0] == "cancel":
            assert client.cancel(orders[step[1] % len(orders)]) == OK
        elif orders:
            order = orders[step[1] % len(orders)]
            price = touch + 5 * step[3]
            assert client.change(order, price=price, stop=price, quantity=step[2]) in {OK, INVALID_ARGS}
    return orders


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(sends, sends, cancels, changes), min_size=1, max_size=25))
def test_quantities_are_conserved_and_terminal_orders_never_change(busy, steps):
    touch = busy.until(busy.send(), FILLED).average
    orders = played(busy, steps, touch)
    busy.wait(lambda: all(busy.status(order) in AT_REST for order in orders))
    for order in orders:
        if busy.status(order) not in TERMINAL:
            busy.cancel(order)
    busy.wait(lambda: all(busy.status(order) in TERMINAL for order in orders))

    whole = busy.orders()
    time.sleep(0.02)  # the tape goes on, and nobody takes part any more
    assert busy.orders() == whole
    assert busy.net() == sum(order.traded if order.side == BUY else -order.traded for order in whole)
    for order in whole:
        assert order.leaves == 0
        assert 0 <= order.traded <= order.quantity
        if order.status == FILLED:
            assert order.traded == order.quantity
        elif order.status in {CANCELED, REJECTED}:
            assert order.traded == 0
        else:
            assert order.status == PARTIALLY_CANCELED
            assert 0 < order.traded < order.quantity
        assert (order.average > 0) == (order.traded > 0)
    over = {}
    most = {}
    for snapshot in list(busy.snapshots):
        if snapshot.status not in TERMINAL:
            assert snapshot.local_id not in over
            assert snapshot.traded + snapshot.leaves == snapshot.quantity
        assert snapshot.traded >= most.get(snapshot.local_id, 0)
        most[snapshot.local_id] = snapshot.traded
        if snapshot.status in TERMINAL:
            told = (snapshot.status, snapshot.quantity, snapshot.traded, snapshot.average)
            assert over.setdefault(snapshot.local_id, told) == told
