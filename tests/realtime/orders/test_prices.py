"""What orders are checked against, out of the market's records: how old the price of a trade is."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from realtime.orders.prices import APART, Prices
from realtime.orders.risk import Mark
from realtime.records import RECORD, Kind
from sql.exchange import SAO_PAULO

SYMBOL = "WINZ26"
NOON = dt.datetime(2026, 11, 27, 12, 0, tzinfo=SAO_PAULO)
SECOND = dt.timedelta(seconds=1)


def taken(trades: list[tuple[float, dt.datetime]], *, dated: bool) -> Mark | None:
    """The last price after a batch of trades, with the exchange's time of each, came in at noon."""
    batch = np.zeros(len(trades), RECORD)
    batch["kind"], batch["asset"] = Kind.TRADE, 1
    batch["price"] = [price for price, _ in trades]
    local = [at.astimezone(SAO_PAULO).replace(tzinfo=dt.UTC) for _, at in trades]
    batch["time"] = [int(at.timestamp() * 1000) for at in local]
    prices = Prices(lambda: NOON, dated=dated)
    prices.named(1, SYMBOL)
    prices.take(batch)
    return prices.last(SYMBOL)


@pytest.mark.parametrize("late", [-30, 0, 2, 10])
def test_a_trade_is_as_old_as_its_way_to_this_host(late):
    assert taken([(130_000, NOON - late * SECOND)], dated=True) == Mark(Decimal(130_000), NOON)


@pytest.mark.parametrize("old", [dt.timedelta(seconds=11), dt.timedelta(minutes=40), dt.timedelta(days=3)])
def test_a_repeated_trade_is_as_old_as_it_says(old):
    assert taken([(130_000, NOON - old)], dated=True) == Mark(Decimal(130_000), NOON - old + APART)


def test_the_newest_of_a_batch_counts_with_its_own_time():
    trades = [(130_000.0, NOON - dt.timedelta(days=1)), (130_005.0, NOON - SECOND)]

    assert taken(trades, dated=True) == Mark(Decimal(130_005), NOON)


def test_the_times_of_an_invented_market_say_nothing():
    assert taken([(130_000, NOON - dt.timedelta(days=400))], dated=False) == Mark(Decimal(130_000), NOON)
