"""The way of orders, cancels and changes through the hops, with every fault that the script can ask for."""

import time

import pytest

from tests.realtime.profitdll.broker_abi import (
    BUY,
    CANCELED,
    CLIENT_CREATED,
    EXPIRED,
    FILLED,
    HADES_CREATED,
    NEW,
    NOT_CREATED,
    NOT_FOUND,
    OK,
    PARTIALLY_CANCELED,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    SELL,
    STOP_LIMIT,
)

CHAIN = [2, 4, 6, 8, 10]


def in_order(client, order, message):
    """Statuses and messages of one order as they came, consecutive repeats kept."""
    told = []
    for event in client.events:
        if event.kind == "change" and event.values[0] == order:
            told.append(("order", event.values[1]))
        elif event.kind == "message" and event.values[1] == message:
            told.append(("message", event.values[2]))
    return told


def test_a_limit_order_passes_the_hops_and_fills_in_two_parts_with_a_duplicate(simulated):
    client = simulated("order partial next 1 split 34", "order duplicate next 1 times 2 2")
    order = client.send(price=150000, quantity=3)
    message = client.message_id
    client.until(order, FILLED)
    client.quiet()

    told = in_order(client, order, message)
    once = [step for at, step in enumerate(told) if at == 0 or step != told[at - 1]]
    assert once == [
        ("order", CLIENT_CREATED),
        *(("message", number) for number in (2, 4, 6, 8)),
        ("order", HADES_CREATED),
        ("message", 10),
        ("order", NEW),
        ("order", PARTIALLY_FILLED),
        ("order", FILLED),
    ]
    assert told.count(("order", PARTIALLY_FILLED)) == 2
    assert told.count(("order", CLIENT_CREATED)) == 4
    texts = [text for _, number, _, text in client.of("message") if number == message]
    assert all(texts)
    assert client.of("position")[-1][:2] == ("000123", "WINZ26")


def test_client_created_comes_twice_with_its_two_texts_and_the_cl_ord_id_with_201(simulated):
    client = simulated()
    order = client.send()
    client.until(order, FILLED)
    client.quiet()

    assert [(status, text) for _, status, _, text in client.of("change")] == [
        (CLIENT_CREATED, "Enviando ordem ao HadesProxy"),
        (CLIENT_CREATED, "Enviado ao servidor de ordens."),
        (HADES_CREATED, "Criação"),
        (FILLED, ""),
    ]
    keys = [cl for id_, cl, _ in client.of("order") if id_ == order]
    assert keys[:2] == ["", ""]
    assert keys[2] != ""
    assert len(set(keys[2:])) == 1


def test_a_market_order_goes_straight_to_filled(broker):
    order = broker.send(quantity=1)
    filled = broker.until(order, FILLED)
    broker.quiet()

    assert NEW not in broker.history_of(order)
    assert filled.price == -1
    assert filled.average > 0
    assert (filled.traded, filled.leaves) == (1, 0)


def test_a_marketable_limit_order_gets_the_better_price(broker):
    touch = broker.until(broker.send(), FILLED).average

    order = broker.send(price=touch + 5000)

    assert broker.until(order, FILLED).average < touch + 2500


def test_price_improvement_can_be_scripted_for_limit_orders(simulated):
    client = simulated("order improvement 1000")

    filled = client.until(client.send(price=140000), FILLED)

    assert filled.average <= 135000


def test_a_resting_order_waits_for_its_price(broker):
    touch = broker.until(broker.send(), FILLED).average
    order = broker.send(price=touch - 20000, quantity=2)
    broker.until(order, NEW)
    broker.quiet()

    assert broker.status(order) == NEW
    broker.cancel(order)
    broker.until(order, CANCELED)


def test_a_stop_limit_order_sleeps_until_its_stop_is_passed(broker):
    touch = broker.until(broker.send(), FILLED).average
    asleep = broker.send(price=touch + 6000, stop=touch + 5000)
    awake = broker.send(price=touch + 6000, stop=touch - 5000)

    filled = broker.until(awake, FILLED)

    assert filled.type == STOP_LIMIT
    assert filled.stop == touch - 5000
    assert broker.status(asleep) == NEW
    broker.cancel(asleep)
    broker.until(asleep, CANCELED)


