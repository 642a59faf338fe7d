"""`GET /health` of the gateway: its own stores, and how every service feels."""

import datetime as dt
import time
from typing import Literal

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from api.kernel.access import OPEN
from api.kernel.health import Checks, Finding, product_version
from api.neighbours import Neighbours

SERVICE = "api-gateway"


class ServiceHealth(Struct, frozen=True, kw_only=True):
    """How one service feels."""

    status: Literal["ok", "degraded", "down"]
    detail: str


class OverallHealth(Struct, frozen=True, kw_only=True):
    """Answer of the gateway's `/health`. `degraded`: the gateway is well and a service is not."""

    status: Literal["ok", "degraded", "unhealthy"]
    ok: bool
    service: str = SERVICE
    version: str
    timestamp: dt.datetime
    uptime: float  # seconds
    checks: dict[str, Finding]
    services: dict[str, ServiceHealth]


class Overall:
    """Puts the gateway's checks and its neighbours together."""

    def __init__(self, checks: Checks, neighbours: Neighbours) -> None:
        self._checks = checks
        self._neighbours = neighbours
        self._started = time.monotonic()

    async def health(self) -> OverallHealth:
        """Of the platform, now."""
        found = await self._checks.findings()
        services = {
            state.id: ServiceHealth(
                status={"up": "ok", "ill": "degraded", "down": "down"}[state.state],  # type: ignore[arg-type]
                detail=state.detail,
            )
            for state in await self._neighbours.states()
        }
        well = all(finding.status == "ok" for finding in found.values())
        all_well = well and all(service.status == "ok" for service in services.values())
        return OverallHealth(
            status="ok" if all_well else "degraded" if well else "unhealthy",
            ok=well,
            version=product_version(),
            timestamp=dt.datetime.now(dt.UTC),
            uptime=round(time.monotonic() - self._started, 1),
            checks=found,
            services=services,
        )


@get(
    "/health",
    opt=OPEN,
    tags=["health"],
    summary="Health of the platform",
    responses={503: ResponseSpec(OverallHealth, generate_examples=False, description="a store does not answer")},
)
async def health(overall: NamedDependency[Overall]) -> Response[OverallHealth]:
    """503 when a store that the gateway needs does not answer, 200 otherwise; `degraded` when a service is not well."""
    found = await overall.health()
    return Response(found, status_code=200 if found.ok else 503, headers={"Cache-Control": "no-store"})
