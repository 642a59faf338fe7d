"""How often a login may fail: counted for a name from an address, for a name, and for an address.

A try counts as a failure before its password is looked at, so that many at once are no way around; a success takes it
back. Counts live in this process, which alone answers logins, and end with their window.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

WINDOW_SECONDS = 900.0
PAIR, NAME, ADDRESS = 5, 25, 50  # failures within a window
REMEMBERED = 20_000  # counts; the oldest goes first


class Throttle:
    """Answers how long a login must wait, before its password is looked at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, name: str, address: str) -> int:
        """Whole seconds until the next try; 0: now."""
        now = self._clock()
        longest = 0.0
        for count, most in _counts(name, address):
            times = self._recent(count, now)
            if len(times) >= most:
                longest = max(longest, times[-most] + WINDOW_SECONDS - now)
        return int(longest) + 1 if longest > 0 else 0

    def tried(self, name: str, address: str) -> None:
        """Count one, before it is known how it ends."""
        now = self._clock()
        for count, most in _counts(name, address):
            times = self._failures.setdefault(count, deque(maxlen=most))
            times.append(now)
            self._failures.move_to_end(count)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Take the last try back, and forget what failed before for this name from this address."""
        for count, _ in _counts(name, address):
            if times := self._failures.get(count):
                times.pop()
        self._failures.pop(_pair(name, address), None)

    def _recent(self, count: str, now: float) -> deque[float]:
        times = self._failures.get(count) or deque()
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        return times


def _pair(name: str, address: str) -> str:
    return f"pair {name} {address}"


def _counts(name: str, address: str) -> Iterator[tuple[str, int]]:
    yield _pair(name, address), PAIR
    yield f"name {name}", NAME
    yield f"address {address}", ADDRESS
