"""One line of a B3 trade-by-trade file: what it must look like, and many of them as Arrow columns at once.

Blocks of good lines never see Python row by row; only a part of a block that holds a bad line is looked at closely.
"""

import datetime as dt
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc
from msgspec import Struct

from sql.exchange import SAO_PAULO
from sql.tables import FOREIGN, Flag

OPENING = 9 * 3_600_000  # of a session, in milliseconds of São Paulo's clock
DAY_MS = 86_400_000
AFTER_MARKET = 6
CANCELLATION = 2
PART = 256 << 10
SYMBOL = re.compile(r"[0-9A-Za-z._/-]{1,32}")
COLUMNS = {
    "DataReferencia": pa.date32(),
    "CodigoInstrumento": pa.dictionary(pa.int32(), pa.string()),
    "AcaoAtualizacao": pa.int8(),
    "PrecoNegocio": pa.float64(),
    "QuantidadeNegociada": pa.int64(),
    "HoraFechamento": pa.int32(),
    "CodigoIdentificadorNegocio": pa.int64(),
    "TipoSessaoPregao": pa.int8(),
    "DataNegocio": pa.date32(),
    "CodigoParticipanteComprador": pa.int32(),
    "CodigoParticipanteVendedor": pa.int32(),
}
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
WHOLE = r"^[0-9]+$"
EXPECTED = {  # column -> what every value matches, and how to say so
    "DataReferencia": (DATE, "a date YYYY-MM-DD"),
    "CodigoInstrumento": (f"^{SYMBOL.pattern}$", "an instrument code"),
    "AcaoAtualizacao": (r"^0*[02]$", "0 (trade) or 2 (cancellation)"),
    "PrecoNegocio": (r"^([0-9]+(,[0-9]*)?|,[0-9]+)$", "a price with decimal comma, above zero"),
    "QuantidadeNegociada": (WHOLE, "a whole number"),
    "HoraFechamento": (WHOLE, "a time HHMMSSmmm"),
    "CodigoIdentificadorNegocio": (WHOLE, f"a trade number up to {FOREIGN - 1}"),
    "TipoSessaoPregao": (r"^0*[16]$", "1 (regular) or 6 (after-market)"),
    "DataNegocio": (DATE, "a date YYYY-MM-DD"),
    "CodigoParticipanteComprador": (r"^[0-9]*$", "a broker code or nothing"),
    "CodigoParticipanteVendedor": (r"^[0-9]*$", "a broker code or nothing"),
}
Longs = npt.NDArray[np.int64]


class Layout(Struct, frozen=True):
    """The columns of one file, as its header names them."""

    names: tuple[str, ...]


class Refused(Struct, frozen=True):
    """A line that is no trade."""

    line: int
    reason: str
    text: bytes


class Lines(Struct, frozen=True):
    """A block, read: columns of COLUMNS plus `line`; the others refused or empty. Every line is in exactly one."""

    tables: list[pa.Table]
    refused: list[Refused]
    empty: int


def layout_of(header: bytes) -> Layout:
    """The layout that a header line states. Raises ValueError saying what was expected and found."""
    text = header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").decode("utf-8", errors="replace")
    names = tuple(text.split(";"))
    if names[: len(COLUMNS)] == tuple(COLUMNS) and len(set(names)) == len(names):
        return Layout(names)
    shown = text[:120] + ("…" if len(text) > 120 else "")
    found = next((f"column {i} is {n!r}" for i, n in enumerate(names, 1) if i > 11 or n != [*COLUMNS][i - 1]), "")
    found = found or f"only {len(names)} columns"
    raise ValueError(
        "not B3's trade-by-trade layout: line 1 must name the 11 columns DataReferencia;CodigoInstrumento;…;"
        f"CodigoParticipanteVendedor in UTF-8, found {shown!r} ({found})"
    )


