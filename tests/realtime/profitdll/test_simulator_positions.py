"""Positions kept from fills: averages, day and consolidated, through zero, zeroing, and what they announce."""

import ctypes
from ctypes import byref, c_int64, c_uint8

import pytest

from tests.realtime.profitdll.broker_abi import (
    BUY,
    CONSOLIDATED,
    DAY_TRADE,
    FILLED,
    INVALID_ARGS,
    NEW,
    NO_POSITION,
    NOT_FOUND,
    OK,
    SELL,
    VERSION_NOT_SUPPORTED,
    PositionOut,
)
from tests.realtime.profitdll.broker_client import EACH_ASSET, narrow


def traded(client, side, quantity, ticker="WINZ26", exchange="F"):
    order = client.send(ticker, side=side, quantity=quantity, exchange=exchange)
    return client.until(order, FILLED)


def test_what_was_never_traded_has_no_position(simulated):
    client = simulated()

    assert client.position()[0] == NO_POSITION
    assert client.zero() == NO_POSITION
    assert client.position("NOPE3")[0] < 0


def test_averages_follow_the_fills(simulated):
    client = simulated()
    first, second = traded(client, BUY, 2), traded(client, BUY, 4)
    third = traded(client, SELL, 3)

    result, position = client.position(kind=DAY_TRADE)
    bought = (first.average * 2 + second.average * 4) / 6
    assert result == OK
    assert (position.OpenQuantity, position.OpenSide) == (3, BUY)
    assert position.OpenAveragePrice == pytest.approx(bought)
    assert (position.DailyBuyQuantity, position.DailySellQuantity) == (6, 3)
    assert position.DailyAverageBuyPrice == pytest.approx(bought)
    assert position.DailyAverageSellPrice == pytest.approx(third.average)
    assert position.DailyQuantityAvailable == 3


def test_through_zero_the_average_begins_again(simulated):
    client = simulated("order race remainder any")
    traded(client, BUY, 2)
    order = client.send(side=SELL, price=200000, quantity=5)
    client.until(order, NEW)
    client.cancel(order)  # the race fills it, at its own price far from the market's
    client.until(order, FILLED)

    _, position = client.position()

    assert (position.OpenQuantity, position.OpenSide, position.OpenAveragePrice) == (3, SELL, 200000)


def test_flat_after_trading_is_side_200(simulated):
    client = simulated()
    traded(client, BUY, 2)
    traded(client, SELL, 2)

    result, position = client.position()

    assert (result, position.OpenQuantity, position.OpenSide, position.OpenAveragePrice) == (OK, 0, 200, 0)
    assert client.zero() == NO_POSITION


@pytest.mark.parametrize("side", [BUY, SELL])
def test_zeroing_sends_the_opposite_order(simulated, side):
    client = simulated()
    traded(client, side, 4)

    order = client.zero()
    message = client.message_id
    sent = client.until(order, FILLED)
    client.quiet()

    assert (sent.side, sent.quantity) == (SELL if side == BUY else BUY, 4)
    assert client.codes_of(message) == [2, 4, 6, 8, 10]
    assert client.net() == 0


def test_zeroing_at_a_price_is_a_limit_order_and_older_versions_know_less(simulated):
    client = simulated()
    traded(client, BUY, 1)

    assert client.zero(kind=0) == INVALID_ARGS
    assert client.zero(version=3) == VERSION_NOT_SUPPORTED
    order = client.zero(price=200000, version=1, kind=DAY_TRADE)
    assert client.message_id == -77
    assert client.details(order).price == 200000
    client.cancel(order)
    assert client.zero(version=0, kind=77) > 0


def test_each_fill_announces_the_position_with_a_growing_event_id(simulated):
    client = simulated()
    for _ in range(3):
        traded(client, BUY, 1)
    client.quiet()

    events = [event for account, ticker, event in client.of("position") if (account, ticker) == ("000123", "WINZ26")]
    assert len(events) == 3
    assert events == sorted(set(events))
    assert client.position()[1].EventID == events[-1]
    assert client.details(3).event_id == events[-1]


def test_versions_say_how_much_may_be_written(simulated):
    client = simulated()
    traded(client, BUY, 1)

    for version, event_id in ((0, -5), (1, -5)):
        given = PositionOut(
            Version=version,
            AccountID=client.account_id(),
            AssetID=client.asset_id("WINZ26", "F"),
            PositionType=DAY_TRADE,
            EventID=-5,
        )
        assert client.dll.GetPositionV2(byref(given)) == OK
        assert given.EventID == event_id
    assert client.position(kind=9)[0] == INVALID_ARGS
    assert client.position(kind=9, version=0)[0] == OK
    client.account = (3001, "nobody", "")
    assert client.position()[0] == NOT_FOUND


def test_assets_with_a_position_are_enumerated_in_the_order_of_their_first_trade(simulated):
    client = simulated()
    traded(client, BUY, 1)
    traded(client, BUY, 100, "PETR4", "B")
    seen, addresses = [], []

    def each(asset, user):
        assert user == 7
        seen.append((narrow(asset.contents.Ticker), narrow(asset.contents.Exchange)))
        addresses.append(asset.contents.Ticker)
        return 1

    call = EACH_ASSET(each)
    account = client.account_id()
    assert client.dll.EnumerateAllPositionAssets(byref(account), c_uint8(0), c_int64(7), call) == OK
    assert seen == [("WINZ26", "F"), ("PETR4", "B")]
    first = EACH_ASSET(lambda asset, _: seen.append("one") or 0)
    assert client.dll.EnumerateAllPositionAssets(byref(account), c_uint8(0), c_int64(7), first) == OK
    assert seen.count("one") == 1
    assert client.dll.EnumerateAllPositionAssets(byref(account), c_uint8(1), c_int64(7), call) == VERSION_NOT_SUPPORTED
    assert client.dll.EnumerateAllPositionAssets(byref(account), c_uint8(0), c_int64(7), None) == INVALID_ARGS


def test_without_order_history_there_is_nothing_to_build_positions_from(simulated):
    client = simulated()
    client.dll.SetEnabledHistOrder(0)
    traded(client, BUY, 1)

    assert client.position()[0] == NO_POSITION
    assert client.zero() == NO_POSITION


def test_the_position_of_one_account_is_not_that_of_another(simulated):
    client = simulated()
    traded(client, BUY, 1)
    client.account = (4002, "M-900", "S-1")

    assert client.net() == 0
    traded(client, SELL, 2)
    assert client.net(kind=CONSOLIDATED) == -2
    assert ctypes.sizeof(PositionOut) == 216
