"""`/health` in the words of the original, with what the kernel's says beside them."""

import datetime as dt
import time
from typing import Literal

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType, field

from api.kernel.access import OPEN
from api.kernel.health import Checks, Finding, product_version

ID = "workspace-api"
STARTED = time.monotonic()


class WorkspaceHealth(Struct, frozen=True, kw_only=True):
    """How the workspace feels. `success`, `message` and `errors` come when it does not feel well."""

    status: Literal["healthy", "unhealthy"]
    ok: bool
    service: str
    db_strategy: Literal["timescaledb"] = field(name="dbStrategy", default="timescaledb")
    version: str
    timestamp: dt.datetime
    uptime: float
    checks: dict[str, Finding]
    success: bool | UnsetType = UNSET
    message: str | UnsetType = UNSET
    errors: list[str] | UnsetType = UNSET


UNHEALTHY = {500: ResponseSpec(WorkspaceHealth, generate_examples=False, description="The database does not answer")}


@get("/health", opt=OPEN, tags=["health"], responses=UNHEALTHY, summary="Health of the workspace")
async def health(workspace_checks: NamedDependency[Checks]) -> Response[WorkspaceHealth]:
    """200 when the database answers, 500 otherwise, as the original did; `checks` says what does not."""
    found = await workspace_checks.findings()
    errors = [f"{name}: {finding.error}" for name, finding in found.items() if finding.status != "ok"]
    body = WorkspaceHealth(
        status="unhealthy" if errors else "healthy",
        ok=not errors,
        service=ID,
        version=product_version(),
        timestamp=dt.datetime.now(dt.UTC),
        uptime=round(time.monotonic() - STARTED, 1),
        checks=found,
        success=False if errors else UNSET,
        message="the workspace's database does not answer" if errors else UNSET,
        errors=errors or UNSET,
    )
    return Response(body, status_code=500 if errors else 200, headers={"Cache-Control": "no-store"})
