"""What the tape holds of sessions: in hot, and below its floor in warm. Reads only; conditions are SQL that both know.

Hot is read first, then the floor, then warm: what retention drops meanwhile is seen in warm.
"""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from sql.folding import IDENTITY
from sql.hot import HotStore, instant_literal, shaped
from sql.tables import TICKS
from sql.warm import WarmStore

EARLIEST = dt.timedelta(days=-1)  # a row's ts lies in its session's days; look-ups read no other partition
LATEST = dt.timedelta(days=4)
BATCH = 100_000
SYMBOLS_PER_QUERY = 500


class Below:
    """The days that hot does not hold any more. Making one opens nothing."""

    def __init__(self, warm: WarmStore) -> None:
        self._warm = warm

    def floor(self) -> dt.datetime | None:
        """Where hot begins to be complete; None: from the beginning."""
        rows = self._warm.rows("SELECT hot_from FROM sync_control WHERE stream = %s", (TICKS.name,))
        return rows[0]["hot_from"] if rows else None

    def gone(self, sessions: Iterable[dt.date]) -> list[dt.date]:
        """The UTC days of these sessions that the cold tier alone holds: no writer can know what is there."""
        days = sorted(sessions)
        if not days:
            return []
        rows = self._warm.rows(
            "SELECT day FROM receipts AS cold WHERE table_name = %s AND tier = 'cold' AND rows > 0 AND day BETWEEN %s "
            "AND %s AND NOT EXISTS (SELECT FROM receipts AS warm WHERE (warm.table_name, warm.day) = "
            "(cold.table_name, cold.day) AND warm.tier = 'warm') ORDER BY day",
            (TICKS.name, days[0], days[-1]),
        )
        return [row["day"] for row in rows]

    def batches(self, sessions: Iterable[dt.date], where: str) -> Iterator[pl.DataFrame]:
        """Rows below the floor that a condition chooses, with all columns."""
        bound = self._bound(sessions)
        if bound:
            statement = f"SELECT {', '.join(TICKS.names)} FROM ticks WHERE {bound} AND {where}"
            with self._warm.batches(statement, TICKS) as found:
                yield from (shaped(pl.DataFrame(batch), TICKS) for batch in found if batch.num_rows)

    def distinct(self, sessions: Iterable[dt.date], names: Sequence[str], where: str) -> list[tuple[Any, ...]]:
        """What these columns say of the rows below the floor that a condition chooses, each once."""
        bound = self._bound(sessions)
        if not bound:
            return []
        rows = self._warm.rows(f"SELECT DISTINCT {', '.join(names)} FROM ticks WHERE {bound} AND {where}")
        return [tuple(row.values()) for row in rows]

    def _bound(self, sessions: Iterable[dt.date]) -> str:
        """Empty where none of these sessions reaches below the floor."""
        floor = self.floor()
        return f"ts < {instant_literal(floor)}" if floor and min(sessions) + EARLIEST < floor.date() else ""


def identities(
    hot: HotStore, below: Below | None, sessions: Sequence[dt.date], symbols: Iterable[str], *, also: Sequence[str] = ()
) -> Iterator[pl.DataFrame]:
    """symbol, session, trade_id and what is asked for beside of every row; a row in two tiers comes twice."""
    symbols, names = list(symbols), (*IDENTITY, *also)
    for session in sessions:
        where = chosen([session], symbols)
        if hot.execute(f"SELECT count() FROM ticks WHERE {where}")["dataset"][0][0]:
            for batch in _exported(hot, f"SELECT {', '.join(names)} FROM ticks WHERE {where}"):
                yield batch.with_columns(pl.col("session").cast(pl.Date))
    if below and sessions:
        for batch in below.batches(sessions, chosen(sessions, symbols)):
            yield batch.select(names)


def sources(
    hot: HotStore, below: Below | None, sessions: Sequence[dt.date], symbols: Iterable[str]
) -> dict[tuple[str, dt.date], set[str]]:
    """Who told the trades of each symbol's session."""
    where, names = chosen(sessions, list(symbols)), ("symbol", "session", "source")
    found: dict[tuple[str, dt.date], set[str]] = {}
    for row in hot.rows(f"SELECT DISTINCT {', '.join(names)} FROM ticks WHERE {where}"):
        found.setdefault((row["symbol"], row["session"].date()), set()).add(row["source"])
    for symbol, session, source in below.distinct(sessions, names, where) if below else ():
        found.setdefault((symbol, session), set()).add(source)
    return found


def rows(hot: HotStore, below: Below | None, sessions: Sequence[dt.date], where: str) -> Iterator[pl.DataFrame]:
    """Whole rows of `ticks` of these sessions that a condition chooses, each once."""
    early = []
    for batch in _exported(hot, f"SELECT {', '.join(TICKS.names)} FROM ticks WHERE {days_of(sessions)} AND {where}"):
        yield shaped(batch, TICKS)
        if below:
            early.append(batch.select(IDENTITY).cast({"session": pl.Date}))
    if below:
        there = pl.concat(early) if early else None
        for batch in below.batches(sessions, f"{days_of(sessions)} AND {where}"):
            yield batch if there is None else batch.join(there, on=IDENTITY, how="anti", maintain_order="left")


def chosen(sessions: Iterable[dt.date], symbols: Sequence[str]) -> str:
    """The rows of these sessions and symbols as a condition; of very many symbols, of all."""
    days = list(sessions)
    where = f"{days_of(days)} AND session IN ({', '.join(repr(day.isoformat()) for day in days)})"
    if len(symbols) > SYMBOLS_PER_QUERY:
        return where
    return f"{where} AND symbol IN ({', '.join(map(text, symbols))})"


def days_of(sessions: Iterable[dt.date]) -> str:
    """The partitions in which rows of these sessions can be, as a condition."""
    days = list(sessions)
    since = dt.datetime.combine(min(days) + EARLIEST, dt.time(), dt.UTC)
    until = dt.datetime.combine(max(days) + LATEST, dt.time(), dt.UTC)
    return f"ts >= {instant_literal(since)} AND ts < {instant_literal(until)}"


def text(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _exported(hot: HotStore, statement: str) -> Iterator[pl.DataFrame]:
    with tempfile.TemporaryDirectory(prefix="ticks-") as folder:
        path = Path(folder) / "rows.parquet"
        hot.export(statement, path)
        if not path.stat().st_size:
            return
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield pl.DataFrame(batch)
