"""What the simulator refuses at once and what it hands on: versions, identifiers, prices, login, reading back."""

import ctypes
from ctypes import byref, c_int64, c_uint8

import pytest

from tests.realtime.profitdll.broker_abi import (
    BUY,
    CANCELED,
    CLIENT_CREATED,
    EXCHANGE_UNKNOWN,
    FILLED,
    INVALID_ARGS,
    INVALID_TICKER,
    LIMIT,
    MARKET,
    MARKET_ONLY,
    NEW,
    NO_LOGIN,
    NOT_FOUND,
    NOT_INITIALIZED,
    OK,
    OUT_OF_RANGE,
    SELL,
    SIZES,
    STOP,
    STOP_LIMIT,
    TERMINAL,
    VERSION_NOT_SUPPORTED,
    WAITING_SERVER,
    CancelAllOrders,
    CancelOrder,
    CancelOrders,
    ChangeOrder,
    OrderId,
    OrderOut,
    PositionOut,
    SendOrder,
    SystemTime,
    ZeroPosition,
)
from tests.realtime.profitdll.broker_client import EACH_ORDER, wide


def test_the_structs_of_this_client_have_the_layout_of_the_sheet():
    assert {struct: ctypes.sizeof(struct) for struct in SIZES} == SIZES


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"version": 3}, VERSION_NOT_SUPPORTED),
        ({"account": (3001, "999", "")}, NOT_FOUND),
        ({"account": (3001, "123", "")}, NOT_FOUND),
        ({"ticker": "XXXX3"}, INVALID_TICKER),
        ({"exchange": "BMF"}, EXCHANGE_UNKNOWN),
        ({"side": 3}, INVALID_ARGS),
        ({"side": 0}, INVALID_ARGS),
        ({"kind": 9}, INVALID_ARGS),
        ({"kind": STOP, "stop": 130000}, INVALID_ARGS),
        ({"quantity": 0}, INVALID_ARGS),
        ({"quantity": -1}, INVALID_ARGS),
        ({"kind": MARKET, "price": 130000}, INVALID_ARGS),
        ({"kind": LIMIT, "price": -1}, INVALID_ARGS),
        ({"kind": LIMIT, "price": 130001}, INVALID_ARGS),
        ({"kind": LIMIT, "price": float("nan")}, INVALID_ARGS),
        ({"kind": LIMIT, "price": 130000, "stop": 130000}, INVALID_ARGS),
        ({"kind": STOP_LIMIT, "price": 130000}, INVALID_ARGS),
        ({"kind": STOP_LIMIT, "price": 130000, "stop": 129999}, INVALID_ARGS),
    ],
)
def test_an_order_that_the_dll_can_judge_itself_is_refused_as_negative_64_bits(broker, wrong, refusal):
    listed = len(broker.orders())

    assert broker.send(**wrong) == refusal

    assert broker.message_id == -77
    assert len(broker.orders()) == listed


def test_null_pointers_are_invalid_arguments(broker):
    for name in (
        "SendOrder",
        "SendChangeOrderV2",
        "SendCancelOrderV2",
        "SendCancelOrdersV2",
        "SendCancelAllOrdersV2",
        "SendZeroPositionV2",
        "GetOrderDetails",
        "GetPositionV2",
    ):
        assert getattr(broker.dll, name)(None) == INVALID_ARGS, name
    request = SendOrder(1, broker.account_id(), broker.asset_id("WINZ26", "F"), None, MARKET, BUY, -1, -1, 1)
    assert broker.dll.SendOrder(byref(request)) == INVALID_ARGS


@pytest.mark.parametrize(
    ("name", "struct", "highest"),
    [
        ("SendOrder", SendOrder, 2),
        ("SendChangeOrderV2", ChangeOrder, 1),
        ("SendCancelOrderV2", CancelOrder, 1),
        ("SendCancelOrdersV2", CancelOrders, 0),
        ("SendCancelAllOrdersV2", CancelAllOrders, 0),
        ("SendZeroPositionV2", ZeroPosition, 2),
        ("GetOrderDetails", OrderOut, 1),
        ("GetPositionV2", PositionOut, 2),
    ],
)
def test_every_version_up_to_the_highest_is_known_and_none_above(broker, name, struct, highest):
    call = getattr(broker.dll, name)

    for version in range(highest + 1):
        assert call(byref(struct(Version=version))) != VERSION_NOT_SUPPORTED
    assert call(byref(struct(Version=highest + 1))) == VERSION_NOT_SUPPORTED
    assert call(byref(struct(Version=255))) == VERSION_NOT_SUPPORTED


