"""What works is added up as it changes: after any story a recount of all working orders says the same."""

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.orders import records
from realtime.orders.entries import Entry
from realtime.orders.exposure import Exposure
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.recent import TRIMMED_AT, Recent
from realtime.orders.risk import Limits, Mark, Open
from realtime.orders.states import Order, Overdue, Reported, SendUnclear, Sent

NOW = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)
ANA = records.Caller(user="ana")
ORDERS = [f"ORD-20261118-{number:03d}" for number in range(1, 6)]
PRICES = st.sampled_from([None, Decimal(130_000), Decimal(130_005)])


def order(name: str, **more: object) -> Order:
    given = {"symbol": "WINZ26", "side": "BUY", "kind": "LIMIT", "quantity": 2, "account": "1:1", **more}
    return Order(id=name, **given)  # type: ignore[arg-type]


def intended(made: Order) -> records.Intended:
    return records.Intended(at=NOW, order=made, caller=ANA, checks=(), reply=records.Reply(202, ""))


names = st.sampled_from(ORDERS)
reports = st.builds(
    lambda status, traded, quantity, named, price: Reported(
        status=status,
        traded=traded,
        average_price=Decimal(100),
        quantity=quantity,
        price=price,
        exchange_id="X" if named else None,
    ),
    st.sampled_from([0, 1, 2, 4, 5, 8, 14]),
    st.integers(0, 3),
    st.integers(1, 3),
    st.booleans(),
    PRICES,
)
events = st.one_of(reports, st.just(Sent(7)), st.just(SendUnclear("late")), st.just(Overdue()))
stories = st.lists(
    st.one_of(
        st.builds(
            lambda name, side, quantity, price, symbol, account: intended(
                order(name, side=side, quantity=quantity, price=price, symbol=symbol, account=account)
            ),
            names,
            st.sampled_from(["BUY", "SELL"]),
            st.integers(1, 3),
            PRICES,
            st.sampled_from(["WINZ26", "WDOZ26"]),
            st.sampled_from(["1:1", "1:2"]),
        ),
        st.builds(lambda name, event: records.Happened(at=NOW, order=name, event=event), names, events),
        st.builds(
            lambda name, quantity, price: records.Asked(
                at=NOW, order=name, what="change", caller=ANA, quantity=quantity, price=price
            ),
            names,
            st.integers(1, 5),
            PRICES,
        ),
        st.builds(
            lambda name, refused: records.Answered(at=NOW, order=name, what="change", refused=refused),
            names,
            st.sampled_from([None, "no"]),
        ),
    ),
    max_size=25,
)


@given(stories)
def test_a_recount_says_the_same_after_any_story(story):
    ledger = Ledger(RiskLimits(base=Limits()))
    for number, entry in enumerate(story):
        ledger.apply(entry, number)
    again = Exposure()
    for entry in ledger.working.values():
        again.put(entry)

    assert +ledger.exposure._leaves == again._leaves
    for account in ("1:1", "1:2"):
        for symbol in ("WINZ26", "WDOZ26"):
            intent = order("", account=account, symbol=symbol, price=Decimal(130_000))
            assert ledger.exposure.met_by(intent, None) == again.met_by(intent, None)


def entry(name: str, **more: object) -> Entry:
    made = order(name, **{"price": Decimal(130_000), **more})
    return Entry(order=made, made_at=NOW, updated_at=NOW, caller=ANA)


def test_an_order_meets_what_works_on_its_side_and_its_unnamed_twins():
    exposure = Exposure()
    for each in (entry("a"), entry("b", side="SELL"), entry("c", symbol="WDOZ26"), entry("d", account="1:2")):
        exposure.put(each)
    exposure.put(entry("e", exchange_id="X5", quantity=4, traded=1))

    assert exposure.met_by(entry("n").order, None) == Open(orders=4, same_side=5, unknown=1, notional=None)
    assert exposure.met_by(entry("n").order, None, "a") == Open(orders=3, same_side=3, unknown=0, notional=None)


def test_a_change_on_its_way_counts_with_the_worse_of_before_and_after():
    exposure, made = Exposure(), entry("a", exchange_id="X")
    made.change = records.Asked(at=NOW, order="a", what="change", caller=ANA, quantity=5, price=Decimal(129_000))
    exposure.put(made)

    assert exposure.met_by(made.order, None).same_side == 5
    assert exposure.notional("1:1", lambda _: None) == 5 * 130_000 * Decimal("0.2")


def test_money_is_reckoned_at_the_dearest_price_and_not_without_one():
    exposure = Exposure()
    exposure.put(entry("a"))
    exposure.put(entry("b", kind="MARKET", price=None))
    mark = Mark(Decimal(131_000), NOW)

    assert exposure.notional("1:1", lambda _: mark) == 4 * 131_000 * Decimal("0.2")
    assert exposure.notional("1:1", lambda _: None) is None
    assert exposure.notional("1:1", lambda _: None, instead_of="b") == 2 * 130_000 * Decimal("0.2")


def test_what_is_recent_is_counted_and_a_clock_put_back_counts_too_much():
    recent: Recent[int] = Recent(60)
    for second in range(3 * TRIMMED_AT):
        recent.add(NOW + dt.timedelta(seconds=second), second)
    end = NOW + dt.timedelta(seconds=3 * TRIMMED_AT - 1)

    assert recent.newer(end.timestamp(), 3) == [3 * TRIMMED_AT - 3, 3 * TRIMMED_AT - 2, 3 * TRIMMED_AT - 1]
    assert recent.count(end.timestamp(), 60) == 60
    recent.add(NOW, 0)
    assert recent.count(NOW.timestamp(), 1) > 60
    assert recent.count(NOW.timestamp() + 1, 1) == 0


def test_many_within_a_moment_are_all_counted_and_let_go_together():
    recent: Recent[int] = Recent(60)
    for number in range(3 * TRIMMED_AT):
        recent.add(NOW, number)

    assert recent.count(NOW.timestamp(), 1) == 3 * TRIMMED_AT
    later = NOW + dt.timedelta(seconds=100)
    for number in range(4 * TRIMMED_AT):
        recent.add(later, number)
    assert len(list(recent.held())) < 9 * TRIMMED_AT
    assert recent.count(later.timestamp(), 60) == 4 * TRIMMED_AT


def test_limits_in_force_follow_a_change():
    ledger = Ledger(RiskLimits(base=Limits(position=5)))
    before = ledger.limits_of("1:1", None, "WINZ26")
    change = structs.replace(records.Change(), positions={"WIN": 9})
    ledger.apply(records.LimitsSet(at=NOW, before=records.Change(), change=change, caller=ANA), 1)

    assert (before.position, ledger.limits_of("1:1", None, "WINZ26").position) == (5, 9)
