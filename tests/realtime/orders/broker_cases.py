"""What every broker must do, as numbered cases. A second real broker needs one module and these.

`needs` names what the stage must be able to bring about; a broker's test says which of these powers its stage lacks
and XX
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec import Struct

from realtime.orders.broker import BrokerError, NotLoadedError, NotReadyError, NotSentError, OrderKey, UnknownOrderError
from realtime.orders.states import FINAL, Status
from tests.realtime.orders.broker_stage import Stage, as_told, sums


class Case(Struct, frozen=True):
    number: int
    title: str
    needs: str  # one of the stage's powers, or none
    alone: bool
    after: int
    run: Callable[[Stage], None]


CASES: dict[int, Case] = {}
OPEN = (Status.SUBMITTED, Status.PARTIALLY_FILLED)


def case(
    number: int, *, needs: str = "", alone: bool = False, after: int = 0
) -> Callable[[Callable[[Stage], None]], None]:
    def kept(run: Callable[[Stage], None]) -> None:
        assert number not in CASES
        CASES[number] = Case(number, run.__name__.replace("_", " "), needs, alone or after > 0, after, run)

    return kept


# ---- the way of an order


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

    assert len(stage.reports) == told


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


# ---- its end


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


# ---- changes


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


# ---- refusals and silence


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
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"])
    listed = [r for r in stage.broker.listed(stage.account) if r.key.local_id == stage.orders[name].local_id]
    assert all(report.key.exchange_id is None and report.traded == 0 for report in listed)


# ---- news that mislead


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


# ---- lists and positions


@case(70)
def the_list_says_what_was_told(stage):
    resting = stage.working(quantity=2)
    filled = stage.send(quantity=2)
    stage.until_status(filled, Status.FILLED)
    loaded = stage.seen["ListLoaded"]
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"] > loaded)
    found = [report for report in stage.broker.listed(stage.account) if report.key.exchange_id]
    listed = {report.key.exchange_id: report for report in found}

    for name in (resting, filled):
        assert as_told(listed[stage.orders[name].exchange_id]) == as_told(stage.of(name)[-1])
    assert len(listed) == len(found)


@case(71)
def what_the_list_says_is_what_the_state_machine_knows(stage):
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"])
    stage.quiet(0.2)
    listed = {report.key.local_id: report for report in stage.broker.listed(stage.account)}

    for order in stage.orders.values():
        if order.exchange_id is None:
            continue
        report = listed[order.local_id]
        assert report.traded == order.traded
        assert (report.status in (2, 3, 4, 8, 12, 15, 17, 18, 204, 205)) == (order.status in FINAL)


@case(72)
def a_position_is_the_sum_of_the_fills(stage):
    stage.quiet(0.2)
    fills = sum(
        (fill.quantity if stage.orders[name].side == "BUY" else -fill.quantity)
        for name, each in stage.fills.items()
        for fill in each
    )

    assert stage.net() == fills
    assert {held.symbol: held.quantity for held in stage.broker.positions(stage.account)}.get(stage.symbol, 0) == fills


@case(73)
def a_symbol_that_was_never_traded_has_no_position(stage):
    assert stage.broker.position(stage.account, "WDOX99") is None


@case(74)
def through_zero_the_average_price_begins_again(stage):
    net = stage.net()
    if net:
        stage.until_status(stage.send(side="SELL" if net > 0 else "BUY", quantity=abs(net)), Status.FILLED)
    stage.until(lambda: stage.net() == 0)
    stage.until_status(stage.send(quantity=2), Status.FILLED)
    last = stage.send(side="SELL", price=stage.fillable("SELL"), quantity=3)
    stage.until_status(last, Status.FILLED)
    stage.until(lambda: stage.net() == -1)
    held = stage.broker.position(stage.account, stage.symbol)

    assert held.average_price in {fill.price.quantize(held.average_price) for fill in stage.fills[last]}
    assert held.sold >= 3
    assert held.bought >= 2


# ---- the link


@case(80, needs="restart", alone=True)
def orders_are_left_at_the_exchange(stage):
    filled, gone = stage.send(quantity=3), stage.working()
    stage.until_status(filled, Status.FILLED)
    resting = stage.working(quantity=2)
    stage.cancel(gone)
    stage.until_status(gone, Status.CANCELED)

    stage.remember([as_told(stage.of(name)[-1]) for name in (filled, gone, resting)])


@case(81, needs="restart", after=80)
def after_a_restart_the_list_has_them_under_their_exchange_ids(stage):
    told = {report.key.exchange_id: report for report in stage.remembered()}
    with pytest.raises(NotLoadedError):
        stage.broker.listed(stage.account)
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"])
    listed = {report.key.exchange_id: as_told(report) for report in stage.broker.listed(stage.account)}

    assert listed == told
    assert stage.net() == 3
    resting = next(report.key for report in listed.values() if report.status == 0)
    stage.broker.cancel(stage.account, resting)
    stage.until(lambda: any(r.key.exchange_id == resting.exchange_id and r.status == 4 for r in stage.reports))
    fresh = stage.send()
    stage.until_status(fresh, Status.FILLED)
    assert stage.orders[fresh].exchange_id not in told


@case(82, needs="link", alone=True)
def without_a_link_nothing_leaves_and_afterwards_the_list_is_loaded_again(stage):
    name = stage.working()
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"] == 1)
    stage.bring("link", 0)
    stage.until(lambda: stage.links[-1] is False)

    assert not stage.broker.ready
    with pytest.raises(NotReadyError):
        stage.broker.send(stage.new())
    with pytest.raises(NotLoadedError):
        stage.broker.listed(stage.account)
    stage.bring("link", 1)
    stage.until(lambda: stage.links[-1] is True)
    with pytest.raises(NotLoadedError):
        stage.broker.listed(stage.account)
    stage.broker.load(stage.account, stage.began)
    stage.until(lambda: stage.seen["ListLoaded"] == 2)
    assert [r.status for r in stage.broker.listed(stage.account)] == [stage.of(name)[-1].status]


@case(83, needs="hang", alone=True)
def a_call_that_does_not_come_back_is_unclear_and_told_later(stage):
    stage.bring("hang", 4)
    hung = stage.new(price=stage.resting("BUY"))
    with pytest.raises(BrokerError) as raised:
        stage.broker.send(hung)
    assert type(raised.value).__name__ == "UnclearError"
    with pytest.raises(NotReadyError):
        stage.broker.send(stage.new(price=stage.resting("BUY")))
    stage.until(lambda: stage.late)

    late = stage.late[0]
    assert late.id == hung.id
    assert late.sent is not None
    stage.until(lambda: any(r.key.local_id == late.sent.local_id and r.status == 0 for r in stage.reports))
    assert len({report.key.local_id for report in stage.reports}) == 1
    stage.until_status(stage.send(), Status.FILLED)


@case(84, needs="foreign")
def an_order_placed_outside_is_told_like_any_other(stage):
    stage.bring("foreign")
    known = set(stage.ids)
    stage.until(lambda: any(r.key.exchange_id and r.key.local_id not in known for r in stage.reports))


@case(99)
def nothing_impossible_was_told_in_all_of_these(stage):
    assert stage.contradictions == []
