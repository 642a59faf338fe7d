"""The one writer of `order_events`, `trades`, `positions` and `audit_logs`: what the journal of orders says, as rows.

A row's key follows from the journal's record, so a repeat changes nothing.
"""

from collections.abc import Sequence

import polars as pl
from msgspec import Struct
from msgspec.structs import asdict

from sql.contract import Table
from sql.errors import StatementError
from sql.held import text
from sql.hot import HotStore, shaped
from sql.tables import ORDER_EVENTS


class Held(Struct, frozen=True):
    """What hot holds of a journal. Each record once: rows = numbers; without holes: rows = last - first + 1."""

    rows: int
    numbers: int
    first: int
    last: int


def store(hot: HotStore, table: Table, rows: Sequence[Struct]) -> int:
    """Write rows of `table`'s contract; how many. Repeatable; no transaction has rows of two UTC hours.

    Callers and brokers say what they like: a NUL in it becomes `�`, since warm would refuse the row, and all after it.
    """
    frame = pl.DataFrame([asdict(row) for row in rows], schema=table.polars)
    frame = frame.with_columns(pl.col(pl.String).str.replace_all("\0", "\ufffd", literal=True))
    frame = shaped(frame, table).unique(table.key, keep="last", maintain_order=True)
    for _, part in frame.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True):
        hot.insert(table, part)
    return frame.height


def held(hot: HotStore, journal: str, table: Table = ORDER_EVENTS) -> Held:
    """What hot holds of a journal, once all that it took is visible. Raises StoreError."""
    hot.wait_applied(table)
    found = hot.execute(
        f"SELECT count(), count_distinct(number), min(number), max(number) FROM {table.name} "
        f"WHERE journal = {text(journal)}"
    )["dataset"]
    if len(found) != 1:
        raise StatementError(f"QuestDB: expected one row of counts of {table.name}, found {len(found)}")
    return Held(*(int(value or 0) for value in found[0]))
