"""How every service of the manifest feels, asked at most every few seconds however many want to know.

Those of this process are asked through their probes, the others over HTTP, each within its time.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import httpx
from litestar import get
from litestar.di import NamedDependency
from msgspec import Struct

from api.kernel.access import scoped
from api.kernel.application import Service, probes_of
from api.kernel.errors import responses
from api.kernel.health import Checks
from api.kernel.limits import FREE
from config import manifest
from config.settings import Settings

FRESH_SECONDS = 5.0
TIMEOUT_SECONDS = 1.0

State = Literal["up", "ill", "down"]


class Neighbour(Struct, frozen=True, kw_only=True):
    """A service: `up`, `ill` (answers, but not well) or `down`."""

    id: str
    title: str
    state: State
    detail: str


class Entry(Struct, frozen=True, kw_only=True):
    """A service as the catalog lists it. Addresses are those of this machine."""

    id: str
    title: str
    type: str
    port: int
    url: str
    docs: str | None
    health: str | None
    prefix: str | None  # where the gateway has it besides its own paths
    state: State
    detail: str


class Services(Struct, frozen=True, kw_only=True):
    """The catalog of services."""

    success: bool = True
    data: list[Entry]


class Target(Struct, frozen=True):
    """Where Prometheus finds metrics, and the labels it gives them."""

    targets: list[str]
    labels: dict[str, str]


class Neighbours:
    """Looks after the services around `own`; `inside` are those that this process serves."""

    def __init__(
        self,
        settings: Settings,
        own: str,
        inside: Sequence[Service] = (),
        *,
        prefixes: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._own = own
        self._inside = {service.id: Checks(probes_of(service)) for service in inside}
        self._prefixes = prefixes or {}
        self._clock = clock
        self._lock = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None
        self._seen: tuple[float, list[Neighbour]] = (float("-inf"), [])

    async def states(self) -> list[Neighbour]:
        """Every service that is started here or served by this process, at most five seconds old."""
        async with self._lock:
            if self._clock() - self._seen[0] > FRESH_SECONDS:
                asked = [service for service in manifest.services() if self._looked_after(service)]
                found = await asyncio.gather(*(self._ask(service) for service in asked))
                self._seen = (self._clock(), list(found))
            return self._seen[1]

    async def catalog(self) -> list[Entry]:
        """The same with where each is found."""
        return [self._entry(state) for state in await self.states()]

    def targets(self) -> list[Target]:
        """Every port that has metrics, whether it answers now or not."""
        ours = [service for service in manifest.services() if self._has_pages(service)]
        return [
            Target([f"127.0.0.1:{self._settings.ports[service.id]}"], {"service": service.id, "title": service.title})
            for service in ours
        ]

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()

    def _looked_after(self, service: manifest.Service) -> bool:
        started = bool(service.start and service.health)
        return service.id in (self._own, *self._inside) or (started and service.id in self._settings.ports)

    async def _ask(self, service: manifest.Service) -> Neighbour:
        if service.id == self._own:
            return _told(service, "up", "answers you now")
        if checks := self._inside.get(service.id):
            ill = [f"{name}: {found.error}" for name, found in (await checks.findings()).items() if found.error]
            return _told(service, "ill" if ill else "up", "; ".join(ill) or "answers")
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        try:
            answer = await self._client.get(self._settings.url(service.id, service.health or "/"))
        except httpx.HTTPError:
            return _told(service, "down", "does not answer")
        if answer.status_code >= 400:
            return _told(service, "ill", f"answers with status {answer.status_code}")
        return _told(service, "up", "answers")

    def _has_pages(self, service: manifest.Service) -> bool:
        return service.id == self._own or service.id in self._inside or service.path.startswith("realtime")

    def _entry(self, found: Neighbour) -> Entry:
        service = manifest.service(found.id)
        address = self._settings.url(service.id)
        return Entry(
            id=service.id,
            title=service.title,
            type=service.type,
            port=self._settings.ports[service.id],
            url=address,
            docs=f"{address}/docs" if self._has_pages(service) else None,
            health=f"{address}{service.health}" if service.health else None,
            prefix=self._prefixes.get(service.id),
            state=found.state,
            detail=found.detail,
        )


@get(
    "/api/v1/services",
    opt={**scoped("platform:read"), **FREE},
    tags=["services"],
    summary="Catalog of services",
    responses=responses(401, 403),
)
async def catalog_of_services(neighbours: NamedDependency[Neighbours]) -> Services:
    """Every service with its addresses and how it feels; asked at most every five seconds."""
    return Services(data=await neighbours.catalog())


@get(
    "/api/v1/services/targets",
    tags=["services"],
    summary="Targets for Prometheus",
    opt={**scoped("platform:read"), **FREE},
    responses=responses(401, 403),
)
async def scrape_targets(neighbours: NamedDependency[Neighbours]) -> list[Target]:
    """Every port with `/metrics`, as Prometheus' HTTP service discovery reads it (`http_sd_configs`)."""
    return neighbours.targets()


def _told(service: manifest.Service, state: State, detail: str) -> Neighbour:
    return Neighbour(id=service.id, title=service.title, state=state, detail=detail)
