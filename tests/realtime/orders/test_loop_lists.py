"""What the broker lists, after restarts and lost links: settled by it, adopted, taken over; nothing is sent again."""

import itertools
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.orders.broker import OrderKey, PositionNews, RequestNews, Sent
from realtime.orders.commands import Rule
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, SYMBOL, base, elsewhere, scene
from tests.realtime.orders.scripted_broker import ACCOUNT


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


def test_a_cancellation_that_was_lost_is_told_again_after_a_restart(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(3)
        s.broker.cancel = lambda *_: Sent(1, 99)
        s.cancel(entry)
        assert entry.order.canceling
        s.restart()

        assert s.order(entry.order.id).status is Status.CANCELED
        assert sum(call.name == "cancel" for call in s.broker.calls) == 1


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
        report = s.exchange.arrived(elsewhere(4), None)
        s.broker.tell(report)
        s.loop.step()

        (foreign,) = s.ledger.entries.values()
        assert foreign.foreign
        assert foreign.order.id.startswith("EXT-")
        assert s.refusal(2) == "POSITION_LIMIT"
        s.cancel(foreign)
        s.loop.step()
        assert foreign.order.status is Status.CANCELED


@pytest.mark.parametrize("ruled", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_an_order_that_was_ended_here_and_reaches_the_exchange_late_counts(tmp_path, listed, ruled):
    """It stayed ended, and what it could still trade counted nowhere; the switch did not cancel it."""
    with scene(tmp_path, base=base(position=5)) as s:
        s.broker.faults, s.broker.loads = ["silent"], not ruled
        ended = s.place(4).order.id
        s.settle(30)
        if ruled:
            s.ask(Rule(caller=ANA, order=ended, status=Status.CANCELED, reason="the desk does not see it"))
        status = s.order(ended).status
        assert status is (Status.CANCELED if ruled else Status.FAILED)
        report = s.exchange.arrived(s.broker.sends()[0], 1)
        s.broker.loads = True
        if listed:
            s.broker._by_local[1] = "EX1"
            s.settle(70)
        else:
            s.broker.tell(report, 2)
            s.loop.step()

        assert s.refusal(2, "129990") == "POSITION_LIMIT"
        s.broker.fill("EX1", 1)
        s.loop.step()
        assert (s.order(ended).status, s.ledger.nets("1:0042")) == (status, {SYMBOL: 1})
        s.loop.pull("enough", ANA)
        s.settle(3)
        assert s.exchange.working == []
        assert not s.loop.winding.busy


def test_an_order_that_was_ended_here_and_is_made_after_the_switch_is_cancelled_though_only_the_list_tells(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["silent"]
        ended = s.place(4).order.id
        s.settle(30)
        assert s.order(ended).status is Status.FAILED
        s.loop.pull("enough", ANA)
        s.settle(3)
        s.exchange.arrived(s.broker.sends()[0], 1)
        s.broker._by_local[1] = "EX1"
        s.settle(70)

        assert s.exchange.working == []


def test_of_two_alike_at_the_broker_neither_is_taken_for_ours(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["unclear after"]
        s.broker.loads = False
        name = s.place(1).order.id
        s.exchange.arrived(elsewhere(1), None)
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


def test_a_fill_that_is_told_after_the_position_counts_once_with_its_loss(tmp_path):
    """The position was taken over first, so that the loss of the closing fill was nobody's."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2, "130000")
        s.loop.step()
        s.place(2, "129000", side="SELL")
        s.broker.fill("EX2", 2, "129000", told=False)
        s.broker.put(PositionNews(ACCOUNT, SYMBOL))
        s.settle(5)
        s.broker.tell(s.exchange.orders["EX2"])
        s.settle(5)
        (position,) = s.ledger.positions.values()

        assert (position.net, position.day_realised) == (0, -400)
        assert not s.ledger.differences


def test_a_fill_after_the_end_is_never_applied_and_the_position_is_looked_at_at_once(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(3)
        s.cancel(entry)
        s.settle(3)
        s.broker.fill("EX1", 2)
        s.settle(10)

        assert (entry.order.status, entry.order.traded, len(entry.fills)) == (Status.CANCELED, 0, 0)
        assert entry.contradiction == "2 more traded after CANCELED"
        assert s.ledger.nets("1:0042") == {SYMBOL: 2}


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


def test_an_order_that_hung_on_its_way_is_ours_when_it_comes_after_the_link(tmp_path):
    """The call hung longer than a list is waited for: the first list without it says nothing, and no twin may leave."""
    with scene(tmp_path) as s:
        s.broker.faults = ["unclear before"]
        entry = s.place(1, "130000")
        sent = s.broker.sends()[-1]
        s.broker.link(up=False)
        s.settle(20)
        s.broker.link(up=True)
        s.settle(3)
        assert entry.order.status == "UNKNOWN"
        s.exchange.arrived(sent, None)
        s.settle(6)

        assert [(e.order.id, e.order.status, e.foreign) for e in s.ledger.working.values()] == [
            (entry.order.id, "SUBMITTED", False)
        ]


def test_an_order_that_never_left_is_settled_some_time_after_the_link(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["unclear before"]
        entry = s.place(1, "130000")
        s.broker.link(up=False)
        s.settle(20)
        s.broker.link(up=True)
        s.settle(14)

        assert entry.order.status == "FAILED"


def test_a_failed_request_without_a_number_is_about_no_order(tmp_path):
    """Some releases of the DLL number no requests: the last order would be taken for rejected, and lives."""
    with scene(tmp_path) as s:
        s.broker._messages = itertools.repeat(0)
        entry = s.place(1, "130000")
        s.broker.put(RequestNews(message=0, local_id=None, code=5, text="of something else"))
        s.loop.step()

        assert entry.order.status == "SUBMITTED"
