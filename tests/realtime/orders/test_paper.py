"""What the paper broker keeps, and that the same tape gives the same fills."""

import datetime as dt
import json
import os
import random
from decimal import Decimal

import pytest

from realtime.orders.broker import (
    AccountId,
    LinkNews,
    NewOrder,
    NotReadyError,
    NotSentError,
    OrderKey,
    OrderNews,
    RequestNews,
)
from realtime.orders.matching import Trade
from realtime.orders.paper import ACCOUNT, Model, PaperBroker
from realtime.orders.paper_book import BookError, Holding, filled
from realtime.orders.switch import Latch, Switch

NOON = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)  # a Thursday, in São Paulo
DAY = NOON.date()


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def opened(path, clock, **model):
    broker = PaperBroker(path, model=Model(**model), now=clock)
    broker.news()
    return broker


def new(**given):
    figures = {"kind": "LIMIT", "price": Decimal(131000), "side": "BUY", "quantity": 2, "symbol": "WINX99"}
    return NewOrder(id="ours", account=ACCOUNT, **{**figures, **given})


def traded(broker, price, quantity, symbol="WINX99"):
    broker.trade(Trade(symbol=symbol, price=Decimal(price), quantity=quantity))


def reports(broker):
    return [news.report for news in broker.news() if isinstance(news, OrderNews)]


def test_the_queue_at_the_best_price_is_what_the_quote_says(clock):
    broker = opened(None, clock)
    broker.quote("WINX99", buy=True, price=Decimal(131000), quantity=7)
    broker.send(new())
    traded(broker, 131000, 7)
    assert reports(broker)[-1].traded == 0
    traded(broker, 131000, 1)
    assert reports(broker)[-1].traded == 1


def test_lots_and_ticks_of_the_symbol_are_the_model_s_units(clock):
    broker = opened(None, clock, slippage_ticks=3, queue_lots=2)
    broker.send(new(symbol="PETR4", kind="MARKET", price=None, quantity=100))
    traded(broker, "38.42", 500, "PETR4")
    assert reports(broker)[-1].average_price == Decimal("38.45")
    broker.send(new(symbol="PETR4", price=Decimal("38.00"), quantity=100))
    traded(broker, "38.00", 200, "PETR4")
    traded(broker, "38.00", 50, "PETR4")
    assert reports(broker)[-1].traded == 50


def test_the_book_is_there_again_after_a_kill(clock, tmp_path):
    broker = opened(tmp_path / "paper.jsonl", clock)
    broker.send(new(kind="MARKET", price=None, quantity=5))
    traded(broker, 131250, 3)  # and nobody closes it

    again = opened(tmp_path / "paper.jsonl", clock)
    again.load(ACCOUNT, NOON)
    (report,) = again.listed(ACCOUNT)
    assert (report.traded, report.quantity, report.key.local_id) == (3, 5, None)
    assert again.position(ACCOUNT, "WINX99").quantity == 3
    traded(again, 131300, 9)
    assert reports(again)[-1].average_price == (3 * Decimal(131255) + 2 * Decimal(131305)) / 5
    assert again.position(ACCOUNT, "WINX99").quantity == 5


def test_a_torn_last_line_is_left_out_and_a_wrong_one_is_named(clock, tmp_path):
    path = tmp_path / "paper.jsonl"
    opened(path, clock).send(new())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    again = opened(path, clock)
    again.load(ACCOUNT, NOON)
    assert len(again.listed(ACCOUNT)) == 1
    again.close()

    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(BookError, match="line 1"):
        opened(path, clock)


def test_old_orders_leave_the_file_and_numbers_go_on(clock, tmp_path):
    path = tmp_path / "paper.jsonl"
    broker = opened(path, clock)
    for _ in range(3):
        broker.send(new())
    broker.cancel_all(ACCOUNT)
    broker.close()
    clock.now += dt.timedelta(days=8)

    again = opened(path, clock)
    assert len(path.read_bytes().splitlines()) == 1
    again.send(new())
    assert reports(again)[-1].key.exchange_id.endswith("00000004")


def test_an_order_that_cannot_be_written_was_not_sent(clock, tmp_path, monkeypatch):
    """Nor does the half of it that a full disk took spoil what is written once there is room again."""
    broker = opened(tmp_path / "paper.jsonl", clock)

    def full(descriptor, data):
        os.write(descriptor, data[:40])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sql.durable.write_all", full)
        with pytest.raises(NotSentError, match="No space left"):
            broker.send(new())
    assert reports(broker) == []
    broker.send(new(quantity=7))
    broker.close()
    again = opened(tmp_path / "paper.jsonl", clock)
    again.load(ACCOUNT, NOON)

    assert [report.quantity for report in again.listed(ACCOUNT)] == [7]


def test_day_orders_that_a_restart_finds_after_the_close_have_expired(clock, tmp_path):
    broker = opened(tmp_path / "paper.jsonl", clock)
    broker.send(new(quantity=3))
    broker.send(new(time_in_force="GTC"))
    broker.close()
    clock.now = NOON + dt.timedelta(days=1)

    again = opened(tmp_path / "paper.jsonl", clock)
    again.load(ACCOUNT, NOON)
    assert [report.status for report in again.listed(ACCOUNT)] == [12, 0]


def test_an_order_after_the_close_works_in_the_next_session(clock):
    clock.now = dt.datetime(2026, 11, 19, 22, tzinfo=dt.UTC)
    broker = opened(None, clock)
    broker.send(new())
    clock.now = dt.datetime(2026, 11, 23, 21, 24, tzinfo=dt.UTC)  # the Friday between is a holiday
    assert [report.status for report in reports(broker)] == [0]
    clock.now += dt.timedelta(minutes=1)
    assert [report.status for report in reports(broker)] == [12]


