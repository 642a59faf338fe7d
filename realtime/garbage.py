"""When Python looks through its memory for garbage that refers to itself: never through all of it while trades come.

A full look at everything that a trading process holds stops all its threads for a tenth of a second and longer, tick
and order alike, and it comes when it likes. Here what has outlived one full look is put aside, so that the next one
goes through what is new alone. Before the exchange opens everything is looked through once a day: what was put aside
and has become garbage since waits until then.
"""

import datetime as dt
import gc
from collections.abc import Callable, Mapping
from typing import Any

from sql.exchange import SAO_PAULO

FULL = 2  # Python's oldest generation
NIGHT = (1, 8)  # hours of São Paulo in which nothing of B3 trades
BETWEEN = dt.timedelta(hours=12)


class Thrift:
    """Short collections from `begin` to `end`, for the whole process."""

    def __init__(self, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self.thorough = 0  # looks through everything since the beginning
        self._now = now
        self._last = now()

    def begin(self) -> None:
        """Put aside what is there; call when the process is built."""
        gc.collect()
        gc.freeze()
        self._last = self._now()
        gc.callbacks.append(self._heard)

    def end(self) -> None:
        """As Python does it by itself."""
        gc.callbacks.remove(self._heard)
        gc.unfreeze()

    def _heard(self, phase: str, info: Mapping[str, Any]) -> None:
        if info["generation"] != FULL:
            return
        if phase == "stop":
            gc.freeze()
        elif self._is_due():
            self.thorough += 1
            self._last = self._now()
            gc.unfreeze()  # so that the look which begins now goes through everything

    def _is_due(self) -> bool:
        now = self._now()
        return now - self._last >= BETWEEN and NIGHT[0] <= now.astimezone(SAO_PAULO).hour < NIGHT[1]
