"""Words of the script that hold an order in a state for as long as somebody wants to look at it, chosen by quantity."""

import threading

import pytest

from tests.realtime.profitdll.broker_abi import (
    CANCELED,
    CLIENT_CREATED,
    EXPIRED,
    FILLED,
    NEW,
    NOT_CREATED,
    OK,
    PARTIALLY_EXPIRED,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    PENDING_REPLACE,
)
from tests.realtime.profitdll.broker_client import wide

FAR = 100000  # no order at this price trades


def test_a_fault_strikes_the_orders_of_a_quantity(simulated):
    client = simulated("order reject risk any of 2..3")
    orders = {quantity: client.send(quantity=quantity) for quantity in (1, 2, 3, 4)}
    found = {quantity: client.until(order, FILLED, NOT_CREATED).status for quantity, order in orders.items()}

    assert found == {1: FILLED, 2: NOT_CREATED, 3: NOT_CREATED, 4: FILLED}


def test_sending_may_be_refused_by_the_call_itself(simulated):
    client = simulated("order refuse 18 any of 4")

    assert client.send(quantity=4) == -(2**31) + 18
    assert client.message_id == -77
    assert client.send(quantity=1) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_call_holds_its_caller_and_nobody_else(simulated, when):
    client = simulated(f"order slow {when} 60000 any of 9")
    sender = threading.Thread(target=lambda: client.send(price=FAR, quantity=9))
    sender.start()
    client.wait(lambda: client.dll.SimRequests(wide("SendOrder")) == 1)
    if when == "after":
        client.wait(client.orders)
    client.load()  # others ask and are answered
    there = [order.quantity for order in client.orders()]

    assert sender.is_alive()
    assert there == ([] if when == "before" else [9])
    client.command("pass 60")
    sender.join(10)
    assert not sender.is_alive()
    (order,) = client.orders()
    client.until(order.local_id, NEW)


def test_nothing_is_told_of_a_mute_order_until_the_next_load(simulated):
    client = simulated("order mute any of 6")
    order = client.send(price=FAR, quantity=6)
    message = client.message_id
    client.quiet()

    assert set(client.history_of(order)) == {CLIENT_CREATED}
    assert client.codes_of(message) == []
    assert [seen.status for seen in client.load()] == [NEW]
    client.cancel(order)
    client.until(order, CANCELED)


@pytest.mark.parametrize(("where", "shown", "after"), [("sent", NEW, NEW), ("pending", PENDING_CANCEL, CANCELED)])
def test_a_cancel_may_be_stuck_and_a_restart_concludes_what_the_market_had(simulated, tmp_path, where, shown, after):
    state = f"order broker-state {tmp_path / 'broker.state'}"
    client = simulated(state, f"order stuck {where} any of 7")
    order = client.send(price=FAR, quantity=7)
    client.until(order, NEW)
    assert client.cancel(order) == OK
    client.quiet()

    assert client.status(order) == shown
    client.close()
    again = simulated(state)
    (found,) = again.load()
    again.until(found.local_id, after)


def test_a_stuck_change_changes_nothing(simulated):
    client = simulated("order stuck pending any of 7")
    order = client.send(price=FAR, quantity=7)
    client.until(order, NEW)
    assert client.change(order, price=FAR, quantity=3) == OK
    client.until(order, PENDING_REPLACE)
    client.quiet()

    assert (client.status(order), client.details(order).quantity) == (PENDING_REPLACE, 7)


def test_the_rest_of_a_partial_fill_may_stay_and_expire(simulated):
    client = simulated("order partial any of 20..30 split 30 stay", "order expire 300 any of 30")
    stays, expires, untouched = (client.send(price=150000, quantity=quantity) for quantity in (20, 30, 10))
    client.until(stays, PARTIALLY_FILLED)
    client.until(expires, PARTIALLY_EXPIRED)
    client.until(untouched, FILLED)

    assert [client.details(order).traded for order in (stays, expires)] == [6, 9]
    assert client.status(stays) == PARTIALLY_FILLED


def test_the_broker_may_end_an_order_that_rests(simulated):
    client = simulated("order expire 20 next 1")

    client.until(client.send(price=FAR), EXPIRED)
    client.until(client.send(price=FAR), NEW)
