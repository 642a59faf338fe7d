"""Differences between a contract and a stored table, one line each, in both stores."""

import msgspec
import pytest

from sql.drift import hot_differences, warm_differences
from sql.tables import MOVING, TABLES
from tests.tape import change


def in_warm(warm, table):
    with warm.connect() as connection:
        return warm_differences(connection.cursor(), table)


def alter_warm(warm, statement):
    with warm.connect() as connection:
        connection.execute(statement)


def test_fresh_tables_are_what_their_contracts_say(hot, warm, table):
    assert hot_differences(hot, table) == []
    assert in_warm(warm, table) == []


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if "warm" in table.tiers])
def test_migrated_tables_are_what_their_contracts_say(warm, name):
    assert in_warm(warm, TABLES[name]) == []


@pytest.mark.parametrize("table", MOVING, ids=lambda table: table.name)
def test_migrated_hot_tables_are_what_their_contracts_say(hot, table):
    assert hot_differences(hot, table) == []


def test_a_table_without_warm_is_not_made_there(warm):
    assert in_warm(warm, TABLES["book"]) == ["warm.book: the table is missing"]


def test_a_missing_table_is_named(hot, warm, table):
    away = msgspec.structs.replace(table, name="ticks_nowhere")

    assert hot_differences(hot, away) == ["hot.ticks_nowhere: the table is missing"]
    assert in_warm(warm, away) == ["warm.ticks_nowhere: the table is missing"]


def test_columns_that_are_missing_strange_or_of_another_type_are_named_in_hot(hot, table):
    change(hot, table, f"ALTER TABLE {table.name} DROP COLUMN seller")
    change(hot, table, f"ALTER TABLE {table.name} ADD COLUMN strange BOOLEAN")
    change(hot, table, f"ALTER TABLE {table.name} ALTER COLUMN flags TYPE LONG")

    assert hot_differences(hot, table) == [
        f"hot.{table.name}: column seller is missing, the contract says INT",
        f"hot.{table.name}: column flags is LONG, the contract says INT",
        f"hot.{table.name}: column strange (BOOLEAN) is not in the contract",
    ]


def test_columns_that_are_missing_strange_or_of_another_type_are_named_in_warm(warm, table):
    alter_warm(warm, f"ALTER TABLE {table.name} DROP COLUMN seller")
    alter_warm(warm, f"ALTER TABLE {table.name} ADD COLUMN strange boolean")
    alter_warm(warm, f"ALTER TABLE {table.name} ALTER COLUMN price DROP NOT NULL")
    alter_warm(warm, f"ALTER TABLE {table.name} ALTER COLUMN flags TYPE bigint")

    assert in_warm(warm, table) == [
        f"warm.{table.name}: column price is double precision, the contract says double precision not null",
        f"warm.{table.name}: column seller is missing, the contract says integer",
        f"warm.{table.name}: column flags is bigint not null, the contract says integer not null",
        f"warm.{table.name}: column strange (boolean) is not in the contract",
    ]


def test_another_identity_of_rows_is_named(hot, warm, table):
    other = msgspec.structs.replace(table, key=("ts", "symbol", "trade_id"))
    told = ["session", "symbol", "trade_id", "ts"]

    assert hot_differences(hot, other) == [
        f"hot.{table.name}: repeats are told by {told}, the contract says {told[1:]}",
    ]
    assert in_warm(warm, other) == [
        f"warm.{table.name}: the primary key is {told}, the contract says {told[1:]}",
    ]


def test_another_time_column_is_named(hot, table):
    other = msgspec.structs.replace(table, time="received_at")

    assert hot_differences(hot, other) == [f"hot.{table.name}: the designated timestamp is not received_at"]


def test_a_table_that_keeps_repeats_is_named(hot, table):
    change(hot, table, f"ALTER TABLE {table.name} DEDUP DISABLE")

    assert "repeats are told by nothing" in hot_differences(hot, table)[0]
