"""Tables of a test's own in the shared engines, rows to fill them with, and whole tables read back to compare."""

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from config.settings import Settings
from sql import stores
from sql.cold import ColdStore
from sql.contract import Table
from sql.hot import HotStore
from sql.tables import TICKS
from sql.warm import WarmStore

DAY = dt.date(2026, 11, 18)
NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="session")
def hot(engines: Settings) -> Iterator[HotStore]:
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture(scope="session")
def warm(engines: Settings) -> WarmStore:
    return stores.warm(engines)


@pytest.fixture
def table(hot: HotStore, warm: WarmStore) -> Iterator[Table]:
    """Ticks under a name of its own, empty in hot and warm."""
    made = new_table(hot, warm)
    yield made
    drop(made, hot, warm)


@pytest.fixture
def cold(tmp_path: Path, table: Table) -> ColdStore:
    return ColdStore(tmp_path / "cold", [table])


def new_table(hot: HotStore, warm: WarmStore, like: Table = TICKS) -> Table:
    made = msgspec.structs.replace(like, name=f"{like.name}_{uuid.uuid4().hex[:10]}")
    hot.execute(made.hot_ddl())
    if "warm" in made.tiers:
        with warm.connect() as connection:
            connection.execute(made.warm_ddl(hypertable=False))
    return made


def drop(table: Table, hot: HotStore, warm: WarmStore) -> None:
    hot.execute(f"DROP TABLE IF EXISTS {table.name}")
    with warm.connect() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute("DELETE FROM sync_control WHERE stream = %s", (table.name,))
        connection.execute("DELETE FROM receipts WHERE table_name = %s", (table.name,))


def ticks(
    count: int, *, since: dt.datetime = NOON, every: dt.timedelta = SECOND, first_id: int = 1, **columns: object
) -> pl.DataFrame:
    """`count` rows from `since`; a column given as a value or a list replaces the made-up one."""
    numbers = range(count)
    made: dict[str, list[object]] = {
        "ts": [since + every * n for n in numbers],
        "symbol": [("WINZ26", "WDOZ26", "PETR4")[n % 3] for n in numbers],
        "session": [since.date()] * count,
        "trade_id": [first_id + n for n in numbers],
        "price": [129605.0 + 5 * (n % 7) for n in numbers],
        "quantity": [1 + n % 9 for n in numbers],
        "aggressor": [("BUYER", "SELLER", None)[n % 3] for n in numbers],
        "buyer": [(3, None, 85)[n % 3] for n in numbers],
        "seller": [(None, 8, 0)[n % 3] for n in numbers],
        "flags": [0] * count,
        "received_at": [since + every * n + dt.timedelta(milliseconds=3) for n in numbers],
        "source": ["generated"] * count,
    }
    for name, value in columns.items():
        made[name] = value if isinstance(value, list) else [value] * count
    return pl.DataFrame(made, schema=TICKS.polars)


def put(hot: HotStore, table: Table, frame: pl.DataFrame) -> None:
    """Rows into hot, visible when this returns."""
    hot.insert(table, frame)
    hot.wait_applied(table)


def change(hot: HotStore, table: Table, statement: str) -> None:
    """An ALTER or UPDATE of the hot table, visible when this returns."""
    hot.execute(statement)
    hot.wait_applied(table)


def hot_rows(hot: HotStore, table: Table) -> pl.DataFrame:
    return in_order(hot.frame(f"SELECT {', '.join(table.names)} FROM {table.name}", table), table)


def warm_rows(warm: WarmStore, table: Table) -> pl.DataFrame:
    with warm.batches(f"SELECT * FROM {table.name}", table) as batches:
        frames = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
    empty = pl.DataFrame(schema=table.polars)
    return in_order(pl.concat([empty, *(frame.cast(dict(table.polars)) for frame in frames)]), table)


def cold_rows(cold: ColdStore, table: Table, day: dt.date) -> pl.DataFrame:
    return in_order(pl.read_parquet(cold.path(table, day), hive_partitioning=False), table)


def in_order(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Sorted by the key, doubles as their bits: equal frames are equal rows to the last bit."""
    frame = frame.sort(table.key)
    doubles = [column.name for column in table.columns if column.kind.name == "double"]
    bits = [pl.Series(name, frame[name].fill_null(np.nan).to_numpy().view(np.int64)) for name in doubles]
    return frame.with_columns(bits)
