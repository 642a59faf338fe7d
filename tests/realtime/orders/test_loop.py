"""The order loop over a broker that fails in every way: nothing doubled, nothing lost, nothing past the latch."""

import datetime as dt
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.orders.broker import NotSentError, OrderKey
from realtime.orders.chronicle import opened
from realtime.orders.commands import Alter, CancelAll, CommandError, Flatten, Release, Rule, SetLimits
from realtime.orders.ground import Ways
from realtime.orders.journal import records as journal_records
from realtime.orders.journal import verify
from realtime.orders.ledger import positions_again
from realtime.orders.limits import Change
from realtime.orders.prices import Prices
from realtime.orders.records import Caller, entry_of
from realtime.orders.service import probe_of
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, BASE, KEY, NOON, SYMBOL, answers, base, place, rules, scene


def test_an_order_leaves_is_confirmed_and_filled(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(3)
        assert entry.order.status is Status.SUBMITTED
        assert entry.order.exchange_id == "EX1"
        s.broker.fill("EX1", 1)
        s.broker.fill("EX1", 2, "130010")
        s.loop.step()

        assert entry.order.status is Status.FILLED
        assert [(fill.quantity, fill.price) for fill in entry.fills] == [(1, 130_000), (2, 130_010)]
        assert s.ledger.nets("1:0042") == {SYMBOL: 3}


def test_the_intent_is_on_the_disk_before_the_order_leaves(tmp_path):
    with scene(tmp_path) as s:
        seen = []
        send = s.broker.send

        def watched(order, *gate):
            seen.extend(r.kind for r in journal_records(tmp_path / "journal.jsonl"))
            return send(order, *gate)

        s.broker.send = watched
        s.place()

        assert seen[-1] == "intent"


def test_nothing_leaves_before_the_first_reconciliation(tmp_path):
    with scene(tmp_path, ready=False) as s:
        assert s.refusal() == "CONNECTION"
        s.settle()
        s.place()

        assert len(s.broker.sends()) == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("refused", Status.FAILED),
        ("late", Status.SUBMITTED),
        ("late no", Status.FAILED),
        ("rejected", Status.REJECTED),
        ("unclear before", Status.UNKNOWN),
        ("unclear after", Status.UNKNOWN),
        ("broken", Status.UNKNOWN),
    ],
)
def test_every_way_a_send_can_end_has_its_status(tmp_path, fault, status):
    with scene(tmp_path) as s:
        s.broker.faults = [fault]
        entry = s.place()
        s.loop.step()

        assert entry.order.status is status
        assert len(s.broker.sends()) == 1


