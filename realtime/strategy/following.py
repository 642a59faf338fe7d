"""Ticks out of a spool, in its order: decoded whole columns at a time, repeats of the exchange left out."""

from collections.abc import Iterator

import numpy as np
import structlog
from pyroaring import BitMap64

from realtime.records import Kind
from realtime.relay.rows import EDIT, Trades, frame_of, trades_of
from realtime.spool.frames import Frame, FrameKind, Loss, Mark
from realtime.spool.reader import Found, Reader
from realtime.spool.segments import STOP
from realtime.strategy import Happened, Tick

KEPT_SESSIONS = 4
COLUMNS = ("symbol", "trade_id", "price", "quantity", "aggressor", "buyer", "seller")

log = structlog.get_logger("strategy")


class Following:
    """Reads from where `reader` stands. `over` when the run that is being read has ended in order."""

    def __init__(self, reader: Reader) -> None:
        self.over = False
        self.ticks = 0
        self.repeats = 0
        self.lost = 0  # records that the spool could not keep, or that cannot be read
        self.received_ms = 0  # when the tick that was told last reached this host
        self.run = 0  # of the spool's writer, that the last tick belongs to
        self._reader = reader
        self._seen: dict[int, dict[str, BitMap64]] = {}  # day -> symbol -> ids

    def read(self) -> Iterator[Tick]:
        """What has come since; nothing when there is nothing yet."""
        found = self._reader.read()
        self._tell(found)
        frames = [frame for frame in found.frames if frame.kind == FrameKind.RECORDS]
        for frame in frames:
            trades, refused = trades_of([frame])
            self.run = frame.run
            self.lost += len(refused)
            # Not those of a history answer: the market has gone on, and a strategy's clock cannot go back.
            yield from self._new(trades.where(np.ascontiguousarray(trades.records["kind"]) == Kind.TRADE))
        self.over = any(_ends(frame) for frame in found.frames[-1:])

    def _new(self, trades: Trades) -> Iterator[Tick]:
        if not len(trades):
            return
        rows = frame_of(trades, self._reader.assets)
        columns = [rows[name].to_list() for name in COLUMNS]
        times = (trades.ts // 1000).tolist()
        received = (trades.received // 1000).tolist()
        told = zip(received, times, trades.day.tolist(), _edited(trades), *columns, strict=True)
        for received_ms, ts_ms, day, edited, symbol, number, price, quantity, aggressor, buyer, seller in told:
            if symbol is None:
                self.lost += 1
            elif not edited and self._repeated(day, symbol, number):
                self.repeats += 1
            else:
                self.ticks += 1
                self.received_ms = received_ms
                what = _what(price, quantity, edited=edited)
                yield Tick(ts_ms, symbol, number, price, quantity, aggressor, buyer, seller, what)

    def _repeated(self, day: int, symbol: str, number: int) -> bool:
        """Whether a trade was told before. Sessions are the days of São Paulo's clock."""
        if day not in self._seen:
            self._seen[day] = {}
            for old in sorted(self._seen)[:-KEPT_SESSIONS]:
                del self._seen[old]
        numbers = self._seen.setdefault(day, {}).setdefault(symbol, BitMap64())
        if number in numbers:
            return True
        numbers.add(number)
        return False

    def _tell(self, found: Found) -> None:
        losses = [frame for frame in found.frames if frame.kind == FrameKind.LOSS]
        for frame in losses:
            self.lost += frame.count
            log.error("strategy_misses_records", records=frame.count, reason=frame.said(Loss).reason)
        for damage in found.damages:
            log.error("strategy_misses_records", damage=str(damage))


def _edited(trades: Trades) -> list[bool]:
    edited: list[bool] = ((np.ascontiguousarray(trades.records["flags"]) & EDIT) != 0).tolist()
    return edited


def _what(price: float, quantity: int, *, edited: bool) -> Happened:
    if not edited:
        return "trade"
    return "cancellation" if quantity == 0 or price <= 0 else "correction"


def _ends(frame: Frame) -> bool:
    return frame.kind == FrameKind.MARK and bool(frame.said(Mark).reason == STOP)
