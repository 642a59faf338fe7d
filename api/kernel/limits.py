"""Rate limit per caller with the standard `RateLimit-*` headers: so many counted requests in a window of time.

Counted is what lies below `/api/`; a handler's `opt` may take a request out of the count (`FREE`, or `free_when`).
"""

import time
from collections import Counter
from collections.abc import Callable

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

FREE = {"rate": "free"}  # answered from memory and meant to be polled, or what must always pass


class RateLimit(ASGIMiddleware):
    """At most `allowed` requests of one address in each window; windows are the same for all, so memory is bounded."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, allowed: int, window_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = allowed
        self._window = window_ms / 1000
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._ends = 0.0

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count the request; raises 429 with `Retry-After` when the window is used up."""
        if not _counted(scope):
            await next_app(scope, receive, send)
            return
        headers = self._taken(client[0] if (client := scope.get("client")) else "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableScopeHeaders.from_message(message).update(headers)
            await send(message)

        await next_app(scope, receive, send_with_headers)

    def _taken(self, caller: str) -> dict[str, str]:
        now = self._clock()
        if now >= self._ends:
            self._counts.clear()
            self._ends = now + self._window
        self._counts[caller] += 1
        seconds = str(max(1, round(self._ends - now)))
        headers = {
            "RateLimit-Limit": str(self._allowed),
            "RateLimit-Remaining": str(max(0, self._allowed - self._counts[caller])),
            "RateLimit-Reset": seconds,
        }
        if self._counts[caller] > self._allowed:
            raise TooManyRequestsException(
                f"more than {self._allowed} requests in {self._window:.0f} s; try again in {seconds} s "
                "(settings RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_MS)",
                headers=headers | {"Retry-After": seconds},
            )
        return headers


def _counted(scope: Scope) -> bool:
    opt = scope["route_handler"].opt
    free_when: Callable[[Scope], bool] | None = opt.get("free_when")
    return scope["path"].startswith("/api/") and opt.get("rate") != "free" and not (free_when and free_when(scope))
