"""Records to spool, and what a spool holds, read back."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from realtime.records import RECORD, Kind
from realtime.relay.rows import EPOCH, frame_of, trades_of
from realtime.spool.frames import WHOLE, Asset, FrameKind, Loss, Mark, Records, joined
from realtime.spool.reader import Position, Reader
from realtime.spool.segments import Damage
from sql.folding import settled
from sql.hot import shaped
from sql.tables import TICKS

ASSETS = [Asset(1, "WINZ26", "F", 0), Asset(2, "WDOZ26", "F", 0), Asset(3, "PETR4", "B", 0)]
NOON_MS = 1_795_089_600_000  # 2026-11-19 12:00 on the clock of São Paulo


def records(count: int, first: int = 1, *, kind: Kind = Kind.TRADE, every_ms: float = 1.0) -> Records:
    """Trades (or others) numbered from `first`, of three assets in turn; every byte of a record has a meaning."""
    numbers = np.arange(first, first + count)
    made = np.zeros(count, RECORD)
    made.view(WHOLE).view(np.uint8)[:] = np.random.default_rng(first).integers(0, 256, count * RECORD.itemsize)
    made["seq"] = made["mono"] = numbers
    made["time"] = NOON_MS + (numbers * every_ms).astype(np.int64)
    made["price"] = 100 + numbers % 7
    made["quantity"] = 1 + numbers % 5
    made["number"] = numbers * 10
    made["asset"] = 1 + numbers % 3
    made["kind"] = kind
    made["action"] = 2 + numbers % 4
    made["buyer"], made["seller"] = numbers % 90, numbers % 80
    made["flags"] = 0
    return made


class Back:
    """All that a spool holds, with what was moved out of it in `more` folders."""

    def __init__(self, folder: Path, *more: Path) -> None:
        self.frames = []
        self.damages: list[Damage] = []
        reader = Reader([folder, *more], Position())
        while True:
            found = reader.read(1 << 16)
            if not found.frames and not found.damages:
                break
            self.frames += found.frames
            self.damages += found.damages
        self.reader = reader

    @property
    def records(self) -> Records:
        parts = [frame.records() for frame in self.frames if frame.kind == FrameKind.RECORDS]
        return joined(parts) if parts else np.zeros(0, RECORD)

    @property
    def marks(self) -> list[Mark]:
        return [frame.said(Mark) for frame in self.frames if frame.kind == FrameKind.MARK]

    @property
    def losses(self) -> list[Loss]:
        return [frame.said(Loss) for frame in self.frames if frame.kind == FrameKind.LOSS]


def ticks_of(back: Back, day: dt.date) -> pl.DataFrame:
    """The trades of one session as they would be stored, without the last one of the session before, told again."""
    trades, refused = trades_of([frame for frame in back.frames if frame.kind == FrameKind.RECORDS])
    assert not len(refused)
    of_day = trades.where(trades.day == (day - EPOCH).days)
    rows = frame_of(of_day, back.reader.assets).with_columns(session=pl.lit(day), source=pl.lit("profitdll"))
    return settled(shaped(rows, TICKS), pl.DataFrame(schema=TICKS.polars)).rows


def same(left: Records, right: Records) -> bool:
    """Equal to the last byte, those between the fields included."""
    return left.tobytes() == right.tobytes()
