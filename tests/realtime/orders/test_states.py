"""The order's life against everything that a broker may say, in any order, any number of times."""

import datetime as dt
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.orders.states import (
    FINAL,
    CancelAsked,
    ChangeAsked,
    Event,
    NotListed,
    NotSent,
    Order,
    Overdue,
    Reported,
    RequestFailed,
    Ruled,
    SendUnclear,
    Sent,
    Status,
    ValidityEnded,
    after,
)

QUANTITY = 10
NOON = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)
STATUSES = [*range(19), 200, 201, 202, 203, 204, 205, 206, 207, 77]


def order(**fields: object) -> Order:
    return Order(id="ORD-1", symbol="WINZ26", side="BUY", kind="LIMIT", quantity=QUANTITY, account="1", **fields)  # type: ignore[arg-type]


def run(*events: Event, start: Order | None = None) -> Order:
    made = start or order()
    for event in events:
        made = after(made, event).order
    return made


def told(status: int, traded: int = 0, average: str = "0", **more: object) -> Reported:
    return Reported(status=status, traded=traded, average_price=Decimal(average), **more)  # type: ignore[arg-type]


reports = st.builds(
    Reported,
    status=st.sampled_from(STATUSES),
    traded=st.integers(-1, QUANTITY + 2),
    average_price=st.decimals(1, 100, places=2),
    quantity=st.none() | st.integers(0, QUANTITY + 3),
    price=st.none(),
    exchange_id=st.none() | st.just("EX1"),
    local_id=st.none() | st.just(7),
    at=st.none() | st.integers(0, 60).map(lambda s: NOON + dt.timedelta(seconds=s)),
    text=st.sampled_from(["", "text"]),
)
events = st.one_of(
    st.builds(Sent, st.just(7)),
    st.builds(NotSent, st.just("no")),
    st.builds(SendUnclear, st.just("late")),
    reports,
    st.builds(RequestFailed, st.sampled_from(["send", "cancel", "change"]), st.sampled_from([1, 2, 5, 9, 10, 24])),
    st.just(CancelAsked()),
    st.just(ChangeAsked()),
    st.just(NotListed()),
    st.just(Overdue()),
    st.just(ValidityEnded()),
    st.builds(Ruled, st.sampled_from(list(Status)), st.just("ana"), st.just("called the desk")),
)


@given(st.lists(events, max_size=40))
def test_no_sequence_leaves_a_final_state_or_trades_more_than_was_ordered(sequence):
    made = order()
    for event in sequence:
        outcome = after(made, event)
        if made.status in FINAL:
            assert outcome.order.status is made.status
            assert outcome.order.traded == made.traded
        assert made.traded <= outcome.order.traded <= outcome.order.quantity
        assert (outcome.fill.quantity if outcome.fill else 0) == outcome.order.traded - made.traded
        assert (outcome.order.status is Status.FILLED) is (outcome.order.traded == outcome.order.quantity)
        made = outcome.order


@given(st.lists(events, max_size=20), st.data())
def test_what_is_said_twice_is_heard_once(sequence, data):
    made = run(*sequence)
    event = data.draw(events)
    once = after(made, event)
    twice = after(once.order, event)

    assert twice.fill is None
    assert (twice.order.status, twice.order.traded) == (once.order.status, once.order.traded)


@given(st.permutations([told(0), told(1, 3, "10"), told(1, 7, "11"), told(2, 10, "12"), told(203), told(201)]))
def test_news_in_any_order_ends_the_same(sequence):
    made = run(Sent(7), *sequence)

    assert (made.status, made.traded, made.average_price) == (Status.FILLED, 10, Decimal(12))


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=8), st.lists(st.decimals(1, 100, places=2), min_size=8, max_size=8)
)
def test_the_fills_add_up_to_what_the_broker_says(parts, prices):
    made, traded, money, paid = order(), 0, Decimal(0), Decimal(0)
    for part, price in zip(parts, prices, strict=False):
        step = min(part, QUANTITY - traded)
        if step <= 0:
            break
        traded, money = traded + step, money + step * price
        outcome = after(made, told(1, traded, str(money / traded)))
        assert outcome.fill is not None
        paid += outcome.fill.price * outcome.fill.quantity
        made = outcome.order

    assert abs(paid - money) < Decimal("1e-15")


@pytest.mark.parametrize("average", ["0", "4"])
def test_nothing_is_traded_for_nothing_and_the_price_is_waited_for(average):
    """Such a fill would be a gain without end, and no loss would ever reach the limit."""
    made = run(told(1, 3, "10"))
    outcome = after(made, told(1, 7, average))
    assert outcome.contradiction
    assert outcome.fill is None
    assert (outcome.order.traded, outcome.order.leaves) == (3, 7)
    later = after(outcome.order, told(1, 7, "11")).fill

    assert later is not None
    assert later.quantity == 4


def test_an_answer_that_came_before_the_call_returned_is_not_lost():
    made = run(told(2, 10, "5", local_id=7), Sent(7))

    assert (made.status, made.local_id) == (Status.FILLED, 7)


def test_nothing_that_left_is_ever_called_failed():
    made = run(Sent(7), told(0, exchange_id="EX1"))
    outcome = after(made, NotSent("no"))

    assert outcome.contradiction
    assert outcome.order.status is Status.SUBMITTED


def test_an_unclear_send_counts_in_full_until_it_is_known():
    unclear = run(SendUnclear("no answer within 5 s"))

    assert (unclear.status, unclear.leaves, unclear.working) == (Status.UNKNOWN, QUANTITY, True)
    assert run(NotListed(), start=unclear).status is Status.FAILED
    assert run(told(0, exchange_id="EX1"), start=unclear).status is Status.SUBMITTED
    assert run(ValidityEnded(), start=unclear).status is Status.EXPIRED
    assert run(Ruled(Status.CANCELED, "ana", "asked"), start=unclear).status is Status.CANCELED


