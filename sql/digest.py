"""What a tier holds of a day, in one value: rows, integer sums, and BLAKE2 over the canonical columns in key order.

The same rows give the same digest from every tier and in any batching; a change of any compared value gives another.
Streams: memory is that of a block, or of the rows that share one instant where those are more.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Struct

from sql.columns import Column
from sql.contract import Table
from sql.errors import DamagedError

BLOCK_ROWS = 131_072
BIG_DOUBLE = 900_000_000_000_000  # beyond it ten-thousandths do not fit 64 bits; the digest still sees the value
TEXTS = ("symbol", "text")


class Content(Struct, frozen=True, kw_only=True):
    """`sums` are exact integers: prices in ten-thousandths, times in microseconds, days since 1970; nulls count 0."""

    rows: int
    sums: dict[str, int]
    digest: str

    @property
    def sums_text(self) -> str:
        """The sums as receipts keep them."""
        return json.dumps(self.sums)


class Digest:
    """Fed with frames in key order, says what was in them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = {c.name: (c, hashlib.blake2b(), hashlib.blake2b()) for c in table.compared}
        self._sums = {c.name: 0 for c in table.compared if c.kind.name not in TEXTS}
        self._rows = 0

    def update(self, frame: pl.DataFrame) -> None:
        """Add the next rows. Raises DamagedError for a null where the contract has none."""
        self._rows += frame.height
        for column, nulls, values in self._columns.values():
            series = frame[column.name]
            if column.kind.name in TEXTS:
                # Lengths apart from bytes, so that "ab" + "c" is not "a" + "bc" and null (-1) is not empty (0).
                lengths = series.str.len_bytes().cast(pl.Int64).fill_null(-1)
                nulls.update(_little(lengths.to_numpy(), "<i8"))
                values.update(_bytes_of(series))
            else:
                there, numbers = _numbers(series, column)
                if column.nullable:
                    nulls.update(there.astype(np.uint8).data)
                values.update(_little(numbers, "<f8" if column.kind.name == "double" else "<i8"))
                self._sums[column.name] += _sum(numbers)
            if series.null_count() and not column.nullable:
                raise DamagedError(f"{self._table.name}.{column.name}: expected a value in every row, found nulls")

    def passing(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same frames, each added as it goes by."""
        for frame in frames:
            self.update(frame)
            yield frame

    def content(self) -> Content:
        """What was fed so far."""
        whole = hashlib.blake2b(digest_size=32)
        whole.update(f"{self._rows}".encode())
        for column, nulls, values in self._columns.values():
            whole.update(f"|{column.name}:{column.kind.name}:".encode() + nulls.digest() + values.digest())
        return Content(rows=self._rows, sums=dict(self._sums), digest=whole.hexdigest())


def content_of(frames: Iterable[pl.DataFrame], table: Table) -> Content:
    """The content of frames in key order."""
    digest = Digest(table)
    for frame in frames:
        digest.update(frame)
    return digest.content()


def in_key_order(batches: Iterable[pa.RecordBatch | pl.DataFrame], table: Table) -> Iterator[pl.DataFrame]:
    """Rows that come in the order of time, in the order of the whole key; no instant is cut in two.

    Stores sort by time alone: their own orders of texts depend on collations. Raises DamagedError where time goes back.
    """
    held, waiting = pl.DataFrame(schema=table.polars), 0
    parts: list[pl.DataFrame] = []
    for batch in batches:
        raw = batch if isinstance(batch, pl.DataFrame) else pl.DataFrame(pl.from_arrow(batch))
        parts.append(raw.select(pl.col(c.name).cast(c.kind.polars) for c in table.columns))
        waiting += raw.height
        if waiting < BLOCK_ROWS:
            continue
        block = pl.concat([held, *parts])
        parts, waiting = [], 0
        cut = _last_instant(block, table)
        held = block[cut:]
        if cut:
            yield block[:cut].sort(table.key)
    rest = pl.concat([held, *parts])
    if rest.height:
        _last_instant(rest, table)
        yield rest.sort(table.key)


def _last_instant(block: pl.DataFrame, table: Table) -> int:
    """Where the rows of the last instant begin."""
    times = block[str(table.time)].to_physical()
    if not times.is_sorted():
        raise DamagedError(f"{table.name}: expected rows in the order of {table.time}, found some that go back")
    return int(times.search_sorted(times[-1], side="left"))


def _numbers(series: pl.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a value, and the values with 0 elsewhere."""
    if column.kind.name == "double":
        series = series.fill_nan(None)  # QuestDB has no other null for a double
        numbers: np.ndarray = series.fill_null(0.0).to_numpy() + 0.0  # -0.0 is 0.0
        return series.is_not_null().to_numpy(), numbers
    return series.is_not_null().to_numpy(), series.to_physical().cast(pl.Int64).fill_null(0).to_numpy()


def _sum(numbers: np.ndarray) -> int:
    if numbers.dtype.kind == "f":
        fits = np.abs(numbers) < BIG_DOUBLE
        numbers = np.rint(np.where(fits, numbers, 0.0) * 10_000).astype(np.int64)
    # In two halves: the microseconds of a day's rows do not fit 64 bits together.
    return (int(np.sum(numbers >> 32)) << 32) + int(np.sum(numbers & 0xFFFFFFFF))


def _little(numbers: np.ndarray, kind: str) -> Any:
    return np.ascontiguousarray(numbers, dtype=kind).view(np.uint8).data


def _bytes_of(series: pl.Series) -> Any:
    if not len(series):
        return b""
    texts = series.fill_null("").cast(pl.Binary).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)
    first, last = int(ends[texts.offset]), int(ends[texts.offset + len(texts)])
    return memoryview(data)[first:last] if data is not None else b""