def test_version_0_counts_types_and_sides_in_its_own_way_and_has_no_message_id(broker):
    order = broker.send(version=0, kind=2, side=1, price=-1)

    assert order > 0
    assert broker.message_id == -77
    filled = broker.until(order, FILLED)
    assert (filled.type, filled.side) == (MARKET, SELL)
    stop = broker.send(version=0, kind=1, side=0, price=150000, stop=149000)
    assert broker.until(stop, NEW).type == STOP_LIMIT
    assert broker.cancel(stop) == OK
    broker.until(stop, CANCELED)


@pytest.mark.parametrize("version", [1, 2])
def test_a_sent_order_has_the_next_id_and_a_message_id(broker, version):
    first = broker.send(version=version)
    first_message = broker.message_id
    second = broker.send(version=version)

    assert second == first + 1
    assert 0 < first_message < broker.message_id
    broker.until(first, FILLED)
    broker.until(second, FILLED)


def test_a_market_login_has_no_orders(simulated):
    client = simulated(market_only=True)

    assert client.send() == MARKET_ONLY
    assert client.cancel(1) == MARKET_ONLY
    assert client.position()[0] == MARKET_ONLY


def test_before_routing_there_is_no_login_and_after_the_end_nothing(simulated):
    client = simulated("handshake 20000", ready=False)

    assert client.send() == NO_LOGIN
    client.command("pass 20")
    client.ready()
    client.close()
    assert client.send() == NOT_INITIALIZED
    assert client.dll.GetOrderDetails(byref(OrderOut())) == NOT_INITIALIZED


def test_cancel_and_change_want_one_key_of_a_known_order_of_that_account(broker):
    order = broker.send(price=100000)
    known = broker.until(order, NEW)
    cl_ord_id = broker.wait(lambda: [cl for id_, cl, _ in broker.of("order") if id_ == order and cl])[0]

    assert known.local_id == order
    assert broker.cancel(0) == INVALID_ARGS
    assert broker.cancel(order, cl_ord_id) == INVALID_ARGS
    assert broker.cancel(-1) == INVALID_ARGS
    assert broker.cancel(987654) == NOT_FOUND
    assert broker.cancel(-1, "NOPE") == NOT_FOUND
    assert broker.cancel(order, account=(3001, "000124", "")) == NOT_FOUND
    assert broker.change(987654, price=100000, quantity=1) == NOT_FOUND
    assert broker.change(order, price=100001, quantity=1) == INVALID_ARGS
    assert broker.change(order, price=100000, quantity=0) == INVALID_ARGS
    assert broker.cancel(-1, cl_ord_id) == OK
    broker.until(order, CANCELED)


def test_all_orders_of_an_asset_and_of_an_account_are_canceled(broker):
    orders = [broker.send(price=100000, quantity=2), broker.send("PETR4", exchange="B", price=1.5, quantity=100)]
    for order in orders:
        broker.until(order, NEW)

    one = CancelOrders(0, broker.account_id(), broker.asset_id("PETR4", "B"), broker.address("routing"))
    assert broker.dll.SendCancelOrdersV2(byref(one)) == OK
    broker.until(orders[1], CANCELED)
    assert broker.status(orders[0]) == NEW
    whole = CancelAllOrders(0, broker.account_id(), broker.address("routing"))
    assert broker.dll.SendCancelAllOrdersV2(byref(whole)) == OK
    broker.until(orders[0], CANCELED)
    assert all(order.status in TERMINAL for order in broker.orders())


# ---- reading back


def test_details_are_found_by_either_id_and_come_in_two_calls(broker):
    order = broker.send(price=100000, quantity=3)
    broker.until(order, NEW)
    cl_ord_id = broker.wait(lambda: [cl for id_, cl, _ in broker.of("order") if id_ == order and cl])[0]

    for key in ((order, ""), (-1, cl_ord_id), (order, cl_ord_id)):
        result, details, _, ticker = broker.raw_details(*key)
        assert (result, details.OrderID.LocalOrderID, ticker) == (OK, order, "WINZ26")
        assert details.AssetID.TickerLength == 6
        assert bytes(details.AccountID.AccountID)[:12].decode("utf-16-le") == "000123"
        assert (details.Quantity, details.Price, details.StopPrice, details.ValidityType) == (3, 100000, -1, 0)
    assert broker.raw_details(987654)[0] == NOT_FOUND
    assert broker.raw_details(-1, "NOPE")[0] == NOT_FOUND
    assert broker.raw_details(0)[0] == INVALID_ARGS
    broker.cancel(order)
    closed = broker.until(order, CANCELED)
    assert broker.raw_details(order)[1].CloseDate.Year == broker.now().Year
    assert closed.text == "Cancelada."


