"""Every request of the adapter against a library that writes down what it was asked and answers with known values."""

import ctypes
import datetime as dt
import sys

import pytest

from realtime.orders.broker import AccountId
from realtime.profitdll.errors import (
    NeverRetryError,
    NothingDoneError,
    RetryLaterError,
)
from realtime.profitdll.requests import (
    SAO_PAULO,
    Account,
    Asset,
    NewOrder,
    OrderKey,
    OrderType,
    PositionType,
    Sent,
    Side,
    milliseconds,
)
from tests.realtime.profitdll.hosted import hosted

CLIENT, OTHER = AccountId(1003, "00123"), AccountId(308, "987654")
PETR4 = Asset("PETR4", "B")
MORNING = dt.datetime(2026, 11, 5, 12, 0, tzinfo=dt.UTC)  # nine o'clock in São Paulo
EVENING = dt.datetime(2026, 11, 5, 18, 30, tzinfo=SAO_PAULO)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the pump is Linux's")


@pytest.fixture
def dll():
    return hosted().dll


@pytest.fixture
def said():
    """What the library was asked last."""
    function = hosted().pump.DeskSaid
    function.restype = ctypes.c_char_p
    return lambda: function().decode()


def test_subscriptions_name_ticker_and_exchange(dll, said):
    for call, told in (
        (dll.subscribe, "SubscribeTicker PETR4 B"),
        (dll.unsubscribe, "UnsubscribeTicker PETR4 B"),
        (dll.subscribe_depth, "SubscribePriceDepth v0 PETR4@B f0"),
        (dll.unsubscribe_depth, "UnsubscribePriceDepth v0 PETR4@B f0"),
        (dll.subscribe_offers, "SubscribeOfferBook PETR4 B"),
        (dll.unsubscribe_offers, "UnsubscribeOfferBook PETR4 B"),
        (dll.subscribe_adjustments, "SubscribeAdjustHistory PETR4 B"),
        (dll.unsubscribe_adjustments, "UnsubscribeAdjustHistory PETR4 B"),
    ):
        call("PETR4", "B")
        assert said() == told


def test_an_unknown_exchange_is_never_retried(dll):
    with pytest.raises(NeverRetryError, match="NL_EXCHANGE_UNKNOWN") as raised:
        dll.subscribe("WINZ26", "BMF")
    assert raised.value.call == "SubscribeTicker"


def test_history_is_asked_for_in_sao_paulo_s_time(dll, said):
    dll.request_history("WINZ26", "F", MORNING, EVENING)

    assert said() == "WINZ26 F 05/11/2026 09:00:00 05/11/2026 18:30:00"


def test_history_needs_aware_times_in_order(dll):
    with pytest.raises(ValueError, match="with a zone, found 2026-11-05T09:00:00"):
        dll.request_history("WINZ26", "F", dt.datetime(2026, 11, 5, 9), dt.datetime(2026, 11, 5, 10))
    with pytest.raises(ValueError, match="a beginning before the end"):
        dll.request_history("WINZ26", "F", EVENING, MORNING)


def test_clock_and_health_are_read(dll):
    assert dll.server_clock() == dt.datetime(2026, 11, 5, 12, 1, 2, 345000, tzinfo=SAO_PAULO)
    assert dll.health() == 1


def test_switches_are_passed_on(dll, said):
    dll.use_server("example.com", "8200")
    assert said() == "example.com:8200"
    dll.log_to_files(False)
    assert said() == "log 0"
    dll.mark_day_trades(True)
    assert said() == "day trade 1"


def test_the_last_close_comes_later_or_now(dll):
    assert dll.last_daily_close("PETR4", "B") == 34.5
    assert dll.last_daily_close("PETR4", "B", adjusted=True) == 33.25
    with pytest.raises(RetryLaterError):
        dll.last_daily_close("WINZ26", "F")


def test_brokers_have_names_of_their_length(dll):
    assert dll.agent_name(308) == "CLEÁR S/A"
    assert dll.agent_name(308, short=True) == "CLEÁR"
    assert dll.agent_name(309) is None


def test_accounts_are_listed_and_described(dll, said):
    assert dll.accounts() == [CLIENT, OTHER]
    assert dll.sub_accounts(CLIENT) == [AccountId(1003, "00123", "7")]
    assert said() == "v0 1003 00123/ r0"
    with pytest.raises(NothingDoneError, match="NL_NOT_MASTER_ACCOUNT"):
        dll.sub_accounts(OTHER)


def test_names_that_grow_between_the_two_calls_are_whole(dll, said):
    assert dll.account_details(CLIENT) == Account(
        id=CLIENT, broker_name="Corretora Clara", owner="José da Silva", sub_owner="", flags=2, kind=2
    )
    assert said() == "v1 v0 1003 00123/ r0"
    with pytest.raises(NothingDoneError, match="NL_NOT_FOUND"):
        dll.account_details(OTHER)


def test_a_position_is_read_whole(dll, said):
    position = dll.position(CLIENT, PETR4, PositionType.CONSOLIDATED)

    assert said() == "v2 v0 1003 00123/ r0; v0 PETR4@B f0; 2"
    assert (position.open, position.side, position.average) == (5_000_000_001, 2, 1.5)
    assert (position.sold, position.sold_average, position.bought, position.bought_average) == (2, 2.5, 3, 3.5)
    assert [position.d1, position.d2, position.d3, position.blocked, position.pending] == [4, 5, 6, 7, 8]
    assert [position.allocated, position.provisioned, position.quantity, position.available] == [9, 10, 11, 12]
    assert position.event == 6_000_000_001


