"""What the tiers hold of a session and what the exchange says of it: sums first, numbers only when they must be seen.

Hot answers where it is complete, else warm. Nothing is written.
"""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct
from pyroaring import BitMap64

from sql.contract import Table
from sql.coverage import start_of
from sql.errors import StatementError
from sql.held import EARLIEST, LATEST
from sql.hot import HotStore, instant_literal
from sql.numbering import Ids
from sql.queries import statement
from sql.session_proof import DAILY, Held, Reference, Sums, over_at
from sql.tables import DAILY as DAILY_SUMS
from sql.tables import FOREIGN, TICKS
from sql.warm import WarmStore

NUMBERS_PER_QUERY = 400
Store = Literal["hot", "warm"]


class Neighbour(Struct, frozen=True):
    """A stored trade beside a gap."""

    trade_id: int
    ts: dt.datetime
    received_at: dt.datetime


class Survey:
    """The tape of one session, over the tier that answers for it."""

    def __init__(self, hot: HotStore, warm: WarmStore, session: dt.date) -> None:
        self._hot, self._warm = hot, warm
        self.session = session
        self.tier: Store = tier_of(warm, session)

    def held(self, symbols: Sequence[str] | None = None) -> dict[str, Held]:
        """Sums by symbol. Waits until all that hot took is visible."""
        if self.tier == "hot":
            self._hot.wait_applied(TICKS)
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows("select_session_sums", self._where(symbols)):
            found.setdefault(row["symbol"], []).append(row)
        return {symbol: _held(symbol, self.session, rows) for symbol, rows in sorted(found.items())}

    def ids(self, symbol: str) -> Ids:
        """The numbers of a symbol that its source gave, ascending; eight bytes each."""
        where = f"{self._where([symbol])} AND trade_id < {FOREIGN}"
        found = BitMap64()
        for ids in self._hot_ids(where) if self.tier == "hot" else self._warm_ids(where):
            found |= BitMap64(ids.view(np.uint64))
        return np.frombuffer(found.to_array(), dtype=np.int64)

    def neighbours(self, symbol: str, ids: Iterable[int]) -> dict[int, Neighbour]:
        """The stored trades of these numbers."""
        wanted = sorted(set(ids))
        found: dict[int, Neighbour] = {}
        for since in range(0, len(wanted), NUMBERS_PER_QUERY):
            numbers = ", ".join(map(str, wanted[since : since + NUMBERS_PER_QUERY]))
            text = (
                f"SELECT trade_id, ts, received_at FROM ticks WHERE {self._where([symbol])} AND trade_id IN ({numbers})"
            )
            for row in self._store.rows(text):
                found[row["trade_id"]] = Neighbour(**row)
        return found

    def sources_between(self, symbol: str, first: int, last: int) -> set[str]:
        """Where the trades of a range of numbers come from."""
        text = (
            f"SELECT DISTINCT source FROM ticks WHERE {self._where([symbol])} AND trade_id BETWEEN {first} AND {last}"
        )
        return {row["source"] for row in self._store.rows(text)}

    def references(self, symbols: Sequence[str] | None = None) -> dict[str, list[Reference]]:
        """What the exchange says, by symbol: the DLL's daily sums with most trades, and B3's file."""
        found: dict[str, list[Reference]] = {}
        for symbol, reference in [*self._dailies(symbols), *self._files(symbols)]:
            found.setdefault(symbol, []).append(reference)
        return found

    @property
    def _store(self) -> HotStore | WarmStore:
        return self._hot if self.tier == "hot" else self._warm

    def _rows(self, name: str, where: str) -> list[dict[str, Any]]:
        return self._store.rows(statement(self.tier, name).replace("{where}", where))

    def _where(self, symbols: Sequence[str] | None) -> str:
        since, until = start_of(self.session) + EARLIEST, start_of(self.session) + LATEST
        within = f"ts >= {instant_literal(since)} AND ts < {instant_literal(until)} AND session = '{self.session}'"
        return within if symbols is None else f"{within} AND symbol IN ({_texts(symbols)})"

    def _hot_ids(self, where: str) -> Iterator[Ids]:
        with tempfile.TemporaryDirectory(prefix="ids-") as folder:
            path = Path(folder) / "ids.parquet"
            self._hot.export(f"SELECT trade_id FROM ticks WHERE {where}", path)
            if not path.stat().st_size:
                return
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=500_000):
                    yield pl.DataFrame(batch)["trade_id"].cast(pl.Int64).to_numpy()

    def _warm_ids(self, where: str) -> Iterator[Ids]:
        with self._warm.connect() as connection, connection.cursor("ids") as cursor:
            cursor.execute(f"SELECT trade_id FROM ticks WHERE {where}")
            while rows := cursor.fetchmany(50_000):
                yield np.array([row["trade_id"] for row in rows], np.int64)

    def _dailies(self, symbols: Sequence[str] | None) -> Iterator[tuple[str, Reference]]:
        """The sums with most trades: none told later can have fewer, and those of a day change start again at none."""
        tier = tier_of(self._warm, self.session, DAILY_SUMS)  # of two tables one may leave hot before the other
        text = statement(tier, "select_daily_sums").replace("{where}", self._where(symbols))
        latest: dict[str, dict[str, Any]] = {}
        for row in _or_none(self._hot if tier == "hot" else self._warm, text):
            before = latest.get(row["symbol"])
            if before is None or row["received_at"] > before["received_at"]:
                latest[row["symbol"]] = row
        for symbol, row in latest.items():
            yield (
                symbol,
                Reference(
                    source=DAILY,
                    trades=row["trades"],
                    quantity=row["quantity"],
                    volume=row["volume"],
                    at=row["ts"],
                    closing=self._closing(row),
                ),
            )

    def _closing(self, row: dict[str, Any]) -> bool:
        """Whether nothing can have followed: told after the close, or the feed was listened to until then."""
        over, told = over_at(self.session, (row["source"],)), row["received_at"]
        return (
            told >= over or row["ts"] >= over or any(since <= told and over <= until for since, until in self._watched)
        )

    @cached_property
    def _watched(self) -> list[tuple[dt.datetime, dt.datetime]]:
        return [(row["since"], row["until"]) for row in self._warm.rows("SELECT since, until FROM tape_watched")]

    def only_after_market(self, symbol: str) -> bool:
        """Whether all that files tell of the session is its after-market: that comes with the next session's file."""
        text = "SELECT DISTINCT source FROM tape_references WHERE session = %s AND symbol = %s"
        return [row["source"] for row in self._warm.rows(text, (self.session, symbol))] == ["b3-after"]

    def _files(self, symbols: Sequence[str] | None) -> Iterator[tuple[str, Reference]]:
        """A session's file, and the after-market trades of it that the next session's file brings."""
        chosen = "" if symbols is None else f" AND symbol IN ({_texts(symbols)})"
        text = f"SELECT * FROM tape_references WHERE session = '{self.session}'{chosen} ORDER BY symbol, source"
        found: dict[str, list[dict[str, Any]]] = {}
        for row in _or_none(self._warm, text):
            found.setdefault(row["symbol"], []).append(row)
        for symbol, rows in found.items():
            main = next((row for row in rows if row["source"] == "b3"), None)
            if main is None:
                continue
            yield (
                symbol,
                Reference(
                    source=f"b3:{main['file']}",
                    trades=sum(row["trades"] for row in rows),
                    quantity=sum(row["quantity"] for row in rows),
                    turnover=sum(row["turnover"] for row in rows),
                    at=main["as_of"],
                    closing=main["final"],
                ),
            )


