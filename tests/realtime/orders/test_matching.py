"""The rules of the paper exchange: whose turn it is, at which price, and never more than the tape traded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.orders.matching import Rules, Seen, Trade, Waiting, changed, placed, steps

RULES = Rules(slippage=Decimal(5), queue=50)


def order(**given):
    figures = {"number": 1, "symbol": "WINX99", "side": "BUY", "kind": "LIMIT", "quantity": 10, "price": Decimal(100)}
    return Waiting(**{**figures, **given})


def market(**given):
    return order(**{"kind": "MARKET", "price": None, **given})


def trade(price, quantity, aggressor=None):
    return Trade(symbol="WINX99", price=Decimal(price), quantity=quantity, aggressor=aggressor)


def resting(**given):
    """An order in the book behind what is unknown."""
    return placed(order(**given), (), Seen(), RULES)


def only(book, traded):
    (step,) = steps(book, traded, RULES)
    return step


def test_a_market_order_takes_what_trades_next_and_pays_the_slippage():
    for side, price in (("BUY", 105), ("SELL", 95)):
        taking = placed(market(side=side), (), Seen(), RULES)
        step = only([taking], trade(100, 4))

        assert (step.quantity, step.price, step.order.traded, step.over) == (4, price, 4, False)


def test_what_is_left_of_a_market_order_takes_the_trades_after():
    taking = placed(market(), (), Seen(), RULES)
    first = only([taking], trade(100, 4))
    second = only([first.order], trade(110, 40))

    assert (second.quantity, second.price, second.order.leaves) == (6, 115, 0)


def test_slippage_never_leads_beyond_the_limit_nor_below_a_price():
    near = placed(order(price=Decimal(102)), (), Seen(last=Decimal(100)), RULES)
    assert only([near], trade(100, 10)).price == 102

    cheap = placed(market(side="SELL"), (), Seen(), RULES)
    assert only([cheap], trade(3, 10)).price == 3


def test_what_stands_ahead_trades_first():
    waiting = resting()
    assert waiting.ahead == 50
    first = only([waiting], trade(100, 30))
    assert (first.quantity, first.order.ahead) == (0, 20)
    second = only([first.order], trade(100, 24))
    assert (second.quantity, second.price, second.order.ahead) == (4, 100, 0)
    assert only([second.order], trade(100, 100)).quantity == 6


def test_a_trade_through_the_price_leaves_nothing_ahead_and_fills_at_the_limit():
    step = only([resting()], trade(95, 4))

    assert (step.quantity, step.price, step.order.ahead) == (4, 100, 0)


def test_trades_above_a_purchase_leave_it_alone():
    assert steps([resting()], trade(105, 1000), RULES) == []


@pytest.mark.parametrize(("side", "aggressor"), [("BUY", "BUY"), ("SELL", "SELL")])
def test_a_trade_of_the_same_side_s_aggressor_takes_nothing_from_its_own_queue(side, aggressor):
    assert steps([resting(side=side)], trade(100, 1000, aggressor), RULES) == []


@pytest.mark.parametrize(
    ("seen", "ahead", "taking"),
    [
        (Seen(), 50, False),
        (Seen(bid=Decimal(100), bid_quantity=7), 7, False),
        (Seen(bid=Decimal(95), bid_quantity=7), 0, False),
        (Seen(bid=Decimal(105), bid_quantity=7), 50, False),
        (Seen(ask=Decimal(105), ask_quantity=7), 50, False),
        (Seen(ask=Decimal(100), ask_quantity=7), 0, True),
        (Seen(last=Decimal(100)), 50, False),
        (Seen(last=Decimal(95)), 0, True),
        (Seen(last=Decimal(95), ask=Decimal(105)), 50, False),
    ],
)
def test_the_place_of_a_new_order(seen, ahead, taking):
    found = placed(order(), (), seen, RULES)

    assert (found.ahead, found.taking) == (ahead, taking)


def test_a_later_order_at_the_same_price_never_overtakes_the_earlier_one():
    first = resting()
    second = placed(order(number=2), [first], Seen(bid=Decimal(100), bid_quantity=1), RULES)
    assert second.ahead == 50

    found = {step.order.number: step.quantity for step in steps([second, first], trade(100, 65), RULES)}
    assert found == {1: 10, 2: 5}


def test_the_better_price_comes_first():
    low, high = resting(), resting(number=2, price=Decimal(105))

    assert [(s.order.number, s.quantity) for s in steps([low, high], trade(95, 12), RULES)] == [(2, 10), (1, 2)]


def test_a_limit_that_the_market_passed_begins_to_rest():
    taking = placed(order(price=Decimal(102)), (), Seen(last=Decimal(100)), RULES)
    step = only([taking], trade(110, 5))

    assert (step.quantity, step.order.taking, step.order.ahead) == (0, False, 50)


def test_a_stop_wakes_at_its_price_and_takes_part_in_later_trades():
    stop = placed(market(kind="STOP", stop=Decimal(110)), (), Seen(), RULES)
    assert steps([stop], trade(105, 100), RULES) == []
    woken = only([stop], trade(110, 100))
    assert (woken.quantity, woken.order.woken, woken.order.taking) == (0, True, True)
    assert only([woken.order], trade(112, 100)).price == 117


def test_a_stop_limit_never_pays_more_than_its_limit():
    stop = placed(order(kind="STOP_LIMIT", stop=Decimal(110), price=Decimal(115)), (), Seen(), RULES)
    woken = only([stop], trade(112, 100)).order
    assert woken.taking
    assert only([woken], trade(113, 100)).price == 115
    assert only([woken], trade(120, 100)).quantity == 0


def test_at_once_means_the_next_trade():
    some = placed(order(time_in_force="IOC", price=Decimal(100)), (), Seen(), RULES)
    step = only([some], trade(100, 4))
    assert (step.quantity, step.over) == (4, True)
    assert only([some], trade(105, 4)).over

    whole = placed(order(time_in_force="FOK", price=Decimal(100)), (), Seen(), RULES)
    short = only([whole], trade(100, 9))
    assert (short.quantity, short.over) == (0, True)
    enough = only([whole], trade(100, 10))
    assert (enough.quantity, enough.over, enough.order.leaves) == (10, False, 0)


def test_an_order_keeps_its_place_only_when_it_shrinks():
    waiting = structs.replace(resting(), ahead=3)
    for figures, ahead in (
        ({"quantity": 5, "price": Decimal(100)}, 3),
        ({"quantity": 11, "price": Decimal(100)}, 50),
        ({"quantity": 10, "price": Decimal(95)}, 50),
    ):
        after = changed(waiting, **figures, stop=None, seen=Seen(), rules=RULES)

        assert (after.ahead, after.quantity, after.price) == (ahead, figures["quantity"], figures["price"])


def test_a_stop_that_was_hit_cannot_sleep_again():
    woken = order(kind="STOP_LIMIT", stop=Decimal(90), woken=True)
    after = changed(woken, quantity=12, price=Decimal(105), stop=Decimal(150), seen=Seen(), rules=RULES)

    assert (after.stop, after.price, after.asleep) == (Decimal(90), Decimal(105), False)


prices = st.integers(18, 22).map(lambda ticks: Decimal(5 * ticks))
sides = st.sampled_from(["BUY", "SELL"])
orders = st.builds(
    lambda side, kind, quantity, price, stop, validity: {
        "side": side,
        "kind": kind,
        "quantity": quantity,
        "price": price if kind in ("LIMIT", "STOP_LIMIT") else None,
        "stop": stop if kind in ("STOP", "STOP_LIMIT") else None,
        "time_in_force": validity,
    },
    sides,
    st.sampled_from(["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]),
    st.integers(1, 20),
    prices,
    prices,
    st.sampled_from(["DAY", "IOC", "FOK"]),
)
trades = st.builds(trade, prices, st.integers(1, 60), st.sampled_from([None, "BUY", "SELL"]))


@given(st.lists(st.one_of(orders, trades), max_size=40))
def test_no_trade_fills_more_than_it_had_and_no_order_more_than_it_wants(events):
    book, last = {}, Seen()
    for number, event in enumerate(events):
        if isinstance(event, dict):
            book[number] = placed(Waiting(number=number, symbol="WINX99", **event), book.values(), last, RULES)
            continue
        found = steps(book.values(), event, RULES)
        last = Seen(last=event.price)

        assert sum(step.quantity for step in found) <= event.quantity
        for step in found:
            before, after = book[step.order.number], step.order
            assert step.quantity == after.traded - before.traded >= 0
            assert after.traded <= after.quantity
            assert after.ahead >= 0
            if step.quantity and after.price is not None:
                assert after.sign * (after.price - step.price) >= 0
            if step.quantity:
                assert not before.asleep
            book[step.order.number] = after
            if step.over or not after.leaves:
                del book[step.order.number]
