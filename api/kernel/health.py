"""`GET /health` and `GET /metrics`: what this process needs, asked with a bound on the time."""

import asyncio
import datetime as dt
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast

import anyio.to_thread
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.kernel.access import OPEN, scoped
from api.kernel.telemetry import Metrics

Probe = Callable[[], bool | str]  # blocking; True when the thing is well, otherwise False or, in words, why it is not
Question = Probe | Callable[[], Awaitable[bool | str]]  # one that does not block is asked in the loop
EXPOSITION = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # litestar adds the charset of text itself
TIMEOUT_SECONDS = 2.0
FRESH_SECONDS = 1.0  # asked more often, the last answer is given: health checks must not load what they watch


class Finding(Struct, frozen=True, kw_only=True):
    """What one check found."""

    status: Literal["ok", "error"]
    latency_ms: float
    error: str | None = None


class Health(Struct, frozen=True, kw_only=True):
    """Answer of `/health`. Times are UTC, `uptime` is in seconds."""

    status: Literal["ok", "unhealthy"]
    ok: bool
    service: str
    version: str
    timestamp: dt.datetime
    uptime: float
    checks: dict[str, Finding]


class Checks:
    """Runs the probes of a process at most once a second, each within its time, however many ask."""

    def __init__(self, probes: Mapping[str, Question], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._probes = probes
        self._timeout = timeout_seconds
        self._lock = asyncio.Lock()
        self._limiters = {name: anyio.CapacityLimiter(1) for name in probes}  # a hung probe holds one thread, not all
        self._found: dict[str, Finding] = {}
        self._asked = float("-inf")

    async def findings(self) -> dict[str, Finding]:
        """One finding per probe."""
        async with self._lock:
            if time.monotonic() - self._asked > FRESH_SECONDS:
                found = await asyncio.gather(*(self._ask(name) for name in self._probes))
                self._found = dict(zip(self._probes, found, strict=True))
                self._asked = time.monotonic()
            return self._found

    async def _ask(self, name: str) -> Finding:
        began = time.perf_counter()
        try:
            found = await asyncio.wait_for(self._run(name), self._timeout)
        except TimeoutError:
            found = f"no answer within {self._timeout:g} s"
        except Exception as error:  # a probe of any kind: the name of its error is told, its words may hold a DSN
            found = type(error).__name__
        latency = round((time.perf_counter() - began) * 1000, 2)
        return Finding(status="ok", latency_ms=latency) if found is True else _failed(latency, found)

    async def _run(self, name: str) -> bool | str:
        probe: Any = self._probes[name]
        if inspect.iscoroutinefunction(probe):
            return await cast("Awaitable[bool | str]", probe())
        return await anyio.to_thread.run_sync(probe, abandon_on_cancel=True, limiter=self._limiters[name])


def health_handlers(service: str, probes: Mapping[str, Question], metrics: Metrics) -> list[HTTPRouteHandler]:
    """The handlers of `/health` (open to all) and `/metrics`."""
    checks, started = Checks(probes), time.monotonic()
    unhealthy = {503: ResponseSpec(Health, generate_examples=False, description="something needed does not answer")}

    @get("/health", opt=OPEN, tags=["health"], responses=unhealthy, summary="Health of this process")
    async def health() -> Response[Health]:
        """200 when everything this process needs answers, 503 otherwise; `checks` says what does not."""
        found = await checks.findings()
        ok = all(finding.status == "ok" for finding in found.values())
        body = Health(
            status="ok" if ok else "unhealthy",
            ok=ok,
            service=service,
            version=product_version(),
            timestamp=dt.datetime.now(dt.UTC),
            uptime=round(time.monotonic() - started, 1),
            checks=found,
        )
        return Response(body, status_code=200 if ok else 503, headers={"Cache-Control": "no-store"})

    @get(
        "/metrics",
        opt=scoped("platform:read"),
        tags=["health"],
        media_type="text/plain",
        summary="Prometheus metrics",
        sync_to_thread=True,
    )
    def exposition() -> Response[bytes]:
        """Metrics of this process in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=EXPOSITION)

    handlers: list[Any] = [health, exposition]
    return handlers


def product_version() -> str:
    """Version of TradingSystem as installed; from a checkout that is not installed, `0.1.0`."""
    try:
        return version("tradingsystem")
    except PackageNotFoundError:
        return "0.1.0"


def _failed(latency_ms: float, found: bool | str) -> Finding:
    why = found if isinstance(found, str) else "does not answer"
    return Finding(status="error", latency_ms=latency_ms, error=why)
