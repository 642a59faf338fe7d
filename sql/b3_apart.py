"""Sessions of a B3 file in which rows of another source stand and whose numbers are not shown to be the file's: their
trades are found by millisecond, price and quantity, and only what is not there goes in, under numbers that are free.

A session is read an hour or so at a time, so memory does not grow with a day.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Struct
from pyroaring import BitMap64

from sql import held, matching, ticks
from sql.b3_stage import SCHEMA, Staged, standing
from sql.held import Below
from sql.hot import HotStore, instant_literal
from sql.tables import FOREIGN, TICKS, Flag
from sql.ticks import ID_BITS, Keys, Known

SOURCE = "b3"
WINDOW_ROWS = 500_000
NOMINAL = int(Flag.NOMINAL_TIME)
Store = Callable[[pl.DataFrame], None]  # rows of SCHEMA, their keys being those of the tape


class Pair(Struct, frozen=True):
    """One symbol's session, by its number in `Known`."""

    number: int
    symbol: str
    session: dt.date

    @property
    def where(self) -> str:
        """Its rows of other sources, as a condition."""
        return f"{held.chosen([self.session], [self.symbol])} AND source <> '{SOURCE}'"


class Told(Struct):
    """Lines whose trades stand in the tape from another source, and cancellations that struck such a row."""

    repeated: int = 0
    cancelled: int = 0


