"""From the staged rows of a B3 file to the tape: what is reported once and unknown goes in as whole Parquet files,
the rest (a trade and its cancellation, repeats, what is stored already) through `ticks.store`, folded.

A file whose sessions are new to the tape, which is nearly every one, is taken by QuestDB as it was staged.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, field
from pyroaring import BitMap

from sql import ticks
from sql.b3_apart import SOURCE, Apart, batch_of
from sql.b3_stage import SCHEMA, Staged
from sql.folding import IDENTITY
from sql.held import Below
from sql.hot import HotStore
from sql.tables import TICKS, Flag
from sql.ticks import EPOCH, ID_BITS, Keys, Known, member

SEGMENT_ROWS = 1_000_000
INSERTS = 2  # at a time: one alone keeps one core of the server busy
FOLDED_ROWS = 250_000
REPEATED_ROWS = 250_000
LEFT_OUT = 20_000  # keys that one statement may leave out


class Load(Struct):
    """Lines by what became of them; `conflicts` has the numbers of those that contradict a trade, by its source.

    `matched` names the sessions whose trades were found by time, price and quantity instead of their numbers.
    """

    new: int = 0
    repeated: int = 0
    cancelled: int = 0
    edited: int = 0
    refused: int = 0
    conflicts: dict[str, BitMap] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)


def load(
    hot: HotStore,
    staged: Staged,
    known: Known,
    folder: Path,
    *,
    at: dt.datetime,
    advance: Callable[[int], None],
    below: Below | None = None,
) -> Load:
    """Store everything that is staged; not all of it is visible yet when this returns. The caller holds `writing`."""
    done = Load()
    sessions = {session for _, session in known.pairs}
    stored = known.load(hot, sessions, {symbol for symbol, _ in known.pairs}, below) if sessions else 0
    rows = _Rows(known, at)
    if not stored and hot.import_dir is not None and staged.aside <= LEFT_OUT:
        _load_whole(hot, staged, rows, known=known, done=done, advance=advance)
        return done
    store = partial(_store, hot, rows, known=known, done=done, advance=advance, below=below)
    apart = _bring_apart(Apart(hot, below, staged, known), at, store, done, advance) if stored else []
    again = _Again(folder / "again.arrow")
    with ThreadPoolExecutor(INSERTS, thread_name_prefix="insert") as pool:
        segments = _Segments(hot, folder, pool, done, advance=advance, same=rows.same(staged))
        repeats: list[pa.RecordBatch] = []
        for batch in _without(apart, staged.batches()):
            keys: Keys = batch.column("key").to_numpy()
            special = member(keys, staged.special)
            there = known.touched(keys) & ~special
            again.add(_where(batch, special))
            if there.any():
                repeats.append(_where(batch, there))
            segments.add(rows.table(_where(batch, ~(special | there)), segments.columns))
            if sum(part.num_rows for part in repeats) >= REPEATED_ROWS:
                store(repeats)
                repeats = []
        store(repeats)
        segments.close()
    for batch in _without(apart, staged.further()):
        again.add(batch)
    for part in again.parts():
        store([part])
    return done


def _bring_apart(
    work: Apart,
    at: dt.datetime,
    store: Callable[[list[pa.RecordBatch]], None],
    done: Load,
    advance: Callable[[int], None],
) -> list[int]:
    """The numbers of the sessions that had to be matched with another source, which is done."""
    pairs = work.differing()
    for pair in pairs:
        told = work.bring(pair, at, lambda rows: store([batch_of(rows)]))
        done.repeated += told.repeated
        done.cancelled += told.cancelled
        done.matched.append(f"{pair.symbol} {pair.session}")
        advance(told.repeated + told.cancelled)
    return [pair.number for pair in pairs]


def _without(pairs: list[int], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield _where(batch, ~np.isin(batch.column("key").to_numpy() >> ID_BITS, pairs)) if pairs else batch


def _load_whole(
    hot: HotStore, staged: Staged, rows: "_Rows", *, known: Known, done: Load, advance: Callable[[int], None]
) -> None:
    """Nothing of these sessions is stored: QuestDB reads the staged file itself.

    A cancelled trade is struck in that file first. What has more to tell (a corrected price, a cancellation of an
    unknown trade) is left out of it and stored on its own.
    """
    first = staged.firsts
    further = pl.DataFrame(pa.Table.from_batches(staged.further(), SCHEMA))
    struck = _struck(first, further)
    staged.strike(struck["place"].to_list(), struck["flags"].to_list())
    cancellations = further.join(struck, on="key", how="semi").height
    done.new += staged.rows - first.height + struck.height
    done.cancelled += struck.height
    done.repeated += cancellations - struck.height
    apart = first.join(struck, on="key", how="anti")
    reports = pl.concat([apart.drop("place"), further.join(struck, on="key", how="anti")]).sort("line")
    parts = reports.to_arrow().cast(SCHEMA).combine_chunks().to_batches()
    same = {name: value for name, value in rows.same(staged).items() if name != "flags"}
    columns = {"trade_id": f"key & {ticks.MAX_TRADE_ID}", **ticks.literals(same)}
    without = apart["key"].to_list()
    with ThreadPoolExecutor(1, thread_name_prefix="insert") as pool:
        inserting = pool.submit(ticks.store_staged, hot, staged.path, columns, without=without)
        _store(hot, rows, parts, known=known, done=done, advance=advance)
        inserting.result()
    advance(staged.rows - apart.height + cancellations)


def _struck(first: pl.DataFrame, further: pl.DataFrame) -> pl.DataFrame:
    """The rows of `first` that were only cancelled later, with the flags that they get: a cancellation says no more."""
    cancels = (pl.col("flags") & int(Flag.CANCELLED)) != 0
    only = further.group_by("key").agg(only=cancels.all(), since=pl.col("line").min()).filter("only")
    struck = first.join(only, on="key").filter(pl.col("since") > pl.col("line"))
    return struck.select(first.columns).with_columns(pl.col("flags") | int(Flag.CANCELLED))


class _Rows:
    """Turns staged batches into rows of the contract."""

    def __init__(self, known: Known, at: dt.datetime) -> None:
        self._symbols = pa.array([symbol for symbol, _ in known.pairs], pa.string())
        self._sessions = np.array([(session - EPOCH).days for _, session in known.pairs], dtype=np.int32)
        self._at = at

    def same(self, staged: Staged) -> dict[str, Any]:
        """Columns that are the same in all rows which go in as they are: the server fills them in."""
        found: dict[str, Any] = {"aggressor": None, "received_at": self._at, "source": SOURCE}
        sessions = set(self._sessions.tolist())
        if len(sessions) == 1:
            found["session"] = EPOCH + dt.timedelta(days=sessions.pop())
        return found if staged.after_market else {**found, "flags": 0}

    def table(self, batch: pa.RecordBatch, names: Sequence[str] = TICKS.names) -> pa.Table:
        """The columns `names` of these rows."""
        keys: Keys = batch.column("key").to_numpy()
        pairs = (keys >> ID_BITS).astype(np.int32)
        size = len(keys)
        made: dict[str, Callable[[], pa.Array]] = {
            "symbol": lambda: pa.DictionaryArray.from_arrays(pa.array(pairs), self._symbols),
            "session": lambda: pa.array(self._sessions[pairs]).cast(pa.date32()),
            "trade_id": lambda: pa.array(keys & ticks.MAX_TRADE_ID),
            "aggressor": lambda: pa.nulls(size, pa.string()),
            "received_at": lambda: pa.repeat(pa.scalar(self._at, pa.timestamp("us", "UTC")), size),
            "source": lambda: pa.repeat(SOURCE, size),
        }
        return pa.table([made[n]() if n in made else batch.column(n) for n in names], names=list(names))


class _Segments:
    """Parquet files of about a million rows, inserted while the next one is written."""

    def __init__(
        self,
        hot: HotStore,
        folder: Path,
        pool: ThreadPoolExecutor,
        done: Load,
        *,
        advance: Callable[[int], None],
        same: dict[str, Any],
    ) -> None:
        self.columns = [name for name in TICKS.names if name not in same]
        self._same = same
        self._hot, self._folder, self._pool, self._done, self._advance = hot, folder, pool, done, advance
        self._writer: pq.ParquetWriter | None = None
        self._path = folder
        self._rows = self._number = 0
        self._running: deque[Future[int]] = deque()

    def add(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if self._writer is None:
            self._path = self._folder / f"{self._number}.parquet"
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                compression="none",
                use_dictionary=["symbol", "session", "flags"],
                write_statistics=False,
            )
        self._writer.write_table(table)
        self._rows += table.num_rows
        if self._rows >= SEGMENT_ROWS:
            self._insert()

    def close(self) -> None:
        self._insert()
        while self._running:
            self._finish()

    def _insert(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        while len(self._running) >= INSERTS:
            self._finish()
        self._running.append(self._pool.submit(self._store, self._path, self._rows))
        self._number, self._rows = self._number + 1, 0

    def _store(self, path: Path, rows: int) -> int:
        ticks.store_new(self._hot, path, self._same)
        path.unlink()
        return rows

    def _finish(self) -> None:
        rows = self._running.popleft().result()
        self._done.new += rows
        self._advance(rows)


class _Again:
    """Rows of trades that the file reports more than once, on disk; given back with all reports of a trade together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_stream(str(self._path), SCHEMA)
        self._writer.write_batch(batch)
        self._rows += batch.num_rows

    def parts(self) -> Iterator[pa.RecordBatch]:
        if self._writer is None:
            return
        self._writer.close()
        count = -(-self._rows // FOLDED_ROWS)
        for number in range(count):
            with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as reader:
                chosen = [
                    _where(batch, _scattered(batch.column("key").to_numpy(), count) == number) for batch in reader
                ]
            yield pa.Table.from_batches(chosen, SCHEMA).sort_by("line").combine_chunks().to_batches()[0]


def _scattered(keys: Keys, count: int) -> Keys:
    mixed: Keys = (keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)).view(np.int64) % count
    return mixed