def read(data: bytes, first: int, layout: Layout) -> Lines:
    """Read whole lines; `first` is the number of the first one."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    table = _columns(data, layout) if data else None
    if table is not None and _plain(data, table):
        return Lines([_numbered(table, np.arange(first, first + table.num_rows, dtype=np.int64))], [], 0)
    tables, refused, empty = [], [], 0
    for part in _parts(data):
        table = _columns(part, layout) if len(part) < len(data) else None
        if table is not None and _plain(part, table):
            tables.append(_numbered(table, np.arange(first, first + table.num_rows, dtype=np.int64)))
        else:
            found = _closely(part, first, layout)
            tables += found.tables
            refused += found.refused
            empty += found.empty
        first += part.count(b"\n")
    return Lines(tables, refused, empty)


def clock_of(table: pa.Table) -> tuple[Longs, Longs, Longs]:
    """(ts in microseconds UTC, session as days since 1970, flags) of every row.

    After-market: the first instant after the session's opening whose São Paulo clock shows HoraFechamento.
    """
    clock = _milliseconds(_numbers(table, "HoraFechamento"))
    after = _numbers(table, "TipoSessaoPregao") == AFTER_MARKET
    session = table["DataNegocio"].chunk(0).cast(pa.int32()).to_numpy().astype(np.int64)
    date = session + (after & (clock < OPENING))
    ts = (date * DAY_MS + clock - _offset(date)) * 1000
    cancelled = _numbers(table, "AcaoAtualizacao") == CANCELLATION
    flags = cancelled * np.int64(Flag.CANCELLED) + after * np.int64(Flag.AFTER_MARKET | Flag.NOMINAL_TIME)
    return ts, session, flags


def _milliseconds(clock: Longs) -> Longs:
    return clock // 10_000_000 * 3_600_000 + clock // 100_000 % 100 * 60_000 + clock % 100_000


def _offset(dates: Longs) -> Longs | np.int64:
    """São Paulo's distance from UTC at noon of each date, in milliseconds; summer time never began inside a session."""
    if not len(dates):
        return np.int64(0)
    if dates.min() == dates.max():
        return np.int64(_distance(int(dates[0])))
    days, which = np.unique(dates, return_inverse=True)
    return np.array([_distance(int(day)) for day in days], dtype=np.int64)[which]


def _distance(day: int) -> int:
    noon = dt.datetime.combine(dt.date(1970, 1, 1) + dt.timedelta(days=day), dt.time(12), SAO_PAULO)
    offset = noon.utcoffset()
    assert offset is not None
    return round(offset.total_seconds() * 1000)


def _columns(data: bytes, layout: Layout) -> pa.Table | None:
    """All lines as typed columns in one chunk, or None when one of them does not fit."""
    try:
        table = pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(column_names=layout.names, block_size=len(data) + 1, use_threads=False),
            parse_options=pc.ParseOptions(delimiter=";", quote_char=False, ignore_empty_lines=False),
            convert_options=pc.ConvertOptions(
                column_types=COLUMNS, include_columns=list(COLUMNS), decimal_point=",", null_values=[""]
            ),
            memory_pool=pa.system_memory_pool(),  # Arrow's own keeps a hundred megabytes more
        )
    except pa.ArrowInvalid:
        return None
    return table if _sound(table) else None


