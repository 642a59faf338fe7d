"""Positions against a recomputation in money, and the cases that books get wrong."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from realtime.orders.positions import Costs, Position, Trade, after_trade, day_begun, flat, recomputed, taken_over
from sql.exchange import FUTURES

WIN = FUTURES["WIN"]
TOLERANCE = Decimal("1e-12")


def trade(signed: int, price: str | Decimal, cost: str = "0") -> Trade:
    return Trade(
        account="1",
        symbol="WINZ26",
        side="BUY" if signed > 0 else "SELL",
        quantity=abs(signed),
        price=Decimal(price),
        cost=Decimal(cost),
    )


def run(*trades: Trade) -> Position:
    return recomputed(flat("1", "WINZ26", WIN), trades)


trades = st.lists(
    st.builds(
        trade,
        st.integers(-20, 20).filter(bool),
        st.integers(20_000, 40_000).map(lambda ticks: Decimal(ticks) * 5),
        st.sampled_from(["0", "0.25", "1.10"]),
    ),
    max_size=30,
)


@given(trades, st.integers(20_000, 40_000).map(lambda ticks: Decimal(ticks) * 5))
def test_realised_and_open_result_are_the_money_that_went_in_and_out(made, mark):
    position = run(*made)
    cash = sum((-t.signed * t.price for t in made), Decimal(0)) * position.point_value
    worth = sum(t.signed for t in made) * mark * position.point_value

    assert position.net == sum(t.signed for t in made)
    assert abs(position.realised + position.unrealised(mark) - (cash + worth)) < TOLERANCE
    assert abs(position.day_realised + position.day_unrealised(mark) - (cash + worth)) < TOLERANCE
    assert position.day_result == position.day_realised - sum((t.cost for t in made), Decimal(0))


@given(trades)
def test_the_average_is_that_of_what_is_open_since_it_last_was_flat_or_turned(made):
    open_, money = 0, Fraction(0)
    for t in made:
        if open_ * t.signed >= 0:
            money += Fraction(t.price) * t.quantity
        elif t.quantity < abs(open_):
            money -= money * t.quantity / abs(open_)
        else:
            money = Fraction(t.price) * (t.quantity - abs(open_))
        open_ += t.signed
    position = run(*made)

    assert abs(Fraction(position.average) * abs(open_) - money) < Fraction(1, 10**12)


@given(trades, trades, st.integers(20_000, 40_000).map(lambda ticks: Decimal(ticks) * 5))
def test_a_day_counts_from_its_settlement(before, after, mark):
    settlement = Decimal(130_000)
    start = day_begun(run(*before), settlement)
    end = recomputed(start, after)
    cash = sum((-t.signed * t.price for t in after), Decimal(0))
    gained = (end.net * mark - start.net * settlement + cash) * start.point_value

    assert abs(end.day_realised + end.day_unrealised(mark) - gained) < TOLERANCE
    assert end.day_costs == sum((t.cost for t in after), Decimal(0))


def test_turning_through_zero_starts_a_new_average():
    position = run(trade(2, "100"), trade(-5, "110"))

    assert (position.net, position.average, position.realised) == (-3, Decimal(110), Decimal("4.0"))


def test_closing_leaves_the_position_with_its_result():
    position = run(trade(1, "100000"), trade(-1, "100100"))

    assert (position.net, position.average, position.realised) == (0, 0, Decimal(20))


def test_a_short_position_wins_when_the_price_falls():
    position = run(trade(-2, "130000"))

    assert position.unrealised(Decimal(129_900)) == Decimal(40)


def test_a_day_without_settlement_goes_on_from_where_it_stood():
    position = day_begun(run(trade(2, "100"), trade(2, "110")), None)

    assert (position.opened, position.basis, position.bought) == (4, Decimal(105), 0)


def test_what_the_broker_holds_more_counts_as_held_at_the_start():
    position = taken_over(after_trade(flat("1", "WINZ26", WIN), trade(1, "100")), 6, Decimal(90))

    assert (position.net, position.opened, position.average, position.bought) == (6, 5, Decimal(90), 1)


def test_costs_are_per_contract_for_futures_and_a_share_of_the_money_for_shares():
    costs = Costs(per_contract={"WIN": Decimal("0.25")}, share=Decimal("0.0003"))

    assert costs.of("WINZ26", 4, Decimal(130_000)) == Decimal(1)
    assert costs.of("PETR4", 100, Decimal(30)) == Decimal("0.9")
    assert costs.of("WDOZ26", 1, Decimal(5000)) == 0
