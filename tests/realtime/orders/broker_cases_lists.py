"""Lists, positions and the link: what is asked for agrees with what was told."""

import pytest

from realtime.orders.broker import BrokerError, NotLoadedError, NotReadyError
from realtime.orders.states import FINAL, Status
from tests.realtime.orders.broker_case import case
from tests.realtime.orders.broker_stage import as_told


@case(70)
def the_list_says_what_was_told(stage):
    resting = stage.working(quantity=2)
    filled = stage.send(quantity=2)
    stage.until_status(filled, Status.FILLED)
    stage.load()
    found = [report for report in stage.broker.listed(stage.account) if report.key.exchange_id]
    listed = {report.key.exchange_id: report for report in found}

    for name in (resting, filled):
        assert as_told(listed[stage.orders[name].exchange_id]) == as_told(stage.of(name)[-1])
    assert len(listed) == len(found)


@case(71)
def what_the_list_says_is_what_the_state_machine_knows(stage):
    stage.load()
    listed = {report.key.local_id: report for report in stage.broker.listed(stage.account)}
    named = [name for name, order in stage.orders.items() if order.exchange_id is not None]
    stage.until(lambda: all(stage.orders[n].traded >= listed[stage.orders[n].local_id].traded for n in named))
    stage.quiet(0.2)

    for order in (stage.orders[name] for name in named):
        report = listed[order.local_id]
        assert report.traded == order.traded
        assert (report.status in (2, 3, 4, 8, 12, 15, 17, 18, 204, 205)) == (order.status in FINAL)


@case(72)
def a_position_is_the_sum_of_the_fills(stage):
    def told() -> int:
        return sum(
            (fill.quantity if stage.orders[name].side == "BUY" else -fill.quantity)
            for name, each in stage.fills.items()
            for fill in each
        )

    stage.until(lambda: stage.net() == told())
    stage.quiet(0.2)
    fills = told()

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
    stage.load()
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
    stage.load()
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
    stage.load()
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
