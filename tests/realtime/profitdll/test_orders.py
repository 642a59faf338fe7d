"""Orders and positions between the DLL's doubles and the border's Decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.orders.broker import AccountId, NewOrder, NotSentError, OrderKey
from realtime.profitdll import orders, requests
from realtime.profitdll.requests import Asset, OrderType, Position, PositionType

ACCOUNT = AccountId(3001, "000123")


def new(**given):
    figures = {"kind": "LIMIT", "price": Decimal(131000), "side": "BUY", "quantity": 2, "symbol": "WINZ26"}
    return NewOrder(id="ours", account=ACCOUNT, **{**figures, **given})


def told(**given):
    figures = {
        "key": requests.OrderKey(7, "CL-7"),
        "account": ACCOUNT,
        "asset": Asset("WDOZ26", "F"),
        "side": 2,
        "kind": 4,
        "status": 1,
        "validity": 0,
        "quantity": 3,
        "traded": 3,
        "leaves": 0,
        "price": 5412.5,
        "stop": 5413.0,
        "average": 5412.833333333333,
        "created": None,
        "updated": None,
        "closed": None,
        "valid_until": None,
        "text": "",
        "event": 1,
    }
    return requests.Order(**{**figures, **given})


@pytest.mark.parametrize(("side", "price"), [("BUY", 131100), ("SELL", 130900)])
def test_a_plain_stop_becomes_a_stop_limit_behind_its_stop(side, price):
    stop = new(kind="STOP", price=None, stop=Decimal(131000), side=side)
    shaped = orders.shaped(stop, 20)

    assert shaped == structs.replace(stop, kind="STOP_LIMIT", price=Decimal(price))
    assert orders.shaped(shaped, 20) == shaped


@pytest.mark.parametrize("validity", ["GTC", "IOC", "FOK"])
def test_validities_that_the_dll_cannot_set_are_refused(validity):
    with pytest.raises(NotSentError, match=validity) as raised:
        orders.shaped(new(time_in_force=validity), 20)
    assert raised.value.code == "UNSUPPORTED"


def test_series_and_stops_without_room_are_refused():
    with pytest.raises(NotSentError, match="dated contract"):
        orders.shaped(new(symbol="WINFUT"), 20)
    with pytest.raises(NotSentError, match="offset of its limit"):
        orders.shaped(new(kind="STOP", price=None, stop=Decimal(50), side="SELL"), 20)


def test_the_request_has_the_dll_s_numbers():
    market = orders.request_of(new(kind="MARKET", price=None, side="SELL", symbol="PETR4", quantity=100))
    assert (market.kind, market.side, market.price, market.stop) == (OrderType.MARKET, requests.Side.SELL, -1.0, -1.0)
    assert market.asset == Asset("PETR4", "B")
    stop = orders.request_of(new(kind="STOP_LIMIT", stop=Decimal("130995.0")))
    assert (stop.kind, stop.price, stop.stop) == (OrderType.STOP_LIMIT, 131000.0, 130995.0)


def test_a_report_is_exact():
    report = orders.report_of(told(), None)

    assert (report.key, report.side, report.kind) == (OrderKey(7, "CL-7"), "SELL", "STOP_LIMIT")
    assert (report.price, report.stop) == (Decimal("5412.5"), Decimal("5413.0"))
    assert report.average_price * 3 == Decimal("16238.5")


def test_the_exchange_s_id_may_come_from_elsewhere_or_not_at_all():
    nameless = told(key=requests.OrderKey(7, ""), price=-1.0, stop=0.0, kind=5, side=5)
    assert orders.report_of(nameless, "CL-9").key == OrderKey(7, "CL-9")
    report = orders.report_of(nameless, None)

    assert report.key == OrderKey(7, None)
    assert (report.price, report.stop, report.kind, report.side) == (None, None, None, "SELL")


def test_an_order_that_cannot_be_counted_is_an_error():
    with pytest.raises(orders.StrangeOrderError, match="CL-7: side 8"):
        orders.report_of(told(side=8), None)


def position(side: int, net: int) -> Position:
    rest = dict.fromkeys(["d1", "d2", "d3", "blocked", "pending", "allocated", "provisioned", "event"], 0)
    return Position(
        account=ACCOUNT,
        asset=Asset("WINZ26", "F"),
        kind=PositionType.CONSOLIDATED,
        open=4 if net else 0,
        side=side,
        average=131252.5,
        sold=2,
        sold_average=131000.0,
        bought=6,
        bought_average=131250.0,
        quantity=0,
        available=0,
        **rest,
    )


@pytest.mark.parametrize(("side", "net"), [(1, 4), (2, -4), (0, 0), (200, 0)])
def test_a_position_has_its_sign(side, net):
    held = orders.held_of(position(side, net))

    assert (held.quantity, held.bought, held.sold) == (net, 6, 2)
    assert held.average_price == (Decimal("131252.5") if net else 0)


@pytest.mark.parametrize("side", [0, 200, 255])
def test_a_position_of_no_side_is_not_taken_for_flat(side):
    with pytest.raises(orders.StrangePositionError, match="expected side 1 or 2"):
        orders.held_of(position(side, 4))


def test_prices_off_the_known_tick_stay_as_they_were_told():
    assert orders.price_of(5412.3, Decimal("0.5")) == Decimal("5412.3")
    assert orders.price_of(38.425, None) == Decimal("38.425")
    assert orders.average(38.425, 2, None) == Decimal("38.425")
    assert orders.price_of(float("nan"), Decimal(5)) is None


def test_one_key_of_an_order_is_asked_with():
    assert orders.key_of(ACCOUNT, OrderKey(7, "CL-7")) == requests.OrderKey(-1, "CL-7")
    assert orders.key_of(ACCOUNT, OrderKey(7)) == requests.OrderKey(7, "")
    for none in (OrderKey(), OrderKey(-1)):
        with pytest.raises(NotSentError, match="found none"):
            orders.key_of(ACCOUNT, none)


@given(
    st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal(5)]),
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**4)), min_size=1, max_size=50),
)
def test_the_mean_of_whole_ticks_comes_back_exact_from_a_double(tick, fills):
    quantity = sum(size for _, size in fills)
    money = sum(price * size for price, size in fills) * tick

    mean = orders.average(float(money) / quantity, quantity, tick)
    assert abs(mean * quantity - money) < Decimal("1e-12")
