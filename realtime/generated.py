"""An invented market for demo directories: the ticks of a whole UTC day, a pure function of seed, instrument and day.

The same day comes out the same after every restart, so a feed that was killed goes on without a gap or a repeat.
Symbols of 2099 can never be taken for traded ones.
"""

import datetime as dt
import zlib

import numpy as np
import polars as pl
from msgspec import Struct

from sql.tables import TICKS

SOURCE = "generated"
SECONDS = 86_400
ID_STEP = 10  # as B3 numbers its trades
BROKERS = np.array([3, 8, 13, 16, 23, 39, 45, 72, 85, 88, 90, 92, 107, 114, 120, 122, 127, 147, 238, 386])


class Instrument(Struct, frozen=True):
    """One invented instrument. `rate` is its mean number of trades per second."""

    symbol: str
    price: float
    tick_size: float
    rate: float
    lot: int


INSTRUMENTS = (
    Instrument("WINX99", 131_250.0, 5.0, 9.0, 1),
    Instrument("WDOX99", 5_412.5, 0.5, 5.0, 1),
    Instrument("DEMO4", 38.42, 0.01, 2.0, 100),
)


def day(instruments: tuple[Instrument, ...], date: dt.date, seed: int = 7) -> pl.DataFrame:
    """All ticks of one UTC day in the order of time, as the contract `ticks` has them (`received_at` equals `ts`)."""
    frames = [_ticks(instrument, date, seed) for instrument in instruments]
    return pl.concat(frames).sort("ts", "symbol", "trade_id")


def _ticks(instrument: Instrument, date: dt.date, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng([seed, zlib.crc32(instrument.symbol.encode()), date.toordinal()])
    offsets = _times(rng, instrument.rate)
    n = len(offsets)
    midnight = dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC)
    sides = rng.random(n) < 0.5 + 0.18 * np.sin(np.arange(n) / max(n, 1) * 60)
    walk = np.cumsum(np.where(rng.random(n) < 0.35, np.where(sides, 1, -1), 0))
    drift = np.rint(walk - np.linspace(0, walk[-1] * 0.8, n)) if n else walk
    price = np.round(instrument.price + drift * instrument.tick_size, 4)
    return (
        pl.DataFrame(
            {
                "ts": pl.Series(offsets * 1_000).cast(pl.Duration("us")) + midnight,
                "symbol": pl.repeat(instrument.symbol, n, eager=True),
                "session": pl.repeat(date, n, eager=True),
                "trade_id": (np.arange(n, dtype=np.int64) + 1) * ID_STEP,
                "price": np.maximum(price, instrument.tick_size),
                "quantity": instrument.lot * (1 + rng.geometric(0.25, n)),
                "aggressor": pl.Series(np.where(sides, "BUYER", "SELLER"), dtype=pl.String),
                "buyer": rng.choice(BROKERS, n),
                "seller": rng.choice(BROKERS, n),
                "flags": pl.repeat(0, n, eager=True),
            }
        )
        .with_columns(received_at=pl.col("ts"), source=pl.lit(SOURCE))
        .select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)
    )


def _times(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Milliseconds of the day: a slow swing over the hours, quiet and busy minutes, and bursts of some seconds."""
    second = np.arange(SECONDS)
    swing = 1 + 0.4 * np.sin(second / SECONDS * 2 * np.pi * 6)
    minutes = np.repeat(rng.gamma(3.0, 1 / 3.0, SECONDS // 60), 60)
    bursts = np.where(rng.random(SECONDS) < 0.004, rng.uniform(4, 12, SECONDS), 1.0)
    bursts = np.maximum.reduce([bursts, np.roll(bursts, 1), np.roll(bursts, 2)])
    counts = rng.poisson(rate * swing * minutes * bursts)
    return np.sort(np.repeat(second, counts) * 1_000 + rng.integers(0, 1_000, counts.sum()))
