"""Two lists of the same orders: what the plan concludes, and what it refuses to guess."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.orders.broker import AccountId, Held, OrderKey, Report
from realtime.orders.reconcile import (
    Adopted,
    Difference,
    Disputed,
    Heard,
    Lost,
    Over,
    Own,
    Rules,
    Unchanged,
    Waiting,
    plan,
    position_differences,
    reported,
)
from realtime.orders.states import FINAL, Order, Status, after

NOON = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=1)
ACCOUNT = AccountId(1, "0042")
RULES = Rules()


def own(name: str = "ORD-1", *, made: int = 0, more: dict[str, object] | None = None, **fields: object) -> Own:
    given_fields = {"side": "BUY", "quantity": 3, "price": Decimal(100), "status": Status.UNKNOWN, **fields}
    order = Order(id=name, symbol="WINZ26", kind="LIMIT", account="1:0042", **given_fields)  # type: ignore[arg-type]
    at = NOON + dt.timedelta(seconds=made)
    return Own(order=order, made_at=at, **{"this_login": False, **(more or {})})  # type: ignore[arg-type]


def report(exchange: str | None = "EX1", *, local: int | None = None, made: int = 0, **fields: object) -> Report:
    given_fields = {"side": "BUY", "quantity": 3, "price": Decimal(100), "status": 0, "traded": 0, **fields}
    at = NOON + dt.timedelta(seconds=made)
    return Report(
        key=OrderKey(local, exchange),
        account=ACCOUNT,
        symbol="WINZ26",
        kind="LIMIT",
        average_price=Decimal(100),
        stop=None,
        created=at,
        updated=at,
        **given_fields,  # type: ignore[arg-type]
    )


def planned(ours: list[Own], listed: list[Report], asked: dt.datetime = LATER) -> list[object]:
    return list(plan(ours, listed, asked_at=asked, rules=RULES))


def test_an_order_that_may_have_left_is_found_by_what_it_is():
    found = report(made=2)

    assert planned([own()], [found]) == [Heard("ORD-1", found)]


@pytest.mark.parametrize(
    "other",
    [
        {"side": "SELL"},
        {"quantity": 2},
        {"price": Decimal(105)},
        {"made": 61},
        {"made": -61},
    ],
)
def test_what_differs_is_adopted_and_ours_never_left(other):
    stranger = report(**other)

    assert planned([own()], [stranger]) == [Adopted(stranger), Lost("ORD-1")]


def test_of_two_that_are_alike_none_is_guessed():
    first, second = report("EX1"), report("EX2")

    assert planned([own()], [first, second]) == [
        Adopted(first, ("ORD-1",)),
        Adopted(second, ("ORD-1",)),
        Disputed("ORD-1", ("EX1", "EX2")),
    ]
    assert planned([own("ORD-1"), own("ORD-2")], [first])[:1] == [Adopted(first, ("ORD-1", "ORD-2"))]


def test_a_disputed_order_is_settled_by_no_list():
    assert planned([own(more={"disputed": True})], []) == [Waiting("ORD-1")]
    assert planned([own(more={"disputed": True})], [report()])[0] == Adopted(report(), ("ORD-1",))


def test_a_list_that_was_asked_too_early_settles_nothing():
    assert planned([own()], [], NOON + dt.timedelta(seconds=9)) == [Waiting("ORD-1")]
    assert planned([own()], [], NOON + dt.timedelta(seconds=10)) == [Lost("ORD-1")]


def test_names_win_over_likeness():
    ours = own(exchange_id="EX1", status=Status.SUBMITTED)
    news = report("EX1", status=1, traded=1, quantity=5)

    assert planned([ours], [news]) == [Heard("ORD-1", news)]


def test_a_local_id_means_nothing_after_the_login_that_gave_it():
    ours = own(local_id=7, status=Status.SUBMITTED)
    stranger = report("EX9", local=7, side="SELL")

    assert planned([ours], [stranger])[0] == Adopted(stranger)
    assert planned([structs.replace(ours, this_login=True)], [stranger])[0] == Heard("ORD-1", stranger)


def test_another_local_id_of_this_login_is_another_order():
    ours = own(local_id=7, more={"this_login": True})

    assert isinstance(planned([ours], [report("EX9", local=8)])[0], Adopted)


def test_what_is_known_already_is_not_said_again():
    ours = own(exchange_id="EX1", status=Status.SUBMITTED, newest=NOON)

    assert planned([ours], [report("EX1")]) == []


def test_an_order_of_yesterday_that_the_list_lacks_is_over():
    assert planned([own(exchange_id="EX1", status=Status.SUBMITTED, more={"over": True})], []) == [Over("ORD-1")]


def test_a_working_order_that_the_list_lacks_is_said_so():
    assert planned([own(exchange_id="EX1", status=Status.SUBMITTED)], []) == [Lost("ORD-1")]


def test_an_order_that_was_taken_and_not_confirmed_waits_until_it_is_overdue():
    assert planned([own(local_id=7, status=Status.SUBMITTED)], []) == [Waiting("ORD-1")]


@pytest.mark.parametrize(
    ("status", "asked", "steps"),
    [
        (0, LATER, [Unchanged("ORD-1")]),
        (0, NOON + dt.timedelta(seconds=9), [Waiting("ORD-1")]),
        (14, LATER, []),  # the broker has it in hand
    ],
)
def test_a_change_that_nobody_has_answered_is_asked_about_until_the_list_can_tell(status, asked, steps):
    mine = own(more={"change_at": NOON}, status=Status.SUBMITTED, exchange_id="EX1", replacing=True, newest=NOON)

    assert planned([mine], [report(status=status)], asked) == steps


def test_what_ended_before_it_had_a_name_is_not_counted_twice():
    ours = [own("ORD-1", status=Status.FILLED, traded=3, average_price=Decimal(100)), own("ORD-2", made=1)]
    ours[1] = structs.replace(ours[1], order=structs.replace(ours[0].order, id="ORD-2"))
    first, second = (report(name, made=n, status=2, traded=3) for n, name in enumerate(("EX1", "EX2")))

    assert planned(ours, [first, second]) == [Heard("ORD-1", first), Heard("ORD-2", second)]
    assert isinstance(planned(ours, [structs.replace(first, traded=2, status=4)])[0], Adopted)


def test_what_ended_without_a_name_and_is_in_the_list_is_not_another_that_was_alike():
    mine = own(status=Status.FILLED, traded=3, average_price=Decimal(100), local_id=7, more={"this_login": True})
    told, other = report(None, local=7, status=2, traded=3), report("EX1", status=2, traded=3)

    assert planned([mine], [told, other]) == [Adopted(other)]


def test_what_failed_is_not_what_the_broker_lists():
    assert isinstance(planned([own(status=Status.FAILED)], [report(status=2, traded=3)])[0], Adopted)


@pytest.mark.parametrize(
    ("ended", "said", "lives"),
    [
        (Status.FAILED, 0, True),
        (Status.FAILED, 201, True),
        (Status.FAILED, 203, False),
        (Status.FAILED, 8, False),
        (Status.CANCELED, 0, True),
        (Status.REJECTED, 0, True),
        (Status.REJECTED, 201, False),  # a refusal on its way is told before the last news of the way
    ],
)
def test_what_was_ended_here_and_works_there_is_adopted(ended, said, lives):
    mine, theirs = own(local_id=7, status=ended, more={"this_login": True}), report("EX1", local=7, status=said)

    assert planned([mine], [theirs]) == [Adopted(theirs, ("ORD-1",)) if lives else Heard("ORD-1", theirs)]


def test_positions_of_either_side_are_compared():
    held = [Held(account=ACCOUNT, symbol=s, quantity=q, average_price=Decimal(1)) for s, q in (("A", 1), ("B", -2))]

    assert position_differences({"A": 1, "C": 3}, held) == [
        Difference(symbol="B", ours=0, theirs=-2),
        Difference(symbol="C", ours=3, theirs=0),
    ]


reports = st.builds(
    report,
    st.sampled_from(["EX1", "EX2", "EX3", None]),
    made=st.sampled_from([0, 30, 90]),
    local=st.sampled_from([None, 7, 8]),
    quantity=st.integers(1, 3),
    traded=st.integers(0, 3),
    status=st.sampled_from([0, 1, 2, 4, 8, 203]),
)
owns = st.lists(
    st.builds(
        own,
        st.sampled_from(["ORD-1", "ORD-2", "ORD-3"]),
        made=st.sampled_from([0, 30]),
        quantity=st.integers(1, 3),
        status=st.sampled_from(list(Status)),
        exchange_id=st.sampled_from([None, "EX1", "EX2"]),
        local_id=st.sampled_from([None, 7]),
        more=st.fixed_dictionaries({"this_login": st.booleans(), "disputed": st.booleans(), "over": st.booleans()}),
    ),
    max_size=3,
    unique_by=(
        lambda each: each.order.id,
        lambda each: each.order.exchange_id or id(each),
        lambda each: each.order.local_id or id(each),
    ),
)


@given(owns, st.lists(reports, max_size=4, unique_by=lambda r: (r.key.exchange_id, r.key.local_id)))
def test_each_report_is_of_one_order_at_most_and_each_order_gets_one_answer(ours, listed):
    steps = planned(ours, listed)
    spoken = [step.order for step in steps if not isinstance(step, Adopted | Heard)]
    told = [id(step.report) for step in steps if isinstance(step, Adopted | Heard)]

    assert len(told) == len(set(told))
    assert len(spoken) == len(set(spoken))
    assert not {each.order.id for each in ours if each.order.status in FINAL} & set(spoken)


@given(
    owns,
    st.lists(  # which has an order once
        reports, max_size=4, unique_by=(lambda r: r.key.exchange_id or id(r), lambda r: r.key.local_id or id(r))
    ),
)
def test_taking_the_steps_leaves_nothing_new_to_hear_of_what_has_a_name(ours, listed):
    orders = {each.order.id: each for each in ours}
    steps = planned(ours, listed)
    for step in steps:
        if isinstance(step, Heard):
            before = orders[step.order]
            orders[step.order] = structs.replace(before, order=after(before.order, reported(step.report)).order)
    again = [
        step
        for step in planned(list(orders.values()), listed)
        if isinstance(step, Heard)
        and step.report.key.exchange_id
        and not after(orders[step.order].order, reported(step.report)).contradiction
    ]

    assert again == []
