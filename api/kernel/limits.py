"""Rate limit per caller with the standard `RateLimit-*` headers: so many counted requests in a window of time.

Counted is what lies below `/api/`, or below the path that a service says; a handler's `opt` may take a request out of
the count (`FREE`, or `free_when`). A service has one count, whichever port its callers came in by.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.kernel.headers import pairs_of, put
from config.settings import Allowance

FREE = {"rate": "free"}  # answered from memory and meant to be polled, or what must always pass
SERVICE, COUNTED = "service", "counted"  # names in `opt` that the kernel sets for all handlers of a service


class Windows:
    """What every address has asked for in the present window of each service. One for a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, Counter[str]] = {}
        self._ends: dict[str, float] = {}

    def taken(self, service: str, caller: str, allowed: Allowance) -> dict[str, str]:
        """Count one request; the headers that say what is left. Raises 429 when nothing is."""
        now, window = self._clock(), allowed.window_ms / 1000
        if now >= self._ends.get(service, 0.0):  # windows are the same for all callers, so memory is bounded
            self._counts[service] = Counter()
            self._ends[service] = now + window
        counts = self._counts[service]
        counts[caller] += 1
        seconds = str(max(1, round(self._ends[service] - now)))
        headers = {
            "RateLimit-Limit": str(allowed.requests),
            "RateLimit-Remaining": str(max(0, allowed.requests - counts[caller])),
            "RateLimit-Reset": seconds,
        }
        if counts[caller] > allowed.requests:
            raise TooManyRequestsException(
                f"more than {allowed.requests} requests in {window:.0f} s; try again in {seconds} s "
                f"(setting {allowed.setting})",
                headers=headers | {"Retry-After": seconds},
            )
        return headers


class RateLimit(ASGIMiddleware):
    """Counts the requests of an application in `windows`; `allowances` has one entry for each service it serves."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, own: str, allowances: Mapping[str, Allowance], windows: Windows) -> None:
        self._own = own
        self._allowances = allowances
        self._windows = windows

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count the request; raises 429 with `Retry-After` when the window is used up."""
        if not _counted(scope):
            await next_app(scope, receive, send)
            return
        service = scope["route_handler"].opt.get(SERVICE, self._own)
        caller = client[0] if (client := scope.get("client")) else ""
        headers = pairs_of(self._windows.taken(service, caller, self._allowances[service]))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                put(message, headers)
            await send(message)

        await next_app(scope, receive, send_with_headers)


def _counted(scope: Scope) -> bool:
    opt = scope["route_handler"].opt
    free_when: Callable[[Scope], bool] | None = opt.get("free_when")
    below: str = opt.get(COUNTED, "/api/")
    return scope["path"].startswith(below) and opt.get("rate") != "free" and not (free_when and free_when(scope))
