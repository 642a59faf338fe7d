"""Stored rows as the ticks that a replay of them tells: in the order of time, a cancellation behind the trades of its
millisecond. In bounded memory.
"""

from collections.abc import Iterable, Iterator

import polars as pl

from realtime.replay.told import Teller
from realtime.strategy import Tick
from sql.tables import Flag

COLUMNS = ("symbol", "trade_id", "price", "quantity", "aggressor", "buyer", "seller")
CANCELLED = int(Flag.CANCELLED)


def ticks(frames: Iterable[pl.DataFrame]) -> Iterator[Tick]:
    """The ticks of one session, whose rows come in key order."""
    teller, now, taken_back = Teller(), -1, list[Tick]()
    for frame in map(teller.told, frames):
        columns = [frame[name].to_list() for name in COLUMNS]
        times, flags = frame["ts"].dt.epoch("ms").to_list(), frame["flags"].to_list()
        for ts_ms, flag, *row in zip(times, flags, *columns, strict=True):
            if ts_ms != now:
                yield from taken_back
                taken_back.clear()
                now = ts_ms
            tick = Tick(ts_ms, *row)
            yield tick
            if flag & CANCELLED:
                taken_back.append(_taken_back(tick))
    yield from taken_back


def _taken_back(tick: Tick) -> Tick:
    return Tick(
        tick.ts_ms, tick.symbol, tick.trade_id, tick.price, 0, tick.aggressor, tick.buyer, tick.seller, "cancellation"
    )
