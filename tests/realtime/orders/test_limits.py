"""Limits: the strictest wins, changes make versions, nonsense is refused by name."""

import datetime as dt
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.orders.limits import (
    Change,
    Hours,
    LimitsError,
    RiskLimits,
    Scope,
    Stricter,
    as_they_were,
    changed,
    check,
    together,
)
from realtime.orders.risk import Limits

LIMITS = RiskLimits(base=Limits(), positions={"WIN": 20, "WDOZ26": 3})
scopes = st.builds(
    Scope,
    account=st.sampled_from([None, "1:1", "1:2"]),
    strategy=st.sampled_from([None, "momentum"]),
    symbol=st.sampled_from([None, "WINZ26"]),
)
stricter = st.lists(
    st.builds(
        Stricter,
        scope=scopes,
        quantity=st.none() | st.integers(1, 100),
        position=st.none() | st.integers(0, 100),
        notional=st.none() | st.integers(1, 1000).map(Decimal),
        daily_loss=st.none() | st.integers(100, 10_000).map(Decimal),
        forbidden=st.booleans(),
    ),
    max_size=4,
).map(tuple)


@given(stricter)
def test_nothing_of_ones_own_is_ever_looser_than_what_holds_for_all(own):
    limits = msgspec.structs.replace(LIMITS, stricter=own)
    for account in ("1:1", "1:2"):
        for strategy in (None, "momentum"):
            found = limits.of(account, strategy, "WINZ26")
            assert found.quantity <= limits.base.quantity
            assert found.position <= 20
            assert found.daily_loss <= limits.base.daily_loss
            for each in own:
                if each.scope.holds(account, strategy, "WINZ26"):
                    assert each.position is None or found.position <= each.position
                    assert each.notional is None or (found.notional is not None and found.notional <= each.notional)
                    assert not each.forbidden or found.allowed == frozenset()


@pytest.mark.parametrize(
    ("symbol", "most"), [("WINZ26", 20), ("WDOZ26", 3), ("WDOF27", 5), ("PETR4", 500), ("DOLZ26", 5)]
)
def test_a_position_limit_belongs_to_the_symbol_or_its_root(symbol, most):
    assert LIMITS.of("1:1", None, symbol).position == most


@pytest.mark.parametrize(("scope", "forbidden"), [("WINZ26", True), ("WIN", True), ("WDO", False), ("WING27", False)])
def test_what_is_stricter_holds_for_a_symbol_or_all_months_of_its_root(scope, forbidden):
    own = (Stricter(scope=Scope(symbol=scope), forbidden=True),)
    found = msgspec.structs.replace(LIMITS, stricter=own).of("1:1", None, "WINZ26")

    assert (found.allowed == frozenset()) is forbidden


@pytest.mark.parametrize("name", ["winz26", "WINZ26\n", " WIN", "WI", ""])
def test_a_limit_of_what_no_order_can_have_is_refused(name):
    for change in (
        Change(positions={name: 1}),
        Change(stricter=(Stricter(scope=Scope(symbol=name), forbidden=True),)),
    ):
        with pytest.raises(LimitsError, match="in capitals"):
            check(change)


def test_a_change_keeps_what_it_does_not_name_and_counts_on():
    after = changed(LIMITS, Change(daily_loss=Decimal(900), positions={"WDOZ26": 1}))

    assert (after.version, after.base.daily_loss) == (2, 900)
    assert after.positions == {"WIN": 20, "WDOZ26": 1}
    assert after.hours == LIMITS.hours


def test_a_limit_of_a_symbols_own_can_be_taken_away_and_the_next_wider_one_holds_again():
    own = changed(LIMITS, Change(positions={"WINZ26": 3}))
    change = Change(positions={"WINZ26": None})
    check(change)

    assert (own.position("WINZ26"), changed(own, change).position("WINZ26")) == (3, 20)
    assert changed(own, change).positions == LIMITS.positions
    assert changed(LIMITS, together(Change(positions={"WINZ26": 3}), change)).positions == LIMITS.positions


def test_a_change_knows_what_it_replaces():
    change = Change(positions={"WIN": 30}, hours=Hours(start="10:00"))

    assert as_they_were(LIMITS, change) == Change(positions={"WIN": 20}, hours=Hours())
    assert changed(changed(LIMITS, change), as_they_were(LIMITS, change)).hours == LIMITS.hours


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Change(daily_loss=Decimal(99)), "dailyLossLimit"),
        (Change(daily_loss=Decimal(1_000_001)), "dailyLossLimit"),
        (Change(positions={"WIN": 0}), "maxPositionSize.WIN"),
        (Change(positions={"WIN": 10_001}), "maxPositionSize.WIN"),
        (Change(hours=Hours(start="9:00")), "tradingHours.start"),
        (Change(hours=Hours(end="24:00")), "tradingHours.end"),
        (Change(hours=Hours(start="18:00", end="09:00")), "tradingHours"),
        (Change(hours=Hours(timezone="Mars/Base")), "tradingHours.timezone"),
        (Change(stricter=(Stricter(scope=Scope(), quantity=-1),)), "stricter"),
        (Change(stricter=(Stricter(scope=Scope(), notional=Decimal("NaN")),)), "stricter"),
        (Change(daily_loss=Decimal("sNaN")), "dailyLossLimit"),
    ],
)
def test_what_no_limit_may_be_is_refused_by_its_name(change, field):
    with pytest.raises(LimitsError) as error:
        check(change)

    assert error.value.field == field


@pytest.mark.parametrize(
    ("clock", "holds"), [("11:59", False), ("12:00", True), ("20:59", True), ("21:00", False), ("23:00", False)]
)
def test_hours_are_those_of_their_zone(clock, holds):
    at = dt.datetime.fromisoformat(f"2026-11-18T{clock}:30+00:00")

    assert Hours().hold(at) is holds


def test_a_whole_day_has_no_last_minute():
    assert Hours(start="00:00", end="23:59").hold(dt.datetime(2026, 11, 19, 2, 59, 30, tzinfo=dt.UTC))


def test_limits_go_through_json_and_come_back_the_same():
    limits = changed(LIMITS, Change(stricter=(Stricter(scope=Scope(symbol="WINZ26"), daily_loss=Decimal("150.5")),)))

    assert msgspec.json.decode(msgspec.json.encode(limits), type=RiskLimits) == limits
