"""The documentation service as the kernel takes it: handlers, the pool they share, the prober."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Router, get

from api.documentation import (
    audit,
    files,
    ideas,
    library,
    links,
    page_health,
    probes,
    registered,
    spec_search,
    spec_versions,
    stats,
    systems,
    uploads,
)
from api.documentation.health import ID, documentation_health
from api.documentation.probing import Prober
from api.documentation.refusals import REFUSALS
from api.documentation.states import tagged
from api.kernel.access import OPEN
from api.kernel.application import Service
from api.kernel.health import Checks, product_version
from config import manifest
from config.settings import Settings
from sql.pool import Pool

DESCRIPTION = """A registry of systems that are probed for health, ideas on a board, links, files, figures over all of
them, and one search that knows Portuguese and English.

Every write is kept in an audit log. Unknown members of bodies and unknown query parameters are ignored.
"""
TAGS = {
    "systems": "Systems, and whether they answer",
    "ideas": "Ideas, and the board they move over",
    "links": "Addresses worth keeping",
    "files": "Files, stored in the database",
    "stats": "Figures, search, what happened lately",
    "audit": "Who changed what",
    "specs": "The API documents: searched, kept, compared",
    "pages": "Pages of the Hub: searched, judged",
}
HANDLERS = (
    *systems.HANDLERS,
    *registered.HANDLERS,
    *probes.HANDLERS,
    *ideas.HANDLERS,
    *links.HANDLERS,
    *files.HANDLERS,
    *uploads.HANDLERS,
    *stats.HANDLERS,
    *audit.HANDLERS,
    *spec_search.HANDLERS,
    *spec_versions.HANDLERS,
    *library.HANDLERS,
    *page_health.HANDLERS,
)


@get("/", opt=OPEN, tags=["health"], summary="What this is")
async def about() -> dict[str, Any]:
    """Its version and its paths."""
    return {
        "success": True,
        "service": ID,
        "version": product_version(),
        "endpoints": {
            "health": "/health",
            "documentation": "/docs",
            "openapi": "/spec/openapi.yaml",
            "asyncapi": "/spec/asyncapi.yaml",
            "api": {name: f"/api/v1/{name}" for name in ("systems", "ideas", "files", "stats", "search", "suggest")},
        },
    }


def documentation(settings: Settings) -> Service:
    """The service on the database of `settings`. Opens nothing before the first request."""
    pool = Pool(settings.postgres.dsn("app_documentation", "frontend_apps"), ID)
    prober = Prober(places(settings))
    pages, gauges = library.Library(settings.root / "docs", pool), page_health.Gauges(settings)

    @asynccontextmanager
    async def probing(_: Litestar) -> AsyncIterator[None]:
        reading = asyncio.create_task(pages.keep_up())
        try:
            yield
        finally:
            reading.cancel()
            await prober.close()

    return Service(
        id=ID,
        title="Documentation",
        description=DESCRIPTION,
        handlers=[Router("/", route_handlers=HANDLERS, exception_handlers=REFUSALS, after_request=tagged)],
        own=[documentation_health, about],
        parts={
            "documentation_pool": pool,
            "documentation_prober": prober,
            "library": pages,
            "specs_index": spec_search.Specs(pool),
            "gauges": gauges,
            "documentation_checks": Checks({"postgres": pool.ready}),
        },
        pools=[pool],
        collectors=gauges.collectors,
        tags=TAGS,
        lifespans=[probing],
    )


def places(settings: Settings) -> frozenset[str]:
    """`host:port` of this network that probes may ask: our own services but not the stores, whose GET can do harm, and
    what is set."""
    own = [port for name, port in settings.ports.items() if manifest.service(name).type != "infra"]
    here = {f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in own}
    return frozenset(here | set(settings.probe_allow.lower().replace(",", " ").split()))
