"""Fingerprints: equal in every tier for equal rows, different for any rows that differ."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql.buckets import HOUR, hot_buckets, measures, start_of, total, warm_buckets
from sql.tables import TICKS
from sql.warm import copy, ensure_partitions
from tests.tape import DAY, NOON, change, put, ticks

DAY_MICROS = 86_400_000_000
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
LONGS = st.integers(0, 2**63 - 1)
INTS = st.none() | st.integers(0, 2**31 - 1)
ROW = st.fixed_dictionaries(
    {
        "ts": st.integers(0, DAY_MICROS - 1).map(lambda n: start_of(DAY) + dt.timedelta(microseconds=n)),
        "symbol": NAMES,
        "session": st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
        "trade_id": LONGS,
        "price": st.floats(min_value=5e-324, max_value=1.7e308, allow_nan=False, allow_infinity=False),
        "quantity": LONGS,
        "aggressor": st.none() | NAMES,
        "buyer": INTS,
        "seller": INTS,
        "flags": st.integers(0, 2**31 - 1),
        "received_at": st.just(NOON),
        "source": NAMES,
    }
)
MANY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(st.lists(ROW, min_size=1, max_size=30, unique_by=lambda row: tuple(row[name] for name in TICKS.key)))
@MANY
def test_both_tiers_compute_one_fingerprint_for_the_same_rows(hot, warm, table, rows):
    frame = pl.DataFrame(rows, schema=table.polars)
    change(hot, table, f"TRUNCATE TABLE {table.name}")
    put(hot, table, frame)
    with warm.connect() as connection:
        cursor = connection.cursor()
        cursor.execute(f"TRUNCATE {table.name}")
        ensure_partitions(cursor, table, start_of(DAY), start_of(DAY) + 24 * HOUR)
        copy(cursor, table, [frame])
        in_warm = warm_buckets(cursor, table)

    assert hot_buckets(hot, table) == in_warm


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("symbol", ("WINZ26", "WDOZ26")),
        ("session", (DAY, DAY - dt.timedelta(days=1))),
        ("trade_id", (1, 2)),
        ("price", (10.0001, 10.0002)),
        ("quantity", (100, 200)),
        ("aggressor", ("AGGRESSOR", "AUCTIONED")),
        ("aggressor", (None, "BUYER")),
        ("buyer", (None, 0)),
        ("seller", (3, 85)),
        ("flags", (0, 1)),
        ("source", ("generated", "profitdll")),
    ],
)
def test_two_rows_that_exchange_a_value_are_seen(hot, table, column, values):
    """All values are of one length and no plain sum changes: only the whole row tells."""
    apart = {"session": [DAY, DAY], "symbol": ["ABCD3", "ABCD4"], "quantity": [5, 7]}
    put(hot, table, ticks(2, **(apart | {column: list(values)})))
    before = hot_buckets(hot, table)
    change(hot, table, f"TRUNCATE TABLE {table.name}")
    put(hot, table, ticks(2, **(apart | {column: list(values)[::-1]})))
    after = hot_buckets(hot, table)

    assert before != after
    assert all(a[:1] == b[:1] for a, b in zip(before.values(), after.values(), strict=True))


@pytest.mark.parametrize("column", ["symbol", "source", "aggressor"])
def test_a_text_of_the_same_length_is_another_text(hot, table, column):
    put(hot, table, ticks(1, **{column: "WINZ26"}))
    before = hot_buckets(hot, table)
    change(hot, table, f"TRUNCATE TABLE {table.name}")
    put(hot, table, ticks(1, **{column: "WDOZ26"}))

    assert hot_buckets(hot, table) != before


def test_the_time_of_reception_takes_no_part(hot, table):
    put(hot, table, ticks(3))
    before = hot_buckets(hot, table)
    change(hot, table, f"UPDATE {table.name} SET received_at = '2020-01-01'")

    assert hot_buckets(hot, table) == before


def test_hours_are_those_of_utc_and_bounds_are_half_open(hot, warm, table):
    put(hot, table, ticks(4, every=dt.timedelta(minutes=30)))
    one_hour = hot_buckets(hot, table, NOON, NOON + HOUR)

    assert {hour: sums[0] for hour, sums in hot_buckets(hot, table).items()} == {NOON: 2, NOON + HOUR: 2}
    assert list(one_hour) == [NOON]


def test_sums_beyond_64_bits_agree(hot, warm, table):
    frame = ticks(3, quantity=2**63 - 1, trade_id=[2**63 - 1, 2**63 - 2, 5], price=1e300)
    put(hot, table, frame)
    with warm.connect() as connection:
        cursor = connection.cursor()
        ensure_partitions(cursor, table, NOON, NOON + HOUR)
        copy(cursor, table, [frame])

        assert hot_buckets(hot, table) == warm_buckets(cursor, table)


def test_sums_are_those_a_person_would_compute(hot, table):
    put(hot, table, ticks(3, quantity=[10, 20, 30], price=[1.5, 2.0, 2.5]))
    sums = dict(zip(measures(table), total(hot_buckets(hot, table), table), strict=True))

    assert (sums["rows"], sums["sum_quantity"], sums["sum_price"]) == (3, 60, 60_000)


def test_no_rows_have_a_fingerprint_of_zeros(hot, warm, table):
    assert hot_buckets(hot, table) == {}
    assert total({}, table) == (0,) * len(measures(table))


def test_a_price_that_differs_in_its_last_digits_is_another_price(hot, table):
    put(hot, table, ticks(1, price=12.34561))
    before = hot_buckets(hot, table)
    change(hot, table, f"UPDATE {table.name} SET price = 12.345610001")

    assert hot_buckets(hot, table) != before
