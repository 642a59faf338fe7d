"""The loop under a clock that somebody sets: nothing is forgotten, doubled, or taken for fresh."""

import datetime as dt
from decimal import Decimal

from realtime.orders.states import Status
from tests.realtime.orders.scenes import ANA, base, scene

MIDNIGHT = dt.datetime(2026, 11, 19, 3, tzinfo=dt.UTC)  # in São Paulo
HOUR, DAY = 3600, 24 * 3600


def test_no_number_of_an_order_comes_twice_when_the_clock_is_put_back_over_midnight(tmp_path):
    with scene(tmp_path) as s:
        s.clock.at = MIDNIGHT - dt.timedelta(seconds=1)
        made = []
        for price, seconds in (("129990", 0), ("129985", 1.1), ("129980", -0.4), ("129975", 0)):
            s.clock.move(seconds)
            s.tick()
            made.append(s.place(1, price).order.id)

        assert len(set(made)) == 4
        assert sorted(s.ledger.working) == sorted(made)
        s.restart()
        assert sorted(s.ledger.working) == sorted(made)


def test_a_clock_that_is_put_back_by_a_day_forgets_no_loss_of_it(tmp_path):
    with scene(tmp_path) as s:
        s.place(1)
        s.broker.fill("EX1", 1, "130000")
        s.place(1, "129000", side="SELL")
        s.broker.fill("EX2", 1, "129000")
        s.settle(1)
        s.clock.move(-DAY)
        s.tick()
        s.settle(1)
        (position,) = s.ledger.positions.values()
        assert (s.ledger.session, position.day_realised) == (s.clock().date(), -200)
        s.restart()
        for results in (-200, 0):  # of the same day once more, and of the next one
            s.clock.move(DAY)
            s.tick()
            s.settle(1)
            assert s.ledger.positions["1:0042", "WINZ26"].day_realised == results


def test_a_day_that_a_wrong_clock_began_too_early_begins_when_it_comes(tmp_path):
    """It counted as the one of which a clock was put back: a gain of the day before hid its losses."""
    with scene(tmp_path) as s:
        for seconds in (DAY, -DAY):
            s.clock.move(seconds)
            s.tick()
            s.settle(1)
        s.place(1)
        s.broker.fill("EX1", 1, "130000")
        s.place(1, "131000", side="SELL")
        s.broker.fill("EX2", 1, "131000")
        s.settle(1)
        assert s.ledger.positions["1:0042", "WINZ26"].day_realised == 200
        s.restart()
        s.clock.at = MIDNIGHT + dt.timedelta(hours=6)
        s.tick()
        s.settle(1)

        assert s.ledger.positions["1:0042", "WINZ26"].day_realised == 0


def test_a_clock_that_is_put_back_keeps_orders_back_for_a_minute_and_no_longer(tmp_path):
    """All that had left since then counted as just now, until it was as late again."""
    with scene(tmp_path, base=base(per_minute=5)) as s:
        for _ in range(5):
            s.place(1, "129000")
            s.settle(20)
        s.clock.move(-HOUR)
        s.settle(10)
        assert s.refusal(1, "128000") == "MESSAGE_RATE"
        s.settle(60)
        s.place(1, "128000")


def test_a_clock_that_is_put_back_leaves_no_rest_working_and_no_silent_order_unasked(tmp_path):
    with scene(tmp_path) as s:
        rest = s.place(3, "129000")
        s.broker.fill("EX1", 1, "129000")
        s.loop.step()
        s.broker.faults = ["silent"]
        silent = s.place(1)
        s.clock.move(-HOUR)
        s.settle(20)

        assert rest.order.status is Status.CANCELED
        assert silent.order.status is Status.FAILED


def test_a_clock_that_is_put_back_leaves_no_order_unknown_until_it_is_as_late_again(tmp_path):
    """The list settled nothing for as long, and the switch closed no position of the symbol."""
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.broker.faults = ["unclear before"]
        name = s.place(1, "129000").order.id
        s.clock.move(-HOUR)
        s.settle(8)
        assert s.order(name).status is Status.UNKNOWN
        s.settle(8)

        assert s.order(name).status is Status.FAILED


def test_a_clock_that_is_put_back_stops_neither_lists_nor_cancellations(tmp_path):
    with scene(tmp_path) as s:
        entry = s.place()
        s.broker.cancels = False
        s.loop.pull("enough", ANA)
        s.settle(3)
        s.clock.move(-HOUR)
        s.tick()
        lists = sum(call.name == "load" for call in s.broker.calls)
        s.broker.cancels = True
        s.settle(3)

        assert entry.order.status is Status.CANCELED
        assert sum(call.name == "load" for call in s.broker.calls) > lists


def test_a_price_of_a_time_to_come_is_no_reference(tmp_path):
    with scene(tmp_path) as s:
        s.clock.move(-HOUR)
        assert s.refusal() == "PRICE_COLLAR"
        s.tick()

        assert s.place().order.price == Decimal(130_000)
