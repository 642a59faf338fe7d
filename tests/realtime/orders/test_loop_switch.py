"""The kill switch in the loop: nothing leaves after the latch, and it goes on until nothing works."""

import datetime as dt
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.orders.broker import Sent
from realtime.orders.commands import CancelAll, CommandError, Flatten, Release
from realtime.orders.records import Caller
from realtime.orders.service import probe_of
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, SYMBOL, base, elsewhere, rules, scene


def test_the_switch_cancels_everything_and_nothing_leaves_after_it(tmp_path):
    with scene(tmp_path) as s:
        entries = [s.place(1, str(130_000 - 5 * n)) for n in range(5)]
        s.loop.pull("a person asked", ANA)
        s.loop.step()
        s.loop.step()

        assert {e.order.status for e in entries} == {Status.CANCELED}
        assert s.refusal() == "KILL_SWITCH"
        s.settle(3)
        assert not s.loop.winding.busy


def test_the_switch_goes_on_after_a_restart_until_the_broker_lists_nothing(tmp_path):
    with scene(tmp_path) as s:
        s.place(1)
        s.place(1, "129990")
        s.broker.cancels = False
        s.loop.pull("a person asked", ANA)
        s.settle(2)
        assert len(s.exchange.working) == 2
        s.restart()
        s.settle(10)

        assert s.exchange.working == []
        assert not s.loop.winding.busy


def test_the_latch_that_falls_between_intent_and_send_stops_the_order(tmp_path):
    with scene(tmp_path) as s:
        record = s.loop.chronicle.record_durably

        def slow(entry, *more):
            found = record(entry, *more)
            if type(entry).__name__ == "Intended":
                s.loop.pull("in the middle", ANA)
            return found

        s.loop.chronicle.record_durably = slow
        entry = s.place()

        assert s.broker.sends() == []
        assert entry.order.status is Status.FAILED


def test_the_latch_that_falls_while_an_order_waits_for_the_broker_stops_it(tmp_path):
    with scene(tmp_path) as s:
        working = s.place(1, "129990")
        s.broker.waits = lambda: s.loop.pull("while it waited", ANA)
        with pytest.raises(CommandError, match="while it waited"):
            s.alter(working, quantity=2)
        s.switch.release()
        entry = s.place()

        assert len(s.broker.sends()) == 1
        assert not any(call.name == "change" for call in s.broker.calls)
        assert entry.order.status is Status.FAILED


def test_a_release_needs_a_person_and_a_reason_and_survives_a_restart(tmp_path):
    with scene(tmp_path) as s:
        s.loop.pull("a person asked", ANA)
        s.settle(3)
        with pytest.raises(CommandError, match="reason"):
            s.ask(Release(caller=ANA, reason=" "))
        with pytest.raises(CommandError) as error:
            s.ask(Release(caller=Caller(user="bot", source="agent"), reason="I feel fine"))
        assert error.value.status == 403
        s.ask(Release(caller=ANA, reason="checked with the desk"))
        s.place()
        s.restart()

        assert s.switch.latch is None


def test_a_pull_that_comes_while_it_is_released_stays_also_in_the_journal(tmp_path):
    with scene(tmp_path) as s:
        s.loop.pull("first", ANA)
        s.settle(1)
        record = s.loop.chronicle.record_durably

        def recorded(*args, **more):
            s.loop.pull("second", ANA)
            return record(*args, **more)

        s.loop.chronicle.record_durably = recorded
        with pytest.raises(CommandError, match="pulled again"):
            s.ask(Release(caller=ANA, reason="seen the first one"))
        s.settle(1)
        assert s.ledger.latch is not None
        s.restart()

        assert s.switch.latch is not None
        assert s.refusal() == "KILL_SWITCH"


def test_the_daily_loss_pulls_the_switch_and_closes_the_position(tmp_path):
    with scene(tmp_path, rules=rules(flatten_on_loss=True), base=base(daily_loss=Decimal(500))) as s:
        s.place(10)
        s.broker.fill("EX1", 10)
        s.loop.step()
        s.tick("129760")  # 240 points at BRL 2 a point
        s.settle(1)
        assert s.switch.latch is None
        s.tick("129750")
        s.settle(3)
        assert s.switch.latch is not None
        assert "daily loss" in s.switch.latch.reason
        close = s.exchange.arrivals[-1]
        assert (close.side, close.quantity, close.kind) == ("SELL", 10, "MARKET")
        s.broker.fill("EX2", 10, "129750")
        s.settle(5)

        assert s.ledger.nets("1:0042") == {}
        assert len(s.exchange.arrivals) == 2


