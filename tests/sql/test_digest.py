"""The digest of a day: the same for the same rows in any batching, another one for any change."""

import datetime as dt
import string
from unittest import mock

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql import digest
from sql.day_rows import of_file
from sql.digest import content_of, in_key_order
from sql.errors import DamagedError
from sql.tables import TICKS
from tests.tape import DAY, NOON, SECOND, ticks

texts = st.text(string.ascii_uppercase + "é|=", max_size=3)
rows = st.fixed_dictionaries(
    {
        "ts": st.integers(0, 5).map(lambda n: NOON + n * SECOND),
        "symbol": texts,
        "session": st.sampled_from([DAY, DAY + dt.timedelta(days=1)]),
        "trade_id": st.integers(0, 2**62),
        "price": st.floats(allow_nan=False, allow_infinity=False),
        "quantity": st.integers(0, 2**40),
        "aggressor": st.none() | texts,
        "buyer": st.none() | st.integers(0, 9),
        "seller": st.none() | st.integers(0, 9),
        "flags": st.integers(0, 7),
        "received_at": st.just(NOON),
        "source": texts,
    }
)
tapes = st.lists(rows, min_size=1, max_size=12, unique_by=lambda r: (r["ts"], r["symbol"], r["session"], r["trade_id"]))
CHANGED = {
    "price": lambda v: v + 1 if v != v + 1 else 0.5,
    "quantity": lambda v: v + 1,
    "flags": lambda v: v ^ 1,
    "trade_id": lambda v: v ^ 1,
    "aggressor": lambda v: "" if v is None else None,
    "buyer": lambda v: 0 if v is None else None,
    "source": lambda v: f"{v}x",
    "session": lambda v: v + dt.timedelta(days=7),
    "ts": lambda v: v + dt.timedelta(microseconds=1),
}


def frame(made):
    return pl.DataFrame(made, schema=TICKS.polars)


def content(made, size=1000):
    by_time = frame(made).sort("ts", maintain_order=True)
    batches = [by_time[start : start + size] for start in range(0, by_time.height, size)]
    with mock.patch.object(digest, "BLOCK_ROWS", min(size, 4)):
        return content_of(in_key_order(batches, TICKS), TICKS)


@settings(deadline=None)
@given(tapes, st.integers(1, 5), st.integers(1, 5), st.randoms())
def test_equal_rows_in_any_batching_and_order_of_arrival_have_one_digest(made, size, blocks, random):
    shuffled = random.sample(made, len(made))
    whole = frame(made).sort(TICKS.key)
    cut = [whole[start : start + blocks] for start in range(0, whole.height, blocks)]

    assert content(shuffled, size) == content(made) == content_of(cut, TICKS)


@settings(deadline=None)
@given(tapes, st.data())
def test_any_changed_value_changes_the_digest(made, data):
    place = data.draw(st.integers(0, len(made) - 1))
    column = data.draw(st.sampled_from(sorted(CHANGED)))
    other = [dict(row) for row in made]
    other[place][column] = CHANGED[column](other[place][column])

    assert content(other).digest != content(made).digest


@settings(deadline=None)
@given(tapes, st.data())
def test_a_missing_or_an_added_row_changes_the_digest(made, data):
    place = data.draw(st.integers(0, len(made) - 1))

    assert content(made[:place] + made[place + 1 :]).digest != content(made).digest


@pytest.mark.parametrize("column", ["price", "quantity", "aggressor", "buyer", "trade_id", "source"])
def test_two_rows_that_exchange_a_value_change_the_digest(column):
    made = ticks(2, source=["b3", "generated"]).to_dicts()
    made[0][column], made[1][column] = made[1][column], made[0][column]

    assert content(made).digest != content(ticks(2, source=["b3", "generated"]).to_dicts()).digest


def test_a_value_that_moves_into_the_next_row_or_column_changes_the_digest():
    digests = {
        content(ticks(2, source=["AB", "C"], aggressor=["D", ""]).to_dicts()).digest,
        content(ticks(2, source=["A", "BC"], aggressor=["D", ""]).to_dicts()).digest,
        content(ticks(2, source=["A", "BC"], aggressor=["", "D"]).to_dicts()).digest,
        content(ticks(2, source=["A", "BC"], aggressor=["D", None]).to_dicts()).digest,
        content(ticks(2, source=["A", "BCD"], aggressor=["", None]).to_dicts()).digest,
    }

    assert len(digests) == 5


def test_the_first_reception_takes_no_part():
    later = ticks(3).with_columns(pl.col("received_at") + dt.timedelta(hours=1))

    assert content(later.to_dicts()) == content(ticks(3).to_dicts())


def test_sums_are_integers_of_any_size():
    made = content(ticks(3, price=[0.1, 0.2, 129605.0], quantity=2**62).to_dicts())

    assert (made.sums["price"], made.sums["quantity"]) == (1_296_053_000, 3 * 2**62)
    assert made.sums["ts"] == sum(int(at.timestamp()) for at in ticks(3)["ts"]) * 1_000_000


def test_rows_that_go_back_in_time_are_refused():
    with pytest.raises(DamagedError, match="in the order of ts"):
        content_of(in_key_order([ticks(5).reverse()], TICKS), TICKS)


def test_a_file_of_other_columns_or_with_nulls_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    ticks(3).drop("source").write_parquet(path)

    with pytest.raises(DamagedError, match="expected the columns"):
        content_of(of_file(path, TICKS), TICKS)
    with pytest.raises(DamagedError, match="found nulls"):
        content_of([ticks(3, quantity=None)], TICKS)
