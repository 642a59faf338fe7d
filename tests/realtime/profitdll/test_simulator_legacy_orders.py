"""The deprecated order functions and callbacks, as programs written for older releases use them."""

import ctypes
import struct
from ctypes import c_double, c_int32

import pytest

from tests.realtime.profitdll.broker_abi import (
    CANCELED,
    FILLED,
    INVALID_ARGS,
    NEW,
    NO_POSITION,
    NOT_FOUND,
    OK,
    REPLACED,
    SELL,
    STOP_LIMIT,
)
from tests.realtime.profitdll.broker_client import LEGACY_CHANGE, LEGACY_CHANGE_V2, LEGACY_HISTORY, narrow


@pytest.fixture
def legacy(simulated):
    client = simulated()
    for name in (
        "SendBuyOrder",
        "SendSellOrder",
        "SendMarketBuyOrder",
        "SendMarketSellOrder",
        "SendStopBuyOrder",
        "SendStopSellOrder",
        "SendZeroPosition",
        "SendZeroPositionAtMarket",
    ):
        getattr(client.dll, name).restype = ctypes.c_int64
    return client


def texts(client, *given):
    return [ctypes.c_void_p(client.address(text)) for text in given]


def party(client):
    return texts(client, "000123", "3001", "routing", "WINZ26", "F")


def test_each_way_to_send_reaches_the_book(legacy):
    dll, who = legacy.dll, party(legacy)

    bought = dll.SendMarketBuyOrder(*who, c_int32(3))
    assert legacy.until(bought, FILLED).traded == 3
    sold = dll.SendMarketSellOrder(*who, c_int32(1))
    assert legacy.until(sold, FILLED).side == SELL
    low = dll.SendBuyOrder(*who, c_double(100000), c_int32(2))
    high = dll.SendSellOrder(*who, c_double(200000), c_int32(2))
    assert legacy.until(low, NEW).price == 100000
    assert legacy.until(high, NEW).price == 200000
    stop = dll.SendStopBuyOrder(*who, c_double(190000), c_double(180000), c_int32(1))
    assert legacy.until(stop, NEW).type == STOP_LIMIT
    stop = dll.SendStopSellOrder(*who, c_double(90000), c_double(95000), c_int32(1))
    assert legacy.until(stop, NEW).stop == 95000
    assert dll.SendBuyOrder(*who, c_double(100001), c_int32(2)) == INVALID_ARGS
    nobody = texts(legacy, "999", "3001", "routing", "WINZ26", "F")
    assert dll.SendMarketBuyOrder(*nobody, c_int32(1)) == NOT_FOUND


def cl_ord_id_of(client, order):
    return client.wait(lambda: [cl for id_, cl, _ in client.of("order") if id_ == order and cl])[0]


def test_change_and_cancel_go_by_cl_ord_id(legacy):
    dll, who = legacy.dll, party(legacy)
    order = dll.SendBuyOrder(*who, c_double(100000), c_int32(2))
    legacy.until(order, NEW)
    (key,) = texts(legacy, cl_ord_id_of(legacy, order))
    account, broker, password = texts(legacy, "000123", "3001", "routing")

    assert dll.SendChangeOrder(account, broker, password, key, c_double(100500), c_int32(4)) == OK
    assert legacy.until(order, REPLACED).quantity == 4
    assert dll.SendCancelOrder(account, broker, key, password) == OK
    legacy.until(order, CANCELED)
    (unknown,) = texts(legacy, "NOPE")
    assert dll.SendCancelOrder(account, broker, unknown, password) == NOT_FOUND
    orders = [dll.SendBuyOrder(*who, c_double(100000), c_int32(2)) for _ in range(2)]
    for each in orders:
        legacy.until(each, NEW)
    ticker, exchange = texts(legacy, "WINZ26", "F")
    assert dll.SendCancelOrders(account, broker, password, ticker, exchange) == OK
    legacy.until(orders[1], CANCELED)
    last = dll.SendBuyOrder(*who, c_double(100000), c_int32(2))
    legacy.until(last, NEW)
    assert dll.SendCancelAllOrders(account, broker, password) == OK
    legacy.until(last, CANCELED)


def test_positions_are_zeroed_at_market_and_at_a_price(legacy):
    dll = legacy.dll
    account, broker, password, ticker, exchange = party(legacy)
    zero = (account, broker, ticker, exchange, password)

    assert dll.SendZeroPositionAtMarket(*zero) == NO_POSITION
    legacy.until(dll.SendMarketBuyOrder(*party(legacy), c_int32(3)), FILLED)
    at_price = dll.SendZeroPosition(*zero, c_double(200000))
    assert legacy.until(at_price, NEW).side == SELL
    assert legacy.until(dll.SendZeroPositionAtMarket(*zero), FILLED).quantity == 3
    assert legacy.net() == 0


