"""Changes and cancellations on their way: the worse counts, a cancellation always passes."""

from decimal import Decimal

import pytest

from realtime.orders.broker import NotSentError, RequestNews, Sent
from realtime.orders.commands import Alter, CommandError
from realtime.orders.records import Caller
from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, answers, base, rules, scene


def test_a_change_is_decided_like_an_order_and_takes_effect(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        entry = s.place(3)
        assert s.alter(entry, quantity=6).body.startswith("POSITION_LIMIT")
        assert s.alter(entry, price=Decimal(129_995), quantity=5).status == 202
        s.loop.step()

        assert (entry.order.quantity, entry.order.price) == (5, 129_995)
        assert entry.change is None


def test_a_stop_that_was_moved_stays_where_it_was_moved_to(tmp_path):
    """The next change once sent the stop of before along with a new quantity."""
    with scene(tmp_path) as s:
        entry = s.place(3, "130100", kind="STOP_LIMIT", stop=Decimal(130_050))
        s.alter(entry, stop=Decimal(130_080))
        s.loop.step()
        assert (entry.order.stop, entry.change) == (130_080, None)
        s.alter(entry, quantity=2)
        s.loop.step()

        assert s.exchange.orders["EX1"].stop == 130_080


def test_while_a_change_is_on_its_way_the_worse_counts(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        entry = s.place(1)
        s.broker.tell = lambda *_: None  # the exchange says nothing for a while
        s.alter(entry, quantity=4)

        assert s.refusal(2, "129990") == "POSITION_LIMIT"
        with pytest.raises(CommandError, match="being sent or changed"):
            s.alter(entry, quantity=2)


@pytest.mark.parametrize("listed", [False, True])
def test_news_of_the_change_before_does_not_end_the_one_that_is_on_its_way(tmp_path, listed):
    """An order that was changed once stays `replaced`: saying so again freed what the second change had reserved."""
    with scene(tmp_path, base=base(position=7)) as s:
        entry = s.place(3)
        s.alter(entry, quantity=4)
        s.loop.step()
        before, tell = s.exchange.orders["EX1"], s.broker.tell
        s.broker.tell = lambda *_: None  # the exchange says nothing of the second one for a while
        s.alter(entry, quantity=6)
        s.exchange.orders["EX1"] = before
        if listed:
            s.loop.agreement.soon()
            s.settle(3)
        else:
            tell(before)
            s.loop.step()

        assert entry.change is not None
        assert s.refusal(2, "129990") == "POSITION_LIMIT"


@pytest.mark.parametrize("killed", [False, True])
def test_a_change_that_never_came_is_settled_by_the_list_and_keeps_its_answer(tmp_path, killed):
    """It was waited for without end: the order could not be changed any more, and counted as both."""
    with scene(tmp_path) as s:
        name = s.place(3).order.id
        command = Alter(caller=Caller(user="ana", key="k", body_hash="2"), answers=answers(), order=name, quantity=4)
        put, s.exchange.put = s.exchange.put, lambda report, **_: report
        first = s.ask(command)
        s.exchange.put = put
        s.settle(4)
        assert s.ledger.entries[name].change is not None
        if killed:
            s.restart()
        s.settle(70)
        entry = s.ledger.entries[name]
        assert (entry.change, entry.order.replacing, entry.order.quantity) == (None, False, 3)
        assert s.ask(command) == first

        assert s.alter(entry, quantity=2).status == 202
        s.loop.step()
        assert entry.order.quantity == 2


def test_an_order_that_is_being_cancelled_is_not_changed(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(2)
        s.broker.cancel = lambda *_: Sent(1, 99)  # and nothing is heard of it
        s.cancel(entry)
        with pytest.raises(CommandError, match="being cancelled"):
            s.alter(entry, quantity=4)

        assert not any(call.name == "change" for call in s.broker.calls)


def test_an_order_that_the_broker_has_not_named_blocks_the_twins_of_before_and_after_its_change(tmp_path):
    with scene(tmp_path) as s:
        s.broker.confirms = False
        entry = s.place(3)
        s.broker.tell = lambda *_: None
        s.alter(entry, quantity=4, price=Decimal(129_995))

        assert (s.refusal(3), s.refusal(4, "129995")) == ("DUPLICATE", "DUPLICATE")
        s.place(4)


@pytest.mark.parametrize("came_true", [False, True])
def test_late_words_of_a_change_that_was_given_up_do_not_end_the_next_one(tmp_path, came_true):
    with scene(tmp_path, base=base(position=7)) as s:
        entry = s.place(3)
        put, s.exchange.put = s.exchange.put, lambda report, **_: report
        s.alter(entry, quantity=4)
        s.settle(75)
        assert entry.change is None
        s.alter(entry, quantity=6)
        if came_true:
            s.broker.tell(put(s.exchange.orders["EX1"], quantity=4, status=5))
        else:
            s.broker.put(RequestNews(message=1001, local_id=1, code=9, text="too late"))
        s.loop.step()
        assert s.refusal(2, "129990") == "POSITION_LIMIT"
        s.exchange.put = put
        s.settle(75)

        assert (entry.change, entry.order.quantity, entry.order.replacing) == (None, 4 if came_true else 3, False)


def test_a_smaller_order_may_always_be_made_smaller(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(3)
        s.tick("90000")  # the collar would refuse a new one

        assert s.alter(entry, quantity=2).status == 202


@pytest.mark.parametrize("source", ["agent", "telegram"])
def test_who_only_proposes_may_make_an_order_smaller_and_nothing_else_of_it(tmp_path, source):
    with scene(tmp_path) as s:
        order = s.place(2).order.id
        for change in ({"quantity": 3}, {"price": Decimal(130_005)}):
            reply = s.ask(Alter(caller=Caller(user="x", source=source), answers=answers(), order=order, **change))
            assert (reply.status, reply.body.split(":")[0]) == (403, "SOURCE")

        reply = s.ask(Alter(caller=Caller(user="x", source=source), answers=answers(), order=order, quantity=1))
        assert reply.status == 202


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


def test_a_rest_whose_cancellation_is_refused_is_asked_for_again_after_its_time_alone(tmp_path):
    """It was asked for four times a second, each time on the disk."""
    with scene(tmp_path, rules=rules(partial_seconds=10.0)) as s:
        s.place(3)
        s.broker.fill("EX1", 1)
        asked = []

        def refused(*_: object) -> None:
            asked.append(s.clock())
            raise NotSentError("not in an auction")

        s.broker.cancel = refused
        s.settle(40)

        assert len(asked) == 3


def test_a_strategy_changes_what_it_sent_itself_and_nobody_elses(tmp_path):
    flow, other = Caller(user="flow", source="strategy"), Caller(user="ebb", source="strategy")
    with scene(tmp_path) as s:
        mine, hers = s.place(2, caller=flow, confidence=0.9), s.place(2, "129990")
        for caller, entry, status in ((flow, mine, 202), (other, mine, 403), (flow, hers, 403), (ANA, mine, 202)):
            s.settle(1)
            assert entry.order.price is not None
            price = entry.order.price - 5
            assert s.ask(Alter(caller=caller, answers=answers(), order=entry.order.id, price=price)).status == status
        refusal = s.ledger.refusals[-1].refusal

        assert (refusal.code, refusal.limit, refusal.observed) == ("SOURCE", "api ana, who sent it", "strategy flow")


@pytest.mark.parametrize(("code", "tells"), [(1, 3), (9, 1)])
def test_a_cancellation_that_the_market_never_saw_is_told_again_and_one_that_it_refused_is_not(tmp_path, code, tells):
    with scene(tmp_path) as s:
        entry = s.place(1)
        s.broker.cancels, s.broker.cancel_code = False, code
        s.cancel(entry)
        s.settle(30)
        assert len([call for call in s.broker.calls if call.name == "cancel"]) == tells
        assert (entry.order.status, entry.order.canceling) == (Status.SUBMITTED, False)


def test_a_cancellation_that_a_broken_line_lost_comes_through_once_there_is_a_line(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place(1)
        s.broker.cancels, s.broker.cancel_code = False, 1
        s.cancel(entry)
        s.loop.step()
        s.broker.link(up=False)
        s.settle(60)
        s.broker.cancels = True
        s.broker.link(up=True)
        s.settle(6)

        assert entry.order.status == Status.CANCELED