def test_a_call_that_came_back_late_settles_what_was_unclear():
    unclear = run(SendUnclear("no answer within 5 s"))

    assert run(Sent(7), start=unclear).status is Status.SUBMITTED
    assert run(NotSent("no such ticker"), start=unclear).status is Status.FAILED
    assert after(run(told(0, exchange_id="EX1"), start=unclear), NotSent("no")).contradiction


def test_an_order_that_nobody_confirms_becomes_unknown_until_somebody_speaks_of_it():
    overdue = run(Sent(7), told(203), Overdue())

    assert overdue.status is Status.UNKNOWN
    assert run(told(203, local_id=7), start=overdue).status is Status.UNKNOWN  # what we have sent is no confirmation
    assert run(told(0, exchange_id="EX1"), start=overdue).status is Status.SUBMITTED
    assert run(Sent(7), told(0, exchange_id="EX1"), Overdue()).status is Status.SUBMITTED


def test_a_list_that_lacks_a_known_order_is_a_contradiction_and_no_end():
    outcome = after(run(Sent(7), told(0, exchange_id="EX1")), NotListed())

    assert outcome.contradiction
    assert outcome.order.working


def test_what_was_filled_before_the_exchange_named_it_is_named_later():
    made = run(Sent(7), told(2, 10, "5", local_id=7), told(2, 10, "5", local_id=7, exchange_id="EX1"))

    assert (made.status, made.exchange_id) == (Status.FILLED, "EX1")
    assert run(told(0, exchange_id="EX2"), start=made).exchange_id == "EX1"


def test_a_fill_that_beats_the_cancellation_wins():
    made = run(Sent(7), told(0), CancelAsked(), told(6), told(2, 10, "5"), RequestFailed("cancel", 9))

    assert (made.status, made.canceling) == (Status.FILLED, False)


def test_a_cancelled_rest_keeps_what_was_traded():
    made = run(Sent(7), told(1, 4, "5"), CancelAsked(), told(15, 4, "5"))

    assert (made.status, made.traded, made.leaves) == (Status.CANCELED, 4, 0)


def test_a_failed_cancellation_leaves_the_order_working_and_able_to_be_asked_again():
    made = run(Sent(7), told(0), CancelAsked(), RequestFailed("cancel", 9, "too late"))

    assert (made.status, made.canceling, made.text) == (Status.SUBMITTED, False, "too late")


@pytest.mark.parametrize("code", [1, 3, 5, 7, 9, 24])
def test_a_send_that_was_refused_on_its_way_is_rejected_with_its_words(code):
    made = run(Sent(7), told(203), RequestFailed("send", code, "sem saldo"))

    assert (made.status, made.text) == (Status.REJECTED, "sem saldo")


def test_a_change_takes_the_new_quantity_and_price():
    made = run(Sent(7), told(0), ChangeAsked(), told(14), told(5, quantity=6, price=Decimal(9)))

    assert (made.quantity, made.price, made.replacing, made.status) == (6, Decimal(9), False, Status.SUBMITTED)


def test_the_last_word_on_an_order_holds_though_news_of_a_later_time_came_before():
    made = run(Sent(7), told(0, at=NOON), told(14, at=NOON + dt.timedelta(seconds=1)))
    outcome = after(made, told(2, 8, "9", quantity=8, at=NOON))

    assert (outcome.order.status, outcome.order.quantity, outcome.contradiction) == (Status.FILLED, 8, None)
    assert outcome.fill is not None
    assert outcome.fill.quantity == 8


def test_a_fill_of_an_order_that_grew_does_not_end_it_though_news_of_a_later_time_came_before():
    """It counted as filled, and what it could still trade counted nowhere."""
    made = run(Sent(7), told(0, at=NOON), told(14, at=NOON + dt.timedelta(seconds=1)))
    outcome = after(made, told(1, 10, "9", quantity=15, at=NOON))

    assert (outcome.order.status, outcome.order.leaves) == (Status.PARTIALLY_FILLED, 5)


def test_late_news_of_a_fill_leave_a_changed_order_as_it_was_changed():
    made = run(Sent(7), told(0, at=NOON), told(5, quantity=15, price=Decimal(9), at=NOON + dt.timedelta(seconds=1)))
    outcome = after(made, told(1, 4, "8", quantity=10, price=Decimal(8), at=NOON))

    assert (outcome.order.quantity, outcome.order.price, outcome.order.leaves) == (15, 9, 11)
    assert outcome.fill is not None
    assert outcome.fill.quantity == 4


def test_a_person_may_end_an_order_and_not_fill_it():
    unclear = run(SendUnclear("?"))

    assert after(unclear, Ruled(Status.FILLED, "ana", "guess")).contradiction
    assert after(unclear, Ruled(Status.SUBMITTED, "ana", "guess")).contradiction


def test_every_kind_of_event_has_an_answer_in_every_state():
    samples: list[Event] = [
        Sent(1),
        NotSent("n"),
        SendUnclear("u"),
        told(0),
        RequestFailed("send", 1),
        CancelAsked(),
        ChangeAsked(),
        NotListed(),
        Overdue(),
        ValidityEnded(),
        Ruled(Status.CANCELED, "a", "b"),
    ]
    assert {type(sample) for sample in samples} == set(get_args(Event))
    for status in Status:
        traded = QUANTITY if status is Status.FILLED else 0
        for sample in samples:
            assert after(order(status=status, traded=traded), sample).order.id == "ORD-1"
