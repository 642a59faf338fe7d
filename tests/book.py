"""A book table of a test's own in the shared engines, and rows to fill it with."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sql.cold import ColdStore
from sql.contract import Table
from sql.evidence import Tiers
from sql.hot import HotStore
from sql.tables import BOOK
from sql.warm import WarmStore
from tests.tape import NOON, SECOND, drop, new_table


@pytest.fixture
def book(hot: HotStore, warm: WarmStore) -> Iterator[Table]:
    """A table like `book` that is empty in hot."""
    made = new_table(hot, warm, BOOK)
    yield made
    drop(made, hot, warm)


@pytest.fixture
def tiers(hot: HotStore, warm: WarmStore, tmp_path: Path, book: Table) -> Tiers:
    return Tiers(hot, warm, ColdStore(tmp_path / "cold", [book]))


def changes(
    count: int, *, since: dt.datetime = NOON, every: dt.timedelta = SECOND, first: int = 1, **columns: object
) -> pl.DataFrame:
    """`count` changes of the book from `since`; a column given as a value or a list replaces the made-up one."""
    numbers = range(count)
    made: dict[str, object] = {
        "ts": [since + every * n for n in numbers],
        "symbol": [("WINZ26", "WDOZ26")[n % 2] for n in numbers],
        "session": since.date(),
        "run": 1,
        "seq": [first + n for n in numbers],
        "action": [("INSERT", "EDIT", "DELETE")[n % 3] for n in numbers],
        "side": [("BID", "ASK", None)[n % 3] for n in numbers],
        "position": [(0, 7, None)[n % 3] for n in numbers],
        "price": [None if n % 3 == 2 else 131_000.0 + 5 * (n % 9) for n in numbers],
        "quantity": [None if n % 3 == 2 else n % 40 for n in numbers],
        "orders": [None if n % 3 == 2 else 1 + n % 4 for n in numbers],
        "flags": 0,
        "source": "simulator",
    }
    made |= columns
    return pl.DataFrame(made, schema_overrides=BOOK.polars).select(BOOK.names)
