"""The DLL's daily aggregates on their way to `daily`: two records make one row, and the same row again makes none.

The halves follow each other, but the spool may cut between them: a first half waits in the saved state for its second.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from realtime.records import DAILY_COUNTS, DAILY_PRICES, RECORD, Kind
from realtime.relay.rows import Longs, received_of, timely, utc_of
from realtime.relay.state import Half
from realtime.spool.frames import WHOLE, Asset, Frame, Records, joined
from sql import daily
from sql.hot import HotStore
from sql.tables import DAILY

AMOUNTS = ("open", "high", "low", "close", "volume", "adjustment", "max_limit")  # of the first half
SAID = tuple(name for name in DAILY.names if name not in ("received_at", "source"))


class Pairs(Struct, frozen=True):
    """Whole aggregates in their order, what is left of the last one, and how many halves stood alone."""

    prices: Records
    counts: Records
    received: Longs
    half: Half | None
    alone: int


class Dailies:
    """Writes the aggregates of frames; one row after the other only where it says something else than before."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._told = pl.DataFrame(schema=DAILY.polars)  # the last row of each symbol

    def store(self, pairs: Pairs, names: Mapping[int, Asset], source: str) -> tuple[int, int]:
        """Write what is new; how many rows, and how many aggregates cannot be rows. Raises StoreError. Repeatable."""
        whole, refused = sound(pairs, names)
        rows = frame_of(whole, names, source).unique(SAID, keep="first", maintain_order=True)
        fresh = rows.join(self._told, on=SAID, how="anti", nulls_equal=True, maintain_order="left")
        stored = daily.store(self._hot, fresh)
        self._told = pl.concat([self._told, fresh]).unique("symbol", keep="last")
        return stored, refused


def pairs_of(frames: list[Frame], half: Half | None) -> Pairs:
    """The aggregates in frames of one run, together with the half that waits."""
    parts, received = [], []
    run = frames[0].run if frames else 0
    if half is not None and half.run == run:
        parts.append(np.frombuffer(half.record, RECORD))
        received.append(np.array([half.received], np.int64))
    for frame in frames:
        records = frame.records()
        mask = (records["kind"] == Kind.DAILY_PRICES) | (records["kind"] == Kind.DAILY_COUNTS)
        parts.append(records.view(WHOLE)[mask].view(RECORD))
        received.append(received_of(frame, parts[-1]))
    halves = joined(parts) if parts else np.zeros(0, RECORD)
    return _paired(halves, np.concatenate(received) if received else np.zeros(0, np.int64), run)


def _paired(halves: Records, received: Longs, run: int) -> Pairs:
    first = halves["kind"] == Kind.DAILY_PRICES
    follows = np.zeros(len(halves), np.bool_)
    if len(halves) > 1:
        follows[:-1] = (
            first[:-1]
            & ~first[1:]
            & (halves["seq"][1:] == halves["seq"][:-1] + 1)
            & (halves["asset"][1:] == halves["asset"][:-1])
        )
    places = np.flatnonzero(follows)
    half, alone = None, len(halves) - 2 * len(places)
    if len(halves) and first[-1]:
        half, alone = Half(run, halves[-1:].tobytes(), int(received[-1])), alone - 1
    whole = halves.view(WHOLE)
    return Pairs(whole[places].view(RECORD), whole[places + 1].view(RECORD), received[places], half, alone)


def sound(pairs: Pairs, names: Mapping[int, Asset]) -> tuple[Pairs, int]:
    """The aggregates that have a time, a name and sums; how many have not."""
    prices, counts = pairs.prices.view(DAILY_PRICES), pairs.counts.view(DAILY_COUNTS)
    named = np.isin(pairs.prices["asset"], list(names))
    summed = _told(prices["volume"]) & (counts["trades"] >= 0) & (counts["quantity"] >= 0)
    good = timely(pairs.prices["time"]) & named & summed
    if good.all():
        return pairs, 0
    first, second = (part.view(WHOLE)[good].view(RECORD) for part in (pairs.prices, pairs.counts))
    return Pairs(first, second, pairs.received[good], pairs.half, pairs.alone), int((~good).sum())


def frame_of(pairs: Pairs, names: Mapping[int, Asset], source: str) -> pl.DataFrame:
    """Rows of `daily`; all aggregates are sound."""
    prices, counts = pairs.prices.view(DAILY_PRICES), pairs.counts.view(DAILY_COUNTS)
    time = np.ascontiguousarray(pairs.prices["time"])
    columns: dict[str, Any] = {
        "ts": utc_of(time),
        "symbol": [names[number].ticker for number in pairs.prices["asset"].tolist()],
        "session": pl.Series(time // 86_400_000, dtype=pl.Int32),
        "received_at": pairs.received,
        "source": [source] * len(time),
    }
    columns |= {name: _amounts(prices[name]) for name in AMOUNTS}
    for name in DAILY_COUNTS.names or ():
        columns[name] = _amounts(counts[name]) if counts.dtype[name].kind == "f" else _counts(counts[name])
    frame = pl.DataFrame(columns)
    instants = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in ("ts", "received_at")]
    return frame.with_columns(*instants).select(pl.col(c.name).cast(c.kind.polars) for c in DAILY.columns)


def _told(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    told: npt.NDArray[np.bool_] = np.isfinite(values) & (values >= 0)
    return told


def _amounts(values: npt.NDArray[Any]) -> pl.Series:
    return pl.Series(np.where(_told(values), values, np.nan)).fill_nan(None)


def _counts(values: npt.NDArray[Any]) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(values).astype(np.int64))
    return series.set(series < 0, None)