def test_the_legacy_change_callbacks_carry_every_field(legacy):
    old, new = [], []

    def on_change(asset, broker, quantity, traded, leaves, side, *rest):
        _price, _stop, _average, profit_id, *given = rest
        old.append((narrow(asset.Ticker), broker, quantity, traded, leaves, side, profit_id, *map(narrow, given)))

    def on_change_v2(asset, broker, quantity, traded, leaves, side, validity, *rest):
        price, _stop, average, _profit_id, *given = rest
        new.append((quantity, traded, validity, price, average, *map(narrow, given)))

    legacy.install("SetOrderChangeCallback", LEGACY_CHANGE, on_change)
    legacy.install("SetOrderChangeCallbackV2", LEGACY_CHANGE_V2, on_change_v2)
    order = legacy.send(price=150000, quantity=2)
    average = legacy.until(order, FILLED).average
    legacy.wait(lambda: new and new[-1][1] == 2)

    ticker, broker, quantity, traded, leaves, side, profit_id, kind, account, holder, key, status, date, text = old[-1]
    assert (ticker, broker, quantity, traded, leaves, side) == ("WINZ26", 3001, 2, 2, 0, 1)
    assert (profit_id, kind, account, holder, status, text) == (
        order,
        "Limit",
        "000123",
        "Maria da Silva",
        "Filled",
        "",
    )
    assert key == cl_ord_id_of(legacy, order)
    assert len(date) == 23
    assert new[-1][:5] == (2, 2, 0, 150000, average)
    assert len(new[-1][5:]) == 10
    assert [row[11] for row in old][:3] == ["ClientCreated", "ClientCreated", "HadesCreated"]


def test_orders_are_asked_for_and_told_by_the_legacy_callbacks(legacy):
    history, changes = [], []
    legacy.install("SetHistoryCallback", LEGACY_HISTORY, lambda asset, *given: history.append(given[8]))
    order = legacy.send()
    legacy.until(order, FILLED)
    key = cl_ord_id_of(legacy, order)
    legacy.quiet()
    legacy.install("SetOrderChangeCallback", LEGACY_CHANGE, lambda asset, *given: changes.append(given[8]))
    now = legacy.now()
    day = f"{now.Day:02}/{now.Month:02}/{now.Year}"

    assert legacy.dll.GetOrders(*texts(legacy, "000123", "3001", day, day)) == OK
    legacy.wait(lambda: history)
    assert history == [order]
    assert legacy.dll.GetOrders(*texts(legacy, "000123", "3001", day, day)) == OK
    legacy.wait(lambda: len(history) == 2)
    assert legacy.dll.GetOrder(*texts(legacy, key)) == OK
    assert legacy.dll.GetOrderProfitID(ctypes.c_int64(order)) == OK
    legacy.wait(lambda: changes == [order, order])
    assert legacy.dll.GetOrder(*texts(legacy, "NOPE")) == NOT_FOUND
    assert legacy.dll.GetOrderProfitID(ctypes.c_int64(4711)) == NOT_FOUND


def test_the_legacy_position_is_one_packed_record_given_back_by_free_pointer(legacy):
    who = texts(legacy, "000123", "3001", "WINZ26", "F")
    assert legacy.dll.GetPosition(*who) is None
    average = legacy.until(legacy.dll.SendMarketBuyOrder(*party(legacy), c_int32(3)), FILLED).average

    pointer = legacy.dll.GetPosition(*who)
    count, size, broker = struct.unpack("<iii", ctypes.string_at(pointer, 12))
    raw = ctypes.string_at(pointer, size)
    found, at = [], 12
    for _ in range(3):
        (length,) = struct.unpack_from("<H", raw, at)
        found.append(raw[at + 2 : at + 2 + length].decode())
        at += 2 + length
    quantity, price, _, sold, bought_at, bought = struct.unpack_from("<iddidi", raw, at)

    assert (count, size, broker) == (1, 91 + sum(map(len, found)), 3001)
    assert found == ["000123", "Maria da Silva", "WINZ26"]
    assert (quantity, price, sold, bought_at, bought) == (3, average, 0, average, 3)
    assert raw[-1] == 1
    assert legacy.dll.FreePointer(ctypes.c_void_p(pointer), c_int32(size)) == OK
    assert legacy.dll.FreePointer(ctypes.c_void_p(pointer), c_int32(size)) != OK
