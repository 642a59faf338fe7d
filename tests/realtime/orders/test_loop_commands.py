"""Flatten, cancel all, limits at run time, who may do what, and a loop in which something breaks."""

from decimal import Decimal

import pytest

from realtime.orders.broker import NotReadyError
from realtime.orders.commands import CancelAll, CommandError, Flatten, SetLimits
from realtime.orders.journal import records as journal_records
from realtime.orders.limits import Change
from realtime.orders.records import Caller
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, BASE, SYMBOL, base, place, scene


def test_flatten_cancels_and_then_closes(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        working = s.place(1, "129990")
        s.ask(Flatten(caller=Caller(user="flow", source="strategy"), symbol=SYMBOL))
        s.settle(3)
        assert working.order.status is Status.CANCELED
        assert (s.exchange.arrivals[-1].side, s.exchange.arrivals[-1].quantity) == ("SELL", 2)
        s.broker.fill("EX3", 2)
        s.settle(3)

        assert s.ledger.nets("1:0042") == {}
        assert len(s.exchange.arrivals) == 3


def test_flatten_closes_what_fills_while_it_is_being_cancelled(tmp_path):
    """Nothing was held when somebody wanted to be flat, so that nothing was closed afterwards."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.cancels = False
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.broker.fill("EX1", 2)
        s.settle(3)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[1:]] == [("SELL", 2)]


def test_flatten_waits_until_its_own_cancellations_leave_room_for_the_closing_order(tmp_path):
    with scene(tmp_path, base=base(per_second=10)) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        for n in range(12):
            s.settle(0.5)
            s.place(1, str(129_000 - 5 * n))
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.loop.step()
        assert (s.exchange.working, s.exchange.arrivals[-1].side) == ([], "BUY")
        s.settle(3)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[13:]] == [("SELL", 2)]
        assert not s.ledger.refusals


def test_flatten_outlasts_the_minute_that_its_cancellations_have_used_up(tmp_path):
    with scene(tmp_path, base=base(per_minute=8)) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.settle(70)
        for n in range(4):
            s.place(1, str(129_000 - 5 * n))
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.clock.move(0.1)  # no look at the very end of the minute
        s.settle(70)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[5:]] == [("SELL", 2)]


def test_a_switch_that_closes_is_not_crossed_by_an_earlier_wish_to_be_flat(tmp_path):
    """The wish cancelled each closing order of the switch, until it had tried often enough."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.place(1, "129000")
        s.broker.cancels = False
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.loop.pull("enough", ANA, flatten=True)
        s.broker.cancels = True
        s.settle(5)
        closing = [e.order for e in s.ledger.entries.values() if e.order.side == "SELL"]

        assert [(order.quantity, order.status) for order in closing] == [(2, Status.SUBMITTED)]
        assert [each.refusal.code for each in s.ledger.refusals] == ["KILL_SWITCH"]


AGENT = Caller(user="analyst", source="agent")


def test_a_wish_to_be_flat_that_could_not_be_followed_is_forgotten(tmp_path):
    """The library hung: an order of an hour ago surprises whoever has closed by hand, or bought anew."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        position = s.broker.position

        def hangs(*_):
            raise NotReadyError("GetPositionV2 has not come back")

        s.broker.position = hangs
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.settle(80)
        assert s.loop.winding.busy
        s.settle(20)
        s.broker.position = position
        s.settle(5)

        assert not s.loop.winding.busy
        assert len(s.broker.sends()) == 1


def test_flatten_outlasts_a_lost_link(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        s.broker.up = False
        s.settle(1)
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.settle(3)
        assert len(s.exchange.arrivals) == 1
        s.broker.up = True
        s.settle(5)

        assert [(o.side, o.quantity) for o in s.exchange.arrivals[1:]] == [("SELL", 2)]
        assert not s.ledger.refusals


@pytest.mark.parametrize(("caller", "check"), [(AGENT, "SOURCE"), (ANA, "KILL_SWITCH")])
def test_what_lets_no_closing_order_leave_is_said_at_once_and_what_works_is_cancelled(tmp_path, caller, check):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        working = s.place(1, "129990")
        if check == "KILL_SWITCH":
            s.loop.pull("a person asked", ANA)
        done = s.ask(Flatten(caller=caller, symbol=SYMBOL))
        s.settle(3)

        assert (done.refusal.code, done.text) == (check, SYMBOL)
        assert working.order.status is Status.CANCELED
        assert s.ledger.nets("1:0042") == {SYMBOL: 2}
        assert [each.refusal.code for each in s.ledger.refusals] == [check]
        assert len(s.exchange.arrivals) == 2


def test_an_agent_does_not_keep_a_person_from_being_flat(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        s.broker.cancels = False  # not yet
        s.place(1, "129990")
        assert s.ask(Flatten(caller=ANA, symbol=SYMBOL)).refusal is None
        s.ask(Flatten(caller=AGENT, symbol=SYMBOL))
        s.broker.cancels = True
        s.settle(3)

        assert (s.exchange.arrivals[-1].side, s.exchange.arrivals[-1].quantity) == ("SELL", 2)


def test_an_agent_that_is_flat_has_nothing_refused(tmp_path):
    with scene(tmp_path) as s:
        s.place(1)
        done = s.ask(Flatten(caller=AGENT))

        assert (len(done.orders), done.text, done.refusal) == (1, "", None)


def test_an_agent_pulls_the_switch_and_closes_nothing_by_it(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        latch = s.loop.pull("I do not like it", AGENT, flatten=True)
        s.settle(3)
        assert (latch.flatten, len(s.exchange.arrivals)) == (False, 1)
        s.loop.pull("close them", ANA, flatten=True)
        s.settle(3)

        assert (s.exchange.arrivals[-1].side, s.exchange.arrivals[-1].quantity) == ("SELL", 2)


def test_cancel_all_keeps_to_its_symbol(tmp_path):
    with scene(tmp_path) as s:
        s.tick("5000", "WDOZ26")
        win, wdo = s.place(1), s.place(1, "5000", symbol="WDOZ26")
        s.ask(CancelAll(caller=ANA, symbol=SYMBOL))
        s.loop.step()

        assert (win.order.status, wdo.order.status) == (Status.CANCELED, Status.SUBMITTED)


def test_a_fault_of_the_adapter_with_one_order_keeps_no_other_from_being_cancelled(tmp_path):
    with scene(tmp_path) as s:
        first, second = s.place(1), s.place(1, "129990")
        cancel = s.broker.cancel

        def breaks(account, key):
            return cancel(account, key) if key.exchange_id == "EX2" else 1 / 0

        s.broker.cancel = breaks
        assert len(s.ask(CancelAll(caller=ANA)).orders) == 2
        s.loop.step()
        assert (first.order.status, second.order.status) == (Status.SUBMITTED, Status.CANCELED)
        s.broker.cancel = cancel
        s.settle(1)

        assert first.order.status is Status.CANCELED


def test_limits_change_at_run_time_with_their_story_and_survive_a_restart(tmp_path):
    with scene(tmp_path) as s:
        s.ask(SetLimits(caller=ANA, change=Change(positions={SYMBOL: 1}), version=1))
        assert s.refusal(2) == "POSITION_LIMIT"
        with pytest.raises(CommandError) as error:
            s.ask(SetLimits(caller=ANA, change=Change(positions={SYMBOL: 9}), version=1))
        assert error.value.status == 409
        s.restart()
        assert s.refusal(2) == "POSITION_LIMIT"
        (kept,) = [r for r in journal_records(tmp_path / "journal.jsonl") if r.kind == "limits"]

        assert kept.body["before"]["positions"] == {SYMBOL: BASE.position}
        assert kept.body["change"]["positions"] == {SYMBOL: 1}
        assert kept.body["caller"]["user"] == "ana"


def test_limits_stay_while_the_switch_is_on(tmp_path):
    with scene(tmp_path) as s:
        s.loop.pull("a person asked", ANA)
        with pytest.raises(CommandError) as error:
            s.ask(SetLimits(caller=ANA, change=Change(daily_loss=Decimal(900))))

        assert error.value.status == 403


def test_agents_propose_and_do_not_execute(tmp_path):
    with scene(tmp_path) as s:
        assert s.refusal(caller=Caller(user="analyst", source="agent")) == "SOURCE"
        assert s.refusal(confidence=0.59) == "CONFIDENCE"
        s.place(confidence=0.6)
        assert s.refusal(caller=Caller(user="x", source="strategy")) == "CONFIDENCE"


def test_what_the_broker_cannot_do_is_refused_and_what_it_emulates_is_said(tmp_path):
    with scene(tmp_path) as s:
        assert s.refusal(time_in_force="FOK") == "TIME_IN_FORCE"
        reply = s.ask(place(1, None, kind="STOP", stop=Decimal(130_005)))

        assert reply.status == 202
        assert "kind STOP became STOP_LIMIT" in reply.body


def test_what_breaks_in_the_loop_takes_the_right_to_trade_until_it_is_reconciled(tmp_path, monkeypatch):
    with scene(tmp_path) as s:
        entry = s.place()
        monkeypatch.setattr(s.loop._hearing, "report", lambda *_: 1 / 0)
        s.broker.fill("EX1", 1)
        s.loop.step()
        assert s.loop.broken == 1
        assert s.refusal(1, "129990") == "CONNECTION"
        monkeypatch.undo()
        s.settle()

        assert entry.order.status is Status.FILLED
        s.place(1, "129990")
