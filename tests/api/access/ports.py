"""Every application that listens on a port, and every route that it has: what the matrix of access is made of."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute
from msgspec import Struct

from api.gateway import PREFIXES, gateway
from api.kernel.ports import process
from api.served import services, tape_of
from config.settings import Settings
from realtime.orders.prices import Prices
from realtime.orders.service import loop_of
from realtime.relay.sender import Progress
from realtime.relay.server import relay_app, stream_app
from realtime.server import capture_app, files_app
from sql import stores
from tests.realtime.orders.scripted_broker import Exchange, ScriptedBroker

SAMPLES = {int: "1", uuid.UUID: "b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10", float: "1.5", dt.date: "2026-11-19"}


class Door(Struct, frozen=True):
    """One way in: a method and path of an application; `WS` for a WebSocket."""

    app: str
    method: str
    path: str
    template: str
    opt: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.app} {self.method} {self.template}"


def applications(settings: Settings) -> Iterator[tuple[str, Any, Litestar]]:
    """(Name, what answers, whose routes it has) of every port and of every prefix of the gateway."""
    behind = services(settings)
    ports = process(settings, gateway(settings, tape_of(settings), behind), behind, PREFIXES)
    names = {settings.ports[service.id]: service.id for service in behind}
    yield "api-gateway", ports, ports.front
    for port, app in ports.apps.items():
        yield names[port], app, app
    for prefix, (app, root) in ports._prefixes.items():
        yield f"api-gateway{prefix}", _Below(ports, prefix, root), app
    yield from _realtime(settings)


class _Below:
    """The process as it is asked through a prefix of the gateway; what lies outside of the prefix has no way in."""

    def __init__(self, ports: Any, prefix: str, root: str) -> None:
        self.ports, self.prefix, self.root = ports, prefix, root

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = self.prefix + scope["path"].removeprefix(self.root)
        await self.ports({**scope, "path": path, "raw_path": path.encode()}, receive, send)


def _realtime(settings: Settings) -> Iterator[tuple[str, Any, Litestar]]:
    """Capture itself needs a DLL: what its handlers are given is never reached, because the gate is asked alone."""
    orders = loop_of(
        settings, ScriptedBroker(Exchange(lambda: dt.datetime.now(dt.UTC))), Prices(), name="scripted", live=False
    )
    capture: Any = SimpleNamespace(standing=None, history=SimpleNamespace(counts=None))
    stop: Any = threading.Event()
    app = capture_app(settings, capture, stop, SimpleNamespace(), orders=orders)  # type: ignore[arg-type]
    yield "order-manager", app, app
    hot = stores.hot(settings)
    for name, made in (
        ("data-capture", relay_app(settings, hot, Progress())),
        ("data-capture of a replay", stream_app(settings, [settings.spool_dir])),
        ("order-manager of files", files_app(settings, {}, [])),
    ):
        yield name, made, made


def doors(name: str, app: Litestar, root: str = "") -> Iterator[Door]:
    """Every route of an application."""
    for route in app.routes:
        handlers: list[tuple[str, Any]] = []
        if isinstance(route, HTTPRoute):
            handlers = [(method, handler) for handler in route.route_handlers for method in handler.http_methods]
        elif isinstance(route, WebSocketRoute):
            handlers = [("WS", route.route_handler)]
        assert handlers, f"{name} {route.path}: a route of another kind"
        path = "/" + "/".join(
            part if isinstance(part, str) else SAMPLES.get(part.type, "sample") for part in route.path_components
        )
        if not path.startswith(root):
            continue
        for method, handler in handlers:
            yield Door(name, method, path, route.path, dict(handler.opt))


async def knocked(app: Callable[..., Any], door: Door, headers: dict[str, str], host: str = "127.0.0.1") -> int:
    """How a door answers: 200 when the gate lets in, else the status that it refuses with."""
    sent: list[Any] = []
    http = door.method != "WS"
    scope = {
        "type": "http" if http else "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": door.method,
        "scheme": "http" if http else "ws",
        "path": door.path,
        "raw_path": door.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": host, **headers}.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 1),
        "state": {},
        "extensions": {},
        "subprotocols": [],
    }
    if not http:
        del scope["method"]

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False} if http else {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    first = sent[0]
    if first["type"] == "http.response.start":
        return int(first["status"])
    return 200 if first["type"] == "websocket.accept" else int(first["code"]) - 4000
