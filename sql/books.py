"""The one writer of `quotes` and `book`. A row's key follows from the spool's frame, so a repeat changes nothing."""

import uuid
from collections.abc import Mapping
from typing import Any

import polars as pl

from sql.contract import Table
from sql.hot import HotStore
from sql.ticks import literals


def store(hot: HotStore, table: Table, frame: pl.DataFrame, same: Mapping[str, Any]) -> None:
    """Write events in one transaction: they are of one UTC hour. Repeatable. Raises StoreError.

    `frame` has the columns of `table` but those of `same`, which are the same in every row.
    """
    if hot.import_dir is None:
        hot.insert(table, frame.with_columns(pl.lit(value).alias(name) for name, value in same.items()))
        return
    constants = literals(same)
    columns = ", ".join(constants.get(name, name) for name in table.names)
    path = hot.import_dir / f"{table.name}-{uuid.uuid4().hex}.parquet"
    try:
        frame.write_parquet(path, compression="uncompressed", statistics=False)
        source = f"read_parquet('{path.name}')"
        hot.execute(f"INSERT INTO {table.name} ({', '.join(table.names)}) SELECT {columns} FROM {source}")
    finally:
        path.unlink(missing_ok=True)
