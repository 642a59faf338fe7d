"""Tapes: a stored day of `ticks`, or a B3 file, as the file that the simulator plays (`source tape FILE`, see tape.h).

A cancelled trade is played as it was traded, and in the same millisecond as an edit (flag 1) that leaves no quantity:
the day arrives as it was stored, cancellations included. When they came is known neither to the store nor to B3's file.
"""

import struct
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from msgspec import Struct, structs

from realtime.relay.rows import AGGRESSORS
from sql import durable
from sql.b3_source import Source
from sql.b3_stage import Staged, stage
from sql.exchange import SAO_PAULO, Instrument, instrument_of, market_of
from sql.folding import settled
from sql.tables import TICKS, Flag
from sql.ticks import MAX_TRADE_ID, Known, member

MOST_SYMBOLS = 34  # that the simulator takes from a tape
LONGEST_NAME = 20
BLOCK = 1 << 16  # records written at once
UNKNOWN = 32  # trade type
EDIT = 1
TYPES = {word: number for number, word in AGGRESSORS.items()}
OTHER = Instrument(tick_size=0.01, lot=1, point_value=1.0)
HEADER = struct.Struct("<8sIIQ40x")
SYMBOL = struct.Struct("<24sc7xdqd8x")
RECORD = np.dtype(
    {
        "names": [
            "symbol",
            "number",
            "time_ms",
            "price",
            "quantity",
            "volume",
            "buyer",
            "seller",
            "type",
            "flags",
            "rest",
        ],
        "formats": ["u4", "u4", "i8", "f8", "i8", "f8", "i4", "i4", "u1", "u1", "V14"],
        "offsets": [0, 4, 8, 16, 24, 32, 40, 44, 48, 49, 50],
        "itemsize": 64,
    }
)

Records = npt.NDArray[np.void]


class TapeError(Exception):
    """These trades cannot be put on a tape; the message says which and why. Nothing was written."""


class Written(Struct, frozen=True, kw_only=True):
    """What a tape holds."""

    trades: int
    cancelled: int  # of these
    symbols: tuple[str, ...]
    refused: int = 0  # lines of the file that are no trades


def from_ticks(path: Path, parts: Iterable[pl.DataFrame]) -> Written:
    """Write frames with the columns of `ticks`, in any order of time, as the tape `path`, whole or not at all.

    Times lose what is below a millisecond, as the DLL has none. Memory: a part, and 16 bytes for each trade.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tape-") as scratch:
        unsorted, draft = Path(scratch) / "records", Path(scratch) / "tape"
        places: dict[str, int] = {}
        trades = cancelled = 0
        with unsorted.open("wb") as file:
            for part in parts:
                if not part.height:
                    continue
                made, struck = _records(part, places)
                file.write(made.tobytes())
                trades, cancelled = trades + part.height, cancelled + struck
        if not trades:
            raise TapeError(f"{path}: there are no trades to put on it")
        _write(draft, unsorted, list(places))
        draft.replace(path)
        durable.sync_folder(path.parent)
    return Written(trades=trades, cancelled=cancelled, symbols=tuple(places))


def from_b3(path: Path, file: Path, symbols: Collection[str] = ()) -> Written:
    """Write the trades of a B3 trade-by-trade file, of all its symbols or of these, as the tape `path`.

    Several reports of a trade become one as they do in the store. Raises TapeError, and RefusedFileError for a file
    that is none of B3's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    refused: list[int] = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".b3-") as scratch:
        known = Known()
        staged = stage(Source(file), known, Path(scratch), lambda bad: refused.append(bad.line), lambda _: None)
        if missing := set(symbols).difference(symbol for symbol, _ in known.pairs):
            raise TapeError(f"{file.name} has no trades of {', '.join(sorted(missing))}")
        written = from_ticks(path, _reported(staged, known, frozenset(symbols)))
    return structs.replace(written, refused=len(refused))


