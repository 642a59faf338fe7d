"""How often a login may fail: counted for a name from an address, for a name, and for an address.

Counts live in this process, which alone answers logins, and end with their window; a success clears its own.
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

    def failed(self, name: str, address: str) -> None:
        """Count one."""
        now = self._clock()
        for count, most in _counts(name, address):
            times = self._failures.setdefault(count, deque(maxlen=most))
            times.append(now)
            self._failures.move_to_end(count)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget what failed before for this name from this address."""
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
