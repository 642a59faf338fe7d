"""Rate limit per caller with the standard `RateLimit-*` headers: so many counted requests in a window of time.

Counted is what lies below `/api/`, or below the path that a service says; a handler's `opt` may take a request out of
the count (`FREE`, or `free_when`). A service has one count, whichever port its callers came in by.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.kernel.headers import Pairs, put
from config.settings import Allowance

FREE = {"rate": "free"}  # answered from memory and meant to be polled, or what must always pass
SERVICE, COUNTED = "service", "counted"  # names in `opt` that the kernel sets for all handlers of a service


class Windows:
    """What every address has asked for in the present window of each service. One for a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, Counter[str]] = {}
        self._ends: dict[str, float] = {}

    def taken(self, service: str, caller: str, allowed: Allowance, *, what: str = "requests") -> Pairs:
        """Count one of `what`; the headers that say what is left. Raises 429 when nothing is."""
        now, window = self._clock(), allowed.window_ms / 1000
        if now >= self._ends.get(service, 0.0):  # windows are the same for all callers, so memory is bounded
            self._counts[service] = Counter()
            self._ends[service] = now + window
        counts = self._counts[service]
        counts[caller] = count = counts[caller] + 1
        seconds = max(1, round(self._ends[service] - now))
        if count > allowed.requests:
            raise TooManyRequestsException(
                f"more than {allowed.requests} {what} in {window:.0f} s; try again in {seconds} s "
                f"(setting {allowed.setting})",
                headers={
                    "RateLimit-Limit": str(allowed.requests),
                    "RateLimit-Remaining": "0",
                    "RateLimit-Reset": str(seconds),
                    "Retry-After": str(seconds),
                },
            )
        return (
            (b"ratelimit-limit", b"%d" % allowed.requests),
            (b"ratelimit-remaining", b"%d" % (allowed.requests - count)),
            (b"ratelimit-reset", b"%d" % seconds),
        )


class RateLimit:
    """Counts the requests of an application in `windows`; `allowances` has one entry for each service it serves."""

    def __init__(self, own: str, allowances: Mapping[str, Allowance], windows: Windows) -> None:
        self._own = own
        self._allowances = allowances
        self._windows = windows

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The layer around `app`; raises 429 with `Retry-After` when the window is used up."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP or not _counted(scope):
                await app(scope, receive, send)
                return
            service = scope["route_handler"].opt.get(SERVICE, self._own)
            caller = client[0] if (client := scope.get("client")) else ""
            headers = self._windows.taken(service, caller, self._allowances[service])

            async def send_with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    put(message, headers)
                await send(message)

            await app(scope, receive, send_with_headers)

        return counted


def _counted(scope: Scope) -> bool:
    opt = scope["route_handler"].opt
    if not scope["path"].startswith(opt.get(COUNTED, "/api/")) or opt.get("rate") == "free":
        return False
    free_when: Callable[[Scope], bool] | None = opt.get("free_when")
    return free_when is None or not free_when(scope)