def sessions_of_day(hot: HotStore, warm: WarmStore, day: dt.date) -> set[dt.date]:
    """The sessions of which a UTC day has rows."""
    store = hot if tier_of(warm, day) == "hot" else warm
    within = f"ts >= {instant_literal(start_of(day))} AND ts < {instant_literal(start_of(day + dt.timedelta(days=1)))}"
    return {_day(row["session"]) for row in store.rows(f"SELECT DISTINCT session FROM ticks WHERE {within}")}


def tier_of(warm: WarmStore, session: dt.date, table: Table = TICKS) -> Store:
    """The tier that answers for a session."""
    rows = warm.rows("SELECT hot_from FROM sync_control WHERE stream = %s", (table.name,))
    floor = rows[0]["hot_from"] if rows else None
    return "hot" if floor is None or start_of(session) >= floor else "warm"


def _held(symbol: str, session: dt.date, rows: Sequence[dict[str, Any]]) -> Held:
    def total(name: str) -> int:
        return sum(int(row[name] or 0) for row in rows)

    def least(name: str) -> Any:
        return min((row[name] for row in rows if row[name] is not None), default=None)

    def most(name: str) -> Any:
        return max((row[name] for row in rows if row[name] is not None), default=None)

    return Held(
        symbol=symbol,
        session=session,
        sums=Sums(trades=total("trades"), quantity=total("quantity"), turnover=total("turnover")),
        told=Sums(trades=total("told"), quantity=total("told_quantity"), turnover=total("told_turnover")),
        first_id=least("first_id"),
        last_id=most("last_id"),
        own_numbers=total("own_numbers"),
        first_ts=least("first_ts"),
        last_ts=most("last_ts"),
        first_received=least("first_received"),
        last_received=most("last_received"),
        sources=tuple(sorted({row["source"] for row in rows})),
    )


def _or_none(store: HotStore | WarmStore, text: str) -> list[dict[str, Any]]:
    """The rows; none where the table is not there: a platform that was not migrated yet has no such sums."""
    try:
        return store.rows(text)
    except StatementError as error:
        if "does not exist" in str(error):
            return []
        raise


def _day(value: dt.date | dt.datetime) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
