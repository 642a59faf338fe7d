"""Several applications in one process: the port that a request came in by tells which of them answers.

The front application answers on its own port for all services: at their own paths, which it has itself, and below a
prefix, where the rest of the path is the service's own (`/api/tp-capital/health` is that service's `/health`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from traceback import format_exc
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.types import ASGIApp, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send
from msgspec import Struct

from api.kernel.application import Service, create_app
from api.kernel.directory import directory_of
from api.kernel.idempotency import answers_of
from api.kernel.limits import Windows
from config.settings import Settings

PREFIX = "prefix"  # in a request's state: what stands before the service's own path


class Place(Struct, frozen=True):
    """What a prefix of the front application stands for: a path of a service."""

    service: str
    root: str = ""


class Ports:
    """ASGI application of a process: `apps` by port, `front` for its own port and for any that is not known."""

    def __init__(
        self, front: Litestar, apps: Mapping[int, Litestar], prefixes: Mapping[str, tuple[ASGIApp, str]]
    ) -> None:
        self.front = front
        self.apps = apps
        self._prefixes = prefixes

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Answer one connection, or begin and end all applications."""
        if scope["type"] == "lifespan":
            await self._live(cast("LifeSpanReceive", receive), cast("LifeSpanSend", send))
            return
        app, passed = self._chosen(scope)
        await app(passed, cast("Receive", receive), cast("Send", send))

    def _chosen(self, scope: Scope) -> tuple[ASGIApp, Scope]:
        server = scope.get("server")
        if server and (app := self.apps.get(server[1] or 0)):
            return app, scope
        first, second, *_ = (*scope["path"].lstrip("/").split("/", 2), "")
        for prefix in (f"/{first}/{second}", f"/{first}"):
            if place := self._prefixes.get(prefix):
                return place[0], below(scope, prefix, place[1])
        return self.front, scope

    async def _live(self, receive: LifeSpanReceive, send: LifeSpanSend) -> None:
        await receive()
        state = "startup"
        try:
            async with AsyncExitStack() as stack:
                for app in (*self.apps.values(), self.front):
                    await stack.enter_async_context(app.lifespan())
                await send({"type": "lifespan.startup.complete"})
                state = "shutdown"
                await receive()
        except BaseException:
            await send(cast("Any", {"type": f"lifespan.{state}.failed", "message": format_exc()}))
            raise
        await send({"type": "lifespan.shutdown.complete"})


def process(settings: Settings, front: Service, services: Sequence[Service], prefixes: Mapping[str, Place]) -> Ports:
    """The application of a process that serves `services` on their ports and, together, behind `front`."""
    answers = answers_of(settings)
    # One of each for the whole process, whichever port was asked.
    shared: dict[str, Any] = {"windows": Windows(), "directory": directory_of(settings), "answers": answers}
    apps = {service.id: create_app(settings, service, **shared) for service in services}
    front = msgspec.structs.replace(front, pools=(*front.pools, answers.pool))
    together = create_app(settings, front, mounted=services, **shared)
    for app in apps.values():
        app.state.front = together  # a service that speaks of all of them
    return Ports(
        together,
        {settings.ports[name]: app for name, app in apps.items()},
        {prefix: (cast("ASGIApp", apps[to.service]), to.root) for prefix, to in prefixes.items() if to.service in apps},
    )


def below(scope: Scope, prefix: str, root: str) -> Scope:
    """The request as the service behind `prefix` knows it."""
    path = root + (scope["path"].removeprefix(prefix) or ("" if root else "/"))
    raw = scope.get("raw_path") or scope["path"].encode()
    passed = {
        **scope,
        "path": path,
        "raw_path": root.encode() + (raw.removeprefix(prefix.encode()) or b"/"),
        "state": {**scope.get("state", {}), PREFIX: prefix},
    }
    return cast("Scope", passed)


def prefix_of(scope: Scope) -> str:
    """What stands before the service's own paths where this request came in: empty on its own port."""
    return str(scope.get("state", {}).get(PREFIX, ""))
