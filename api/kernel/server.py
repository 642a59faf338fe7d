"""Serves one application on the ports of one or several services; the port a request came in by tells the service."""

import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvicorn

from api.kernel.sockets import SharedFrames
from config import manifest
from config.settings import Settings

STOP_SECONDS = 10

Application = Callable[[Any, Any, Any], Awaitable[None]]


class PortTakenError(Exception):
    """A port cannot be listened on. The message names the port, the setting and the remedy."""


def serve(app: Application, settings: Settings, services: Sequence[str], *, pooled: bool = False) -> None:
    """Answer on the port of each service until SIGTERM or SIGINT, then finish what is being answered and return.

    `pooled` says that the application has pools of database connections. Answers still going after ten seconds are cut
    off. Raises PortTakenError before anything is answered.
    """
    sockets = listening(settings, services)
    server = uvicorn.Server(configured(app, pooled=pooled))
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        # uvicorn raises the signal again after a clean stop; a stop that was asked for is a success.
        if number := getattr(signal, name, None):  # SIGBREAK is Windows' way to ask a child
            signal.signal(number, lambda *_: None)
    server.run(sockets=sockets)


def configured(app: Application, *, pooled: bool = False) -> uvicorn.Config:
    """How every application is served."""
    return uvicorn.Config(
        app,
        # psycopg cannot use Windows' usual loop; the other one takes 512 sockets there, too few for the stream.
        loop="asyncio:SelectorEventLoop" if pooled and sys.platform == "win32" else "auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a header must not decide who is on loopback
        ws=SharedFrames,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        lifespan="on",
    )


def listening(settings: Settings, services: Sequence[str]) -> list[socket.socket]:
    """Sockets bound to the ports of the services; all of them or none."""
    sockets: list[socket.socket] = []
    try:
        for service in services:
            sockets.append(_bound(settings.access.bind, settings.ports[service], service))
    except PortTakenError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _bound(host: str, port: int, service: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    # Windows' SO_REUSEADDR lets two programs share a port; elsewhere it only skips the wait after a restart.
    exclusive = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
    bound.setsockopt(socket.SOL_SOCKET, getattr(socket, exclusive), 1)
    try:
        bound.bind((host, port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        variable = (manifest.service(service).port_variables or ["its port"])[0]
        raise PortTakenError(
            f"{service} cannot listen on {host}:{port} ({error.strerror}); "
            f"stop the program that has the port, or set {variable} to a free one"
        ) from error
    return bound
