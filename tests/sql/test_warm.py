"""The warm store: transactions, COPY in, Arrow out, sessions in UTC, errors in our words."""

import datetime as dt

import polars as pl
import psycopg
import pytest

from sql.errors import StatementError, StoreUnavailableError
from sql.warm import WarmStore, copy, delete, ensure_partitions, upsert
from tests.tape import DAY, NOON, SECOND, in_order, ticks, warm_rows

HOUR = 3600 * SECOND
ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def cursor(warm, table):
    """One transaction with room for three days."""
    with warm.connect() as connection:
        made = connection.cursor()
        ensure_partitions(made, table, NOON - ONE_DAY, NOON + ONE_DAY)
        yield made


def test_rows_come_out_as_they_went_in(warm, table):
    frame = ticks(1000, price=[1 / (n + 1) for n in range(1000)])
    with warm.connect() as connection:
        cursor = connection.cursor()
        ensure_partitions(cursor, table, NOON, NOON + HOUR)

        assert copy(cursor, table, [frame.head(400), frame.tail(600)]) == 1000
    assert warm_rows(warm, table).equals(in_order(frame, table), null_equal=True)


def test_no_rows_are_no_error(cursor, table):
    assert copy(cursor, table, []) == 0
    assert copy(cursor, table, [ticks(0)]) == 0
    assert upsert(cursor, table, []) == (0, {})


def test_a_transaction_that_fails_leaves_nothing(warm, table):
    def twice():
        with warm.connect() as connection:
            cursor = connection.cursor()
            ensure_partitions(cursor, table, NOON, NOON + HOUR)
            copy(cursor, table, [ticks(10)])
            copy(cursor, table, [ticks(1)])

    with pytest.raises(psycopg.errors.UniqueViolation):
        twice()

    assert warm_rows(warm, table).height == 0


def test_a_session_that_the_server_ends_is_told_as_unavailable(warm):
    with pytest.raises(StoreUnavailableError, match="broke off"), warm.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")


def test_a_stream_that_the_server_ends_is_told_as_unavailable(warm, table):
    with warm.connect() as connection:
        cursor = connection.cursor()
        ensure_partitions(cursor, table, NOON, NOON + HOUR)
        copy(cursor, table, [ticks(100)])
    others = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
    )
    statement = f"SELECT {table.name}.* FROM {table.name}, generate_series(1, 20000)"

    def cut_off():
        with warm.batches(statement, table) as batches:
            next(batches)
            warm.rows(others, (f"%{table.name}.* FROM%",))
            list(batches)

    with pytest.raises(StoreUnavailableError, match="broke off"):
        cut_off()


def test_a_row_without_a_partition_is_refused(warm, table):
    """There is no default partition that would take it and keep its day from ever having one."""
    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"), warm.connect() as connection:
        copy(connection.cursor(), table, [ticks(1, since=NOON + 40 * ONE_DAY)])


def test_an_upsert_adds_replaces_and_removes_nothing(cursor, table):
    copy(cursor, table, [ticks(10)])
    rows = upsert(cursor, table, [ticks(5, price=1.5), ticks(3, since=NOON + HOUR, first_id=100)])
    again = upsert(cursor, table, [ticks(5, price=1.5)])
    found = cursor.execute(f"SELECT count(*) AS n, count(*) FILTER (WHERE price = 1.5) AS m FROM {table.name}")

    assert rows == (8, {DAY: 3})
    assert again == (5, {DAY: 0})
    assert found.fetchone() == {"n": 13, "m": 5}


def test_a_deletion_is_half_open(cursor, table):
    copy(cursor, table, [ticks(10)])

    assert delete(cursor, table, NOON, NOON + 5 * SECOND) == 5
    assert cursor.execute(f"SELECT min(ts) AS first FROM {table.name}").fetchone() == {"first": NOON + 5 * SECOND}


def test_partitions_end_at_midnight_utc(cursor, table):
    midnight = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
    frame = ticks(2, since=midnight - dt.timedelta(microseconds=1), every=dt.timedelta(microseconds=1))
    copy(cursor, table, [frame])
    found = cursor.execute(f"SELECT tableoid::regclass::text AS part, ts FROM {table.name} ORDER BY ts").fetchall()

    assert [row["part"] for row in found] == [f"{table.name}_p20261118", f"{table.name}_p20261119"]


def test_partitions_are_made_for_the_days_of_a_half_open_range(warm, table):
    midnight = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
    with warm.connect() as connection:
        cursor = connection.cursor()
        ensure_partitions(cursor, table, midnight - ONE_DAY, midnight)
        found = cursor.execute("SELECT count(*) AS n FROM pg_inherits WHERE inhparent = %s::regclass", (table.name,))

        assert found.fetchone() == {"n": 1}


def test_rows_of_a_day_are_counted_by_its_utc_date(warm, table):
    with warm.connect() as connection:
        cursor = connection.cursor()
        ensure_partitions(cursor, table, NOON - ONE_DAY, NOON + ONE_DAY)
        copy(cursor, table, [ticks(4, every=6 * HOUR)])

    assert warm.rows_of(table, [DAY - ONE_DAY, DAY, DAY + ONE_DAY]) == {DAY - ONE_DAY: 0, DAY: 2, DAY + ONE_DAY: 2}


def test_sessions_run_in_utc(warm, monkeypatch):
    monkeypatch.setenv("PGTZ", "America/Sao_Paulo")
    monkeypatch.setenv("PGOPTIONS", "-c timezone=Asia/Tokyo")

    assert warm.rows("SHOW timezone") == [{"TimeZone": "UTC"}]
    assert warm.rows("SELECT '2026-11-18 12:00'::timestamptz AS at") == [{"at": NOON}]


def test_a_stream_has_the_types_of_the_contract(warm, table):
    with warm.batches(f"SELECT * FROM {table.name}", table) as batches:
        found = list(batches)

    assert all(batch.schema == table.arrow for batch in found)
    assert isinstance(pl.from_arrow(table.arrow.empty_table()), pl.DataFrame)


def test_parameters_are_bound_and_never_text(warm):
    assert warm.rows("SELECT %s AS a", ("'; DROP TABLE ticks; --",)) == [{"a": "'; DROP TABLE ticks; --"}]
    assert warm.rows("SELECT 7 % 4 AS rest") == [{"rest": 3}]


def test_a_reader_writes_nothing(warm, table):
    with pytest.raises(StatementError, match=r"read-only|permission denied"):
        warm.rows(f"DELETE FROM {table.name} RETURNING 1", reader=True)


def test_readers_keep_a_connection_and_one_that_the_server_cut_costs_no_answer(warm):
    owner, asked = WarmStore(warm.dsn), "SELECT pg_backend_pid() AS pid"
    first, again = (owner.rows(asked, reader=True) for _ in range(2))
    owner.rows("SELECT pg_terminate_backend(%s, 5000)", (first[0]["pid"],))
    after = owner.tuples("SELECT %s::int, pg_backend_pid()", (7,))
    owner.close()

    assert first == again
    assert after[0][0] == 7
    assert after[0][1] != first[0]["pid"]


def test_a_wrong_statement_and_a_server_that_is_away_are_different_errors(warm):
    away = WarmStore("postgresql://x:y@127.0.0.1:1/none")

    with pytest.raises(StatementError, match="nowhere"):
        warm.rows("SELECT * FROM nowhere")
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        away.rows("SELECT 1")
    assert warm.ready()
    assert not away.ready()
