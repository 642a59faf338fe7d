"""Reading the tape: ticks in key order, candles, whole ranges as one Parquet file, from whichever tier has them.

Ranges are half open, since <= ts < until, aware and UTC. The order is (ts, symbol, session, trade_id) in every tier,
so a key is a place to go on from: rows that come late never make a page skip or repeat another row.
"""

import datetime as dt
import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct

from sql.cold import ColdStore
from sql.contract import Tier
from sql.coverage import DAY, Coverage, Part, coverage, start_of
from sql.hot import HotStore, instant_literal
from sql.queries import statement
from sql.tables import TICKS, Tick
from sql.warm import WarmStore

SYMBOL = re.compile(r"[A-Za-z0-9._$@:+#/&-]{1,32}")
FRESH_SECONDS = 2.0
Interval = Literal["1s", "5s", "15s", "30s", "1m", "2m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "1d"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(Struct, frozen=True):
    """A range of one symbol, or of all of them."""

    symbol: str | None
    since: dt.datetime
    until: dt.datetime


class Key(Struct, frozen=True, array_like=True):
    """The identity of a row and its place in the order."""

    ts: dt.datetime
    symbol: str
    session: dt.date
    trade_id: int


class Candle(Struct, frozen=True, kw_only=True):
    """One interval of one symbol; `ts` is its first instant, UTC. Cancelled trades are left out."""

    ts: dt.datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    trades: int


class Page(Struct, frozen=True, kw_only=True):
    """Rows in key order; `after` is the key to go on from, None at the end of the range. `tiers` gave them."""

    rows: list[Tick]
    after: Key | None
    tiers: tuple[Tier, ...]


class Candles(Struct, frozen=True, kw_only=True):
    rows: list[Candle]
    tiers: tuple[Tier, ...]


class Source(Struct, frozen=True, kw_only=True):
    """Where a whole range comes from. `version` changes whenever its rows may have; `file` has exactly the range."""

    parts: tuple[Part, ...]
    version: str
    file: Path | None = None

    @property
    def tiers(self) -> tuple[Tier, ...]:
        return tuple(dict.fromkeys(part.tier for part in self.parts))


class Tape:
    """The tape over its three tiers. Every method blocks; raises StoreUnavailableError when a needed tier is away."""

    def __init__(
        self, hot: HotStore, warm: WarmStore, cold: ColdStore, survey: Callable[..., Coverage] = coverage
    ) -> None:
        self.hot, self.warm, self.cold = hot, warm, cold
        self._survey = survey
        self._lock = threading.Lock()
        self._coverage: Coverage | None = None
        self._asked = float("-inf")

    def coverage(self) -> Coverage:
        """What the tiers hold, at most two seconds old."""
        with self._lock:
            if self._coverage is None or time.monotonic() - self._asked > FRESH_SECONDS:
                self._coverage = self._survey(self.hot, self.warm, self.cold)
                self._asked = time.monotonic()
            return self._coverage

    def last_day(self, symbol: str | None) -> dt.date | None:
        """The newest UTC day of `symbol` in hot; for a symbol that is not there, the newest day of the tape."""
        found = self.coverage()
        if symbol is not None and found.hot is not None:
            rows = self.hot.rows(statement("hot", "select_last_ts"), (symbol,), reader=True)
            if rows:
                return day_of(rows[0]["ts"])
        return found.last_day()

    def page(self, span: Span, limit: int, after: Key | None = None) -> Page:
        """At most `limit` rows of `span` that follow `after` in key order."""
        since = max(span.since, after.ts) if after else span.since
        read: dict[Tier, Callable[..., list[Tick]]] = {
            "hot": self._hot_page,
            "warm": self._warm_page,
            "cold": self._cold_page,
        }
        rows: list[Tick] = []
        tiers: dict[Tier, None] = {}
        for part in self._parts(since, span.until):
            place = key_of(rows[-1]) if rows else after
            tiers[part.tier] = None
            rows += read[part.tier](Span(span.symbol, part.since, part.until), limit - len(rows), place)
            if len(rows) == limit:
                break
        return Page(rows=rows, after=key_of(rows[-1]) if len(rows) == limit else None, tiers=tuple(tiers))

    def candles(self, span: Span, interval: Interval) -> Candles:
        """Candles of `span.symbol`, aligned to UTC midnight; intervals without a trade have none."""
        rows: list[Candle] = []
        tiers: dict[Tier, None] = {}
        for part in self._parts(span.since, span.until):
            tiers[part.tier] = None
            rows += [Candle(**row) for row in self._candles(part, str(span.symbol), interval)]
        return Candles(rows=rows, tiers=tuple(tiers))

    def source(self, span: Span) -> Source:
        """Where the whole range would come from now: a cold file alone where no tier has anything newer for its day."""
        found = self.coverage()
        day = span.since.date()
        digest = found.sealed(day) if (start_of(day), start_of(day) + DAY) == (span.since, span.until) else None
        if digest:
            part = Part("cold", span.since, span.until)
            file = None if span.symbol else self.cold.path(TICKS, day)
            return Source(parts=(part,), version=f"cold-{digest}", file=file)
        parts = found.parts(span.since, span.until, dt.datetime.now(dt.UTC).date())
        hot_txn = found.hot.txn if found.hot else "away"
        synced = found.warm.synced_txn if found.warm else "away"
        return Source(parts=tuple(parts), version=f"{hot_txn}-{synced}-{len(parts)}")

    def write(self, span: Span, source: Source, path: Path) -> None:
        """Write the whole range into one Parquet file of the contract's schema, in key order, in bounded memory."""
        with tempfile.TemporaryDirectory(prefix="tape-", dir=path.parent) as folder:
            pieces = [
                self._piece(span.symbol, part, Path(folder) / f"{number}.parquet")
                for number, part in enumerate(source.parts)
            ]
            frames = [piece for piece in pieces if piece is not None]
            whole = pl.concat(frames) if frames else pl.LazyFrame(schema=TICKS.polars)
            whole.sink_parquet(path, compression="zstd", compression_level=1, row_group_size=262_144)

    def _parts(self, since: dt.datetime, until: dt.datetime) -> list[Part]:
        return self.coverage().parts(since, until, dt.datetime.now(dt.UTC).date())

    def _hot_page(self, span: Span, limit: int, after: Key | None) -> list[Tick]:
        place = after if after and after.ts >= span.since else before(span.since)
        symbol = _symbol(span)
        bounds = (max(place.ts, span.since - MICROSECOND), span.until, *symbol, limit - 1, limit)
        last = self.hot.tuples(_of("hot", "select_page_end", span), bounds)
        until = _aware(last[0][0]) + MICROSECOND if last else span.until
        session = start_of(place.session)
        key = (place.ts, place.ts, place.symbol, place.symbol, session, session, place.trade_id)
        params = (span.since, until, *symbol, *key, limit)
        return _from_hot(self.hot.tuples(_of("hot", "select_ticks", span), params))

    def _warm_page(self, span: Span, limit: int, after: Key | None) -> list[Tick]:
        place = after if after and after.ts >= span.since else before(span.since)
        key = (place.ts, place.ts, place.symbol, place.session, place.trade_id)
        params = (span.since, span.until, *_symbol(span), *key, limit)
        return [Tick(*row) for row in self.warm.tuples(_of("warm", "select_ticks", span), params)]

    def _cold_page(self, span: Span, limit: int, after: Key | None) -> list[Tick]:
        place = after if after and after.ts >= span.since else before(span.since)
        key = (place.ts, place.ts, place.symbol, place.session, place.trade_id)
        days = (day_of(span.since), day_of(span.until))
        params = (*days, span.since, span.until, *_symbol(span), *key, limit)
        return [Tick(**row) for row in self.cold.query(_of("cold", "select_ticks", span), params)]

    def _candles(self, part: Part, symbol: str, interval: Interval) -> Sequence[dict[str, Any]]:
        bounds = (part.since, part.until)
        if part.tier == "hot":
            text = statement("hot", "select_candles").replace("{interval}", interval)
            return self.hot.rows(text, (symbol, *bounds), reader=True)
        if part.tier == "warm":
            params = (seconds_of(interval), symbol, *bounds)
            return self.warm.rows(statement("warm", "select_candles"), params, reader=True)
        days = (day_of(part.since), day_of(part.until))
        rows = self.cold.query(statement("cold", "select_candles"), (seconds_of(interval), symbol, *days, *bounds))
        return [{"ts": row.pop("bucket"), **row} for row in rows]

    def _piece(self, symbol: str | None, part: Part, path: Path) -> pl.LazyFrame | None:
        if part.tier == "cold":
            days = [day for day in self.cold.days(TICKS) if day_of(part.since) <= day <= day_of(part.until)]
            frame = pl.scan_parquet([self.cold.path(TICKS, day) for day in days]) if days else None
            within = (pl.col("ts") >= part.since) & (pl.col("ts") < part.until)
            chosen = within & (pl.col("symbol") == symbol) if symbol else within
            return frame.filter(chosen).select(CONTRACT) if frame is not None else None
        text = statement(part.tier, "export_ticks").replace("{where}", _where(symbol, part))
        if part.tier == "hot":
            self.hot.export(text, path)
            return pl.scan_parquet(path).select(CONTRACT) if path.stat().st_size else None
        with self.warm.batches(text, TICKS) as batches, pq.ParquetWriter(path, TICKS.arrow) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return pl.scan_parquet(path).select(CONTRACT)


MICROSECOND = dt.timedelta(microseconds=1)
CONTRACT = [pl.col(column.name).cast(column.kind.polars) for column in TICKS.columns]


def day_of(at: dt.datetime) -> dt.date:
    """The UTC day of an instant."""
    return at.astimezone(dt.UTC).date()


def key_of(tick: Tick) -> Key:
    """The place of a row in the order."""
    return Key(tick.ts, tick.symbol, tick.session, tick.trade_id)


def before(since: dt.datetime) -> Key:
    """A place before every row of `since` and after every earlier one."""
    return Key(since - MICROSECOND, "\x7f", dt.date(2199, 12, 31), 2**62)


def seconds_of(interval: Interval) -> int:
    """Length of an interval in seconds."""
    return int(interval[:-1]) * UNITS[interval[-1]]


def _of(tier: Tier, name: str, span: Span) -> str:
    chosen = "" if span.symbol is None else "AND symbol = " + ("?" if tier == "cold" else "%s")
    return statement(tier, name).replace("{symbol}", chosen)


def _symbol(span: Span) -> tuple[str, ...]:
    return () if span.symbol is None else (span.symbol,)


def _aware(ts: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(ts, ts.time(), dt.UTC)  # ten times as quick as `replace`


def _from_hot(rows: Sequence[tuple[Any, ...]]) -> list[Tick]:
    """QuestDB's rows: its times have no zone, and its dates have a time."""
    return [
        Tick(
            _aware(ts), symbol, session.date(), trade_id, price, quantity,
            aggressor, buyer, seller, flags, _aware(received_at), source,
        )
        for ts, symbol, session, trade_id, price, quantity, aggressor, buyer, seller, flags, received_at, source in rows
    ]  # fmt: skip


def _where(symbol: str | None, part: Part) -> str:
    within = f"ts >= {instant_literal(part.since)} AND ts < {instant_literal(part.until)}"
    if symbol is None:
        return within
    if not SYMBOL.fullmatch(symbol):
        raise ValueError(f"symbol {symbol!r}: expected 1 to 32 letters, digits and ._$@:+#/&-")
    return f"symbol = '{symbol}' AND {within}"