@pytest.mark.parametrize(
    ("fault", "status", "arrived"),
    [
        ("unclear before", Status.FAILED, 0),
        ("broken", Status.FAILED, 0),
        ("silent", Status.FAILED, 0),
        ("unclear after", Status.SUBMITTED, 1),
        ("late", Status.SUBMITTED, 1),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
def test_what_was_unclear_is_settled_by_the_list_and_never_sent_again(tmp_path, fault, status, arrived, killed):
    with scene(tmp_path) as s:
        s.broker.faults = [fault]
        name = s.place().order.id
        if killed:
            s.restart()
        s.settle(40)

        assert s.order(name).status is status
        assert len(s.exchange.arrivals) == arrived
        assert [e.order.id for e in s.ledger.entries.values()] == [name]


class KilledError(BaseException):
    """The process ends here: nothing catches it."""


@pytest.mark.parametrize(("arrived", "status"), [(False, Status.FAILED), (True, Status.SUBMITTED)])
def test_an_order_whose_send_the_process_died_in_is_unknown_until_the_list_tells(tmp_path, arrived, status):
    with scene(tmp_path) as s:
        send = s.broker.send

        def died(order, *gate):
            if arrived:
                send(order, *gate)
            raise KilledError

        s.broker.send = died
        with pytest.raises(KilledError):
            s.ask(place(2))
        s.restart(loads=False)
        (entry,) = s.ledger.entries.values()
        assert entry.order.status is Status.UNKNOWN
        assert entry.order.text == "the process ended while it was being sent"
        s.broker.loads = True
        s.settle(60)

        assert entry.order.status is status
        assert len(s.exchange.arrivals) == int(arrived)


def test_an_unknown_order_blocks_its_twin_and_counts_in_full(tmp_path):
    with scene(tmp_path, base=base(position=4)) as s:
        s.broker.faults = ["unclear after"]
        s.broker.loads = False
        s.place(2)

        assert s.refusal(2) == "DUPLICATE"
        assert s.refusal(3, "130005") == "POSITION_LIMIT"
        s.place(2, "130005")


def test_an_order_that_the_broker_has_not_named_yet_blocks_its_twin(tmp_path):
    with scene(tmp_path) as s:
        s.broker.confirms = False
        s.place(1)

        assert s.refusal(1) == "DUPLICATE"
        s.place(1, "129995")


def test_a_silent_drop_becomes_unknown_and_then_is_settled(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["silent"]
        entry = s.place()
        s.settle(6)
        assert entry.order.status is Status.UNKNOWN
        s.settle(20)

        assert entry.order.status is Status.FAILED


def test_a_restart_finds_everything_as_it_was(tmp_path):
    with scene(tmp_path) as s:
        first, second = s.place(3).order.id, s.place(2, "129990").order.id
        s.broker.fill("EX1", 2)
        s.loop.step()
        before = {name: entry.order for name, entry in s.ledger.entries.items()}
        position = dict(s.ledger.positions)
        s.restart()

        assert {name: entry.order for name, entry in s.ledger.entries.items()} == before
        assert s.ledger.positions == position
        assert s.order(first).traded == 2
        s.cancel(s.ledger.entries[second])
        s.loop.step()
        assert s.order(second).status is Status.CANCELED


def test_what_was_filled_while_the_process_was_dead_is_found(tmp_path):
    with scene(tmp_path) as s:
        name = s.place(3).order.id
        s.broker.fill("EX1", 3, told=False)
        s.restart()

        assert s.order(name).status is Status.FILLED
        assert s.ledger.nets("1:0042") == {SYMBOL: 3}
        assert not s.ledger.differences


def test_a_fill_whose_order_had_no_name_yet_counts_once_after_a_restart(tmp_path):
    with scene(tmp_path) as s:
        s.broker.confirms = False
        name = s.place(2, None).order.id
        report = s.exchange.traded("EX1", 2, Decimal(130_000))
        s.broker.tell(structs.replace(report, key=OrderKey(1, None)))
        s.loop.step()
        assert (s.order(name).status, s.order(name).exchange_id) == (Status.FILLED, None)
        s.restart()

        assert list(s.ledger.entries) == [name]
        assert s.order(name).exchange_id == "EX1"
        assert s.ledger.nets("1:0042") == {SYMBOL: 2}


def test_an_order_placed_elsewhere_is_adopted_and_counts(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        report = s.exchange.arrived(s_order(4), None)
        s.broker.tell(report)
        s.loop.step()

        (foreign,) = s.ledger.entries.values()
        assert foreign.foreign
        assert foreign.order.id.startswith("EXT-")
        assert s.refusal(2) == "POSITION_LIMIT"
        s.cancel(foreign)
        s.loop.step()
        assert foreign.order.status is Status.CANCELED


def s_order(quantity: int):
    from realtime.orders.broker import NewOrder
    from tests.realtime.orders.scripted_broker import ACCOUNT

    return NewOrder(
        id="", account=ACCOUNT, symbol=SYMBOL, side="BUY", kind="LIMIT", quantity=quantity, price=Decimal(130_000)
    )


def test_of_two_alike_at_the_broker_neither_is_taken_for_ours(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["unclear after"]
        s.broker.loads = False
        name = s.place(1).order.id
        s.exchange.arrived(s_order(1), None)
        s.broker.loads = True
        s.settle(60)

        assert s.order(name).status is Status.UNKNOWN
        assert s.ledger.entries[name].disputed
        assert sum(e.foreign for e in s.ledger.entries.values()) == 2
        s.ask(Rule(caller=ANA, order=name, status=Status.CANCELED, reason="it is EX1"))
        assert s.order(name).status is Status.CANCELED


def test_a_position_that_our_fills_do_not_explain_is_taken_over_before_anything_leaves(tmp_path):
    with scene(tmp_path, ready=False) as s:
        s.exchange.held[SYMBOL] = 4
        s.settle(1)
        assert s.refusal() == "CONNECTION"
        s.settle(6)

        assert s.ledger.nets("1:0042") == {SYMBOL: 4}
        s.place()


def test_a_lost_link_stops_orders_until_it_is_reconciled_again(tmp_path):
    with scene(tmp_path) as s:
        s.place()
        s.broker.link(up=False)
        s.loop.step()
        assert s.refusal(1, "129990") == "CONNECTION"
        s.broker.fill("EX1", 1, told=False)
        s.broker.link(up=True)
        s.settle()

        assert s.ledger.nets("1:0042") == {SYMBOL: 1}
        s.place(1, "129990")


# --- idempotency ---


def test_the_same_key_gets_the_same_answer_and_sends_once(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(key="k1"))
        second = s.ask(place(key="k1"))
        s.restart()
        third = s.ask(place(key="k1"))

        assert first == second == third
        assert len(s.exchange.arrivals) == 1


def test_the_same_key_with_another_body_is_refused(tmp_path):
    with scene(tmp_path) as s:
        s.ask(place(key="k1"))
        with pytest.raises(CommandError) as error:
            s.ask(place(2, key="k1"))

        assert error.value.status == 422


def test_a_refusal_is_remembered_as_well(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(1, "1", key="k1"))
        s.restart()

        assert s.ask(place(1, "1", key="k1")) == first


def test_a_key_is_free_again_after_a_day(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(key="k1"))
        s.clock.move(24 * 3600 + 1)
        s.tick()
        s.settle()

        assert s.ask(place(2, key="k1")).body != first.body


# --- the journal ---


def test_without_a_journal_no_order_leaves_and_cancellations_do(tmp_path):
    with scene(tmp_path) as s:
        name = s.place().order.id
        s.loop.chronicle.close()
        s.switch.close()
        s.start(key=None)
        s.settle()

        assert s.refusal(1, "129990") == "JOURNAL"
        s.cancel(s.ledger.entries[name])
        s.loop.step()
        assert s.order(name).status is Status.CANCELED
        s.loop.pull("test", ANA)
        assert s.switch.latch


def test_a_journal_whose_disk_is_full_stops_orders_not_cancellations_nor_the_switch(tmp_path, monkeypatch):
    with scene(tmp_path) as s:
        entry = s.place()
        second = s.place(1, "129990")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        s.headed()  # or the head would meet the full disk before the order does
        monkeypatch.setattr("realtime.orders.journal.durable.sync", full)
        with pytest.raises(CommandError, match="was not sent"):
            s.ask(place(1, "129985"))
        assert s.refusal(1, "129985") == "JOURNAL"
        s.cancel(entry)
        s.loop.step()
        assert entry.order.status is Status.CANCELED
        s.loop.pull("loss", ANA)
        s.loop.step()
        s.loop.step()
        assert second.order.status is Status.CANCELED
        monkeypatch.undo()
        s.restart()

        assert s.switch.latch is not None
        assert len(s.exchange.arrivals) == 2


def test_a_broken_chain_blocks_orders_and_is_said(tmp_path):
    with scene(tmp_path) as s:
        s.place()
        s.close()
        path = tmp_path / "journal.jsonl"
        path.write_bytes(path.read_bytes().replace(b"130000", b"130005", 1))
        s.start()
        s.settle()

        assert s.refusal(1, "129990") == "JOURNAL"
        assert "line" in (s.loop.chronicle.trouble or "")


def test_a_lost_switch_file_beside_a_journal_means_on(tmp_path):
    with scene(tmp_path) as s:
        s.place()
        (tmp_path / "switch").unlink()
        s.restart()

        assert s.refusal(1, "129990") == "KILL_SWITCH"


def test_the_ledger_is_what_the_journal_says_at_any_time(tmp_path):
    with scene(tmp_path) as s:
        for n in range(1, 6):
            s.place(n, str(130_000 - 5 * n), side="BUY" if n % 2 else "SELL")
            s.broker.fill(f"EX{n}", (n + 1) // 2, str(130_000 - 5 * n))
            s.loop.step()
        s.settle(1)
        s.close()
        entries = [entry_of(r.kind, r.body) for r in journal_records(tmp_path / "journal.jsonl")]
        again = opened(tmp_path, KEY, s.limits, s.clock)
        again.close()

        assert again.ledger.entries == s.ledger.entries
        assert again.ledger.positions == s.ledger.positions
        assert all(now == then for now, then in positions_again(s.ledger, filter(None, entries)))
        assert verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY).holds


# --- changes and cancellations ---


def test_a_change_is_decided_like_an_order_and_takes_effect(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        entry = s.place(3)
        assert s.alter(entry, quantity=6).body.startswith("POSITION_LIMIT")
        assert s.alter(entry, price=Decimal(129_995), quantity=5).status == 202
        s.loop.step()

        assert (entry.order.quantity, entry.order.price) == (5, 129_995)
        assert entry.change is None


def test_while_a_change_is_on_its_way_the_worse_counts(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        entry = s.place(1)
        s.broker.tell = lambda *_: None  # the exchange says nothing for a while
        s.alter(entry, quantity=4)

        assert s.refusal(2, "129990") == "POSITION_LIMIT"
        with pytest.raises(CommandError, match="being sent or changed"):
            s.alter(entry, quantity=2)


def test_a_smaller_order_may_always_be_made_smaller(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(3)
        s.tick("90000")  # the collar would refuse a new one

        assert s.alter(entry, quantity=2).status == 202


def test_cancelling_twice_succeeds_and_a_filled_order_cannot_be(tmp_path):
    with scene(tmp_path) as s:
        entry, filled = s.place(), s.place(1, "129990")
        s.cancel(entry)
        s.loop.step()
        s.cancel(entry)
        s.broker.fill("EX2", 1, "129990")
        s.loop.step()
        with pytest.raises(CommandError) as error:
            s.cancel(filled)

        assert error.value.status == 400
        assert sum(call.name == "cancel" for call in s.broker.calls) == 1


def test_a_cancellation_of_what_nobody_knows_waits_for_its_name(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["unclear after"]
        entry = s.place()
        s.cancel(entry)
        assert entry.cancel_wanted
        s.settle(8)

        assert entry.order.status is Status.CANCELED


def test_a_cancellation_of_what_the_broker_does_not_know_yet_stays_wanted(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place()
        s.broker.knows = False
        s.cancel(entry)
        s.settle(1)
        assert entry.cancel_wanted
        s.broker.knows = True
        s.settle(1)

        assert entry.order.status is Status.CANCELED


@pytest.mark.parametrize("again", [False, True])
def test_a_change_that_was_not_sent_leaves_its_key_free(tmp_path, again):
    with scene(tmp_path) as s:
        entry = s.place(3)
        keyed = Caller(user="ana", key="k1", body_hash="2")
        command = Alter(caller=keyed, answers=answers(), order=entry.order.id, quantity=2)

        def refused() -> None:
            raise NotSentError("not now")

        s.broker.waits = refused
        with pytest.raises(CommandError) as error:
            s.ask(command)
        assert error.value.status == 409
        s.broker.waits = lambda: None
        if again:
            s.restart()

        assert s.ask(command).status == 202
        s.loop.step()
        assert s.order(entry.order.id).quantity == 2


def test_a_cancellation_that_could_not_be_told_is_told_when_the_link_is_back(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place()
        s.broker.link(up=False)
        s.cancel(entry)
        name = entry.order.id
        s.restart()

        assert s.order(name).status is Status.CANCELED


def test_the_rest_of_a_partial_fill_is_cancelled_after_its_time(tmp_path):
    with scene(tmp_path, rules=rules(partial_seconds=30.0)) as s:
        entry = s.place(3)
        s.broker.fill("EX1", 1)
        s.settle(29)
        assert entry.order.status is Status.PARTIALLY_FILLED
        s.settle(3)

        assert (entry.order.status, entry.order.traded) == (Status.CANCELED, 1)


# --- the switch ---


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


def test_foreign_orders_after_the_latch_are_left_to_the_person(tmp_path):
    with scene(tmp_path) as s:
        s.loop.pull("a person asked", ANA)
        s.settle(2)
        s.broker.tell(s.exchange.arrived(s_order(1), None))
        s.settle(5)

        assert len(s.exchange.working) == 1


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


# --- others ---


def test_flatten_cancels_and_then_closes(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        working = s.place(1, "129990")
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.settle(3)
        assert working.order.status is Status.CANCELED
        assert (s.exchange.arrivals[-1].side, s.exchange.arrivals[-1].quantity) == ("SELL", 2)
        s.broker.fill("EX3", 2)
        s.settle(3)

        assert s.ledger.nets("1:0042") == {}
        assert len(s.exchange.arrivals) == 3


def test_cancel_all_keeps_to_its_symbol(tmp_path):
    with scene(tmp_path) as s:
        s.tick("5000", "WDOZ26")
        win, wdo = s.place(1), s.place(1, "5000", symbol="WDOZ26")
        s.ask(CancelAll(caller=ANA, symbol=SYMBOL))
        s.loop.step()

        assert (win.order.status, wdo.order.status) == (Status.CANCELED, Status.SUBMITTED)


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


def test_what_the_broker_cannot_do_is_refused_and_what_it_emulates_is_said(tmp_path):
    with scene(tmp_path) as s:
        assert s.refusal(time_in_force="FOK") == "TIME_IN_FORCE"
        reply = s.ask(place(1, None, kind="STOP", stop=Decimal(130_005)))

        assert reply.status == 202
        assert "kind STOP became STOP_LIMIT" in reply.body


def test_a_new_day_counts_from_its_settlement(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        s.tick("130500")
        s.clock.at = NOON + dt.timedelta(days=1)
        s.tick("130500")
        s.settle(1)
        (position,) = s.ledger.positions.values()

        assert (position.opened, position.basis, position.average) == (2, 130_500, 130_000)


def test_a_morning_start_waits_for_the_settlement_of_what_is_held(tmp_path):
    ways = Ways(always_open=False, twin_seconds=0.0)
    with scene(tmp_path, rules=rules(ways=ways), base=base(daily_loss=Decimal(500))) as s:
        s.place(20)
        s.broker.fill("EX1", 20)
        s.loop.step()
        s.clock.at = NOON + dt.timedelta(days=1)
        s.prices = Prices(s.clock)
        s.tick("129700")  # a loss of BRL 1200 from the entry, of 400 from the settlement
        s.restart()

        assert s.ledger.session == NOON.date()
        assert s.switch.latch is None
        assert s.refusal(1, "129700") == "CONNECTION"
        assert "settlement yet of WINZ26" in str(probe_of(s.loop)())
        s.prices._settlements[SYMBOL] = Decimal(129_800)
        s.settle(1)
        (position,) = s.ledger.positions.values()
        assert (s.ledger.session, position.basis) == (s.clock().date(), 129_800)
        assert s.switch.latch is None
        s.place(1, "129700")
        s.tick("129500")
        s.settle(1)

        assert s.switch.latch is not None


def test_shares_have_no_settlement_to_wait_for(tmp_path):
    ways = Ways(always_open=False, twin_seconds=0.0)
    with scene(tmp_path, rules=rules(ways=ways)) as s:
        s.tick("38", "PETR4")
        s.place(100, "38", symbol="PETR4")
        s.broker.fill("EX1", 100, "38")
        s.loop.step()
        s.clock.at = NOON + dt.timedelta(days=1)
        s.prices = Prices(s.clock)
        s.tick("37", "PETR4")  # of today: no price to begin the day from
        s.restart()
        (position,) = s.ledger.positions.values()

        assert (s.ledger.session, position.basis, position.opened) == (s.clock().date(), 38, 100)


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
