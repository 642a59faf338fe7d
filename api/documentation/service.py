"""The documentation service as the kernel takes it: handlers, the pool they share, the prober."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router

from api.documentation import audit, files, ideas, links, stats, systems, uploads
from api.documentation.health import ID, documentation_health
from api.documentation.probing import Prober
from api.documentation.refusals import REFUSALS
from api.documentation.states import tagged
from api.kernel.application import Service
from api.kernel.health import Checks
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
}
HANDLERS = (
    *systems.HANDLERS,
    *ideas.HANDLERS,
    *links.HANDLERS,
    *files.HANDLERS,
    *uploads.HANDLERS,
    *stats.HANDLERS,
    *audit.HANDLERS,
)


def documentation(settings: Settings) -> Service:
    """The service on the database of `settings`. Opens nothing before the first request."""
    pool = Pool(settings.postgres.dsn("app_documentation", "frontend_apps"), ID)
    prober = Prober(places(settings))

    @asynccontextmanager
    async def probing(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await prober.close()

    return Service(
        id=ID,
        title="Documentation",
        description=DESCRIPTION,
        handlers=[Router("/", route_handlers=HANDLERS, exception_handlers=REFUSALS, after_request=tagged)],
        own=[documentation_health],
        parts={
            "documentation_pool": pool,
            "documentation_prober": prober,
            "documentation_checks": Checks({"postgres": pool.ready}),
        },
        pools=[pool],
        tags=TAGS,
        lifespans=[probing],
    )


def places(settings: Settings) -> frozenset[str]:
    """`host:port` of this network that probes may ask: our own services but not the stores, whose GET can do harm, and
    what is set."""
    own = [port for name, port in settings.ports.items() if manifest.service(name).type != "infra"]
    here = {f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in own}
    return frozenset(here | set(settings.probe_allow.lower().replace(",", " ").split()))
