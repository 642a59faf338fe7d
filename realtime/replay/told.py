"""Stored rows as the DLL can tell them: what a trade of ProfitDLL has no place for is left out, and counted. Pure.

Its times end at the millisecond, its numbers have 32 bits, broker 0 means none, and of flags it knows the cancellation.
"""

import polars as pl
from msgspec import Struct

from realtime.relay.rows import AGGRESSORS
from realtime.replay import ReplayError
from sql.tables import Flag

LARGEST = 2**32 - 1
TRADE = ("ts", "symbol", "trade_id", "price", "quantity", "aggressor", "buyer", "seller")
CANCELLATION = ("ts", "symbol", "trade_id")
TELLABLE = tuple(AGGRESSORS.values())


class Simplified(Struct):
    """Rows of which something is not told as it is stored."""

    times: int = 0  # finer than a millisecond
    aggressors: int = 0  # neither buyer nor seller nor auction
    numbers: int = 0  # beyond 32 bits: of a file that counts otherwise; told by free numbers from the top
    after_market: int = 0  # told at the nominal time that is stored


class Teller:
    """Turns stored rows, in their order, into what is told of them; the same rows always into the same."""

    def __init__(self) -> None:
        self.simplified = Simplified()
        self._given: dict[str, int] = {}  # symbol -> free numbers that were given away
        self._greatest: dict[str, int] = {}  # symbol -> own number

    def told(self, stored: pl.DataFrame) -> pl.DataFrame:
        """Rows of `ticks` with tellable times and numbers."""
        cut = pl.col("ts").dt.truncate("1ms")
        count = stored.select(
            times=(pl.col("ts") != cut).sum(),
            aggressors=(pl.col("aggressor").is_not_null() & ~pl.col("aggressor").is_in(TELLABLE)).sum(),
            after_market=((pl.col("flags") & int(Flag.AFTER_MARKET)) != 0).sum(),
        ).row(0, named=True)
        self.simplified.times += count["times"]
        self.simplified.aggressors += count["aggressors"]
        self.simplified.after_market += count["after_market"]
        known = pl.when(pl.col("aggressor").is_in(TELLABLE)).then(pl.col("aggressor"))
        brokers = [pl.when(pl.col(name) > 0).then(pl.col(name)).alias(name) for name in ("buyer", "seller")]
        return self._numbered(stored.with_columns(*brokers, ts=cut, aggressor=known))

    def check(self) -> None:
        """Raise ReplayError when a number that was given away is one of the session's own."""
        for symbol, given in self._given.items():
            if self._greatest.get(symbol, 0) > LARGEST - given:
                raise ReplayError(
                    f"{symbol} has trade numbers up to {self._greatest[symbol]} and {given} beyond 32 bits: the DLL's "
                    "numbers cannot hold both; replay a part of the day with --from and --to"
                )

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        wide = pl.col("trade_id") > LARGEST
        own = rows.filter(~wide).group_by("symbol").agg(pl.col("trade_id").max())
        for symbol, greatest in own.iter_rows():
            self._greatest[symbol] = max(self._greatest.get(symbol, 0), greatest)
        foreign = rows.filter(wide).group_by("symbol").len()
        if not foreign.height:
            return rows
        before = pl.col("symbol").replace_strict(self._given, default=0, return_dtype=pl.Int64)
        place = wide.cast(pl.Int64).cum_sum().over("symbol") - 1
        told = rows.with_columns(trade_id=pl.when(wide).then(LARGEST - before - place).otherwise(pl.col("trade_id")))
        for symbol, count in foreign.iter_rows():
            self._given[symbol] = self._given.get(symbol, 0) + count
            self.simplified.numbers += count
        return told
