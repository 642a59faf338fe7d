"""The count of what could not be kept: exact, per kind of record and per asset, until a LOSS frame can be written."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from realtime.records import Kind
from realtime.spool.frames import Asset, Loss, LostTrades, Records

DAY_MS = 86_400_000


class Tally:
    """Records dropped in a row, from number `first`."""

    def __init__(self, reason: str, first: int) -> None:
        self.reason = reason
        self.first = first
        self.count = 0
        self._kinds: Counter[int] = Counter()
        self._trades: dict[tuple[int, int], LostTrades] = {}  # (asset, day)
        self._seqs: tuple[int, int] | None = None

    def add(self, records: Records) -> None:
        """Count records that are dropped."""
        self.count += len(records)
        counts = np.bincount(records["kind"])
        self._kinds.update({int(kind): int(counts[kind]) for kind in np.flatnonzero(counts)})
        first = self._seqs[0] if self._seqs else int(records["seq"][0])
        self._seqs = (first, int(records["seq"][-1]))
        trades = records[records["kind"] == Kind.TRADE]
        days = trades["time"] // DAY_MS
        for asset, day in sorted(set(zip(trades["asset"].tolist(), days.tolist(), strict=True))):
            self._add_trades((asset, day), trades[(trades["asset"] == asset) & (days == day)])

    def _add_trades(self, key: tuple[int, int], trades: Records) -> None:
        before = self._trades.get(key)
        number, time = trades["number"], trades["time"]
        self._trades[key] = LostTrades(
            asset=key[0],
            ticker="",
            count=len(trades) + (before.count if before else 0),
            first=before.first if before else int(number[0]),
            last=int(number[-1]),
            first_time=before.first_time if before else int(time[0]),
            last_time=int(time[-1]),
        )

    def loss(self, assets: Mapping[int, Asset]) -> Loss:
        """What was dropped, with the names that the assets have by now."""
        first, last = self._seqs or (0, 0)
        trades = [
            LostTrades(
                lost.asset,
                assets[lost.asset].ticker if lost.asset in assets else "",
                lost.count,
                lost.first,
                lost.last,
                lost.first_time,
                lost.last_time,
            )
            for lost in self._trades.values()
        ]
        return Loss(self.reason, {str(kind): n for kind, n in self._kinds.items()}, trades, first, last)
