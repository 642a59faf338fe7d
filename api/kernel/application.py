"""The application factory: one Litestar application for one service, with all that the kernel gives."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from msgspec import Struct

from api.kernel import errors
from api.kernel.directory import Directory, directory_of
from api.kernel.documentation import openapi
from api.kernel.gate import Gate, cors
from api.kernel.health import Probe, health_handlers
from api.kernel.limits import RateLimit
from api.kernel.telemetry import Metrics, Telemetry
from config.settings import Settings

MAX_BODY_BYTES = 1_000_000

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


class Service(Struct, frozen=True, kw_only=True):
    """What a service brings: its handlers, what they are given by name, what it needs to be healthy."""

    id: str  # as in the manifest
    title: str
    description: str
    handlers: Sequence[Any]
    parts: Mapping[str, Any] = {}  # argument name of handlers -> object
    probes: Mapping[str, Probe] = {}
    tags: Mapping[str, str] = {}
    lifespans: Sequence[Lifespan] = ()
    rate_limit: int | None = None  # requests per window; None: the setting's


def create_app(
    settings: Settings, service: Service, *, metrics: Metrics | None = None, directory: Directory | None = None
) -> Litestar:
    """Build the application. Nothing is opened before its lifespan starts.

    Raises SettingsError when callers need a key and none is set.
    """
    metrics = metrics or Metrics()
    access, directory = settings.access, directory or directory_of(settings)
    app = Litestar(
        route_handlers=[*health_handlers(service.id, service.probes, metrics), *service.handlers],
        dependencies={name: _provided(part) for name, part in service.parts.items()},
        exception_handlers=errors.HANDLERS,
        middleware=[
            Gate(access, directory),
            RateLimit(service.rate_limit or access.rate_limit_max, access.rate_limit_window_ms),
        ],
        cors_config=cors(settings),
        lifespan=list(service.lifespans),
        on_shutdown=[directory.close],
        openapi_config=openapi(
            service.title, service.description, {"health": "Is it alive, and how does it feel", **service.tags}
        ),
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        debug=False,
    )
    ports = {port: name for name, port in settings.ports.items()}
    app.asgi_handler = Telemetry(app.asgi_handler, metrics, service.id, ports)
    return app


def _provided(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
