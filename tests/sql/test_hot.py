"""The hot store: rows in by file and by wire, repeats, visibility, errors in our words."""

import datetime as dt

import polars as pl
import pytest

from sql import stores
from sql.errors import StatementError, StoreUnavailableError
from sql.hot import HotStore, instant_literal
from sql.tables import AUDIT_LOGS
from tests.tape import NOON, SECOND, change, drop, hot_rows, in_order, new_table, put, ticks

TEXTS = ["ação", "日本 株", "😀 trade", "back\\slash", 'quo"te, comma', "new\nline"]


@pytest.fixture
def by_wire(engines):
    """A store that shares no disk with its server."""
    settings = engines.questdb
    store = HotStore(settings.url, settings.pg_dsn())
    yield store
    store.close()


@pytest.fixture(params=["file", "wire"])
def store(request, hot, by_wire):
    return hot if request.param == "file" else by_wire


def test_rows_come_out_as_they_went_in(store, table):
    frame = ticks(6, symbol=TEXTS, source=TEXTS[::-1], price=[0.1 + 0.2, 1 / 3, 5e-324, 1.7e308, 1e-7, 129605.0])
    put(store, table, frame)

    assert hot_rows(store, table).equals(in_order(frame, table), null_equal=True)


def test_a_repeat_changes_nothing(store, table):
    put(store, table, ticks(100))
    put(store, table, ticks(100))

    assert hot_rows(store, table).equals(in_order(ticks(100), table), null_equal=True)


def test_a_row_with_a_known_key_is_replaced(store, table):
    put(store, table, ticks(10))
    put(store, table, ticks(10, price=1.5, buyer=None))

    assert hot_rows(store, table).equals(in_order(ticks(10, price=1.5, buyer=None), table), null_equal=True)


def test_no_rows_are_no_transaction(store, table):
    before = store.wal(table).taken

    assert store.insert(table, ticks(0)) == 0
    assert store.wal(table).taken == before


def test_no_file_is_left_behind(hot, table):
    put(hot, table, ticks(10))
    with pytest.raises(StatementError):
        hot.insert_file(table, hot.import_dir / "missing.parquet")

    assert list(hot.import_dir.glob(f"{table.name}*")) == []


def test_a_frame_that_lacks_a_column_is_refused(hot, table):
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="price"):
        hot.insert(table, ticks(1).drop("price"))


def test_the_log_tells_taken_from_applied_and_knows_a_new_table(hot, table):
    put(hot, table, ticks(1))
    first = hot.wal(table)
    hot.execute(f"DROP TABLE {table.name}")
    hot.execute(table.hot_ddl())
    second = hot.wal(table)

    assert (first.applied, first.taken, first.suspended) == (1, 1, False)
    assert second.taken == 0
    assert second.incarnation != first.incarnation


def test_a_table_that_is_not_there_is_said_to_be_missing(hot, table):
    hot.execute(f"DROP TABLE {table.name}")

    with pytest.raises(StatementError, match=r"has no WAL table .*tradingsystem migrate"):
        hot.wal(table)


def test_an_export_streams_a_parquet_file(hot, table, tmp_path):
    put(hot, table, ticks(5))
    hot.export(f"SELECT * FROM {table.name} ORDER BY ts", tmp_path / "out.parquet")

    assert pl.read_parquet(tmp_path / "out.parquet")["trade_id"].to_list() == [1, 2, 3, 4, 5]


def test_an_export_without_rows_has_the_columns_of_the_contract(hot, table):
    assert hot.frame(f"SELECT * FROM {table.name}", table).schema == table.polars


def test_rows_over_the_wire_are_aware_and_bound(hot, table):
    put(hot, table, ticks(3))
    found = hot.rows(f"SELECT ts, symbol FROM {table.name} WHERE trade_id = %s", (2,))

    assert found == [{"ts": NOON + SECOND, "symbol": "WDOZ26"}]


def test_a_reader_writes_nothing(engines, hot, table):
    put(hot, table, ticks(3))
    with pytest.raises((StatementError, StoreUnavailableError)):
        hot.rows(f"UPDATE {table.name} SET quantity = 0", reader=True)
    hot.wait_applied(table)

    assert hot.rows(f"SELECT count(*) AS n FROM {table.name}", reader=True) == [{"n": 3}]
    assert hot_rows(hot, table)["quantity"].min() == 1


def test_a_wrong_statement_and_a_server_that_is_away_are_different_errors(hot):
    away = HotStore("http://127.0.0.1:1", "postgresql://x@127.0.0.1:1/qdb")

    with pytest.raises(StatementError, match="nowhere"):
        hot.execute("SELECT * FROM nowhere")
    with pytest.raises(StatementError, match="nowhere"):
        hot.rows("SELECT * FROM nowhere")
    with pytest.raises(StatementError, match="nowhere"):
        hot.frame("SELECT * FROM nowhere")
    with pytest.raises(StoreUnavailableError):
        away.execute("SELECT 1")
    with pytest.raises(StoreUnavailableError):
        away.rows("SELECT 1")
    assert hot.ready()
    assert not away.ready()
    away.close()


def test_making_a_store_opens_nothing(engines):
    store = stores.hot(engines)
    store.close()

    assert store.url == engines.questdb.url


def test_instants_are_written_in_utc_to_the_microsecond():
    lisbon = dt.timezone(dt.timedelta(hours=1))

    assert instant_literal(dt.datetime(2026, 11, 18, 1, 2, 3, 4, lisbon)) == "'2026-11-18T00:02:03.000004Z'"


def test_a_table_can_be_emptied_and_filled_again(hot, table):
    put(hot, table, ticks(5))
    change(hot, table, f"TRUNCATE TABLE {table.name}")
    put(hot, table, ticks(2))

    assert hot_rows(hot, table).height == 2


def test_short_texts_come_back_as_they_went(hot, warm):
    made = new_table(hot, warm, AUDIT_LOGS)
    texts = ["", "ana", "123456789", "ção", "日本", "x y"]
    filled = {c.name: texts if c.kind.name in ("text", "symbol") else list(range(6)) for c in made.columns}
    filled["ts"] = [NOON + SECOND * n for n in range(6)]
    frame = pl.DataFrame({**filled, "correlation_id": [None] * 6}, schema=made.polars)
    put(hot, made, frame)
    found = hot_rows(hot, made)
    drop(made, hot, warm)

    assert found.equals(in_order(frame, made), null_equal=True)