def _sound(table: pa.Table) -> bool:
    brokers = ("CodigoParticipanteComprador", "CodigoParticipanteVendedor")
    if any(table[name].null_count for name in COLUMNS if name not in brokers) or table.num_rows == 0:
        return False
    clock, action, kind = (_numbers(table, n) for n in ("HoraFechamento", "AcaoAtualizacao", "TipoSessaoPregao"))
    ids, price = _numbers(table, "CodigoIdentificadorNegocio"), table["PrecoNegocio"].chunk(0).to_numpy()
    return bool(
        ((action == 0) | (action == CANCELLATION)).all()
        and ((kind == 1) | (kind == AFTER_MARKET)).all()
        and price.min() > 0
        and price.max() < np.inf
        and _numbers(table, "QuantidadeNegociada").min() >= 0
        and 0 <= ids.min() <= ids.max() < FOREIGN
        and 0 <= clock.min() <= clock.max() < 240_000_000
        and (clock // 100_000 % 100 < 60).all()
        and (clock % 100_000 < 60_000).all()
        and all(SYMBOL.fullmatch(symbol or "") for symbol in table["CodigoInstrumento"].chunk(0).dictionary.to_pylist())
    )


def _plain(data: bytes, table: pa.Table) -> bool:
    """Whether only symbols hold characters above the digits, and no blanks or signs occur.

    Arrow reads " 5", "-0", "1e5", "nan" and "0x1F" as numbers; we do not.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    symbols = table["CodigoInstrumento"].chunk(0)
    letters = np.array([sum(c > ";" for c in symbol) for symbol in symbols.dictionary.to_pylist()], dtype=np.int64)
    expected = int(np.bincount(symbols.indices.to_numpy(), minlength=len(letters)) @ letters)
    return bool(
        np.count_nonzero(raw > 0x3B) == expected
        and np.count_nonzero(raw < 0x2C) == table.num_rows
        and np.count_nonzero(raw == 0x2D) == 4 * table.num_rows
    )


def _parts(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + PART, len(data) - 1)) + 1
        yield data[start:end]
        start = end


def _closely(data: bytes, first: int, layout: Layout) -> Lines:
    """Look at every line: the good ones are read by the same reader as ever, so neighbours change nothing."""
    lines = data.split(b"\n")[:-1]
    text = pl.Series([line.decode("utf-8", errors="replace") for line in lines], dtype=pl.String)
    reasons = _reasons(text, layout)
    good = [i for i, reason in enumerate(reasons) if reason is None]
    refused = [Refused(first + i, str(r), lines[i]) for i, r in enumerate(reasons) if r]
    tables = []
    table = _columns(b"".join(lines[i] + b"\n" for i in good), layout) if good else None
    if table is not None:
        tables.append(_numbered(table, np.array(good, dtype=np.int64) + first))
        good = []
    for i in good:  # one that passed the patterns is still beyond a bound, say a quantity of 30 digits
        one = _columns(lines[i] + b"\n", layout)
        if one is None:
            refused.append(Refused(first + i, "a value is beyond what can be stored", lines[i]))
        else:
            tables.append(_numbered(one, np.array([first + i], dtype=np.int64)))
    return Lines(tables, sorted(refused, key=lambda r: r.line), sum(reason == "" for reason in reasons))


def _reasons(text: pl.Series, layout: Layout) -> list[str | None]:
    """Why each line is refused; None for good ones, an empty string for empty lines."""
    width = len(layout.names)
    frame = pl.DataFrame({"text": text}).with_columns(fields=pl.col("text").str.split(";"))
    fields = frame.with_columns(
        pl.col("fields").list.len().alias("width"),
        *(pl.col("fields").list.get(i, null_on_oob=True).alias(name) for i, name in enumerate(COLUMNS)),
    )
    wrong = [
        pl.when(_invalid(name, pattern)).then(
            pl.format("{}: expected {}, found '{}'", pl.lit(name), pl.lit(said), pl.col(name).str.slice(0, 40))
        )
        for name, (pattern, said) in EXPECTED.items()
    ]
    shape = pl.when(pl.col("width") != width).then(
        pl.format("expected {} columns, found {}", pl.lit(width), pl.col("width"))
    )
    empty = pl.when(pl.col("text") == "").then(pl.lit(""))
    reasons: list[str | None] = fields.select(pl.coalesce(empty, shape, *wrong)).to_series().to_list()
    return reasons


def _invalid(name: str, pattern: str) -> pl.Expr:
    value = pl.col(name)
    matches = value.str.contains(pattern)
    if pattern == DATE:
        return ~matches | value.str.to_date("%Y-%m-%d", strict=False).is_null()
    if name == "HoraFechamento":
        clock = value.cast(pl.Int64, strict=False)
        fits = (clock < 240_000_000) & (clock // 100_000 % 100 < 60) & (clock % 100_000 < 60_000)
        return ~matches | ~fits.fill_null(value=False)
    if name == "PrecoNegocio":
        return ~matches | ~value.str.contains("[1-9]")
    return ~matches


def _numbers(table: pa.Table, name: str) -> Longs:
    numbers: Longs = table[name].chunk(0).to_numpy()
    return numbers


def _numbered(table: pa.Table, lines: Longs) -> pa.Table:
    return table.append_column("line", pa.array(lines))