# ---- refusals


@pytest.mark.parametrize(
    ("hop", "chain", "status"),
    [
        (1, [1], NOT_CREATED),
        (3, [2, 3], NOT_CREATED),
        (5, [2, 4, 5], NOT_CREATED),
        (24, [2, 4, 24], NOT_CREATED),
        (7, [2, 4, 6, 7], REJECTED),
        (9, [2, 4, 6, 8, 9], REJECTED),
    ],
)
def test_an_order_can_be_rejected_at_each_hop(simulated, hop, chain, status):
    client = simulated(f'order reject {hop} next 1 text "Limite excedido"')
    order = client.send()
    message = client.message_id
    refused = client.until(order, status)
    client.quiet()

    assert client.codes_of(message) == chain
    assert (refused.text, refused.traded, refused.leaves) == ("Limite excedido", 0, 0)
    assert client.history_of(order)[-1] == status
    client.until(client.send(), FILLED)


def test_a_dropped_order_stops_after_message_4_and_nothing_more_is_heard(simulated):
    client = simulated("order drop next 1")
    order = client.send()
    message = client.message_id
    client.wait(lambda: 4 in client.codes_of(message))
    client.quiet()

    assert client.codes_of(message) == [2, 4]
    assert client.history_of(order) == [CLIENT_CREATED, CLIENT_CREATED]
    assert client.cancel(order) == OK
    client.wait(lambda: 4 in client.codes_of(client.message_id))
    client.quiet()
    assert client.codes_of(client.message_id) == [2, 4]
    assert client.load() == [client.details(order)]  # the broker does not list it, the DLL still holds it


def test_the_wrong_routing_password_looks_just_like_that(simulated):
    client = simulated("routing-password routing")
    client.password = "login"
    order = client.send()
    message = client.message_id
    client.wait(lambda: 4 in client.codes_of(message))
    client.quiet()

    assert client.codes_of(message) == [2, 4]
    assert client.status(order) == CLIENT_CREATED
    client.password = "routing"
    client.until(client.send(), FILLED)


def test_an_aggregated_ticker_is_not_created_after_a_while(broker):
    order = broker.send("WINFUT")
    refused = broker.until(order, NOT_CREATED)
    broker.quiet()

    assert refused.text == "Ordem invalida."
    cl_ord_ids = {cl for id_, cl, _ in broker.of("order") if id_ == order}
    assert cl_ord_ids == {""}


# ---- cancels and changes


def resting(client, quantity=2):
    order = client.send(price=100000, quantity=quantity)
    client.until(order, NEW)
    return order


def test_a_cancel_is_pending_then_done(simulated):
    client = simulated()
    order = resting(client)

    assert client.cancel(order) == OK
    message = client.message_id
    canceled = client.until(order, CANCELED)
    client.quiet()

    assert canceled.leaves == 0
    assert client.history_of(order)[-3:] == [NEW, PENDING_CANCEL, CANCELED]
    assert client.codes_of(message) == CHAIN


def test_a_terminal_order_gets_a_rejection_message(broker):
    order = broker.send()
    broker.until(order, FILLED)

    assert broker.cancel(order) == OK
    broker.wait(lambda: 9 in broker.codes_of(broker.message_id))
    assert broker.change(order, price=100000, quantity=4) == OK
    broker.wait(lambda: 9 in broker.codes_of(broker.message_id))
    broker.quiet()

    assert broker.status(order) == FILLED


@pytest.mark.parametrize(
    ("race", "tail", "code"),
    [
        ("fill-first", [NEW, FILLED], 9),
        ("remainder", [NEW, PENDING_CANCEL, FILLED], 9),
        ("cancel-first", [NEW, CANCELED], 10),
    ],
)
def test_a_cancel_can_race_a_fill(simulated, race, tail, code):
    client = simulated(f"order race {race} next 1")
    order = resting(client)

    assert client.cancel(order) == OK
    message = client.message_id
    client.wait(lambda: code in client.codes_of(message))
    client.quiet()

    assert client.history_of(order)[-len(tail) :] == tail
    assert client.codes_of(message) == [2, 4, 6, 8, code]
    assert client.net() == (2 if code == 9 else 0)


