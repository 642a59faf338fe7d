"""The loop over several days: sessions begin with settlements, and what ended long ago stays ended."""

import datetime as dt
from decimal import Decimal

import pytest

from realtime.orders.broker import AccountId
from realtime.orders.commands import Flatten
from realtime.orders.ground import Ways
from realtime.orders.prices import Prices
from realtime.orders.service import probe_of
from tests.realtime.orders.scenes import ANA, NOON, SYMBOL, base, rules, scene
from tests.realtime.orders.scripted_broker import ScriptedBroker

DAYS_LATER = 3 * 24 * 3600


def test_an_order_that_was_let_go_is_not_adopted_when_an_old_list_still_has_it(tmp_path):
    with scene(tmp_path) as s:
        resting = s.place(3, "129000", time_in_force="GTC")
        filled = s.place(2)
        s.broker.fill(filled.order.exchange_id, 2)
        s.settle()
        s.clock.move(DAYS_LATER)
        s.settle(70)

        assert filled.order.id not in s.ledger.entries
        assert [entry.order.id for entry in s.ledger.working.values()] == [resting.order.id]
        assert not [entry for entry in s.ledger.entries.values() if entry.foreign]
        assert s.ledger.nets("1:0042") == {"WINZ26": 2}
        assert not s.ledger.differences


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
        s.prices.noted_settlement(SYMBOL, Decimal(129_800))
        s.settle(1)
        (position,) = s.ledger.positions.values()
        assert (s.ledger.session, position.basis) == (s.clock().date(), 129_800)
        assert s.switch.latch is None
        s.place(1, "129700")
        s.tick("129500")
        s.settle(1)

        assert s.switch.latch is not None


def test_a_process_that_runs_over_night_does_not_count_from_the_settlement_of_before(tmp_path):
    ways = Ways(always_open=False, twin_seconds=0.0)
    with scene(tmp_path, rules=rules(ways=ways)) as s:
        s.prices.noted_settlement(SYMBOL, Decimal(125_000))
        s.place(20)
        s.broker.fill("EX1", 20)
        s.loop.step()
        s.clock.at = NOON + dt.timedelta(days=1)
        s.settle(1)
        assert s.loop.day.missing == (SYMBOL,)
        assert s.refusal(1) == "CONNECTION"
        s.prices.noted_settlement(SYMBOL, Decimal(130_100))
        s.settle(1)
        (position,) = s.ledger.positions.values()

        assert (s.ledger.session, position.basis) == (s.clock().date(), 130_100)


@pytest.mark.parametrize("always_open", [True, False])
def test_what_was_filled_before_the_night_while_the_process_was_dead_is_of_the_day_before(tmp_path, always_open):
    """It counted from its own price as a fill of today, with what the price had moved until the settlement."""
    with scene(tmp_path, rules=rules(ways=Ways(always_open=always_open, twin_seconds=0.0))) as s:
        s.place(2)
        s.broker.fill("EX1", 2, told=False)
        s.clock.at = NOON + dt.timedelta(days=1)
        s.prices = Prices(s.clock)
        s.tick("130900")
        s.prices.noted_settlement(SYMBOL, Decimal(130_800))
        s.restart()
        (position,) = s.ledger.positions.values()

        assert (s.ledger.session, position.opened, position.basis) == (s.clock().date(), 2, 130_800)


def test_a_working_order_of_an_account_that_the_broker_has_no_more_keeps_no_day_from_beginning(tmp_path, monkeypatch):
    with scene(tmp_path, rules=rules(ways=Ways(always_open=False, twin_seconds=0.0))) as s:
        s.place(2, "129000", time_in_force="GTC")
        s.clock.at = NOON + dt.timedelta(days=1)
        s.exchange.orders.clear()
        monkeypatch.setattr(ScriptedBroker, "accounts", lambda _: [AccountId(1, "0043")])
        s.restart()

        assert s.ledger.session == s.clock().date()
        assert s.place(1).order.account == "1:0043"


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


def test_while_the_day_waits_a_position_may_be_closed_and_nothing_else(tmp_path):
    ways = Ways(always_open=False, twin_seconds=0.0)
    with scene(tmp_path, rules=rules(ways=ways), base=base(daily_loss=Decimal(500))) as s:
        s.place(20)
        s.broker.fill("EX1", 20)
        s.loop.step()
        resting = s.place(3, "129000", time_in_force="GTC").order.id
        s.clock.at = NOON + dt.timedelta(days=1)
        s.prices = Prices(s.clock)
        s.tick("129700")  # by the entry's price more than the day may lose; by the settlement nobody knows
        s.restart()
        assert s.loop.day.missing == (SYMBOL,)
        assert s.refusal(1, "129700") == "CONNECTION"
        assert s.refusal(21, "129700", side="SELL") == "CONNECTION"
        s.place(5, "129700", side="SELL")
        assert s.alter(s.ledger.entries[resting], quantity=4).status == 403
        assert s.alter(s.ledger.entries[resting], quantity=2).status == 202
        s.ask(Flatten(caller=ANA, symbol=SYMBOL))
        s.settle(3)
        closing = s.exchange.arrivals[-1]

        assert (closing.side, closing.kind, closing.quantity) == ("SELL", "MARKET", 20)
