"""Bounds on time: a body must keep coming, an answer must begin after it, and whoever takes one must keep taking it.

A handler's `opt` may say otherwise for its beginning (`{"seconds": 120}`), say where another server answers.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

BEGIN_SECONDS = 60.0
BODY_SECONDS = 20.0  # between two parts of a body
WHOLE_BODY_SECONDS = 600.0
TAKE_SECONDS = 60.0  # for one part of a long answer
SECONDS = "seconds"


class Deadlines(ASGIMiddleware):
    """408 for a body that stops coming, 503 for an answer that does not begin; a reader that stands still is cut."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass on, within the bounds."""
        allowed = float(scope["route_handler"].opt.get(SECONDS, BEGIN_SECONDS))
        bound, latest = asyncio.timeout(allowed), asyncio.get_running_loop().time() + WHOLE_BODY_SECONDS

        async def begun(message: Message) -> None:
            if message["type"] == "http.response.start":
                bound.reschedule(None)
                await send(message)
            elif message.get("more_body"):
                await asyncio.wait_for(send(message), TAKE_SECONDS)
            else:
                await send(message)

        def come() -> None:  # the time for the answer begins anew
            if bound.when() is not None:
                bound.reschedule(min(asyncio.get_running_loop().time() + allowed, latest))

        try:
            async with bound:
                await next_app(scope, _coming(receive, come), begun)
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise ServiceUnavailableException(
                f"no answer within {allowed:.0f} s; try again, or ask for less", headers={"Retry-After": "5"}
            ) from error


def _coming(receive: Receive, come: Callable[[], None]) -> Receive:
    more = True

    async def within() -> Any:
        nonlocal more
        if not more:  # the body is here: what comes next is the caller's leaving, whenever that is
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError as error:
            raise HTTPException(
                status_code=408, detail=f"the rest of the body did not come within {BODY_SECONDS:.0f} s"
            ) from error
        more = bool(message.get("more_body"))
        if more:
            come()
        return message

    return within
