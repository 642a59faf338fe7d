"""A UTC day of a tier in a few numbers, for people who look at it: one query, whatever they are shown."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sql.contract import Table

if TYPE_CHECKING:
    from sql.cold import ColdStore
    from sql.warm import WarmStore

LARGEST = 10
DAY = dt.timedelta(days=1)


class DayFacts(Struct, frozen=True, kw_only=True):
    """`minutes`: rows by minute of the day, without the empty ones. `largest`: symbols with most rows first."""

    rows: int = 0
    newest: dt.datetime | None = None
    minutes: dict[int, int] = {}
    largest: tuple[tuple[str, int], ...] = ()
    bytes: int = 0  # on the disk, with indexes

    def lag(self, day: dt.date, now: dt.datetime) -> float | None:
        """Seconds from the newest row to now, or to the end of a day that is over."""
        end = min(now, dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + DAY)
        return (end - self.newest).total_seconds() if self.newest else None


def of_warm(table: Table, day: dt.date, warm: "WarmStore") -> DayFacts:
    """From PostgreSQL, in one reading of the day's rows."""
    since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    where = f"{table.time} >= %s AND {table.time} < %s"
    size = (
        f"SELECT pg_total_relation_size(tableoid) AS bytes FROM {table.name} WHERE {where} LIMIT 1"  # of the partition
    )
    bounds = (since, since + DAY)
    sizes = warm.rows(size, bounds)
    return _facts(warm.rows(_statement(table, where), bounds), bytes_=int(sizes[0]["bytes"]) if sizes else 0)


def of_cold(table: Table, day: dt.date, cold: "ColdStore") -> DayFacts:
    """From the Parquet file; a day without one has no rows."""
    path = cold.path(table, day)
    if not path.is_file():
        return DayFacts()
    return _facts(cold.query(_statement(table, "day = ?"), (day,)), bytes_=path.stat().st_size)


def compression_ratio(path: Path) -> float | None:
    """Bytes of a Parquet file's columns before and after compression, from its footer; None for a file without rows."""
    import pyarrow.parquet as pq

    footer = pq.read_metadata(path)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    stored = sum(chunk.total_compressed_size for chunk in chunks)
    return round(sum(chunk.total_uncompressed_size for chunk in chunks) / stored, 2) if stored else None


def _statement(table: Table, where: str) -> str:
    """PostgreSQL and DuckDB read it alike; both sessions run in UTC."""
    symbol = "symbol" if "symbol" in table.names else "''"
    minute = f"extract(hour FROM {table.time}) * 60 + extract(minute FROM {table.time})"
    return (
        "SELECT symbol, minute, count(*) AS rows, max(instant) AS newest FROM "
        f"(SELECT {symbol} AS symbol, {minute} AS minute, {table.time} AS instant FROM {table.name} WHERE {where}) "
        "AS day GROUP BY GROUPING SETS ((symbol), (minute), ())"
    )


def _facts(rows: list[dict[str, Any]], *, bytes_: int) -> DayFacts:
    whole = next(row for row in rows if row["symbol"] is None and row["minute"] is None)
    symbols = sorted(
        ((str(row["symbol"]), int(row["rows"])) for row in rows if row["symbol"]), key=lambda each: (-each[1], each[0])
    )
    return DayFacts(
        rows=int(whole["rows"]),
        newest=whole["newest"],
        minutes={int(row["minute"]): int(row["rows"]) for row in rows if row["minute"] is not None},
        largest=tuple(symbols[:LARGEST]),
        bytes=bytes_,
    )
