"""The outermost layer of an application: correlation id, request log, metrics, HEAD and hardening headers.

It wraps the whole application and not each route, so that unknown paths and refused requests are seen as well.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import cache

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from api.kernel.headers import Pairs, fill, first, pairs_of, put
from api.kernel.logs import during, tell

CORRELATION = b"x-correlation-id"
CORRELATION_SHAPE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
PARAMETER_TYPE = re.compile(r"\{(\w+):\w+\}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"/health", "/metrics", "/api/v1/live"})  # asked every second or so: logged at debug
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HARDENING = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}

logger = structlog.get_logger("api.requests")
requests = logging.getLogger("api.requests")


class Metrics:
    """The HTTP metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "tradingsystem_http_requests_total",
            "Requests answered",
            ["service", "method", "route", "status"],
            registry=self.registry,
        )
        self.durations = Histogram(
            "tradingsystem_http_request_duration_seconds",
            "Time from the request's first byte to the answer's last",
            ["service", "method", "route"],
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.queries = Counter(
            "tradingsystem_db_queries_total",
            "Statements sent to a database",
            ["service", "operation", "status"],
            registry=self.registry,
        )
        self.query_durations = Histogram(
            "tradingsystem_db_query_duration_seconds",
            "Time from a statement to its last row, waiting for a connection included",
            ["service", "operation"],
            registry=self.registry,
            buckets=BUCKETS,
        )

    def active(self, service: str) -> Gauge:
        """The requests of a service that are being answered, under the name the original gave them."""
        name = f"{service.replace('-', '_')}_active_connections"
        return Gauge(name, "Requests that are being answered", registry=self.registry)

    def series(self, service: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Where a request is counted; looked up once for each combination, of which there are few."""
        key = (service, method, route, status)
        found = self._series.get(key)
        if found is None:
            requests = self.requests.labels(service, method, route, str(status))
            found = self._series[key] = (requests, self.durations.labels(service, method, route))
        return found

    def observer(self, service: str) -> Callable[[str, str, float], None]:
        """What tells of the statements that a service sends to its database."""

        @cache
        def series(operation: str, status: str) -> tuple[Counter, Histogram]:
            return self.queries.labels(service, operation, status), self.query_durations.labels(service, operation)

        def observe(operation: str, status: str, seconds: float) -> None:
            queries, durations = series(operation, status)
            queries.inc()
            durations.observe(seconds)

        return observe


class Telemetry:
    """ASGI layer of the application of `service`; requests of a service that is mounted in it count as that one's.

    `same_origin` is the part of `app` that answers a request without `Origin`.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, service: str, *, same_origin: ASGIApp | None = None, shared: bool = False
    ) -> None:
        self._app = app
        self._same_origin = same_origin or app
        self._metrics = metrics
        self._service = service
        self._active = metrics.active(service)
        self._hardening = pairs_of(HARDENING | ({"Cross-Origin-Resource-Policy": "cross-origin"} if shared else {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._hardening)
        self._active.inc()
        during.set((exchange.correlation_id, self._service))
        app = self._app if first(scope, b"origin") else self._same_origin
        try:
            await app(exchange.scope, receive, exchange.send)
        except Exception:
            exchange.status = exchange.status or 500
            logger.exception("answer_broken_off", method=exchange.method, path=exchange.path)
            raise
        finally:
            self._active.dec()
            self._record(exchange)

    def _record(self, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.began
        found = exchange.scope.get("route_handler")
        service = found.opt.get("service", self._service) if found else self._service
        method = exchange.method if exchange.method in METHODS else "OTHER"
        route = route_of(exchange.scope)
        counter, durations = self._metrics.series(service, method, route, exchange.status)
        counter.inc()
        durations.observe(seconds)
        told = {
            "method": exchange.method,
            "route": route,
            "path": exchange.path,
            "status": exchange.status,
            "duration_ms": round(seconds * 1000, 2),
        }
        quiet = exchange.path in QUIET and exchange.status < 400
        tell(requests, logging.DEBUG if quiet else logging.INFO, "request", told, ("method", "path"))


class _Exchange:
    """One request and its answer, as the outermost layer sees them. HEAD runs as GET and its body is dropped here."""

    __slots__ = ("_hardening", "_send", "began", "correlation_id", "method", "path", "scope", "status")

    def __init__(self, scope: Scope, send: Send, hardening: Pairs) -> None:
        self.began = time.perf_counter()
        self.method: str = scope["method"]  # type: ignore[typeddict-item]
        self.path: str = scope["path"]
        self.status = 0
        self._send = send
        self._hardening = hardening
        told = first(scope, CORRELATION)
        self.correlation_id = told if told and CORRELATION_SHAPE.fullmatch(told) else next(IDS)
        head = self.method == "HEAD"
        state = {**scope.get("state", {}), "correlation_id": self.correlation_id, "head": head}
        # A copy: the server must go on knowing that it was HEAD.
        self.scope: Scope = {**scope, "state": state}  # type: ignore[assignment]
        if head:
            self.scope["method"] = "GET"  # type: ignore[typeddict-unknown-key]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            put(message, ((CORRELATION, self.correlation_id.encode("latin-1")),))
            fill(message, self._hardening)
        elif self.method == "HEAD" and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)


def _ids() -> Iterator[str]:
    """Random UUIDs; asking for the randomness of one costs as much as for that of many."""
    while True:
        drawn = os.urandom(4096).hex()
        for at in range(0, len(drawn), 32):
            text = drawn[at : at + 32]
            variant = "89ab"[int(text[16], 16) & 3]
            yield f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


IDS = _ids()


def route_of(scope: Scope) -> str:
    """The pattern of the route that was found, such as `/api/items/{id}`; `unmatched` where there is none."""
    return _route(scope.get("path_template") or "")


@cache
def _route(template: str) -> str:
    return PARAMETER_TYPE.sub(r"{\1}", template) or "unmatched"
