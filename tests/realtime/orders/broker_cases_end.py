"""The end of an order, and its changes: who wins when fills, cancellations and closes meet."""

from decimal import Decimal

import pytest

from realtime.orders.broker import NotSentError, OrderKey, UnknownOrderError
from realtime.orders.states import Status
from tests.realtime.orders.broker_case import case


@case(20)
def a_cancelled_order_is_over(stage):
    name = stage.working(quantity=2)
    message = stage.cancel(name)
    order = stage.until_status(name, Status.CANCELED)
    stage.until_code(message, 10)

    assert (order.traded, order.leaves) == (0, 0)


@case(21)
def a_cancel_of_a_filled_order_is_turned_down(stage):
    name = stage.send()
    stage.until_status(name, Status.FILLED)
    message = stage.cancel(name)
    stage.until_code(message, 9)
    stage.quiet(0.1)

    assert stage.orders[name].status is Status.FILLED


@case(22)
def cancelling_twice_is_harmless(stage):
    name = stage.working()
    stage.cancel(name)
    second = stage.cancel(name)
    stage.until_status(name, Status.CANCELED)
    stage.until(lambda: {9, 10} & set(stage.codes.get(second, ())))

    assert stage.orders[name].traded == 0


@case(23)
def an_order_is_cancelled_by_either_of_its_keys(stage):
    for by_local in (True, False):
        order = stage.orders[stage.working()]
        key = OrderKey(local_id=order.local_id) if by_local else OrderKey(exchange_id=order.exchange_id)
        stage.broker.cancel(stage.account, key)
        stage.until_status(order.id, Status.CANCELED)


@case(24)
def orders_that_nobody_knows_cannot_be_cancelled_or_changed(stage):
    for key in (OrderKey(local_id=987654), OrderKey(exchange_id="nobody's")):
        with pytest.raises(UnknownOrderError):
            stage.broker.cancel(stage.account, key)
        with pytest.raises((UnknownOrderError, NotSentError)):
            stage.broker.change(stage.account, key, quantity=1, price=stage.resting("BUY"))


@case(25)
def cancel_all_leaves_nothing_working(stage):
    names = [stage.working(), stage.working(side="SELL"), stage.working(quantity=3)]
    stage.broker.cancel_all(stage.account)
    for name in names:
        stage.until_status(name, Status.CANCELED)
    stage.broker.cancel_all(stage.account)  # with nothing to do
    stage.quiet(0.1)

    assert all(stage.orders[name].status is Status.CANCELED for name in names)


@case(26, needs="parts of the book")
def what_was_filled_before_a_cancel_stays(stage):
    stage.bring("parts of the book", 50)
    name = stage.send(price=stage.fillable("BUY"), quantity=4)
    stage.until_status(name, Status.PARTIALLY_FILLED, Status.FILLED)
    stage.cancel(name)
    order = stage.until_status(name, Status.CANCELED, Status.FILLED)

    assert order.traded == (4 if order.status is Status.FILLED else 2)
    assert order.leaves == 0


@case(27, needs="fill-first")
def a_cancel_may_lose_against_a_fill(stage):
    stage.bring("fill-first")
    name = stage.working(quantity=2)
    message = stage.cancel(name)
    order = stage.until_status(name, Status.FILLED)
    stage.until_code(message, 9)

    assert (order.traded, order.canceling) == (2, False)


@case(28, needs="remainder")
def a_fill_may_come_after_the_cancel_is_pending(stage):
    stage.bring("remainder")
    name = stage.working(quantity=2)
    message = stage.cancel(name)
    order = stage.until_status(name, Status.FILLED)
    stage.until_code(message, 9)

    assert (order.traded, order.canceling) == (2, False)


@case(29, needs="cancel-first")
def a_cancel_may_win_without_being_pending(stage):
    stage.bring("cancel-first")
    name = stage.working(quantity=2)
    stage.cancel(name)

    assert stage.until_status(name, Status.CANCELED).traded == 0


@case(30, needs="reject-cancel")
def a_cancel_that_is_turned_down_leaves_the_order_working(stage):
    stage.bring("reject-cancel", 9)
    name = stage.working()
    stage.until_code(stage.cancel(name), 9)
    stage.until(lambda: stage.orders[name].canceling is False)

    assert stage.orders[name].status is Status.SUBMITTED
    stage.cancel(name)
    stage.until_status(name, Status.CANCELED)


@case(31, needs="close", alone=True)
def day_orders_expire_with_their_session(stage):
    name = stage.working(quantity=2)
    stage.bring("close")

    assert stage.until_status(name, Status.EXPIRED).leaves == 0


@case(40)
def a_changed_order_has_its_new_figures(stage):
    name = stage.working(quantity=2)
    price = stage.resting("BUY") + 500
    message = stage.change(name, quantity=5, price=price)
    stage.until_code(message, 10)
    order = stage.until(lambda: (o := stage.orders[name]).quantity == 5 and not o.replacing and o)

    assert (order.price, order.status, order.leaves) == (price, Status.SUBMITTED, 5)
    stage.change(name, quantity=5, price=stage.fillable("BUY"))
    assert stage.until_status(name, Status.FILLED).traded == 5


@case(41)
def a_change_of_a_filled_order_is_turned_down(stage):
    name = stage.send(price=stage.fillable("BUY"), quantity=2)
    stage.until_status(name, Status.FILLED)
    stage.until_code(stage.change(name, quantity=3, price=stage.resting("BUY")), 9)
    stage.quiet(0.1)

    order = stage.orders[name]
    assert (order.status, order.quantity, order.traded) == (Status.FILLED, 2, 2)


@case(42)
def a_change_that_no_broker_would_take_never_leaves(stage):
    name = stage.working()
    for quantity, price in ((0, stage.resting("BUY")), (1, Decimal("100001")), (1, None)):
        with pytest.raises(NotSentError):
            stage.broker.change(stage.account, stage.key(name), quantity=quantity, price=price)
    stage.quiet(0.1)

    assert (stage.orders[name].quantity, stage.orders[name].price) == (1, stage.resting("BUY"))
