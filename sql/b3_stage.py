"""A B3 file on its way to the tape: the first report of every trade is read into a Parquet file on disk, cancellations
and repeats into another, and only then anything is stored. Memory stays that of a few blocks.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from pyroaring import BitMap64

from sql.b3_layout import Layout, Lines, Refused, clock_of, layout_of, read
from sql.b3_source import Block, Excess, RefusedFileError, Source
from sql.tables import Flag
from sql.ticks import EPOCH, ID_BITS, Keys, Known, Mask

AHEAD = 5  # blocks being read while one is staged
GROUP_ROWS = 65_536  # of one row group, and of a page in it
MAX_PAGE_HEADER = 40  # bytes; two of them take more
PAGE_BYTES = GROUP_ROWS * 16  # more than a page of one group takes
SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("line", pa.int32(), nullable=False),
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


class Staged(Struct, dict=True):
    """What a whole file holds: `rows` first reports of trades in `path`, each key once, and `aside` further reports.

    `special` has the keys of the latter.
    """

    folder: Path
    lines: int = 0
    rows: int = 0
    aside: int = 0
    empty: int = 0
    refused: int = 0
    columns: int = 0
    after_market: bool = False
    references: set[dt.date] = set()
    special: BitMap64 = BitMap64()

    @property
    def path(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def aside_path(self) -> Path:
        return self.folder / "aside.arrow"

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The first reports in the order of the file, with the columns of SCHEMA."""
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(GROUP_ROWS, columns=SCHEMA.names)

    def further(self) -> Iterator[pa.RecordBatch]:
        """The reports that were set aside, in the order of the file, with the columns of SCHEMA."""
        with pa.OSFile(str(self.aside_path)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader

    def numbers(self, names: Sequence[str]) -> Iterator[list[np.ndarray]]:
        """Columns of the first reports that are plain numbers and never null, a row group at a time. Arrow's reader
        would keep memory for a whole day.
        """
        metadata = pq.read_metadata(self.path)
        with self.path.open("rb") as file:
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group).num_rows
                yield [_plain(file, metadata.row_group(group).column(SCHEMA.get_field_index(n)), rows) for n in names]

    @cached_property
    def firsts(self) -> pl.DataFrame:
        """The first reports of the trades of which there are more, columns of SCHEMA and `place` among the rows."""
        wanted = pl.Series(np.frombuffer(self.special.to_array(), dtype=np.int64))
        rows = pl.scan_parquet(self.path).with_row_index("place").select("place", *SCHEMA.names)
        return rows.filter(pl.col("key").is_in(wanted.implode())).collect()

    def spoken_of_again(self) -> pl.DataFrame:
        """All reports of the trades of which the file speaks more than once, in its order; columns of SCHEMA."""
        further = pl.DataFrame(pa.Table.from_batches(self.further(), SCHEMA))
        return pl.concat([self.firsts.drop("place"), further]).sort("line")

    def strike(self, places: Sequence[int], flags: Sequence[int]) -> None:
        """Write other `flags` into the rows at these places, so that trade and cancellation reach the store as one.

        The column is plain numbers in one page a group, which is how `_Groups` writes it; that is checked here.
        """
        metadata = pq.read_metadata(self.path)
        column = SCHEMA.get_field_index("flags")
        with self.path.open("r+b") as file:
            for place, value in zip(places, flags, strict=True):
                group = metadata.row_group(place // GROUP_ROWS)
                first = _values_at(group.column(column), group.num_rows, 4)
                file.seek(first + 4 * (place % GROUP_ROWS))
                file.write(value.to_bytes(4, "little", signed=True))


def _values_at(chunk: pq.ColumnChunkMetaData, rows: int, width: int) -> int:
    """Where in the file the values of a column chunk begin, which is one page of plain numbers."""
    ahead = chunk.total_compressed_size - width * rows
    assert chunk.compression == "UNCOMPRESSED"
    assert not chunk.has_dictionary_page
    assert 0 < ahead < MAX_PAGE_HEADER
    return int(chunk.data_page_offset + ahead)


def _plain(file: IO[bytes], chunk: pq.ColumnChunkMetaData, rows: int) -> np.ndarray:
    kind = SCHEMA.field(chunk.path_in_schema)
    assert not kind.nullable
    made = np.empty(rows, kind.type.to_pandas_dtype())
    file.seek(_values_at(chunk, rows, made.itemsize))
    assert file.readinto(made) == made.nbytes  # type: ignore[attr-defined]  # an array is a buffer
    return made


def standing(reports: pl.DataFrame) -> pl.DataFrame:
    """What reports with the columns of SCHEMA amount to, one row a trade: its last values, flagged where cancelled."""
    cancels = (pl.col("flags") & int(Flag.CANCELLED)) != 0
    values = [pl.coalesce(pl.col(n).filter(~cancels).last(), pl.col(n).last()) for n in ("price", "quantity")]
    brokers = [pl.col(n).drop_nulls().last() for n in ("buyer", "seller")]
    cancelled = cancels.any().cast(pl.Int32) * int(Flag.CANCELLED)
    flags = pl.col("flags").first() | cancelled
    told = reports.group_by("key", maintain_order=True)
    return told.agg(pl.col("line", "ts").first(), *values, *brokers, flags.alias("flags")).select(SCHEMA.names)


def stage(
    source: Source, known: Known, folder: Path, refuse: Callable[[Refused], None], advance: Callable[[int], None]
) -> Staged:
    """Read `source` to its end. Raises RefusedFileError for another layout or a damaged container."""
    staged = Staged(folder, references=set(), special=BitMap64())
    greatest: dict[int, int] = {}
    with _Groups(staged) as groups:
        for found in _read_ahead(source, staged, advance):
            for bad in found.refused:
                refuse(bad)
            staged.refused += len(found.refused)
            staged.empty += found.empty
            for table in found.tables:
                groups.add(*_staged(table, known, staged, greatest))
    if not staged.columns:
        raise RefusedFileError(source.path, "it is empty: expected a header line and trades")
    return staged


class _Groups:
    """Writes first reports in row groups that are big enough to be read fast, the others as they come."""

    def __init__(self, staged: Staged) -> None:
        self._staged = staged
        self._writer = pq.ParquetWriter(
            staged.path,
            WHOLE,
            compression="none",
            use_dictionary=["symbol"],
            write_statistics=False,
            data_page_size=PAGE_BYTES,
            max_rows_per_page=GROUP_ROWS,
        )
        self._aside = pa.ipc.new_stream(str(staged.aside_path), SCHEMA)
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> "_Groups":
        return self

    def add(self, batch: pa.RecordBatch, aside: Mask | None) -> None:
        """`aside` marks the rows that are no first reports; None where there is none."""
        if aside is not None:
            others = batch.filter(pa.array(aside)).select(SCHEMA.names)
            self._aside.write_batch(others)
            self._staged.aside += others.num_rows
            self._staged.special |= BitMap64(others["key"].to_numpy().view(np.uint64))
            batch = batch.filter(pa.array(~aside))
        self._held.append(batch)
        self._rows += batch.num_rows
        while self._rows >= GROUP_ROWS:
            self._write(GROUP_ROWS)

    def _write(self, rows: int) -> None:
        held = pa.Table.from_batches(self._held, WHOLE).unify_dictionaries()
        self._writer.write_table(held.slice(0, rows), row_group_size=GROUP_ROWS)
        self._staged.rows += rows
        self._held, self._rows = held.slice(rows).to_batches(), self._rows - rows

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._rows:
            self._write(self._rows)
        self._writer.close()
        self._aside.close()


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


def _staged(
    table: pa.Table, known: Known, staged: Staged, greatest: dict[int, int]
) -> tuple[pa.RecordBatch, Mask | None]:
    ts, session, flags = clock_of(table)
    staged.references |= set(table["DataReferencia"].chunk(0).unique().to_pylist())
    staged.after_market |= bool((flags & int(Flag.AFTER_MARKET)).any())
    keys = _keys(table, session, known)
    aside = _aside(keys, flags, greatest)
    plain = {
        "price": "PrecoNegocio",
        "quantity": "QuantidadeNegociada",
        "buyer": "CodigoParticipanteComprador",
        "seller": "CodigoParticipanteVendedor",
    }
    columns = {
        "key": pa.array(keys),
        "line": table["line"].chunk(0).cast(pa.int32()),
        "ts": pa.array(ts, pa.timestamp("us", "UTC")),
        **{name: table[column].chunk(0) for name, column in plain.items()},
        "flags": pa.array(flags.astype(np.int32)),
        "symbol": table["CodigoInstrumento"].chunk(0),
        "session": table["DataNegocio"].chunk(0),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in WHOLE.names], schema=WHOLE), aside


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


