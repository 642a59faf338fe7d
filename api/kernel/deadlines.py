"""Bounds on time: a body must keep coming, an answer must begin after it, and whoever takes one must keep taking it.

A handler's `opt` may say otherwise for its beginning (`{"seconds": 120}`), say where another server answers. One timer
looks after all requests that are being answered: nearly all of them end long before their bound.
"""

import asyncio
from typing import Any

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

BEGIN_SECONDS = 60.0
BODY_SECONDS = 20.0  # between two parts of a body
WHOLE_BODY_SECONDS = 600.0
TAKE_SECONDS = 60.0  # for one part of a long answer
SECONDS = "seconds"


class Bound:
    """How long a task may go on; None: as long as it likes."""

    __slots__ = ("_before", "over", "task", "until")

    def __init__(self, until: float) -> None:
        self.until: float | None = until
        self.over = False
        self.task = asyncio.current_task()
        self._before = self.task.cancelling() if self.task else 0

    def reached(self) -> bool:
        """Whether the cancellation that arrived in the task is this bound's alone; it is taken back then."""
        if not self.over or self.task is None:
            return False
        self.over = False
        return self.task.uncancel() <= self._before


class Watch:
    """Cancels the tasks of bounds that are reached."""

    def __init__(self) -> None:
        self._bounds: set[Bound] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def over(self, bound: Bound, loop: asyncio.AbstractEventLoop) -> None:
        """Look after `bound`, which may be new or have another end than before."""
        if self._loop is not loop:  # another one than the last application ran in
            self._loop, self._timer = loop, None
            self._bounds.clear()
        self._bounds.add(bound)
        if bound.until is not None and (self._timer is None or bound.until < self._timer.when()):
            self._look_at(bound.until)

    def end(self, bound: Bound) -> None:
        """Forget `bound`."""
        self._bounds.discard(bound)

    def _look_at(self, when: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        assert self._loop is not None
        self._timer, now = None, self._loop.time()
        following = None
        for bound in self._bounds:
            if bound.until is None or bound.task is None or bound.over:
                continue
            if bound.until <= now:
                bound.over = True
                bound.task.cancel()
            elif following is None or bound.until < following:
                following = bound.until
        if following is not None:
            self._look_at(following)


class Deadlines:
    """408 for a body that stops coming, 503 for an answer that does not begin; a reader that stands still is cut."""

    def __init__(self) -> None:
        self._watch = Watch()

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The layer around `app`."""

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            request = _Bounded(self._watch, scope["route_handler"].opt.get(SECONDS, BEGIN_SECONDS), receive, send)
            try:
                await app(scope, request.receive, request.send)
            except asyncio.CancelledError as error:
                if not request.bound.reached():
                    raise
                raise ServiceUnavailableException(
                    f"no answer within {request.allowed:.0f} s; try again, or ask for less",
                    headers={"Retry-After": "5"},
                ) from error
            finally:
                self._watch.end(request.bound)

        return bounded


class _Bounded:
    """One request whose parts must come and go in time."""

    __slots__ = ("_coming", "_latest", "_loop", "_receive", "_send", "_watch", "allowed", "bound")

    def __init__(self, watch: Watch, allowed: float, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._watch, self._receive, self._send = watch, receive, send
        self._coming = True
        self._latest = now + WHOLE_BODY_SECONDS
        self.allowed = allowed
        self.bound = Bound(now + allowed)
        watch.over(self.bound, self._loop)

    async def receive(self) -> Any:
        """A part of the body."""
        if not self._coming:  # the body is here: what comes next is the caller's leaving, whenever that is
            return await self._receive()
        before, latest = self.bound.until, self._loop.time() + BODY_SECONDS
        stops = before is None or latest < before
        self._go_on(latest if stops else before)
        try:
            message = await self._receive()
        except asyncio.CancelledError as error:
            if not stops or not self.bound.reached():
                raise
            self._go_on(before)
            raise HTTPException(
                status_code=408, detail=f"the rest of the body did not come within {BODY_SECONDS:.0f} s"
            ) from error
        self._coming = bool(message.get("more_body"))
        if before is not None and self._coming:  # the time for the answer begins anew
            before = min(self._loop.time() + self.allowed, self._latest)
        self._go_on(before)
        return message

    def _go_on(self, until: float | None) -> None:
        self.bound.until = until
        self._watch.over(self.bound, self._loop)

    async def send(self, message: Message) -> None:
        """The answer's beginning, or a part of it."""
        if message["type"] == "http.response.start":
            self.bound.until = None
            await self._send(message)
        elif message.get("more_body"):
            await asyncio.wait_for(self._send(message), TAKE_SECONDS)
        else:
            await self._send(message)