def test_a_switch_that_could_not_close_tries_again_when_it_is_pulled_again(tmp_path):
    """Five refusals within a second, as of a market that stands still, were the end: nothing else may close then."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        s.broker.faults = ["refused"] * 5
        s.loop.pull("enough", ANA, flatten=True)
        s.settle(3)
        assert 1 < len(s.broker.faults) < 5
        s.settle(30)
        assert (s.broker.faults, len(s.exchange.arrivals)) == ([], 1)
        s.loop.pull("close them", ANA, flatten=True)
        s.settle(2)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[1:]] == [("SELL", 2)]


def test_an_order_that_cannot_be_cancelled_keeps_no_position_elsewhere_open(tmp_path):
    with scene(tmp_path) as s:
        s.tick("5000", "WDOZ26")
        s.place(2)
        s.broker.fill("EX1", 2)
        stuck = s.place(1, "5000", symbol="WDOZ26")
        s.place(1, "129000")
        cancel = s.broker.cancel
        s.broker.cancel = lambda account, key: Sent(2, 99) if key.exchange_id == "EX2" else cancel(account, key)
        s.loop.pull("enough", ANA, flatten=True)
        s.settle(5)

        assert [(o.symbol, o.side, o.quantity) for o in s.exchange.arrivals[3:]] == [(SYMBOL, "SELL", 2)]
        assert (stuck.order.status, s.loop.winding.busy) == (Status.SUBMITTED, True)


@pytest.mark.parametrize("pulled", [False, True])
def test_an_order_of_which_nobody_knows_which_it_is_keeps_no_position_open(tmp_path, pulled):
    """Those that it may be were cancelled; it worked on in the books until its day had ended."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        s.broker.faults, s.broker.loads = ["unclear after"], False
        name = s.place(1, "129000").order.id
        s.exchange.arrived(structs.replace(s.broker.sends()[-1], id=""), None)
        s.broker.loads = True
        s.settle(60)
        assert s.ledger.entries[name].disputed
        if pulled:
            s.loop.pull("enough", ANA, flatten=True)
        else:
            s.ask(Flatten(caller=ANA))
        s.settle(5)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[3:]] == [("SELL", 2)]
        s.broker.fill("EX4", 2)
        s.settle(3)
        assert not s.loop.winding.busy


def test_a_stale_mark_refuses_new_risk_and_does_not_pull_the_switch(tmp_path):
    with scene(tmp_path, base=base(daily_loss=Decimal(500), price_age=dt.timedelta(hours=1))) as s:
        s.place(10)
        s.broker.fill("EX1", 10)
        s.loop.step()
        s.tick("100000")
        s.clock.move(120)
        s.loop.step()

        assert s.switch.latch is None
        assert s.refusal(1, "100000") == "DAILY_LOSS"


@pytest.mark.parametrize(("share", "pulled"), [("37", True), ("42", True), ("47", False)])
def test_a_stale_mark_of_one_symbol_does_not_hide_what_is_lost_in_another(tmp_path, share, pulled):
    """A share that did not trade for a minute kept the switch from every loss."""
    with scene(tmp_path, base=base(daily_loss=Decimal(1500))) as s:
        for symbol, price, quantity, name in (("PETR4", "38", 100, "EX1"), (SYMBOL, "130000", 10, "EX2")):
            s.tick(price, symbol)
            s.place(quantity, price, symbol=symbol)
            s.broker.fill(name, quantity, price)
        s.tick(share, "PETR4")
        s.settle(90)
        assert s.switch.latch is None
        s.tick("129000")  # BRL 2000
        s.settle(1)

        assert (s.switch.latch is not None) is pulled


def test_a_stale_mark_keeps_nobody_from_closing_what_is_held_elsewhere(tmp_path):
    with scene(tmp_path) as s:
        s.tick("5000", "WDOZ26")
        s.place(2)
        s.place(2, "5000", symbol="WDOZ26")
        s.broker.fill("EX1", 2)
        s.broker.fill("EX2", 2, "5000")
        s.loop.step()
        s.clock.move(120)
        s.tick("5000", "WDOZ26")

        assert s.refusal(1, "5000", symbol="WDOZ26") == "DAILY_LOSS"
        assert s.refusal(3, "5000", symbol="WDOZ26", side="SELL") == "DAILY_LOSS"
        s.place(2, "5000", symbol="WDOZ26", side="SELL")


def test_foreign_orders_after_the_latch_are_left_to_the_person(tmp_path):
    with scene(tmp_path) as s:
        s.loop.pull("a person asked", ANA)
        s.settle(2)
        s.broker.tell(s.exchange.arrived(elsewhere(1), None))
        s.settle(5)

        assert len(s.exchange.working) == 1


def test_a_foreign_order_that_was_known_before_the_latch_is_cancelled_by_whatever_clock_it_was_made(tmp_path):
    with scene(tmp_path) as s:
        report = s.exchange.arrived(elsewhere(1), None)
        ahead = s.clock() + dt.timedelta(seconds=30)
        s.broker.tell(s.exchange.put(report, created=ahead))
        s.settle(5)
        s.loop.pull("a person asked", ANA)
        s.settle(3)

        assert s.exchange.working == []


def test_a_loop_that_dies_ends_the_process_and_says_so(tmp_path, monkeypatch):
    with scene(tmp_path) as s:
        ended = []
        s.loop.died = lambda: ended.append(1)
        monkeypatch.setattr(s.broker, "wait", lambda _: 1 / 0)
        waiting = s.loop.ask(CancelAll(caller=ANA))
        s.loop.start()
        with pytest.raises(CommandError, match="has ended"):
            waiting.result(10)
        s.loop._thread.join(10)

        assert ended == [1]
        assert "ZeroDivisionError" in str(probe_of(s.loop)())
        with pytest.raises(CommandError, match="ending"):
            s.loop.answer(CancelAll(caller=ANA))
