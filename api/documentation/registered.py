"""API documents of registered systems: fetched through the door of the probes, and drawn by our own page.

`/docs?spec=/api/v1/systems/{id}/openapi` shows one.
"""

from typing import Any
from urllib.parse import urljoin

from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException

from api.documentation.probing import Prober
from api.documentation.values import Key, existing, key_in
from api.kernel.access import scoped
from api.kernel.errors import responses
from sql.documentation import entities
from sql.documentation.tables import SYSTEMS
from sql.pool import Pool, Row

USUAL = "/docs/openapi.json"


@get(
    "/api/v1/systems/{system_id:str}/openapi",
    tags=["systems"],
    summary="OpenAPI document of a registered system",
    opt=scoped("documentation:read"),
    responses=responses(400, 401, 403, 404, 429, 502, 503, 504),
)
async def system_openapi(
    system_id: Key, documentation_pool: NamedDependency[Pool], documentation_prober: NamedDependency[Prober]
) -> dict[str, Any]:
    """From the address in its `metadata.openapi`, else from `/docs/openapi.json` at its `url`; 5 MB at most."""
    row = existing(await entities.found(documentation_pool, SYSTEMS, key_in(system_id)), "System", system_id)
    return await documentation_prober.document(place_of(row))


def place_of(row: Row) -> str:
    """Where a system has its document. Raises NotFoundException."""
    told = (row.get("metadata") or {}).get("openapi")
    if isinstance(told, str) and told:
        return urljoin(str(row["url"] or ""), told)
    if row["url"]:
        return urljoin(str(row["url"]), USUAL)
    raise NotFoundException(f"{row['name']} has neither `metadata.openapi` nor a `url`")


HANDLERS = (system_openapi,)