def test_details_of_version_0_leave_the_event_id_alone(broker):
    order = broker.send()
    broker.until(order, FILLED)

    old = OrderOut(Version=0, OrderID=OrderId(0, order, None), EventID=-5)
    assert broker.dll.GetOrderDetails(byref(old)) == OK
    assert (old.EventID, old.TradedQuantity, old.AssetID.TickerLength) == (-5, 1, 6)
    new = OrderOut(Version=1, OrderID=OrderId(0, order, None), EventID=-5)
    assert broker.dll.GetOrderDetails(byref(new)) == OK
    assert new.EventID > 0


def test_a_short_buffer_is_never_overrun(broker):
    order = broker.send()
    broker.until(order, FILLED)
    buffer = wide("--------")

    details = OrderOut(Version=1, OrderID=OrderId(0, order, None))
    details.AssetID.Ticker, details.AssetID.TickerLength = ctypes.addressof(buffer), 3
    assert broker.dll.GetOrderDetails(byref(details)) == OK

    assert bytes(buffer).decode("utf-16-le") == "WIN-----\0"
    assert details.AssetID.TickerLength == 6


def test_enumeration_stops_when_told_and_its_items_do_not_outlive_it(broker):
    broker.until(broker.send(), FILLED)
    broker.until(broker.send(), FILLED)
    everything = broker.orders()
    kept = []

    assert len(everything) >= 2
    assert len(broker.orders(stop_after=1)) == 1
    call = EACH_ORDER(lambda order, _: kept.append((order.contents.TextMessage, order.contents.Version)) or 1)
    account = broker.account_id()
    assert broker.dll.EnumerateAllOrders(byref(account), c_uint8(0), c_int64(0), call) == OK
    assert {version for _, version in kept} == {0}
    assert broker.dll.EnumerateAllOrders(byref(account), c_uint8(2), c_int64(0), call) == VERSION_NOT_SUPPORTED
    other = broker.account_id((3001, "nobody", ""))
    assert broker.dll.EnumerateAllOrders(byref(other), c_uint8(1), c_int64(0), call) == NOT_FOUND


def test_version_0_of_an_enumerated_order_has_no_event_id(broker):
    broker.until(broker.send(), FILLED)

    events = [order.event_id for order in broker.orders(version=0)]

    assert set(events) == {int.from_bytes(b"\xdd" * 8, "little", signed=True)}  # poison: nothing was written there
    assert all(order.event_id > 0 for order in broker.orders(version=1))


# ---- loads


def test_orders_of_an_interval_wait_for_one_load_and_then_are_there(simulated):
    client = simulated("order history 60000")
    order = client.send()
    client.until(order, FILLED)
    client.quiet()
    told = len(client.of("order"))

    assert client.has_orders() == WAITING_SERVER
    assert client.has_orders() == WAITING_SERVER
    client.command("pass 60")
    client.wait(lambda: client.of("loaded"))
    assert client.has_orders() == OK
    client.quiet()
    assert client.of("loaded") == [(3001, "000123")]
    assert len(client.of("order")) == told  # one event for the account stands for all of them
    listed = []
    call = EACH_ORDER(lambda given, _: listed.append(given.contents.OrderID.LocalOrderID) or 1)
    start, end = client.today()
    interval = (c_uint8(1), start, end, c_int64(0), call)
    assert client.dll.EnumerateOrdersByInterval(byref(client.account_id()), *interval) == OK
    assert listed == [order]


def test_bad_and_future_dates_are_out_of_range(broker):
    start, end = broker.today()
    future = SystemTime(end.Year + 1, 1, 0, 1, 0, 0, 0, 0)

    assert broker.has_orders(end, start) == OUT_OF_RANGE
    assert broker.has_orders(start, future) == OUT_OF_RANGE
    assert broker.has_orders(SystemTime(), end) == OUT_OF_RANGE
    assert broker.has_orders(SystemTime(2026, 13, 0, 1, 0, 0, 0, 0), end) == OUT_OF_RANGE


def test_without_the_history_callback_a_load_tells_order_by_order(simulated):
    client = simulated(history_event=False)
    order = client.send()
    client.until(order, FILLED)
    client.quiet()
    before = len(client.history_of(order))

    assert client.has_orders() == WAITING_SERVER
    client.wait(lambda: len(client.history_of(order)) == before + 1)

    assert client.status(order) == FILLED
    assert client.has_orders() == OK


def test_an_order_of_another_account_is_not_listed(simulated):
    client = simulated()
    client.until(client.send(), FILLED)

    assert client.orders(account=(3001, "000124", "")) == []


def test_an_order_begins_in_the_client(simulated):
    client = simulated("latency 30000")
    order = client.send()

    assert client.status(order) == CLIENT_CREATED
    client.command("pass 600")
    client.until(order, FILLED)
