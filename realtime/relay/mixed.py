"""Trades of the feed in a session that holds a file's rows: only what is new is written, corrections find their row."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from realtime.relay.rows import Trades, frame_of
from realtime.spool.frames import Asset
from sql import ticks
from sql.beside import Beside
from sql.hot import HotStore
from sql.ticks import Stored

Names = Mapping[int, Asset]


def store(hot: HotStore, beside: Beside, new: Trades, names: Names, same: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Write trades that the feed tells for the first time; which of them were new. One transaction an UTC hour.

    When this raises, `beside` says more than is written: it must be made anew.
    """
    rows = beside.place(_rows(new, names, same))
    for _, part in rows.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True):
        ticks.store_fresh(hot, part.drop(same), same)
    return np.isin(new.records["number"], ticks.numbers_of(rows["trade_id"]))


def revise(hot: HotStore, beside: Beside, edits: Trades, names: Names, same: dict[str, Any]) -> Stored:
    """Write corrections and cancellations of trades that stand under an id of the feed; a file's trade has the file's
    word. Raises StoreError."""
    rows = beside.renumbered(_rows(edits, names, same))
    return ticks.store(hot, rows, hourly=True)


def _rows(trades: Trades, names: Names, same: dict[str, Any]) -> pl.DataFrame:
    return frame_of(trades, names).with_columns(pl.lit(value).alias(name) for name, value in same.items())