def _aside(keys: Keys, flags: Keys, greatest: dict[int, int]) -> Mask | None:
    """Which rows are cancellations, or have an id that is not above all earlier ones of their symbol and session.

    Ids rise in the files that we know. Where they do not, new trades are taken for repeats here and found to be new
    when they are stored: slower, and as right. `greatest` is the last key of every pair, kept up to date.
    """
    aside: Mask = (flags & int(Flag.CANCELLED)) != 0
    trades = np.flatnonzero(~aside) if aside.any() else slice(None)
    ids = keys[trades]
    if not len(ids):
        return aside
    pairs = ids >> ID_BITS
    order = np.argsort(pairs.astype(np.uint16) if pairs.max() < 1 << 16 else pairs, kind="stable")  # 16 bits: radix
    ordered = ids[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered >> ID_BITS)) + 1])
    before = np.array([greatest.get(int(pair), -1) for pair in ordered[starts] >> ID_BITS])
    if not (ordered[1:] > ordered[:-1]).all() or not (ordered[starts] > before).all():
        above = np.empty_like(ordered)  # the greatest key before each row; pairs are in the high bits
        above[1:] = np.maximum.accumulate(ordered)[:-1]
        above[starts] = before
        above = np.maximum(above, np.repeat(before, np.diff([*starts, len(ordered)])))
        late = np.empty(len(ids), dtype=np.bool_)
        late[order] = ordered <= above
        aside[trades] = late
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(ordered)], strict=True):
        pair = int(ordered[start]) >> ID_BITS
        greatest[pair] = max(greatest.get(pair, -1), int(ordered[start:end].max()))
    return aside if aside.any() else None
