"""Contracts: one Struct is the same row in JSON, Arrow, Parquet and polars, and the same columns in every store."""

import datetime as dt
import io
from typing import Annotated

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict

from sql.columns import Instant, columns_of
from sql.hot import shaped
from sql.tables import MOVING, TABLES, TICKS, Flag, Tick

INSTANTS = st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2261, 1, 1), timezones=st.just(dt.UTC))
VALUES = {
    "instant": INSTANTS,
    "day": st.dates(dt.date(1678, 1, 1), dt.date(2261, 1, 1)),
    "symbol": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "long": st.integers(0, 2**63 - 1),
    "int": st.integers(0, 2**31 - 1),
    "double": st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False),
}


def rows_of(table):
    fields = {c.name: VALUES[c.kind.name] | st.none() if c.nullable else VALUES[c.kind.name] for c in table.columns}
    return st.builds(table.row, **fields)


@pytest.mark.parametrize("name", TABLES)
def test_a_row_survives_json_arrow_parquet_and_polars(name):
    table = TABLES[name]

    @given(st.lists(rows_of(table), max_size=5))
    @settings(max_examples=40, deadline=None)
    def holds(rows):
        text = msgspec.json.encode(rows)
        arrow = pa.Table.from_pylist([asdict(row) for row in rows], schema=table.arrow)
        file = io.BytesIO()
        pq.write_table(arrow, file)
        frame = pl.read_parquet(io.BytesIO(file.getvalue()))
        back = [table.row(**row) for row in frame.to_dicts()]

        assert msgspec.json.decode(text, type=list[table.row]) == rows
        assert frame.schema == table.polars
        assert back == rows
        assert frame.to_arrow().cast(table.arrow).to_pylist() == [asdict(row) for row in rows]

    holds()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 0.0),
        ("price", -1.0),
        ("quantity", -1),
        ("trade_id", -1),
        ("symbol", ""),
        ("symbol", "X" * 33),
        ("ts", "2026-11-18T12:00:00"),  # without a zone
        ("session", "yesterday"),
        ("flags", -1),
    ],
)
def test_a_row_outside_the_contract_is_refused(field, value):
    row = {
        "ts": "2026-11-18T12:00:00Z",
        "symbol": "WINZ26",
        "session": "2026-11-18",
        "trade_id": 1,
        "price": 5.0,
        "quantity": 1,
        "aggressor": None,
        "buyer": None,
        "seller": None,
        "flags": 0,
        "received_at": "2026-11-18T12:00:00Z",
        "source": "generated",
    }

    assert msgspec.convert(row, Tick, strict=False).trade_id == 1
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(row | {field: value}, Tick, strict=False)


def test_a_field_without_a_column_type_is_refused():
    class Odd(Struct):
        at: Instant
        thing: Annotated[complex, "no column"]

    with pytest.raises(TypeError, match=r"Odd\.thing has no column type"):
        columns_of(Odd)


@pytest.mark.parametrize("name", TABLES)
def test_keys_and_time_are_columns_that_are_never_null(name):
    table = TABLES[name]
    nullable = {column.name for column in table.columns if column.nullable}

    assert set(table.key) <= set(table.names)
    assert not nullable & set(table.key)
    assert table.time is None or table.time in table.key
    assert table.not_compared <= set(table.names) - set(table.key)


@pytest.mark.parametrize("table", MOVING, ids=lambda table: table.name)
def test_what_moves_has_a_time_and_where_null_may_be_no_numbers_below_zero(table):
    """The fingerprints write -1 for a null."""
    assert table.time is not None
    for name, hint in table.row.__annotations__.items():
        column = next(column for column in table.columns if column.name == name)
        if column.kind.name in ("long", "int") and column.nullable:
            below_zero = msgspec.json.encode(-1)
            with pytest.raises(msgspec.ValidationError):
                msgspec.json.decode(below_zero, type=hint)


def test_definitions_for_the_stores_come_from_the_contract():
    hot, native, hyper = TICKS.hot_ddl(), TICKS.warm_ddl(hypertable=False), TICKS.warm_ddl(hypertable=True)

    assert "price DOUBLE" in hot
    assert hot.endswith("TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, symbol, session, trade_id)")
    assert "aggressor text, " in native
    assert "price double precision NOT NULL" in native
    assert native.endswith("PRIMARY KEY (ts, symbol, session, trade_id)) PARTITION BY RANGE (ts)")
    assert hyper == native.removesuffix(" PARTITION BY RANGE (ts)")  # TimescaleDB partitions a plain table itself


def test_shaped_gives_the_columns_of_the_contract_in_its_order():
    frame = pl.DataFrame({name: [] for name in reversed(TICKS.names)} | {"more": []})

    assert shaped(frame, TICKS).schema == TICKS.polars


def test_flags_are_bits():
    assert [int(flag) for flag in Flag] == [1, 2, 4, 8]
