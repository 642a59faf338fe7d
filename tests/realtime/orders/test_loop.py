"""The order loop over a broker that fails in every way: each send has its end, and none is sent twice."""

import threading
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.orders.broker import OrderKey, RequestNews
from realtime.orders.commands import Answers, CancelAll
from realtime.orders.journal import records as journal_records
from realtime.orders.records import Reply
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, RULES, SYMBOL, base, place, scene


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


def test_an_unnamed_order_blocks_its_twin_also_when_it_has_traded_in_part(tmp_path):
    with scene(tmp_path) as s:
        s.broker.confirms = False
        s.place(2)
        s.broker.tell(structs.replace(s.exchange.traded("EX1", 1, Decimal(130_000)), key=OrderKey(1, None)))
        s.loop.step()

        assert s.refusal(2) == "DUPLICATE"


@pytest.mark.parametrize("ended", [False, True])
def test_a_send_that_failed_ends_no_order_that_the_exchange_has_named(tmp_path, ended):
    """It may work: what it can still trade counts until its own report, or a list, says that it has ended."""
    with scene(tmp_path, base=base(position=5)) as s:
        entry = s.place(4)
        s.broker.put(RequestNews(message=1000, local_id=1, code=7, text="sem saldo"))
        s.loop.step()
        assert s.refusal(2, "129990") == "POSITION_LIMIT"
        if ended:
            s.exchange.put(s.exchange.orders["EX1"], status=8)
        s.settle(4)

        assert entry.order.status is (Status.REJECTED if ended else Status.SUBMITTED)


def test_a_silent_drop_becomes_unknown_and_then_is_settled(tmp_path):
    with scene(tmp_path) as s:
        s.broker.faults = ["silent"]
        entry = s.place()
        s.settle(6)
        assert entry.order.status is Status.UNKNOWN
        s.settle(20)

        assert entry.order.status is Status.FAILED


def test_rehearsals_go_on_and_nothing_of_them_stays(tmp_path):
    rehearsed, told = threading.Event(), []

    def placed(order, _):
        told.append(order.id)
        if len(told) == 5:
            rehearsed.set()
        return Reply(202, order.id)

    with scene(tmp_path, rules=structs.replace(RULES, rehearse_seconds=0.0001)) as s:
        command = place(2)
        command = structs.replace(command, answers=Answers(placed=placed, refused=command.answers.refused))
        s.loop.start()
        reply = s.loop.answer(command)
        assert rehearsed.wait(20)
        assert s.loop.stop(60)

        assert [order.quantity for order in s.exchange.arrivals] == [2]
        assert list(s.ledger.entries) == [reply.body]
        kinds = [r.kind for r in journal_records(tmp_path / "journal.jsonl")]
        assert kinds.count("intent") == 1
        assert s.loop.broken == 0


def test_a_rehearsal_that_breaks_is_said_and_not_tried_again(tmp_path):
    told, broke = [], threading.Event()

    def placed(order, _):
        told.append(order.id)
        if len(told) > 1:
            broke.set()
            raise ValueError("what nobody can say twice")
        return Reply(202, order.id)

    with scene(tmp_path, rules=structs.replace(RULES, rehearse_seconds=0.0001)) as s:
        command = place(2)
        s.loop.start()
        s.loop.answer(structs.replace(command, answers=Answers(placed=placed, refused=command.answers.refused)))
        assert broke.wait(20)
        for _ in range(3):  # rounds of the loop
            s.loop.answer(CancelAll(caller=ANA))

        assert len(told) == 2
        assert s.loop.broken == 1
        assert s.loop.stop(60)
