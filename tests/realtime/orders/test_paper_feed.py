import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from realtime.orders.broker import NewOrder, OrderNews
from realtime.orders.paper import ACCOUNT, PaperBroker
from realtime.orders.paper_feed import PaperFeed
from realtime.records import RECORD, Kind

NOON = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)


def batch(*rows):
    """Records of (kind, asset, price, quantity) with more fields as a dictionary behind."""
    made = np.zeros(len(rows), RECORD)
    for at, (kind, asset, price, quantity, *more) in enumerate(rows):
        made[at]["kind"], made[at]["asset"], made[at]["price"], made[at]["quantity"] = kind, asset, price, quantity
        for name, value in (more[0] if more else {}).items():
            made[at][name] = value
    return made


@pytest.fixture
def broker(tmp_path):
    return PaperBroker(tmp_path / "paper.jsonl", now=lambda: NOON)


@pytest.fixture
def feed(broker):
    made = PaperFeed(broker)
    made.named(1, "WINX99")
    made.named(2, "DEMO4")
    return made


def bought(broker, symbol="WINX99", price=None, quantity=3):
    kind = "MARKET" if price is None else "LIMIT"
    figures = {"symbol": symbol, "side": "BUY", "kind": kind, "quantity": quantity, "price": price}
    broker.send(NewOrder(id="ours", account=ACCOUNT, **figures))


def last(broker):
    return [news.report for news in broker.news() if isinstance(news, OrderNews)][-1]


def test_every_trade_counts_while_an_order_works(broker, feed):
    bought(broker)
    feed.take(batch((Kind.TRADE, 1, 131250.0, 1), (Kind.TRADE, 2, 38.42, 100), (Kind.TRADE, 1, 131255.0, 9)))

    report = last(broker)
    assert (report.traded, round(report.average_price * 3)) == (3, 131255 + 2 * 131260)


def test_what_no_trade_is_fills_nothing(broker, feed):
    bought(broker)
    feed.take(
        batch(
            (Kind.TRADE, 1, 131250.0, 5, {"flags": 1}),
            (Kind.TRADE, 1, 0.0, 5),
            (Kind.HISTORY_TRADE, 1, 131250.0, 5),
            (Kind.DEPTH, 1, 131250.0, 5),
            (Kind.TRADE, 3, 131250.0, 5),
        )
    )

    assert last(broker).traded == 0


def test_trades_that_a_link_repeats_fill_nothing_and_numbers_begin_anew_with_the_day(broker, feed):
    def trades(*numbers, day=1):
        return batch(*((Kind.TRADE, 1, 130990.0, 1, {"number": n, "time": day * 86_400_000}) for n in numbers))

    feed.take(trades(8, 9, 10))
    bought(broker, price=Decimal(131000), quantity=4)
    feed.take(trades(9, 10, 11, 11, 12, 10))
    assert last(broker).traded == 2
    feed.take(trades(12, 13))
    assert last(broker).traded == 3
    feed.take(trades(1, day=2))
    assert last(broker).traded == 4


def test_the_aggressor_is_that_of_the_trade_s_type(broker, feed):
    feed.take(batch((Kind.QUOTE, 1, 131000.0, 0, {"side": 0})))
    bought(broker, price=Decimal(131000))
    feed.take(batch((Kind.TRADE, 1, 131000.0, 5, {"action": 2})))
    assert last(broker).traded == 0
    feed.take(batch((Kind.TRADE, 1, 131000.0, 1, {"action": 3})))
    assert last(broker).traded == 1


def test_the_newest_quote_of_each_side_is_known_to_the_next_order(broker, feed):
    feed.take(
        batch(
            (Kind.QUOTE, 2, 38.40, 700, {"side": 0}),
            (Kind.QUOTE, 2, 38.41, 200, {"side": 0}),
            (Kind.QUOTE, 2, 38.42, 900, {"side": 1}),
            (Kind.TRADE, 2, 38.41, 100),
        )
    )
    bought(broker, "DEMO4", Decimal("38.41"), 100)
    feed.take(batch((Kind.TRADE, 2, 38.41, 200, {"action": 3})))
    assert last(broker).traded == 0
    feed.take(batch((Kind.TRADE, 2, 38.41, 100, {"action": 3})))
    assert last(broker).traded == 100


def test_a_book_that_cannot_be_written_closes_the_exchange_and_not_capture(broker, monkeypatch):
    told = []
    feed = PaperFeed(broker, told.append)
    feed.named(1, "WINX99")
    bought(broker)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sql.durable.write_all", full)
    for _ in range(2):
        feed.take(batch((Kind.TRADE, 1, 131250.0, 5)))

    assert len(told) == 1
    assert "No space left" in told[0]
    assert not broker.ready
    assert last(broker).traded == 0