def test_a_market_that_never_closes_ends_its_orders_at_midnight(clock):
    broker = opened(None, clock, always_open=True)
    broker.send(new())
    clock.now = dt.datetime(2026, 11, 20, 2, 59, tzinfo=dt.UTC)
    assert [report.status for report in reports(broker)] == [0]
    clock.now += dt.timedelta(minutes=1)
    assert [report.status for report in reports(broker)] == [12]


def test_a_closed_broker_takes_nothing(clock):
    broker = opened(None, clock)
    broker.close()

    assert not broker.ready
    with pytest.raises(NotReadyError):
        broker.send(new())


def test_what_the_gate_refuses_does_not_leave(clock, tmp_path):
    broker = opened(None, clock)
    sent = broker.send(new())
    switch = Switch(tmp_path / "switch")
    switch.pull(Latch(reason="a person asked", by="ana", at=clock()))

    with pytest.raises(NotSentError, match="a person asked"):
        broker.send(new(), switch.sending())
    with pytest.raises(NotSentError, match="a person asked"):
        broker.change(ACCOUNT, OrderKey(sent.local_id), quantity=2, price=Decimal(90), gate=switch.sending())


def test_the_link_is_told_first(clock):
    broker = PaperBroker(None, now=clock)

    assert broker.wait(0)
    assert broker.news()[0] == LinkNews(True)


def test_a_change_to_what_has_traded_already_is_turned_down(clock):
    broker = opened(None, clock)
    key = OrderKey(local_id=broker.send(new(kind="MARKET", price=None, quantity=4)).local_id)
    traded(broker, 131250, 3)
    told = broker.change(ACCOUNT, key, quantity=3, price=None)

    assert [n.code for n in broker.news() if isinstance(n, RequestNews) and n.message == told.message] == [9]


def test_the_list_begins_where_it_was_loaded_from(clock):
    broker = opened(None, clock)
    broker.send(new())
    clock.now += dt.timedelta(minutes=1)
    broker.send(new())
    broker.load(ACCOUNT, clock.now)
    assert len(broker.listed(ACCOUNT)) == 1
    broker.load(ACCOUNT, NOON)
    assert len(broker.listed(ACCOUNT)) == 2


def test_yesterday_s_sums_are_not_today_s(clock):
    broker = opened(None, clock)
    broker.send(new(kind="MARKET", price=None))
    traded(broker, 131250, 9)
    assert broker.position(ACCOUNT, "WINX99").bought == 2
    clock.now += dt.timedelta(days=1)

    held = broker.position(ACCOUNT, "WINX99")
    assert (held.symbol, held.quantity, held.bought) == ("WINX99", 2, 0)


def test_shares_come_in_lots(clock):
    with pytest.raises(NotSentError, match="multiple of 100, found 150"):
        opened(None, clock).send(new(symbol="PETR4", price=Decimal("38.00"), quantity=150))


def test_orders_of_another_account_are_not_found(clock):
    other = AccountId(1, "OTHER")
    broker = PaperBroker(None, accounts=(ACCOUNT, other), now=clock)
    sent = broker.send(new())

    with pytest.raises(NotSentError, match="has no order"):
        broker.cancel(other, OrderKey(local_id=sent.local_id))


def test_the_same_tape_gives_the_same_fills():
    def played(seed):
        chance, broker = random.Random(seed), opened(None, Clock())
        told = []
        for _ in range(400):
            if chance.random() < 0.3:
                price = Decimal(131250 + 5 * chance.randrange(-6, 7))
                side = chance.choice(["BUY", "SELL"])
                broker.send(new(side=side, price=price, quantity=chance.randrange(1, 9)))
            traded(broker, 131250 + 5 * chance.randrange(-6, 7), chance.randrange(1, 60))
            told += [(r.key.exchange_id, r.status, r.traded, r.average_price) for r in reports(broker)]
        return told

    assert played(1) == played(1) != played(2)


@pytest.mark.parametrize(
    ("fills", "quantity", "average"),
    [
        ([("BUY", 2, 100), ("BUY", 1, 130)], 3, 110),
        ([("BUY", 2, 100), ("SELL", 1, 130)], 1, 100),
        ([("BUY", 2, 100), ("SELL", 2, 130)], 0, 0),
        ([("BUY", 2, 100), ("SELL", 5, 130)], -3, 130),
        ([("SELL", 2, 100), ("SELL", 2, 120)], -4, 110),
        ([("SELL", 2, 100), ("BUY", 3, 90)], 1, 90),
    ],
)
def test_the_average_of_a_holding(fills, quantity, average):
    holding = Holding(account=ACCOUNT, symbol="WINX99", session=DAY)
    for side, size, price in fills:
        holding = filled(holding, side, size, Decimal(price), DAY)

    assert (holding.quantity, holding.average) == (quantity, average)


def test_the_sums_of_a_holding_are_those_of_its_session():
    holding = Holding(account=ACCOUNT, symbol="WINX99", session=DAY, quantity=2, average=Decimal(100), bought=2)
    after = filled(holding, "SELL", 1, Decimal(120), DAY + dt.timedelta(days=1))

    assert (after.quantity, after.average, after.bought, after.sold, after.sold_money) == (1, 100, 0, 1, 120)


def test_the_file_is_lines_that_people_can_read(clock, tmp_path):
    broker = opened(tmp_path / "paper.jsonl", clock)
    broker.send(new(kind="MARKET", price=None))
    traded(broker, 131250, 2)
    kinds = [json.loads(line)["type"] for line in (tmp_path / "paper.jsonl").read_text().splitlines()]

    assert kinds == ["order", "order", "holding"]
