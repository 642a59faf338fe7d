"""The risk table: each check refuses what it should and says why, and what is allowed keeps every limit."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.orders.risk import (
    CHECKS,
    Dispute,
    Intent,
    Known,
    Limits,
    Mark,
    Open,
    findings,
    reduces,
    refusal_of,
    worst_position,
)
from sql.exchange import FUTURES, Instrument, instrument_of

NOW = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)
WIN = FUTURES["WIN"]
LIMITS = Limits(
    notional=Decimal(100_000),
    open_notional=Decimal(200_000),
    capital=Decimal(50_000),
    margin_rate=Decimal("0.2"),
    margin_needed=True,
)
INTENT = Intent(symbol="WINZ26", side="BUY", kind="LIMIT", quantity=1, price=Decimal(130_000), account="1")
KNOWN = Known(
    now=NOW,
    orders_ready=True,
    day_begun=True,
    journal_ready=True,
    switched_off=None,
    in_hours=True,
    state=0,
    instrument=WIN,
    last=Mark(Decimal(130_000), NOW - dt.timedelta(seconds=1)),
    position=0,
)


def changed(intent: dict[str, object], known: dict[str, object], limits: dict[str, object]):
    return structs.replace(INTENT, **intent), structs.replace(KNOWN, **known), structs.replace(LIMITS, **limits)


def test_a_sound_order_may_leave():
    assert refusal_of(INTENT, KNOWN, LIMITS) is None
    assert len(findings(INTENT, KNOWN, LIMITS)) == len(CHECKS)


SELL = {"side": "SELL"}
DISPUTE = Dispute(ours="tick 5", theirs="tick 1")
REFUSED = [
    ("KILL_SWITCH", {}, {"switched_off": "loss"}, {}),
    ("JOURNAL", {}, {"journal_ready": False}, {}),
    ("CONNECTION", {}, {"orders_ready": False}, {}),
    ("CONNECTION", {}, {"day_begun": False}, {}),
    ("TRADING_HOURS", {}, {"in_hours": False}, {}),
    ("SESSION_STATE", {}, {"state": 4}, {}),
    ("SESSION_STATE", {}, {"state": None}, {}),
    ("INSTRUMENT", {}, {"instrument": None}, {}),
    ("INSTRUMENT", {}, {}, {"allowed": frozenset({"WDOZ26"})}),
    ("INSTRUMENT", {}, {"dispute": DISPUTE}, {}),
    ("INSTRUMENT", SELL, {"dispute": DISPUTE}, {}),
    ("ORDER_FORM", {"price": None}, {}, {}),
    ("ORDER_FORM", {"kind": "MARKET"}, {}, {}),
    ("ORDER_FORM", {"stop": Decimal(130_000)}, {}, {}),
    ("ORDER_FORM", {"kind": "STOP_LIMIT", "stop": Decimal(130_005)}, {}, {}),
    ("ORDER_FORM", {"kind": "STOP_LIMIT", "side": "SELL", "stop": Decimal(129_995)}, {}, {}),
    ("ORDER_FORM", {"price": Decimal(-5)}, {}, {}),
    ("ORDER_FORM", {"price": Decimal(0)}, {}, {}),
    ("ORDER_FORM", {"kind": "STOP", "price": None, "stop": Decimal(0)}, {}, {}),
    ("MAX_QUANTITY", {"quantity": 0}, {}, {}),
    ("MAX_QUANTITY", {"quantity": 3}, {}, {"quantity": 2}),
    ("LOT", {}, {"instrument": FUTURES["DOL"]}, {}),
    ("LOT", {}, {"instrument": Instrument(tick_size=5.0, lot=0, point_value=0.2)}, {}),
    ("TICK_SIZE", {}, {"instrument": Instrument(tick_size=0.0, lot=1, point_value=0.2)}, {}),
    ("TICK_SIZE", {"price": Decimal(130_001)}, {}, {}),
    ("PRICE_COLLAR", {"price": Decimal(150_000)}, {}, {}),
    ("PRICE_COLLAR", {}, {"last": None}, {}),
    ("PRICE_COLLAR", {}, {"last": Mark(Decimal(130_000), NOW - dt.timedelta(minutes=2))}, {}),
    ("MAX_NOTIONAL", {"quantity": 4}, {}, {}),
    ("POSITION_LIMIT", {}, {"position": 5}, {}),
    ("POSITION_LIMIT", {}, {"open": Open(orders=1, same_side=5)}, {}),
    ("OPEN_ORDERS", {}, {"open": Open(orders=3)}, {"open_orders": 3}),
    ("OPEN_EXPOSURE", {}, {"open": Open(notional=Decimal(190_000))}, {}),
    ("OPEN_EXPOSURE", {}, {"open": Open(notional=None)}, {}),
    ("MESSAGE_RATE", {}, {"messages_second": 20}, {}),
    ("MESSAGE_RATE", {}, {"messages_minute": 300}, {}),
    ("DUPLICATE", {}, {"twins": 1}, {}),
    ("DUPLICATE", {}, {"open": Open(unknown=1)}, {}),
    ("DAILY_LOSS", {}, {"realised": Decimal(-5000)}, {}),
    ("DAILY_LOSS", {}, {"realised": Decimal(-3000), "open_result": Decimal(-2000)}, {}),
    ("DAILY_LOSS", {}, {"realised": Decimal(-4000), "open_result": Decimal("-999.99999999999999999999963")}, {}),
    ("DAILY_LOSS", SELL, {"position": 2, "realised": Decimal(-5000)}, {}),
    ("DAILY_LOSS", {}, {"open_result": None}, {}),
    ("DAILY_LOSS", {}, {"oldest_mark": NOW - dt.timedelta(minutes=5)}, {}),
    ("MARGIN", {}, {"margin_used": Decimal(49_000)}, {}),
    ("MARGIN", {}, {"margin_used": None}, {}),
    ("MARGIN", {}, {}, {"capital": None}),
    ("MARGIN", {}, {}, {"margin_rate": None}),
]


@pytest.mark.parametrize(("code", "intent", "known", "limits"), REFUSED)
def test_each_check_refuses_and_says_limit_and_value(code, intent, known, limits):
    refusal = refusal_of(*changed(intent, known, limits))

    assert refusal is not None
    assert refusal.code == code
    assert refusal.limit
    assert refusal.observed


ALONE = {"notional": None, "open_notional": None, "capital": None, "margin_rate": None, "margin_needed": False}
ALLOWED = [
    ({"quantity": 2}, {}, {"quantity": 2}),
    ({"kind": "STOP_LIMIT", "stop": Decimal(130_000)}, {}, {}),
    ({"price": Decimal(143_000)}, {}, {}),
    ({}, {"last": Mark(Decimal(130_000), NOW - LIMITS.price_age)}, {}),
    ({}, {"oldest_mark": NOW - LIMITS.mark_age}, {}),
    ({}, {}, {"notional": Decimal(26_000)}),
    ({}, {"position": 4}, {}),
    ({}, {"open": Open(notional=Decimal(174_000))}, {}),
    ({}, {"margin_used": Decimal(44_800)}, {}),
    ({}, {}, {**ALONE, "notional": Decimal(26_000)}),
    ({}, {}, {**ALONE, "open_notional": Decimal(26_000)}),
    ({}, {}, {**ALONE, "capital": Decimal(5_200), "margin_rate": Decimal("0.2")}),
    (SELL, {"position": 2, "dispute": DISPUTE}, {}),
    (SELL, {"position": 2, "day_begun": False, "realised": Decimal(-5000)}, {}),
    (SELL, {"position": 2, "open_result": None}, {}),
]


@pytest.mark.parametrize(("intent", "known", "limits"), ALLOWED)
def test_what_lies_exactly_at_a_limit_or_only_reduces_may_leave(intent, known, limits):
    assert refusal_of(*changed(intent, known, limits)) is None


def test_every_check_is_among_those_that_were_seen_to_refuse():
    assert {finding.code for finding in findings(INTENT, KNOWN, LIMITS)} == {code for code, *_ in REFUSED}


def test_a_symbol_that_nobody_told_of_is_refused_for_that_and_not_for_its_lot():
    intent, known, limits = changed({"symbol": "NOPE"}, {"instrument": instrument_of("NOPE"), "state": None}, {})
    refusal = refusal_of(intent, known, limits)

    assert refusal is not None
    assert (refusal.code, refusal.observed) == ("SESSION_STATE", "none was told of NOPE: it is not subscribed")


def test_an_unset_capital_names_its_setting_and_binds_live_money_only():
    refusal = refusal_of(*changed({}, {}, {"capital": None}))

    assert refusal is not None
    assert "TRADINGSYSTEM_CAPITAL" in refusal.observed
    assert refusal_of(*changed({}, {}, {"capital": None, "margin_needed": False})) is None


def test_an_order_that_only_closes_passes_the_position_limit():
    intent, known, limits = changed({"side": "SELL", "quantity": 2}, {"position": 9}, {})

    assert refusal_of(intent, known, limits) is None
    both = structs.replace(known, open=Open(orders=1, same_side=8))
    refusal = refusal_of(intent, structs.replace(both, position=9), structs.replace(limits, position=0))
    assert refusal is not None
    assert refusal.code == "POSITION_LIMIT"


@pytest.mark.parametrize("used", [Decimal(10**9), None])
def test_who_has_too_little_margin_gets_out_and_not_further_in(used):
    intent, known, limits = changed({"side": "SELL", "quantity": 2}, {"position": 2, "margin_used": used}, {})

    assert refusal_of(intent, known, limits) is None
    for other in (structs.replace(intent, quantity=3), structs.replace(intent, side="BUY", quantity=1)):
        refusal = refusal_of(other, known, limits)
        assert refusal is not None
        assert refusal.code == "MARGIN"


working = st.lists(st.integers(-8, 8).filter(bool), max_size=6)  # signed, all of the intent's symbol
intents = st.builds(
    lambda side, quantity: structs.replace(INTENT, side=side, quantity=quantity),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 12),
)


def met_by(intent, others):
    return Open(orders=len(others), same_side=sum(abs(each) for each in others if each * intent.sign > 0))


@given(intents, st.integers(-12, 12), working, st.integers(0, 10), st.data())
def test_what_is_allowed_never_takes_a_position_out_of_its_limit(intent, position, others, limit, data):
    known = structs.replace(KNOWN, position=position, open=met_by(intent, others))
    wide = structs.replace(LIMITS, position=limit, notional=None, open_notional=None, capital=Decimal(10**9))
    if refusal_of(intent, known, wide) is not None:
        return
    mine = [*others, intent.sign * intent.quantity]
    filled = data.draw(st.lists(st.sampled_from(range(len(mine))), unique=True))
    own_side = sum(mine[n] for n in filled if mine[n] * intent.sign > 0)
    after = position + own_side

    assert abs(after) <= max(limit, abs(position))


@given(intents, st.integers(-12, 12), working)
def test_an_order_that_reduces_never_turns_the_position(intent, position, others):
    known = structs.replace(KNOWN, position=position, open=met_by(intent, others))

    if reduces(intent, known):
        assert worst_position(intent, known) == 0
        assert abs(position + intent.sign * intent.quantity) < abs(position)


fields = st.sampled_from(["instrument", "last", "state", "open_result"])


@given(fields, intents)
def test_a_missing_reference_always_refuses(name, intent):
    assert refusal_of(intent, structs.replace(KNOWN, **{name: None}), LIMITS) is not None
