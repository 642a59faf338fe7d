"""`GET /health` of port 3400 in the original's words; the gateway tells of it in its own."""

import datetime as dt
from typing import Literal

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType

from api.kernel.access import OPEN
from api.kernel.health import Checks, Finding

ID = "documentation-api"


class Database(Struct, frozen=True, kw_only=True):
    """How the database answers."""

    engine: Literal["postgres"] = "postgres"
    status: Literal["healthy", "error"]
    latency_ms: float


class DocumentationHealth(Struct, frozen=True, kw_only=True):
    """Answer of `/health`. The time is UTC."""

    status: Literal["ok", "error"]
    ok: bool
    service: str = ID
    timestamp: dt.datetime
    database: Database
    checks: dict[str, Finding]
    error: str | UnsetType = UNSET


UNHEALTHY = {503: ResponseSpec(DocumentationHealth, generate_examples=False, description="the database is away")}


@get("/health", opt=OPEN, tags=["health"], responses=UNHEALTHY, summary="Health of this service")
async def documentation_health(documentation_checks: NamedDependency[Checks]) -> Response[DocumentationHealth]:
    """200 when the database answers, 503 when it does not."""
    checks = await documentation_checks.findings()
    found = checks["postgres"]
    fine = found.status == "ok"
    body = DocumentationHealth(
        status="ok" if fine else "error",
        ok=fine,
        timestamp=dt.datetime.now(dt.UTC),
        database=Database(status="healthy" if fine else "error", latency_ms=found.latency_ms),
        checks=checks,
        error=UNSET if fine else f"the database does not answer: {found.error}",
    )
    return Response(body, status_code=200 if fine else 503, headers={"Cache-Control": "no-store"})