def _store(
    hot: HotStore,
    rows: _Rows,
    batches: list[pa.RecordBatch],
    *,
    known: Known,
    done: Load,
    advance: Callable[[int], None],
    below: Below | None = None,
) -> None:
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    frame = pl.concat([pl.DataFrame(rows.table(part)).with_columns(pl.col("symbol").cast(pl.String)) for part in parts])
    lines = pl.concat([pl.Series(part.column("line")) for part in parts])
    stored = ticks.store(hot, frame, known, below=below)
    done.new += stored.new
    done.repeated += stored.repeated
    done.cancelled += stored.cancelled
    done.edited += stored.edited
    done.refused += stored.refused
    if stored.refused:
        _note(stored.conflicts, frame.with_columns(line=lines), done)
    advance(frame.height)


def _note(conflicts: pl.DataFrame, frame: pl.DataFrame, done: Load) -> None:
    contradicted = (*IDENTITY, "ts", "price", "quantity", "flags")
    against = conflicts.unique(contradicted).select(*contradicted, "source_stored")
    found = frame.join(against, on=contradicted, how="inner")
    for (source,), rows in found.group_by("source_stored"):
        done.conflicts.setdefault(str(source), BitMap()).update(rows["line"].to_list())


def _where(batch: pa.RecordBatch, mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> pa.RecordBatch:
    if mask.all():
        return batch
    return batch.filter(pa.array(mask))  # never an empty slice: it would keep the whole batch alive
