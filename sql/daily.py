"""The one writer of `daily`. A row is known by time, symbol and number of trades: a repeat changes nothing."""

import polars as pl

from sql.hot import HotStore, shaped
from sql.tables import DAILY


def store(hot: HotStore, rows: pl.DataFrame) -> int:
    """Write aggregates with the columns of `DAILY`; how many. Repeatable; no transaction has rows of two UTC hours."""
    frame = shaped(rows, DAILY).unique(DAILY.key, keep="last", maintain_order=True)
    for _, part in frame.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True):
        hot.insert(DAILY, part)
    return frame.height
