"""Sealed segments after they were sent: moved to `raw`, kept for some time, found again for a rewind."""

import datetime as dt
import time
from pathlib import Path

import structlog

from realtime.spool import segments
from realtime.spool.reader import Position
from realtime.spool.segments import OPEN, RECEIPT, SEALED
from sql import durable

PRUNE_SECONDS = 3_600.0

log = structlog.get_logger("realtime.relay")


class Evidence:
    """The folder `raw` of one spool."""

    def __init__(self, spool: Path, raw: Path, days: int) -> None:
        self._spool = spool
        self._raw = raw
        self._days = days
        self._pruned_at = float("-inf")

    def keep(self, position: Position) -> int:
        """Move the sealed segments before `position`, or that end there; how many. Raises OSError."""
        moved = 0
        for number in segments.numbers(self._spool, SEALED):
            path = self._spool / segments.name(number, SEALED)
            done = number < position.segment or (number, path.stat().st_size) <= (position.segment, position.offset)
            if done and self._move(number):
                moved += 1
        if moved:
            durable.sync_folder(self._raw)
            durable.sync_folder(self._spool)
        if time.monotonic() - self._pruned_at > PRUNE_SECONDS:
            self._prune()
        return moved

    def since(self, at: dt.datetime) -> Position:
        """Where the oldest segment begins that has anything of `at` or later."""
        held = dict.fromkeys(segments.numbers(self._raw, SEALED), self._raw)
        held |= dict.fromkeys(segments.numbers(self._spool, OPEN, SEALED), self._spool)
        for number in sorted(held):
            receipt = segments.receipt_of(held[number], number)
            if receipt is None or receipt.ended / 1e9 >= at.timestamp():
                return Position(number)
        return Position(max(held, default=0))

    def _move(self, number: int) -> bool:
        self._raw.mkdir(parents=True, exist_ok=True)
        try:
            for suffix in (RECEIPT, SEALED):  # killed in between, it finds the segment here and goes on
                path = self._spool / segments.name(number, suffix)
                if path.exists():
                    path.replace(self._raw / path.name)
        except PermissionError:  # Windows: somebody reads it just now
            return False
        return True

    def _prune(self) -> None:
        self._pruned_at = time.monotonic()
        oldest = time.time_ns() - self._days * 86_400_000_000_000
        for number in segments.numbers(self._raw, SEALED)[:-1]:  # the last one says where numbering goes on
            receipt = segments.receipt_of(self._raw, number)
            if receipt and receipt.ended < oldest:
                for suffix in (SEALED, RECEIPT):
                    (self._raw / segments.name(number, suffix)).unlink(missing_ok=True)
                log.info("evidence_expired", segment=number, records=receipt.records)