def test_positions_leave_out_what_was_never_traded(dll):
    assert dll.position(CLIENT, Asset("NADA3", "B"), PositionType.DAY_TRADE) is None
    assert [p.asset for p in dll.positions(CLIENT, PositionType.DAY_TRADE)] == [PETR4]
    assert dll.positions(OTHER, PositionType.DAY_TRADE) == []


def test_an_order_is_sent_with_all_it_has(dll, said):
    order = NewOrder(
        account=AccountId(1003, "00123", "7"),
        asset=PETR4,
        side=Side.SELL,
        kind=OrderType.STOP_LIMIT,
        quantity=5_000_000_300,
        price=34.5,
        stop=34.75,
    )

    assert dll.send_order(order, "routing ç") == Sent(5_000_000_055, 7_000_000_001)
    assert said() == "v1 v0 1003 00123/7 r0; v0 PETR4@B f0; routing ?; type 4 side 2 34.50 34.75 5000000300"


def test_a_refused_order_is_an_error_of_its_class(dll):
    order = NewOrder(account=CLIENT, asset=PETR4, side=Side.BUY, kind=OrderType.MARKET, quantity=0)

    with pytest.raises(NeverRetryError, match=r"SendOrder: .*NL_INVALID_ARGS"):
        dll.send_order(order, "x")


def test_an_order_is_changed_or_cancelled_by_one_key(dll, said):
    assert dll.change_order(CLIENT, OrderKey(cl_order="CL-55"), "x", quantity=10, price=34.0) == Sent(-1, 7_000_000_002)
    assert said() == "v1 v0 1003 00123/ r0; v0 -1 CL-55; x; 34.00 -1.00 10"
    assert dll.cancel_order(CLIENT, OrderKey(5_000_000_055), "x") == Sent(5_000_000_055, 7_000_000_003)
    assert said() == "v1 v0 1003 00123/ r0; v0 5000000055 ; x"
    with pytest.raises(NothingDoneError, match=r"SendCancelOrderV2: .*NL_NOT_FOUND"):
        dll.cancel_order(CLIENT, OrderKey(404), "x")


@pytest.mark.parametrize("key", [OrderKey(), OrderKey(5, "CL-5")])
def test_no_key_or_two_are_refused_before_the_call(dll, key):
    with pytest.raises(ValueError, match="expected one key"):
        dll.cancel_order(CLIENT, key, "x")


def test_many_orders_are_cancelled_at_once(dll, said):
    dll.cancel_orders(CLIENT, PETR4, "x")
    assert said() == "v0 v0 1003 00123/ r0; v0 PETR4@B f0; x"
    dll.cancel_all(CLIENT, "x")
    assert said() == "v0 v0 1003 00123/ r0; x"


def test_a_position_is_zeroed_by_an_order(dll, said):
    assert dll.zero_position(CLIENT, PETR4, "x", kind=PositionType.DAY_TRADE) == Sent(5_000_000_056, 7_000_000_004)
    assert said() == "v2 v0 1003 00123/ r0; v0 PETR4@B f0; x; -1.00 1"
    with pytest.raises(NothingDoneError, match="NL_NO_POSITION"):
        dll.zero_position(CLIENT, Asset("NADA3", "B"), "x", kind=PositionType.DAY_TRADE)


def test_an_order_s_details_are_whole_though_its_text_grows(dll, said):
    order = dll.order_details(OrderKey(5_000_000_055))

    assert said() == "v1 v0 5000000055 "
    assert order.key == OrderKey(5_000_000_055, "CL-55")
    assert (order.account, order.asset) == (AccountId(1003, "00123", "7"), PETR4)
    assert (order.quantity, order.traded, order.leaves) == (300, 100, 200)
    assert (order.price, order.stop, order.average) == (34.5, -1.0, 34.25)
    assert (order.side, order.kind, order.status, order.validity, order.event) == (2, 4, 201, 200, 9)
    assert order.created == dt.datetime(2026, 11, 5, 10, 11, 12, 345000, tzinfo=SAO_PAULO) == order.valid_until
    assert order.updated == dt.datetime(2026, 11, 5, 10, 11, 13, tzinfo=SAO_PAULO)
    assert order.closed is None
    assert order.text == "Criação concluída"
    with pytest.raises(NothingDoneError, match="NL_NOT_FOUND"):
        dll.order_details(OrderKey(404))


def test_orders_in_memory_are_listed(dll, said):
    orders = dll.orders(CLIENT)

    assert said() == "v0 1003 00123/ r0"
    assert [order.key for order in orders] == [OrderKey(i, "CL-1") for i in (1, 2, 3)]
    assert {order.text for order in orders} == {"Criação"}
    assert (orders[0].asset, orders[0].account, orders[0].status, orders[0].event) == (
        Asset("WINZ26", "F"),
        CLIENT,
        201,
        11,
    )
    assert (orders[0].price, orders[0].stop, orders[0].average, orders[0].leaves) == (1.5, 2.5, 3.5, 6)


def test_orders_of_an_interval_are_loaded_first(dll, said):
    dll.load_orders(CLIENT, MORNING, EVENING)
    asked = "v0 1003 00123/ r0 2026-11-5.4 9:0:0.0 2026-11-5.4 18:30:0.0"
    assert said() == asked
    assert len(dll.orders(CLIENT, MORNING, EVENING)) == 3
    assert said() == asked
    with pytest.raises(RetryLaterError):
        dll.load_orders(OTHER, MORNING, EVENING)
    with pytest.raises(RetryLaterError):
        dll.orders(OTHER, MORNING, EVENING)


def test_times_of_requests_are_those_of_the_records():
    assert milliseconds(MORNING) == int(MORNING.timestamp() * 1000) - 3 * 3600 * 1000
