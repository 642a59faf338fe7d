"""A session in which a live source writes beside another: which of its trades are new, and under which numbers.

A file may have come before, with the same numbers or with others. Until as many numbers as are enough mean the same
trades, trades are found by millisecond, price and quantity; from then on by number. Not thread-safe: one writer.
"""

import datetime as dt

import numpy as np
import polars as pl
from pyroaring import BitMap64

from sql import held, matching
from sql.held import Below
from sql.hot import HotStore, instant_literal
from sql.tables import FOREIGN, TICKS
from sql.ticks import member, numbers_of

MILLISECOND = dt.timedelta(milliseconds=1)


class Beside:
    """One symbol's session, for the writer of `source`. Asks the stores when it is made."""

    def __init__(self, hot: HotStore, below: Below | None, symbol: str, session: dt.date, source: str) -> None:
        self._hot, self._below = hot, below
        self.symbol, self._session, self._source = symbol, session, source
        self.own = BitMap64()  # numbers of this source whose trades are on the tape, whoever told them
        self.foreign = BitMap64()  # those of them that stand under another id
        self._absorbed = BitMap64()  # numbers whose trades another source told, by what they are
        self._others = BitMap64()  # numbers that other sources gave
        self._elsewhere = BitMap64()  # those of them that are no ids
        self._natives = BitMap64()  # those of them that are ids
        natives = False
        for batch in held.identities(hot, below, [session], [symbol], also=("source",)):
            mine = batch["source"] == source
            ids, others = batch.filter(mine)["trade_id"], batch.filter(~mine)["trade_id"]
            self.own |= _numbers(ids)
            self.foreign |= _numbers(ids.filter(ids >= FOREIGN))
            self._others |= _numbers(others)
            self._elsewhere |= _numbers(others.filter(others >= FOREIGN))
            self._natives |= _numbers(others.filter(others < FOREIGN))
            natives = natives or bool((ids < FOREIGN).any())
        self.one = natives and bool(self._natives)  # both use them: it was shown before
        self._told, self._agreed, self._different = BitMap64(), BitMap64(), 0
        self._taken = BitMap64()  # ids of other sources' rows that are trades of ours

    def place(self, trades: pl.DataFrame) -> pl.DataFrame:
        """The rows to write of trades that this source did not tell before, each once; columns of `TICKS`.

        The others are on the tape. The caller writes the rows, or forgets this object.
        """
        rows = pl.DataFrame(schema=TICKS.polars) if self.one else self._around(trades)
        if not self.one:
            self._learn(trades, rows)
        if self.one:
            placed = trades.filter(pl.Series(~member(trades["trade_id"].to_numpy(), self._others)))
        else:
            free = rows.filter(pl.Series(~member(rows["trade_id"].to_numpy(), self._taken)))
            found = matching.placed(trades, free, np.array([], np.int64), native=not self._natives)
            self._absorbed |= _numbers(found.twins["trade_id"])
            self._taken |= BitMap64(found.twins["twin"].to_numpy().view(np.uint64))
            placed = matching.marked(trades, found.under)
            self.foreign |= _numbers(placed["trade_id"].filter(placed["trade_id"] >= FOREIGN))
        self.own |= _numbers(trades["trade_id"])
        return placed

    def renumbered(self, reports: pl.DataFrame) -> pl.DataFrame:
        """Reports of trades of this source under the ids that they have. What another source told, under a number that
        need not mean the same trade, is left out, and what nobody told.
        """
        numbers = reports["trade_id"].to_numpy()
        foreign = member(numbers, self.foreign | self._elsewhere if self.one else self.foreign)
        under = pl.DataFrame({"trade_id": numbers, "stored_id": np.where(foreign, numbers + FOREIGN, numbers)})
        if not self.one:
            under = under.filter(pl.Series(member(numbers, self.own - self._absorbed)))
        return matching.marked(reports, under.unique("trade_id"))

    def known(self) -> BitMap64:
        """The numbers of this source that are on the tape; those of others are too, once the numbering is one."""
        return self.own | self._others if self.one else self.own

    def _around(self, trades: pl.DataFrame) -> pl.DataFrame:
        first, last = trades["ts"].min(), trades["ts"].max()
        assert isinstance(first, dt.datetime)
        assert isinstance(last, dt.datetime)
        where = (
            f"symbol = {held.text(self.symbol)} AND session = '{self._session}' AND source <> '{self._source}' "
            f"AND ts BETWEEN {instant_literal(first - MILLISECOND)} AND {instant_literal(last + MILLISECOND)}"
        )
        batches = held.rows(self._hot, self._below, [self._session], where)
        return pl.concat([pl.DataFrame(schema=TICKS.polars), *batches])

    def _learn(self, trades: pl.DataFrame, rows: pl.DataFrame) -> None:
        agreed = matching.agreeing(trades, rows)
        self._told |= _numbers(trades["trade_id"])
        self._agreed |= _numbers(agreed["trade_id"])
        self._different += matching.different(agreed)
        common, same = _array(self._told & self._natives), _array(self._agreed)
        self.one = matching.is_one_numbering(common, same, self._different)


def _numbers(ids: pl.Series) -> BitMap64:
    return BitMap64(numbers_of(ids).view(np.uint64))


def _array(bits: BitMap64) -> matching.Longs:
    found: matching.Longs = np.frombuffer(bits.to_array(), dtype=np.int64)
    return found
