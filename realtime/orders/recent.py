"""What happened lately, in its order, counted by how new it is.

When the clock is put back, what lay after it counts as of now: a limit on how many may hold too long, never too short.
"""

import datetime as dt
from array import array
from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")
TRIMMED_AT = 2000  # kept before the old ones are let go of


class Recent(Generic[T]):
    """Instants with what happened then; added by one thread, read by any."""

    def __init__(self, seconds: float) -> None:
        self._kept = seconds
        self._held: tuple[array[float], list[tuple[dt.datetime, T]]] = (array("d"), [])  # seconds, side by side
        self._trimmed_at = TRIMMED_AT

    def add(self, at: dt.datetime, what: T) -> None:
        """It happened just now."""
        self.put_back(at)
        instants, things = self._held
        second = at.timestamp()
        things.append((at, what))
        instants.append(second)
        if len(instants) > self._trimmed_at:
            old = bisect_right(instants, second - self._kept)
            self._held = (instants[old:], things[old:])
            self._trimmed_at = max(TRIMMED_AT, 2 * (len(instants) - old))

    def put_back(self, at: dt.datetime) -> None:
        """It is `at` now, whatever it was before."""
        instants, things = self._held
        second = at.timestamp()
        if instants and instants[-1] > second:
            instants = array("d", (min(each, second) for each in instants))
            self._held = (instants, [(min(each, at), thing) for each, thing in things])

    def held(self) -> list[tuple[dt.datetime, T]]:
        """All that is kept, the oldest first."""
        return list(self._held[1])

    def count(self, now: float, seconds: float) -> int:
        """How much happened within the last seconds before `now`, in seconds since 1970."""
        instants, _ = self._held
        return len(instants) - bisect_right(instants, now - seconds)

    def newer(self, now: float, seconds: float) -> list[T]:
        """What happened within the last seconds before `now`, in seconds since 1970; the oldest first."""
        instants, things = self._held
        first = bisect_right(instants, now - seconds)
        return [thing for _, thing in things[first:]] if first < len(instants) else []
