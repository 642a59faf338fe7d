"""Frames as PostgreSQL's binary COPY stream, encoded column by column: Python touches no row.

Rows of one layout (the same nulls, the same text lengths) become one structured array; a batch is a handful of them.
They leave in the order they came in: PostgreSQL adds rows in the order of their key a fifth faster than shuffled ones.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from sql.columns import Column
from sql.contract import Table

HEADER = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8  # no flags, no extension
TRAILER = b"\xff\xff"
PG_EPOCH_DAYS = 10_957  # 2000-01-01 in days since 1970-01-01
PG_EPOCH_MICROS = PG_EPOCH_DAYS * 86_400_000_000
FIXED = {"instant": ">i8", "day": ">i4", "long": ">i8", "int": ">i4", "double": ">f8"}
BLOCK_BYTES = 1 << 20
TEXTS = ("symbol", "text")


def encoded(frames: Iterable[pl.DataFrame], table: Table) -> Iterator[bytes | memoryview]:
    """The whole stream: header, rows, trailer. Frames have the columns and types of the contract."""
    yield HEADER
    for frame in frames:
        if frame.height:
            yield _ordered(list(_layouts(frame, table.columns)), frame.height)
    yield TRAILER


def blocks(stream: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The same stream in pieces of about a megabyte: neither a call for every few rows nor one huge copy."""
    held: list[bytes | memoryview] = []
    size = 0
    for piece in stream:
        if len(piece) >= BLOCK_BYTES:
            yield b"".join(held)
            yield from (piece[at : at + BLOCK_BYTES] for at in range(0, len(piece), BLOCK_BYTES))
            held, size = [], 0
            continue
        held.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _layouts(frame: pl.DataFrame, columns: tuple[Column, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each layout the places of its rows in the frame, and the rows."""
    keys = [_layout(column).alias(f"layout {column.name}") for column in columns if _varies(column)]
    if not keys:
        yield np.arange(frame.height), _rows(frame, columns, {})
        return
    names = [f"layout {column.name}" for column in columns if _varies(column)]
    for key, rows in frame.with_columns(keys).with_row_index("place").group_by(names):
        widths = dict(zip((n.removeprefix("layout ") for n in names), key, strict=True))
        yield rows["place"].to_numpy(), _rows(rows, columns, widths)


def _ordered(layouts: list[tuple[np.ndarray, np.ndarray]], height: int) -> memoryview:
    """The rows of all layouts in their places."""
    if len(layouts) == 1:
        return layouts[0][1].data.cast("B")
    places = np.concatenate([places for places, _ in layouts])
    widths = np.concatenate([np.full(len(rows), rows.itemsize) for _, rows in layouts])
    offsets = np.concatenate([[0], np.cumsum(widths)])
    data = np.concatenate([rows.view(np.uint8) for _, rows in layouts])
    order = np.empty(height, dtype=np.int64)
    order[places] = np.arange(height)
    rows = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), height, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return memoryview(rows.take(pa.array(order)).buffers()[2])[: int(offsets[-1])]


def _varies(column: Column) -> bool:
    return column.nullable or column.kind.name in TEXTS


def _layout(column: Column) -> pl.Expr:
    """Bytes of a text, 0 of a number; -1 where there is no value."""
    width = pl.col(column.name).str.len_bytes().cast(pl.Int32) if column.kind.name in TEXTS else pl.lit(0, pl.Int32)
    return pl.when(pl.col(column.name).is_null()).then(pl.lit(-1, pl.Int32)).otherwise(width)


def _rows(frame: pl.DataFrame, columns: tuple[Column, ...], widths: dict[str, Any]) -> np.ndarray:
    """All rows of one layout: per row the number of fields, then for each field its length and its bytes."""
    fields: list[tuple[Any, ...]] = [("fields", ">i2")]
    for column in columns:
        fields.append((f"length {column.name}", ">i4"))
        width = widths.get(column.name, 0)
        if column.kind.name in TEXTS and width > 0:
            fields.append((column.name, "u1", (width,)))
        elif column.kind.name not in TEXTS and width == 0:
            fields.append((column.name, FIXED[column.kind.name]))
    rows = np.empty(frame.height, dtype=np.dtype(fields))
    rows["fields"] = len(columns)
    for column in columns:
        width = widths.get(column.name, 0)
        there = width >= 0
        length = width if column.kind.name in TEXTS else np.dtype(FIXED[column.kind.name]).itemsize
        rows[f"length {column.name}"] = length if there else -1
        if there and column.name in (rows.dtype.names or ()):
            rows[column.name] = _values(frame[column.name], column, width)
    return rows


def _values(series: pl.Series, column: Column, width: int) -> np.ndarray:
    kind = column.kind.name
    if kind == "instant":
        return series.to_physical().to_numpy() - PG_EPOCH_MICROS
    if kind == "day":
        return series.to_physical().to_numpy() - PG_EPOCH_DAYS
    if kind in TEXTS:
        texts = series.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = texts.buffers()
        first = np.frombuffer(offsets, dtype=np.int64)[texts.offset]
        return np.frombuffer(data, dtype=np.uint8, count=len(series) * width, offset=int(first)).reshape(-1, width)
    return series.to_numpy()