class Apart:
    """Works on the sessions of one staged file; the caller holds `ticks.writing`."""

    def __init__(self, hot: HotStore, below: Below | None, staged: Staged, known: Known) -> None:
        self._hot, self._below, self._staged, self._known = hot, below, staged, known
        self._one: set[int] = set()
        self._seen: dict[int, tuple[Keys, Keys]] = {}
        self._again = staged.spoken_of_again()
        self._standing = standing(self._again)

    def differing(self) -> list[Pair]:
        """The sessions in which others stand, and numbers alone do not say what is there."""
        days = sorted({session for _, session in self._known.pairs})
        told = held.sources(self._hot, self._below, days, {symbol for symbol, _ in self._known.pairs})
        pairs = [Pair(number, *names) for names, number in self._known.pairs.items()]
        mixed = [pair for pair in pairs if told.get((pair.symbol, pair.session), set()) - {SOURCE}]
        self._one = {pair.number for pair in mixed if self._one_numbering(pair)}
        # Trades that came before that was shown stand under foreign numbers: they are not new.
        return [pair for pair in mixed if pair.number not in self._one or self._has_foreign(pair)]

    def bring(self, pair: Pair, at: dt.datetime, store: Store) -> Told:
        """Find the trades of a session in what stands there and `store` those that do not. Repeatable."""
        done = Told()
        for trades, rows in self._windows(pair):
            timed = trades.filter((pl.col("flags") & NOMINAL) == 0)
            self._place(pair, timed, rows, at=at, store=store, done=done)
        nominal = self._trades(pair, (pl.col("flags") & NOMINAL) != 0)
        if nominal.height:
            rows = self._rows(pair, f"ts >= {instant_literal(matching.after_market(pair.symbol, pair.session))}")
            self._place(pair, nominal, rows, at=at, store=store, done=done)
        return done

    def _found(self, pair: Pair, trades: pl.DataFrame, rows: pl.DataFrame) -> matching.Placed:
        own, others = self._numbers(pair)
        foreign = others[others >= FOREIGN]
        if pair.number in self._one:
            return matching.placed_by_number(trades, rows, own, foreign)
        return matching.placed(trades, rows, own, native=len(foreign) == len(others))

    def _has_foreign(self, pair: Pair) -> bool:
        return any((ids >= FOREIGN).any() for ids in self._numbers(pair))

    def _one_numbering(self, pair: Pair) -> bool:
        own, others = self._numbers(pair)
        numbers, agreed, different = BitMap64(), BitMap64(), 0
        once = ~pl.col("key").is_in(self._standing["key"].implode())
        for trades, rows in self._windows(pair, once & ((pl.col("flags") & NOMINAL) == 0)):
            same = matching.agreeing(trades, rows)
            numbers |= _bits(trades["trade_id"])
            agreed |= _bits(same["trade_id"])
            different += matching.different(same)
        if not len(numbers):  # after-market trades alone: two sources use numbers only where it was shown before
            return all(bool((ids < FOREIGN).any()) for ids in (own, others))
        common = numbers & BitMap64(others.view(np.uint64))
        return matching.is_one_numbering(_array(common), _array(agreed), different)

    def _numbers(self, pair: Pair) -> tuple[Keys, Keys]:
        """The ids of this source's rows, and those of the others."""
        if pair.number not in self._seen:
            own, others = BitMap64(), BitMap64()
            held_here = held.identities(self._hot, self._below, [pair.session], [pair.symbol], also=("source",))
            for batch in held_here:
                mine = batch["source"] == SOURCE
                own |= _bits(batch.filter(mine)["trade_id"])
                others |= _bits(batch.filter(~mine)["trade_id"])
            self._seen[pair.number] = _array(own), _array(others)
        return self._seen[pair.number]

    def _windows(self, pair: Pair, chosen: pl.Expr | None = None) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """The file's trades, one row each, and the others' rows, of one stretch of time after the other."""
        for since, until in self._stretches(pair):
            within = (pl.col("ts") >= since) & (pl.col("ts") < until)
            trades = self._trades(pair, within if chosen is None else within & chosen)
            if trades.height:
                bounds = f"ts >= {instant_literal(since)} AND ts < {instant_literal(until)}"
                yield trades, self._rows(pair, bounds)

    def _stretches(self, pair: Pair) -> list[tuple[dt.datetime, dt.datetime]]:
        """The times of a session, cut where so many trades of the file have gone by."""
        minute = pl.col("ts").dt.truncate("1m")
        counts = self._scanned(pair).group_by(minute).len().sort("ts").collect(engine="streaming")
        part = (counts["len"].cum_sum() - counts["len"]) // WINDOW_ROWS
        cuts = counts.filter(part != part.shift(1))["ts"].to_list()
        day = dt.datetime.combine(pair.session, dt.time(), dt.UTC)
        return list(pairwise([day + held.EARLIEST, *cuts, day + held.LATEST]))

    def _trades(self, pair: Pair, chosen: pl.Expr) -> pl.DataFrame:
        again = self._standing.filter(pl.col("key").floordiv(1 << ID_BITS) == pair.number)
        plain = self._scanned(pair).filter(~pl.col("key").is_in(again["key"].implode()))
        rows = pl.concat([plain.filter(chosen).collect(engine="streaming"), again.filter(chosen)])
        return rows.with_columns(
            trade_id=_number(), symbol=pl.lit(pair.symbol), session=pl.lit(pair.session), source=pl.lit(SOURCE)
        )

    def _scanned(self, pair: Pair) -> pl.LazyFrame:
        lowest = pair.number << ID_BITS
        rows = pl.scan_parquet(self._staged.path).select(SCHEMA.names)
        return rows.filter((pl.col("key") >= lowest) & (pl.col("key") < lowest + (1 << ID_BITS)))

    def _rows(self, pair: Pair, bounds: str) -> pl.DataFrame:
        where = f"{pair.where} AND {bounds}"
        batches = held.rows(self._hot, self._below, [pair.session], where)
        return pl.concat([pl.DataFrame(schema=TICKS.polars), *batches])

    def _place(
        self,
        pair: Pair,
        trades: pl.DataFrame,
        rows: pl.DataFrame,
        *,
        at: dt.datetime,
        store: Store,
        done: Told,
    ) -> None:
        """Store what belongs under an id of this source, strike what it knows to be cancelled, count the rest."""
        found = self._found(pair, trades, rows)
        again = self._again.filter(pl.col("key").floordiv(1 << ID_BITS) == pair.number)
        again = again.with_columns(trade_id=_number())
        once = trades.join(again, on="trade_id", how="anti").select(again.columns)
        reports = pl.concat([once, again.join(trades, on="trade_id", how="semi")]).sort("line")
        under = matching.marked(reports, found.under).with_columns(key=pl.col("trade_id") + (pair.number << ID_BITS))
        if under.height:
            store(under.select(SCHEMA.names))
        twins = found.twins.filter("strikes")["twin"]
        struck = rows.filter(pl.col("trade_id").is_in(twins.implode()))
        if struck.height:
            flags = pl.col("flags") | int(Flag.CANCELLED)
            told = struck.with_columns(flags, source=pl.lit(SOURCE), received_at=pl.lit(at))
            ticks.store(self._hot, told, below=self._below)
        done.cancelled += struck.height
        done.repeated += reports.join(found.twins, on="trade_id", how="semi").height - struck.height


def _number() -> pl.Expr:
    return pl.col("key") & ticks.MAX_TRADE_ID


def _bits(ids: pl.Series) -> BitMap64:
    return BitMap64(ids.to_numpy().view(np.uint64))


def _array(bits: BitMap64) -> Keys:
    found: Keys = np.frombuffer(bits.to_array(), dtype=np.int64)
    return found


def batch_of(rows: pl.DataFrame) -> pa.RecordBatch:
    """Rows with the columns of SCHEMA as one batch of it."""
    return rows.to_arrow().cast(SCHEMA).combine_chunks().to_batches()[0]
