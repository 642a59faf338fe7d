"""A B3 file on its way to the tape: all lines are read into a Parquet file on disk, trades that are reported more than
once are noted, and only then anything is stored. Memory stays that of a few blocks.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from pyroaring import BitMap64

from sql.b3_layout import Layout, Lines, Refused, clock_of, layout_of, read
from sql.b3_source import Block, Excess, RefusedFileError, Source
from sql.tables import Flag
from sql.ticks import EPOCH, ID_BITS, Keys, Known

AHEAD = 3  # blocks being read while one is staged
GROUP_ROWS = 250_000  # of one row group
SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("ts", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("quantity", pa.int64(), nullable=False),
        pa.field("buyer", pa.int32()),
        pa.field("seller", pa.int32()),
        pa.field("flags", pa.int32(), nullable=False),
    ]
)
# What QuestDB needs beside, where it takes the file as it is.
WHOLE = SCHEMA.append(pa.field("symbol", pa.dictionary(pa.int32(), pa.string()))).append(
    pa.field("session", pa.date32())
)


class Staged(Struct):
    """What a whole file holds. `special` has every key that is cancelled or reported more than once."""

    path: Path
    lines: int = 0
    rows: int = 0
    empty: int = 0
    refused: int = 0
    columns: int = 0
    after_market: bool = False
    references: set[dt.date] = set()
    special: BitMap64 = BitMap64()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The staged rows in the order of the file, with the columns of SCHEMA."""
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(GROUP_ROWS, columns=SCHEMA.names)

    def chosen(self, keys: BitMap64) -> pa.RecordBatch:
        """The few rows with these keys, in the order of the file; other columns than the key are hardly read."""
        wanted = pl.Series(np.frombuffer(keys.to_array(), dtype=np.int64))
        found = pl.scan_parquet(self.path).select(SCHEMA.names).filter(pl.col("key").is_in(wanted.implode())).collect()
        return found.to_arrow().cast(SCHEMA).combine_chunks().to_batches()[0] if found.height else _no_rows()


def _no_rows() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=SCHEMA)


def stage(
    source: Source, known: Known, folder: Path, refuse: Callable[[Refused], None], advance: Callable[[int], None]
) -> Staged:
    """Read `source` to its end. Raises RefusedFileError for another layout or a damaged container."""
    staged = Staged(folder / "rows.parquet", references=set(), special=BitMap64())
    greatest: dict[int, int] = {}
    with _Groups(staged) as groups:
        for found in _read_ahead(source, staged, advance):
            for bad in found.refused:
                refuse(bad)
            staged.refused += len(found.refused)
            staged.empty += found.empty
            for table in found.tables:
                groups.add(_staged(table, known, staged, greatest))
    if not staged.columns:
        raise RefusedFileError(source.path, "it is empty: expected a header line and trades")
    return staged


class _Groups:
    """Writes batches as row groups that are big enough to be read fast."""

    def __init__(self, staged: Staged) -> None:
        self._staged = staged
        self._writer = pq.ParquetWriter(
            staged.path,
            WHOLE,
            compression="none",
            use_dictionary=["symbol", "session", "flags"],
            write_statistics=False,
        )
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> "_Groups":
        return self

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP_ROWS:
            self._write()

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held).unify_dictionaries())
        self._staged.rows += self._rows
        self._held, self._rows = [], 0

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write()
        self._writer.close()


def _read_ahead(source: Source, staged: Staged, advance: Callable[[int], None]) -> Iterator[Lines]:
    layout: Layout | None = None
    pending: deque[Future[Lines]] = deque()
    with ThreadPoolExecutor(2, thread_name_prefix="b3") as pool:
        for found in source.blocks(advance):
            piece = found
            if layout is None:
                layout, piece = _headed(source, staged, found)
            if isinstance(piece, Excess):
                staged.lines += 1
                pending.append(pool.submit(_excess, piece, layout, source.zipped))
            elif piece.data:
                staged.lines += piece.lines
                pending.append(pool.submit(read, piece.data, piece.first, layout))
            if len(pending) >= AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _headed(source: Source, staged: Staged, piece: Block | Excess) -> tuple[Layout, Block]:
    data = piece.data if isinstance(piece, Block) else piece.text
    end = data.find(b"\n") + 1 or len(data)
    try:
        layout = layout_of(data[:end])
    except ValueError as error:
        raise RefusedFileError(source.path, str(error)) from error
    staged.columns = len(layout.names)
    lines = piece.lines - 1 if isinstance(piece, Block) else 0
    return layout, Block(2, data[end:], lines)


