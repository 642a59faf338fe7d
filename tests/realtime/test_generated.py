import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import generated
from sql.tables import TICKS

DATE = dt.date(2026, 11, 20)
SMALL = tuple(generated.Instrument(i.symbol, i.price, i.tick_size, i.rate / 20, i.lot) for i in generated.INSTRUMENTS)


@pytest.fixture(scope="module")
def ticks() -> pl.DataFrame:
    return generated.day(SMALL, DATE)


def test_it_follows_the_contract(ticks):
    assert ticks.schema == TICKS.polars
    assert ticks.select(c.name for c in TICKS.columns if not c.nullable).null_count().sum_horizontal().item() == 0


def test_every_tick_has_its_own_identity_and_ids_rise_with_time(ticks):
    assert ticks.n_unique(("symbol", "session", "trade_id")) == ticks.height
    for (_, _), rows in ticks.group_by("symbol", "session", maintain_order=True):
        assert rows["trade_id"].is_sorted()
        assert rows["ts"].is_sorted()


def test_prices_stand_on_the_tick_size(ticks):
    for instrument in SMALL:
        prices = ticks.filter(pl.col("symbol") == instrument.symbol)["price"]
        steps = prices / instrument.tick_size
        assert ((steps - steps.round()).abs() < 1e-6).all()
        assert (prices > 0).all()


def test_the_day_is_a_utc_day(ticks):
    assert ticks["ts"].dt.date().unique().to_list() == [DATE]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), days=st.integers(-400, 400))
def test_the_same_day_comes_out_the_same(seed, days):
    date = DATE + dt.timedelta(days=days)

    assert generated.day(SMALL[:1], date, seed).equals(generated.day(SMALL[:1], date, seed))


def test_another_day_and_another_seed_differ():
    assert not generated.day(SMALL[:1], DATE, 1).equals(generated.day(SMALL[:1], DATE, 2))