def _reported(staged: Staged, known: Known, symbols: frozenset[str]) -> Iterator[pl.DataFrame]:
    """The trades of a staged file as rows of `ticks`: those that are reported once, then what the others amount to."""
    names = pl.DataFrame(
        {
            "pair": list(known.pairs.values()),
            "symbol": [symbol for symbol, _ in known.pairs],
            "session": [session for _, session in known.pairs],
        }
    )
    wanted = names.filter(pl.col("symbol").is_in(symbols)) if symbols else names
    for batch in staged.batches():
        once = batch.filter(pa.array(~member(batch.column("key").to_numpy(), staged.special)))
        yield _named(pl.DataFrame(pa.Table.from_batches([once])), wanted)
    yield settled(_named(staged.spoken_of_again(), wanted), pl.DataFrame(schema=TICKS.polars)).rows


def _named(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    pair, trade = pl.col("key") // (MAX_TRADE_ID + 1), pl.col("key") % (MAX_TRADE_ID + 1)
    joined = rows.with_columns(pair=pair, trade_id=trade).join(names, on="pair", how="inner", maintain_order="left")
    said = joined.with_columns(aggressor=pl.lit(None), received_at=pl.col("ts"), source=pl.lit("b3"))
    return said.select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)


def _records(part: pl.DataFrame, places: dict[str, int]) -> tuple[Records, int]:
    """The trades of one part, edits of the cancelled ones behind them, and how many those are. Learns new symbols."""
    _check(part)
    for symbol in part["symbol"].unique(maintain_order=True).to_list():
        places.setdefault(symbol, len(places))
    if len(places) > MOST_SYMBOLS:
        raise TapeError(f"a tape holds {MOST_SYMBOLS} symbols at most, found {len(places)}: name those you want")
    points = {symbol: _instrument(symbol).point_value for symbol in places}
    clock = pl.col("ts").dt.convert_time_zone(str(SAO_PAULO)).dt.replace_time_zone(None).dt.epoch("ms")
    columns = part.select(
        symbol=pl.col("symbol").replace_strict(places, return_dtype=pl.UInt32),
        number=pl.col("trade_id"),
        time_ms=clock,
        price=pl.col("price"),
        quantity=pl.col("quantity"),
        volume=pl.col("price") * pl.col("quantity") * pl.col("symbol").replace_strict(points, return_dtype=pl.Float64),
        buyer=pl.col("buyer").fill_null(0),
        seller=pl.col("seller").fill_null(0),
        type=pl.col("aggressor").replace_strict(TYPES, default=UNKNOWN, return_dtype=pl.UInt8),
    )
    made = np.zeros(part.height, RECORD)
    for name in columns.columns:
        made[name] = columns[name].to_numpy()
    edits = made[((part["flags"] & int(Flag.CANCELLED)) != 0).to_numpy()].copy()
    edits["flags"], edits["quantity"], edits["volume"] = EDIT, 0, 0
    return np.concatenate([made, edits]), len(edits)


def _check(part: pl.DataFrame) -> None:
    told = pl.col("price").is_finite() & (pl.col("price") > 0) & (pl.col("quantity") >= 0)
    fits = pl.col("trade_id").is_between(0, 2**32 - 1) & (pl.col("symbol").str.len_bytes() <= LONGEST_NAME)
    wrong = part.filter(~(told & fits).fill_null(value=False))
    if wrong.height:
        raise TapeError(
            f"expected a price above zero, a quantity, a 32-bit trade number and a name of {LONGEST_NAME} "
            f"characters at most, found {wrong.row(0, named=True)}"
        )


def _write(draft: Path, unsorted: Path, symbols: list[str]) -> None:
    """Header, table, and the records in the order of time; what came first stays first within a millisecond.

    Edits stand behind all trades of theirs, so that the same rows make the same tape in whatever parts they come.
    """
    records: Records = np.memmap(unsorted, RECORD, "r")
    order = np.argsort((records["time_ms"] << 1) | records["flags"], kind="stable")
    with draft.open("wb") as file:
        file.write(HEADER.pack(b"SIMTAPE1", len(symbols), RECORD.itemsize, len(records)))
        for symbol in symbols:
            what = _instrument(symbol)
            market = market_of(symbol).encode()
            file.write(SYMBOL.pack(symbol.encode(), market, what.tick_size, what.lot, what.point_value))
        for start in range(0, len(order), BLOCK):
            file.write(records[order[start : start + BLOCK]].tobytes())
        file.flush()
        durable.sync(file.fileno())


def _instrument(symbol: str) -> Instrument:
    return instrument_of(symbol) or OTHER
