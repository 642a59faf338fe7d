"""One session of the tape as a file: its rows on whatever UTC days they fall, in key order, from whichever tiers.

The file is a copy of one moment: who reads it twice reads the same rows, whatever is imported meanwhile.
"""

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from msgspec import Struct

from sql.cold import ColdStore
from sql.contract import Tier
from sql.coverage import Part, start_of
from sql.held import EARLIEST, LATEST
from sql.hot import instant_literal
from sql.queries import statement
from sql.tables import TICKS
from sql.tape import CONTRACT, SYMBOL, Tape, day_of

GROUP_ROWS = 262_144


class Chosen(Struct, frozen=True, kw_only=True):
    """Rows of one session: of these symbols, or of all; since <= ts < until where these are given (aware)."""

    session: dt.date
    symbols: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """The instants between which its rows lie: a session may reach into UTC days beside its own."""
        first, last = start_of(self.session + EARLIEST), start_of(self.session + LATEST)
        return max(self.since or first, first), min(self.until or last, last)


def write_session(tape: Tape, chosen: Chosen, path: Path) -> tuple[Tier, ...]:
    """Write the rows as one Parquet file in key order, in bounded memory; the tiers that gave them, oldest day first.

    Raises StoreUnavailableError when a tier that is needed is away, ValueError for what is no symbol.
    """
    for symbol in chosen.symbols:
        if not SYMBOL.fullmatch(symbol):
            raise ValueError(f"symbol {symbol!r}: expected 1 to 32 letters, digits and ._$@:+#/&-")
    since, until = chosen.span
    if since >= until:
        _gather([], chosen, path)
        return ()
    parts = tape.coverage().parts(since, until, dt.datetime.now(dt.UTC).date())
    with tempfile.TemporaryDirectory(prefix=".session-", dir=path.parent) as folder:
        pieces = [
            (part.tier, piece)
            for number, part in enumerate(parts)
            if (piece := _piece(tape, chosen, part, Path(folder) / f"{number}.parquet")) is not None
        ]
        _gather([piece for _, piece in pieces], chosen, path)
    return tuple(dict.fromkeys(tier for tier, _ in pieces))


def write_archived(cold: ColdStore, chosen: Chosen, path: Path) -> tuple[Tier, ...]:
    """The same from the archived files alone, without any engine: as they were when they were last written."""
    since, until = chosen.span
    piece = _files(cold, Part("cold", since, until))
    _gather([] if piece is None else [piece], chosen, path)
    return () if piece is None else ("cold",)


def frames(path: Path, rows: int = GROUP_ROWS) -> Iterator[pl.DataFrame]:
    """The rows of such a file, in order, some at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(rows):
            yield pl.DataFrame(pl.from_arrow(batch)).select(CONTRACT)


def _gather(pieces: list[pl.LazyFrame], chosen: Chosen, path: Path) -> None:
    whole = pl.concat(pieces) if pieces else pl.LazyFrame(schema=TICKS.polars)
    own = whole.filter(_holds(chosen))
    own.sink_parquet(path, compression="zstd", compression_level=1, row_group_size=GROUP_ROWS)


def _piece(tape: Tape, chosen: Chosen, part: Part, path: Path) -> pl.LazyFrame | None:
    if part.tier == "cold":
        return _files(tape.cold, part)
    text = statement(part.tier, "export_ticks").replace("{where}", _where(chosen, part))
    if part.tier == "hot":
        tape.hot.export(text, path)
        if not path.stat().st_size:
            return None
    else:
        with tape.warm.batches(text, TICKS) as batches, pq.ParquetWriter(path, TICKS.arrow) as writer:
            for batch in batches:
                writer.write_batch(batch)
    return pl.scan_parquet(path).select(CONTRACT)


def _files(cold: ColdStore, part: Part) -> pl.LazyFrame | None:
    """The archived rows of a stretch; the order of the files is that of the days."""
    days = [day for day in cold.days(TICKS) if day_of(part.since) <= day <= day_of(part.until)]
    if not days:
        return None
    within = (pl.col("ts") >= part.since) & (pl.col("ts") < part.until)
    return pl.scan_parquet([cold.path(TICKS, day) for day in days]).filter(within).select(CONTRACT)


def _holds(chosen: Chosen) -> pl.Expr:
    since, until = chosen.span
    own = (pl.col("session") == chosen.session) & (pl.col("ts") >= since) & (pl.col("ts") < until)
    return own & pl.col("symbol").is_in(chosen.symbols) if chosen.symbols else own


def _where(chosen: Chosen, part: Part) -> str:
    within = f"ts >= {instant_literal(part.since)} AND ts < {instant_literal(part.until)}"
    own = f"{within} AND session = '{chosen.session.isoformat()}'"
    if not chosen.symbols:
        return own
    return f"{own} AND symbol IN ({', '.join(repr(symbol) for symbol in chosen.symbols)})"
