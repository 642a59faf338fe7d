"""A made-up trading day in the layout of B3's trade-by-trade file; seeded, so that all measure the same bytes."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from msgspec import Struct

HEADER = (
    b"DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;"
    b"CodigoIdentificadorNegocio;TipoSessaoPregao;DataNegocio;CodigoParticipanteComprador;CodigoParticipanteVendedor;"
    b"TipoDoCanal\n"
)
SESSION = dt.date(2026, 11, 18)
CHUNK = 250_000
OPENING_MS = 9 * 3_600_000
LENGTH_MS = 9 * 3_600_000
# symbol, share of the day's trades, price in thousandths, tick in thousandths
INSTRUMENTS = (
    ("WINZ26", 30, 129_605_000, 5_000),
    ("WDOZ26", 22, 5_412_500, 500),
    ("PETR4", 12, 41_200, 10),
    ("VALE3", 10, 61_340, 10),
    ("ITUB4", 8, 43_390, 10),
    ("BBDC4", 6, 15_870, 10),
    ("BOVA11", 5, 128_450, 10),
    ("INDZ26", 3, 129_610_000, 5_000),
    ("DOLZ26", 2, 5_412_500, 500),
    ("MGLU3", 2, 9_120, 10),
)


class Day(Struct, frozen=True):
    """What was written: distinct trades, lines of cancellation, lines of data."""

    trades: int
    cancelled: int
    lines: int


def write_day(
    path: Path, trades: int, *, session: dt.date = SESSION, seed: int = 3, cancelled_per_million: int = 200
) -> Day:
    """Write a zip with `trades` trades in order of time, all instruments interleaved, and some cancellations."""
    random = np.random.default_rng(seed)
    last_ids = np.zeros(len(INSTRUMENTS), dtype=np.int64)
    prices = np.array([price for _, _, price, _ in INSTRUMENTS], dtype=np.int64)
    cancelled = 0
    name = f"{session:%d-%m-%Y}_NEGOCIOSAVISTA.txt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive, archive.open(name, "w") as file:
        file.write(HEADER)
        for start in range(0, trades, CHUNK):
            size = min(CHUNK, trades - start)
            frame = _chunk(random, start, size, trades, last_ids, prices)
            victims = np.flatnonzero(random.random(size) < cancelled_per_million / 1e6)
            cancelled += len(victims)
            cancels = frame[victims].with_columns(action=pl.lit(2, pl.Int8))
            _write(file, pl.concat([frame, cancels]), session)
    return Day(trades, cancelled, trades + cancelled)


def _chunk(
    random: np.random.Generator, start: int, size: int, trades: int, last_ids: np.ndarray, prices: np.ndarray
) -> pl.DataFrame:
    shares = np.array([share for _, share, _, _ in INSTRUMENTS], dtype=float)
    which = random.choice(len(INSTRUMENTS), size=size, p=shares / shares.sum())
    clock = np.sort(random.integers(start * LENGTH_MS // trades, (start + size) * LENGTH_MS // trades + 1, size=size))
    ids = np.empty(size, dtype=np.int64)
    price = np.empty(size, dtype=np.int64)
    for number, (_, _, first, tick) in enumerate(INSTRUMENTS):
        rows = np.flatnonzero(which == number)
        ids[rows] = last_ids[number] + 10 * np.arange(1, len(rows) + 1)
        last_ids[number] += 10 * len(rows)
        walk = prices[number] + tick * np.cumsum(random.integers(-1, 2, size=len(rows)))
        price[rows] = np.clip(walk, first // 2, first * 2)
        if len(rows):
            prices[number] = price[rows[-1]]
    return pl.DataFrame(
        {
            "symbol": pl.Series([symbol for symbol, *_ in INSTRUMENTS]).gather(which),
            "action": pl.zeros(size, pl.Int8, eager=True),
            "price": price,
            "quantity": random.integers(1, 50, size=size) * np.where(which < 2, 1, 100),
            "clock": clock + OPENING_MS,
            "id": ids,
            "buyer": random.choice([3, 8, 85, 114, 120, 1618, 3701], size=size),
            "seller": random.choice([3, 8, 85, 114, 120, 1618, 3701], size=size),
        }
    )


def _write(file: IO[bytes], frame: pl.DataFrame, session: dt.date) -> None:
    clock = pl.col("clock")
    padded = [
        (clock // 3_600_000) * 10_000_000,
        (clock // 60_000 % 60) * 100_000,
        clock % 60_000,
    ]
    text = frame.select(
        pl.lit(session.isoformat()),
        "symbol",
        "action",
        pl.format("{},{}", pl.col("price") // 1000, (pl.col("price") % 1000).cast(pl.String).str.zfill(3)),
        "quantity",
        pl.sum_horizontal(padded).cast(pl.String).str.zfill(9),
        "id",
        pl.lit(1).alias("type"),
        pl.lit(session.isoformat()).alias("day"),
        "buyer",
        "seller",
        pl.lit(1).alias("channel"),
    )
    file.write(text.write_csv(separator=";", include_header=False, quote_style="never").encode())
