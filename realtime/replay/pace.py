"""How a replay kept time: the market's clock of each trade against the host's clock at which it was told. Pure."""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from realtime.relay.rows import Trades


class Pace(Struct, frozen=True, kw_only=True):
    """Milliseconds that trades were told later than their speed says, and how fast it was told in all."""

    seconds: float  # between first and last trade, of the host
    trades_per_second: float
    behind_p50_ms: float | None  # None at full speed, which has no pace to keep
    behind_p99_ms: float | None
    behind_max_ms: float | None


class Stopwatch:
    """Fed with trades in their order; memory is four bytes for each."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._begin: tuple[int, int] | None = None  # (ns of the host, ms of the market) of the first trade
        self._last = 0
        self._trades = 0
        self._behind: list[npt.NDArray[np.float32]] = []

    def heed(self, trades: Trades) -> None:
        """Take some trades in."""
        mono, time = trades.records["mono"], trades.records["time"]
        if self._begin is None:
            self._begin = int(mono[0]), int(time[0])
        self._last = int(mono[-1])
        self._trades += len(trades)
        if self._speed:
            due = (time - self._begin[1]) / self._speed
            self._behind.append(((mono - self._begin[0]) / 1e6 - due).astype(np.float32))

    def pace(self) -> Pace:
        """What it came to."""
        seconds = max(self._last - self._begin[0], 1) / 1e9 if self._begin else 0.0
        late = np.concatenate(self._behind) if self._behind else np.zeros(0, np.float32)
        middle, high, most = (float(np.percentile(late, at)) if len(late) else None for at in (50, 99, 100))
        return Pace(
            seconds=seconds,
            trades_per_second=self._trades / seconds if seconds else 0.0,
            behind_p50_ms=middle,
            behind_p99_ms=high,
            behind_max_ms=most,
        )