def test_a_rejected_cancel_leaves_the_order_working(simulated):
    client = simulated("order reject-cancel 9 1")
    order = resting(client)

    assert client.cancel(order) == OK
    client.wait(lambda: 9 in client.codes_of(client.message_id))
    client.until(order, NEW)
    assert client.cancel(order) == OK

    client.until(order, CANCELED)


def test_a_cancel_sent_with_its_order_waits_for_it(simulated):
    client = simulated()
    order = client.send(price=100000)

    assert client.cancel(order) == OK
    client.until(order, CANCELED)
    client.quiet()

    assert NEW in client.history_of(order)


def test_a_partly_filled_order_is_partly_filled_canceled(simulated):
    client = simulated("latency 20", "order partial next 1 split 50")
    order = client.send(price=150000, quantity=4)
    client.until(order, PARTIALLY_FILLED, FILLED)  # who reads late finds it filled
    client.cancel(order)

    closed = client.until(order, FILLED, PARTIALLY_CANCELED)

    assert closed.leaves == 0
    assert closed.traded == client.net() == (4 if closed.status == FILLED else 2)


def test_a_change_is_pending_then_replaced_with_the_new_values(simulated):
    client = simulated()
    order = resting(client)

    assert client.change(order, price=100500, quantity=5) == OK
    message = client.message_id
    changed = client.until(order, REPLACED)
    client.quiet()

    assert (changed.price, changed.quantity, changed.leaves) == (100500, 5, 5)
    assert client.history_of(order)[-2:] == [PENDING_REPLACE, REPLACED]
    assert client.codes_of(message) == CHAIN
    client.change(order, price=150000, quantity=5)
    assert client.until(order, FILLED).traded == 5


def test_a_change_below_what_has_traded_is_turned_down(simulated):
    client = simulated("order partial next 1 split 50")
    order = client.send(price=100000, quantity=4)
    client.until(order, NEW)
    # Let half of it trade: the change to a marketable price fills in two parts.
    client.change(order, price=150000, quantity=4)
    client.until(order, FILLED)

    client.change(order, price=100000, quantity=1)
    client.wait(lambda: 9 in client.codes_of(client.message_id))

    assert client.status(order) == FILLED


# ---- callbacks that mislead


def test_statuses_may_be_skipped(simulated):
    client = simulated("order skip next 1")
    order = client.send(price=150000)
    client.until(order, FILLED)
    client.quiet()

    assert client.history_of(order) == [CLIENT_CREATED, CLIENT_CREATED, FILLED]


def test_a_status_older_than_the_last_may_come_late(simulated):
    client = simulated("order late next 1")
    order = client.send(price=150000)
    client.until(order, FILLED)
    client.wait(lambda: len(client.history_of(order)) == 7)

    assert client.history_of(order)[-4:] == [NEW, FILLED, NEW, FILLED]
    assert client.status(order) == FILLED


def test_details_may_be_newer_than_the_event(simulated):
    client = simulated("latency 25", "order newer next 1")
    order = client.send(price=150000)
    client.until(order, FILLED)
    client.quiet()

    told = [CLIENT_CREATED, CLIENT_CREATED, HADES_CREATED, NEW, FILLED]
    assert client.history_of(order) == told
    read = [status for id_, _, status in client.of("order") if id_ == order]
    assert read != told
    assert read[-1] == FILLED


def test_every_event_may_come_several_times(simulated):
    client = simulated("order duplicate next 1 times 2 5")
    order = client.send()
    client.until(order, FILLED)
    client.quiet()

    assert 8 <= len(client.history_of(order)) <= 20


def test_details_may_be_missing_right_after_an_event(simulated):
    client = simulated("order not-found 60000")
    client.details_in_callback = False
    order = client.send()
    client.wait(lambda: client.of("order"))

    assert client.raw_details(order)[0] == NOT_FOUND
    client.quiet()
    assert client.raw_details(order)[0] == NOT_FOUND
    client.command("pass 60")
    assert client.raw_details(order)[0] == OK


