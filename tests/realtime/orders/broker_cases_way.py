"""The way of an order: it rests, fills, waits for its stop, or never leaves."""

from decimal import Decimal

import pytest

from realtime.orders.broker import NotSentError
from realtime.orders.states import Status
from tests.realtime.orders.broker_case import case
from tests.realtime.orders.broker_stage import sums


@case(1)
def accounts_are_known_and_orders_may_leave(stage):
    assert stage.broker.ready
    assert stage.account in stage.broker.accounts()


@case(2)
def an_order_that_rests_is_told_with_all_it_has(stage):
    order = stage.orders[stage.working(quantity=2)]
    last = stage.of(order.id)[-1]

    assert order.status is Status.SUBMITTED
    assert (last.account, last.symbol, last.side, last.kind) == (stage.account, stage.symbol, "BUY", "LIMIT")
    assert (last.quantity, last.traded, last.price, last.stop) == (2, 0, stage.resting("BUY"), None)
    assert last.key.exchange_id
    assert last.created is not None
    assert last.created.tzinfo is not None


@case(3)
def a_market_order_fills_and_moves_the_position(stage):
    before = stage.net()
    name = stage.send(quantity=3)
    order = stage.until_status(name, Status.FILLED)
    stage.until(lambda: stage.net() == before + 3 and stage.seen["PositionNews"])

    assert order.traded == 3
    assert order.average_price > 0
    assert (order.average_price * 3).quantize(Decimal("0.01")) % 5 == 0  # three prices of whole ticks


@case(4)
def a_limit_order_never_fills_worse_than_its_limit(stage):
    for side, worst in (("BUY", max), ("SELL", min)):
        name = stage.send(side=side, price=stage.fillable(side), quantity=2)
        order = stage.until_status(name, Status.FILLED)

        assert worst(order.average_price, stage.fillable(side)) == stage.fillable(side)
        assert order.traded == 2


@case(5, needs="parts")
def the_parts_of_an_order_add_up(stage):
    """How many of them are told depends on how soon they are read."""
    stage.bring("parts", 34)
    name = stage.send(price=stage.fillable("BUY"), quantity=3)
    order = stage.until_status(name, Status.FILLED)
    traded = [report.traded for report in stage.of(name)]

    assert traded == sorted(traded)
    assert [fill.quantity for fill in stage.fills[name]] in ([1, 2], [3])
    assert sums(stage, name) == (3, (order.average_price * 3).quantize(Decimal(1)))


@case(6)
def a_sale_is_the_mirror_of_a_purchase(stage):
    before = stage.net()
    stage.until_status(stage.send(side="SELL", quantity=2), Status.FILLED)
    stage.until(lambda: stage.net() == before - 2)


@case(7)
def a_stop_limit_order_sleeps_until_its_stop(stage):
    far = stage.send(kind="STOP_LIMIT", stop=Decimal(150000), price=Decimal(150500))
    stage.until(lambda: stage.of(far) and stage.of(far)[-1].status == 0)
    hit = stage.send(kind="STOP_LIMIT", stop=Decimal(100000), price=Decimal(150000))
    stage.until_status(hit, Status.FILLED)

    assert stage.orders[far].status is Status.SUBMITTED
    assert (stage.of(far)[-1].stop, stage.of(far)[-1].price) == (Decimal(150000), Decimal(150500))
    stage.cancel(far)
    stage.until_status(far, Status.CANCELED)


@case(8)
def a_plain_stop_is_sent_as_its_shape_says(stage):
    shaped = stage.broker.shaped(stage.new(kind="STOP", stop=Decimal(149000)))
    name = stage.send(kind="STOP", stop=Decimal(149000))
    stage.until(lambda: stage.of(name) and stage.of(name)[-1].status == 0)
    last = stage.of(name)[-1]

    assert (last.kind, last.stop, last.price) == (shaped.kind, Decimal(149000), shaped.price)
    stage.cancel(name)
    stage.until_status(name, Status.CANCELED)


@case(9)
def a_validity_is_kept_or_refused_never_changed_in_silence(stage):
    for validity in ("DAY", "GTC", "IOC", "FOK"):
        order = stage.new(price=stage.resting("BUY"), time_in_force=validity)
        try:
            said = stage.broker.shaped(order).time_in_force
        except NotSentError as error:
            said = f"{error.code}: {error}"

        assert said == validity or (said.startswith("UNSUPPORTED: ") and validity in said)


@case(10)
def what_no_broker_would_take_never_leaves(stage):
    told = len(stage.reports)
    for wrong in (
        {"quantity": 0},
        {"quantity": -1},
        {"price": Decimal("100001")},
        {"price": Decimal(-5)},
        {"kind": "LIMIT"},
        {"kind": "MARKET", "price": Decimal(100000)},
        {"kind": "STOP_LIMIT", "price": Decimal(100000)},
        {"kind": "STOP_LIMIT", "price": Decimal(100000), "stop": Decimal(100500)},
        {"side": "SELL", "kind": "STOP_LIMIT", "price": Decimal(100500), "stop": Decimal(100000)},
    ):
        with pytest.raises(NotSentError, match=r"expected|needs one|has none"):
            stage.broker.send(stage.new(**wrong))
    stage.quiet(0.1)

    assert {report.key.local_id for report in stage.reports[told:]} <= set(stage.ids)  # late words of the others


@case(11)
def symbols_and_accounts_that_nobody_knows_are_refused(stage):
    new = stage.new(price=stage.resting("BUY"))
    unknown = type(stage.account)(9, "nobody")
    with pytest.raises(NotSentError, match="XYZF27"):
        stage.broker.send(
            type(new)(id="x", account=stage.account, symbol="XYZF27", side="BUY", kind="MARKET", quantity=1)
        )
    with pytest.raises(NotSentError, match="9:nobody"):
        stage.broker.send(
            type(new)(id="y", account=unknown, symbol=stage.symbol, side="BUY", kind="MARKET", quantity=1)
        )
