"""`/api/v1/systems/{id}/health`, `/health-check-all`: whether systems answer, asked now and kept."""

import asyncio
from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from msgspec import Struct

from api.documentation.answers import CHANGES, READS
from api.documentation.probing import AT_A_TIME, TIMEOUT_SECONDS, Prober
from api.documentation.systems import PATH, TAGS, System
from api.documentation.values import Key, existing, key_in, who_asks
from api.kernel.access import scoped
from api.kernel.deadlines import SECONDS
from sql.documentation import entities, systems
from sql.documentation.audit import Who
from sql.documentation.entities import MOST, Asked
from sql.documentation.systems import Probed
from sql.documentation.tables import SYSTEMS
from sql.pool import Pool, Row

ALL_SECONDS = MOST / AT_A_TIME * TIMEOUT_SECONDS + 30  # when none of them answers


class ProbeAnswer(Struct, frozen=True, kw_only=True):
    """What a probe found."""

    success: bool = True
    data: Probed
    message: str


class ProbedSystem(Struct, frozen=True, kw_only=True):
    """A system and what its probe found."""

    system: System
    health: Probed


class ProbeList(Struct, frozen=True, kw_only=True):
    """Every system, probed."""

    success: bool = True
    data: list[ProbedSystem]
    count: int


@post(
    f"{PATH}/{{system_id:str}}/health",
    tags=TAGS,
    summary="Probe a system",
    opt=scoped("documentation:write"),
    status_code=200,
    responses=CHANGES,
)
async def probe_system(
    request: Request[Any, Any, Any],
    system_id: Key,
    documentation_pool: NamedDependency[Pool],
    documentation_prober: NamedDependency[Prober],
) -> ProbeAnswer:
    """Its address is asked, for ten seconds at most. 2xx is online, another answer an error, no answer offline."""
    row = existing(await entities.found(documentation_pool, SYSTEMS, key_in(system_id)), "System", system_id)
    probed = await documentation_prober.probed(row["url"])
    await systems.record(documentation_pool, row["id"], probed, who_asks(request))
    return ProbeAnswer(data=probed, message="Health check completed")


@post(
    f"{PATH}/health-check-all",
    tags=TAGS,
    summary="Probe all systems",
    opt={**scoped("documentation:write"), SECONDS: ALL_SECONDS},
    status_code=200,
    responses=READS,
)
async def probe_all_systems(
    request: Request[Any, Any, Any],
    documentation_pool: NamedDependency[Pool],
    documentation_prober: NamedDependency[Prober],
) -> ProbeList:
    """32 at a time; each result is stored as it comes."""
    rows = await entities.listed(documentation_pool, SYSTEMS, Asked(order_by="name", direction="ASC"))
    who = who_asks(request)
    found = await asyncio.gather(*(_probed(documentation_pool, documentation_prober, row, who) for row in rows))
    data = [entry for entry in found if entry is not None]
    return ProbeList(data=data, count=len(data))


async def _probed(pool: Pool, prober: Prober, row: Row, who: Who) -> ProbedSystem | None:
    probed = await prober.probed(row["url"])
    if not await systems.record(pool, row["id"], probed, who):
        return None  # removed in the meantime
    now = {name: getattr(probed, name) for name in ("status", "response_time_ms", "last_checked")}
    return ProbedSystem(system=System(**row | now), health=probed)


HANDLERS = (probe_system, probe_all_systems)