def test_an_order_may_fill_in_scripted_parts(simulated):
    client = simulated("order partial next 1 split 10 20 30")
    order = client.send(quantity=10, side=SELL)
    client.until(order, FILLED)
    client.quiet()

    assert sorted({traded for _, _, traded, _ in client.of("change")}) == [0, 1, 3, 6, 10]
    assert client.net() == -10


def test_without_a_broker_an_order_is_refused_by_the_order_server(simulated):
    client = simulated()
    client.command("routing 3")
    order = client.send()
    message = client.message_id
    client.until(order, NOT_CREATED)
    client.quiet()

    assert client.codes_of(message) == [2, 4, 5]
    client.command("routing 5")
    client.until(client.send(), FILLED)


def test_without_routing_an_order_and_a_cancel_are_answered_by_message_1(simulated):
    client = simulated()
    resting_order = resting(client)
    client.command("routing 0")
    order = client.send()
    message = client.message_id
    client.until(order, NOT_CREATED)
    assert client.cancel(resting_order) == OK
    client.wait(lambda: 1 in client.codes_of(client.message_id))

    assert client.codes_of(message) == [1]
    assert client.status(resting_order) == NEW


def test_events_of_a_gap_are_not_replayed_and_the_next_load_shows_what_became_of_the_orders(simulated):
    client = simulated("latency 50000")  # 98 s to the first event, 20 s between the steps
    order = client.send(quantity=3)
    client.load()
    client.command("pass 160")
    client.wait(lambda: 4 in client.codes_of(client.message_id))
    client.command("routing 1")
    client.command("pass 600")
    client.quiet()

    assert client.status(order) == CLIENT_CREATED
    assert client.of("position") == []
    client.command("routing 5")
    client.quiet()
    assert client.status(order) == CLIENT_CREATED
    client.load()
    assert (client.status(order), client.details(order).traded, client.net()) == (FILLED, 3, 3)


def test_orders_beyond_the_limit_of_a_minute_are_rejected(simulated):
    client = simulated("order per-minute 2")
    orders = [client.send(price=100000) for _ in range(3)]

    assert client.until(orders[2], REJECTED).text == "Limite de ordens excedido."
    client.until(orders[1], NEW)


def test_day_orders_expire_when_the_session_ends_and_then_the_market_is_closed(simulated):
    client = simulated("hours 09:00-10:31", "order partial next 1 split 50")
    partial = client.send(price=200000, quantity=4, side=SELL)
    client.until(partial, NEW)
    untouched = resting(client)

    client.command("pass 60")
    client.until(untouched, EXPIRED)
    assert client.status(partial) == EXPIRED
    late = client.send()
    assert client.until(late, REJECTED).text == "Mercado fechado."
    client.wait(lambda: client.codes_of(client.message_id)[-1:] == [9])


def test_a_stop_limit_whose_limit_cannot_follow_its_stop_is_rejected_by_the_market(broker):
    order = broker.send(price=150000, stop=151000)

    assert broker.until(order, REJECTED).text == "Preço limite não alcança o disparo."


def test_the_measured_latencies_are_there_when_asked_for(simulated):
    client = simulated("latency 10")
    took = []
    for _ in range(5):
        known, began = len(client.of("order")), time.monotonic()
        client.until(client.send(), FILLED)
        client.quiet()
        told = [event.at - began for event in client.events if event.kind == "order"][known:]
        took.append((told[0], told[-1]))

    assert all(first >= 0.0196 and last >= 0.0625 for first, last in took)
    assert min(first for first, _ in took) < 0.2  # the machine may hold up any of them
    assert min(last for _, last in took) < 0.3


def test_the_chain_takes_the_time_that_the_script_says(simulated):
    client = simulated("latency 40")
    began = time.monotonic()
    order = client.send(side=BUY)
    client.until(order, FILLED)
    client.quiet()

    told = [event.at - began for event in client.events if event.kind == "order"]
    assert told[0] >= 0.0784
    assert told[-1] >= 0.25
