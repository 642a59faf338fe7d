"""Refusals, silence, and news that mislead: none of it makes an order what it is not."""

from realtime.orders.states import Status
from tests.realtime.orders.broker_case import case


@case(50, needs="reject")
def a_refusal_at_any_hop_ends_the_order(stage):
    for code in (1, 3, 24, 5, 7, 9):
        stage.bring("reject", code)
        name = stage.send(price=stage.fillable("BUY"))
        order = stage.until_status(name, Status.REJECTED)
        message = next(number for number, asked in stage.messages.items() if asked == (name, "send"))
        stage.until_code(message, code)
        stage.quiet(0.1)

        assert (order.traded, order.leaves) == (0, 0)
        assert stage.of(name)[-1].status in (8, 204)
        assert stage.of(name)[-1].text


@case(51, needs="drop")
def an_order_that_vanishes_is_never_told_final(stage):
    stage.bring("drop")
    name = stage.send(price=stage.fillable("BUY"))
    message = next(number for number, asked in stage.messages.items() if asked == (name, "send"))
    stage.until_code(message, 4)
    stage.quiet(0.5)

    assert stage.orders[name].status is Status.SUBMITTED
    assert stage.orders[name].exchange_id is None
    stage.load()
    listed = [r for r in stage.broker.listed(stage.account) if r.key.local_id == stage.orders[name].local_id]
    assert all(report.key.exchange_id is None and report.traded == 0 for report in listed)


@case(60, needs="duplicate")
def news_told_many_times_count_once(stage):
    stage.bring("duplicate", 3)
    name = stage.send(price=stage.fillable("BUY"), quantity=2)
    stage.until_status(name, Status.FILLED)
    stage.quiet(0.2)

    assert sum(fill.quantity for fill in stage.fills[name]) == 2
    assert len(stage.of(name)) > 6


@case(61, needs="late")
def a_late_status_takes_no_order_back(stage):
    stage.bring("late")
    name = stage.send(price=stage.fillable("BUY"))
    stage.until_status(name, Status.FILLED)
    stage.until(lambda: [report.status for report in stage.of(name)].count(2) >= 2)

    assert stage.orders[name].status is Status.FILLED


@case(62, needs="skip")
def statuses_may_be_left_out(stage):
    stage.bring("skip")
    name = stage.send(price=stage.fillable("BUY"))

    assert stage.until_status(name, Status.FILLED).traded == 1


@case(63, needs="not-found")
def details_that_are_missing_at_first_are_asked_for_again(stage):
    stage.bring("not-found", 5)
    name = stage.send(price=stage.fillable("BUY"))

    assert stage.until_status(name, Status.FILLED).traded == 1
    assert stage.orders[name].exchange_id


@case(64, needs="newer")
def details_may_be_newer_than_their_event(stage):
    stage.bring("newer")
    name = stage.send(price=stage.fillable("BUY"), quantity=2)

    assert stage.until_status(name, Status.FILLED).traded == 2
    assert sum(fill.quantity for fill in stage.fills[name]) == 2
