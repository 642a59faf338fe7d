"""The application factory: one Litestar application for one service, with all that the kernel gives."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.di import Provide
from msgspec import Struct
from prometheus_client.registry import Collector

from api.kernel import errors
from api.kernel.answers import Ready
from api.kernel.bodies import BodyRequest
from api.kernel.deadlines import Deadlines
from api.kernel.directory import Directory, directory_of
from api.kernel.documentation import ExactNumbers, openapi
from api.kernel.gate import Gate, cors
from api.kernel.health import Question, health_handlers
from api.kernel.idempotency import Repeats
from api.kernel.limits import COUNTED, SERVICE, RateLimit, Windows
from api.kernel.telemetry import Metrics, Telemetry
from config.settings import Allowance, Settings

if TYPE_CHECKING:
    from sql.answers import Answers
    from sql.pool import Pool

MAX_BODY_BYTES = 1 << 20

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


class Service(Struct, frozen=True, kw_only=True):
    """What a service brings: its handlers, what they are given by name, what it needs to be healthy."""

    id: str  # as in the manifest
    title: str
    description: str
    handlers: Sequence[Any]  # also on the gateway, at the same paths
    own: Sequence[Any] = ()  # on its own port alone, such as `/`; a `/health` here replaces the kernel's
    parts: Mapping[str, Any] = {}  # argument name of handlers -> object
    probes: Mapping[str, Question] = {}
    pools: Sequence["Pool"] = ()  # the kernel watches, measures and closes them
    collectors: Sequence[Collector] = ()  # metrics of its own
    tags: Mapping[str, str] = {}
    lifespans: Sequence[Lifespan] = ()
    counted: str = "/api/"  # the rate limit counts requests of `handlers` whose path begins so
    rate_limit: int | None = None  # requests per window; None: the setting's
    repeatable: bool = True  # writes take an `Idempotency-Key`; False where another process remembers them
    max_body_bytes: int = MAX_BODY_BYTES
    shared: bool = False  # pages of other origins may embed its answers


def create_app(
    settings: Settings,
    service: Service,
    *,
    metrics: Metrics | None = None,
    mounted: Sequence[Service] = (),
    windows: Windows | None = None,
    directory: Directory | None = None,
    answers: "Answers | None" = None,
) -> Litestar:
    """Build the application; `mounted` services answer in it too. Nothing is opened before its lifespan starts.

    `windows` are the counts of a process that holds several applications, `answers` what they answered to writes with
    an `Idempotency-Key`; `mounted` services have their lifespan in their own application. Raises SettingsError when
    callers need a key and none is set.
    """
    metrics, directory = metrics or Metrics(), directory or directory_of(settings)
    windows = windows or Windows()
    for collector in service.collectors:
        metrics.registry.register(collector)
    for pool in service.pools:
        pool.observe = metrics.observer(service.id)
    own_health = any("/health" in handler.paths for handler in service.own if hasattr(handler, "paths"))
    kernel = health_handlers(service.id, probes_of(service), metrics)
    tags = {name: text for part in (service, *mounted) for name, text in part.tags.items()}
    repeatable = frozenset(part.id for part in (service, *mounted) if part.repeatable and answers)
    app = Litestar(
        route_handlers=[
            *(kernel[1:] if own_health else kernel),
            _routed(service, service.own, counted="/api/"),
            *(_routed(part, part.handlers, counted=part.counted) for part in (service, *mounted)),
        ],
        exception_handlers=errors.HANDLERS,
        middleware=[
            Gate(settings.access, directory, windows, settings.allowance(service.id)),
            RateLimit(service.id, allowances(settings, (service, *mounted)), windows),
            Deadlines(),
            *([Repeats(answers, repeatable)] if answers else []),
        ],
        cors_config=cors(settings),
        lifespan=[_closing(service), *service.lifespans],
        on_shutdown=[directory.close],
        openapi_config=openapi(
            service.title, service.description, {"health": "Is it alive, and how does it feel", **tags}
        ),
        plugins=[ExactNumbers()],
        request_max_body_size=service.max_body_bytes,
        request_class=BodyRequest,
        response_class=Ready,
        logging_config=None,
        debug=False,
    )
    app.state.repeatable = repeatable  # the document says so
    same_origin = getattr(app.asgi_handler, "app", None) if app.cors_config else None  # what CORS stands before
    app.asgi_handler = Telemetry(app.asgi_handler, metrics, service.id, same_origin=same_origin, shared=service.shared)
    return app


def probes_of(service: Service) -> dict[str, Question]:
    """What is asked when the service is asked for its health."""
    pools = {"postgres" if len(service.pools) == 1 else pool.name: pool.ready for pool in service.pools}
    return {**pools, **service.probes}


def allowances(settings: Settings, services: Sequence[Service]) -> dict[str, Allowance]:
    """How many requests of one address each service answers."""
    found = {}
    for service in services:
        allowed = settings.allowance(service.id)
        if service.rate_limit is not None:
            allowed = Allowance(service.rate_limit, allowed.window_ms, allowed.setting)
        found[service.id] = allowed
    return found


def _routed(service: Service, handlers: Sequence[Any], counted: str) -> Router:
    return Router(
        "/",
        route_handlers=handlers,
        dependencies={name: _provided(part) for name, part in service.parts.items()},
        opt={SERVICE: service.id, COUNTED: counted},
        request_max_body_size=service.max_body_bytes,
    )


def _closing(service: Service) -> Lifespan:
    @asynccontextmanager
    async def pools(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for pool in service.pools:
                await pool.close()

    return pools


def _provided(part: Any) -> Provide:
    return Provide(lambda: part, use_cache=True, sync_to_thread=False)
