"""A small service on the kernel, for tests that need no stores."""

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar import Request, get, post, websocket
from litestar.connection import WebSocket
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.testing import TestClient

from api.kernel.access import actor, scoped
from api.kernel.application import Service, create_app
from api.kernel.directory import Directory
from api.kernel.limits import FREE
from config.settings import Settings
from sql.errors import StatementError, StoreUnavailableError, SuspendedError

ERRORS = {
    "away": StoreUnavailableError("postgresql://timescale:hidden-word@10.0.0.1 does not answer"),
    "suspended": SuspendedError("ticks is suspended"),
    "refused": StatementError("password=hidden-word"),
    "bug": RuntimeError("hidden-word"),
}


@get("/api/items/{number:int}", opt=scoped("items:read"))
async def item(number: FromPath[int], times: FromQuery[int] = 1) -> dict[str, int]:
    return {"number": number * times}


@post("/api/items", opt=scoped("items:write"))
async def create(request: Request[Any, Any, Any], data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return data | {"by": actor(request)}


@post("/api/orders", opt=scoped("orders:write", always=True))
async def order(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"by": actor(request)}


@get("/api/errors/{name:str}")
async def fail(name: FromPath[str]) -> None:
    raise ERRORS[name]


@get("/api/free", opt=FREE)
async def free() -> None:
    return None


@get("/api/slow")
async def slow() -> dict[str, bool]:
    await asyncio.sleep(1)
    return {"done": True}


@websocket("/ws")
async def stream(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_json({"hello": True})
    await socket.close()


HANDLERS = [item, create, order, fail, free, slow, stream]


def client(
    settings: Settings,
    host: str = "127.0.0.1:8000",
    *,
    directory: Directory | None = None,
    address: str = "testclient",
    **values: Any,
) -> TestClient[Any]:
    """A client of the service that comes from `address`; `values` go to the Service."""
    probes: Mapping[str, Any] = values.pop("probes", {})
    service = Service(id="api-gateway", title="Test", description="A test.", handlers=HANDLERS, probes=probes, **values)
    app = create_app(settings, service, directory=directory)
    handler = app.asgi_handler

    async def from_there(scope: Any, receive: Any, send: Any) -> None:
        await handler({**scope, "client": (address, 50_000)}, receive, send)

    app.asgi_handler = from_there
    return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False)