def _excess(piece: Excess, layout: Layout, proven: bool) -> Lines:
    """A line without an end is whole where the zip's checksum says so; a text file may have been cut in a number."""
    if not piece.ended and proven and piece.length == len(piece.text):
        return read(piece.text + b"\n", piece.line, layout)
    if piece.ended or piece.length > len(piece.text):
        return Lines([], [Refused(piece.line, f"the line has {piece.length:,} characters", piece.text)], 0)
    return Lines([], [Refused(piece.line, "the line has no end: the file may have been cut here", piece.text)], 0)


def _staged(table: pa.Table, known: Known, staged: Staged, greatest: dict[int, int]) -> pa.RecordBatch:
    ts, session, flags = clock_of(table)
    staged.references |= set(table["DataReferencia"].chunk(0).unique().to_pylist())
    staged.after_market |= bool((flags & int(Flag.AFTER_MARKET)).any())
    keys = _keys(table, session, known)
    _note(keys, flags, staged, greatest)
    plain = {
        "price": "PrecoNegocio",
        "quantity": "QuantidadeNegociada",
        "buyer": "CodigoParticipanteComprador",
        "seller": "CodigoParticipanteVendedor",
    }
    columns = {
        "key": pa.array(keys),
        "line": table["line"].chunk(0),
        "ts": pa.array(ts, pa.timestamp("us", "UTC")),
        **{name: table[column].chunk(0) for name, column in plain.items()},
        "flags": pa.array(flags.astype(np.int32)),
        "symbol": table["CodigoInstrumento"].chunk(0),
        "session": table["DataNegocio"].chunk(0),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in WHOLE.names], schema=WHOLE)


def _keys(table: pa.Table, session: Keys, known: Known) -> Keys:
    symbols = table["CodigoInstrumento"].chunk(0)
    names = symbols.dictionary.to_pylist()
    pairs = np.zeros(len(session), dtype=np.int64)
    days = [int(session[0])] if session.min() == session.max() else np.unique(session).tolist()
    for day in days:
        date = EPOCH + dt.timedelta(days=day)
        codes = symbols.indices.to_numpy()
        used = np.unique(codes[session == day]).tolist() if len(days) > 1 else range(len(names))
        numbers = np.zeros(len(names), dtype=np.int64)
        for code in used:
            numbers[code] = known.pair(names[code], date)
        pairs = np.where(session == day, numbers[codes], pairs) if len(days) > 1 else numbers[codes]
    ids: Keys = table["CodigoIdentificadorNegocio"].chunk(0).to_numpy()
    return (pairs << ID_BITS) | ids


def _note(keys: Keys, flags: Keys, staged: Staged, greatest: dict[int, int]) -> None:
    """Trades that are cancelled, and those whose id is not above all earlier ones of its symbol and session.

    Ids rise in the files that we know. Where they do not, new trades are taken for repeats here and found to be new by
    `ticks.store`: slower, and as right.
    """
    cancels = (flags & int(Flag.CANCELLED)) != 0
    if cancels.any():
        staged.special |= BitMap64(keys[cancels].view(np.uint64))
        keys = keys[~cancels]
    if not len(keys):
        return
    ordered = np.sort(keys)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        staged.special |= BitMap64(twice.view(np.uint64))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered >> ID_BITS)) + 1])
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(ordered)], strict=True):
        pair = int(ordered[start]) >> ID_BITS
        before = greatest.get(pair, -1)
        if ordered[start] <= before:
            late = ordered[start : start + int(np.searchsorted(ordered[start:end], before, side="right"))]
            staged.special |= BitMap64(late.view(np.uint64))
        greatest[pair] = max(before, int(ordered[end - 1]))
