"""The Firecrawl proxy: checks what is to be scraped, asks Firecrawl, and gives back what it said in few words.

Addresses of this machine and its network never reach Firecrawl (`api.kernel.targets`).
"""

import contextlib
import datetime as dt
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal

import httpx
import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, Meta, Struct, UnsetType, field
from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from api.kernel.access import OPEN, scoped
from api.kernel.application import Service
from api.kernel.bodies import Body
from api.kernel.errors import InvalidRequestError, UpstreamError, invalid, problem_of, responses
from api.kernel.fetch import Door, RefusedTargetError, UnresolvedError
from api.kernel.health import Checks, product_version
from config.settings import Settings

ID = "firecrawl-proxy"
READINESS = "/v0/health/readiness"
READINESS_SECONDS = 1.5
MARGIN_SECONDS = 5.0  # Firecrawl's own time-out comes first, and says more
MAX_WORDS = 500
MAX_BODY_BYTES = 2 << 20

ENDPOINTS = {"scrape": "/api/v1/scrape", "crawl": "/api/v1/crawl", "crawlStatus": "/api/v1/crawl/{id}"}
DESCRIPTION = """Reads pages of the web through a Firecrawl server of yours (`FIRECRAWL_PROXY_BASE_URL`).

Addresses of private networks, of this machine and of clouds' metadata never reach it, however they are written."""

Format = Literal["markdown", "html", "rawHtml", "links", "screenshot", "screenshot@fullPage", "json"]
Tag = Annotated[str, Meta(min_length=1, max_length=2048)]
Url = Annotated[str, Meta(max_length=2048, description="http or https, of the public Internet")]
Job = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="The id that a crawl was given")]


class ScrapeOptions(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """How a page is read. Times are milliseconds."""

    formats: list[Format] = field(default_factory=lambda: ["markdown"])
    only_main_content: bool = True
    wait_for: Annotated[int, Meta(ge=0, le=30_000)] | UnsetType = UNSET
    timeout: Annotated[int, Meta(ge=1000, le=60_000)] | UnsetType = UNSET
    include_tags: list[Tag] | UnsetType = UNSET
    exclude_tags: list[Tag] | UnsetType = UNSET


class Scrape(ScrapeOptions, frozen=True, kw_only=True, rename="camel"):
    """One page."""

    url: Url


class Crawl(Struct, frozen=True, kw_only=True, rename="camel"):
    """Pages from one on."""

    url: Url
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    max_depth: Annotated[int, Meta(ge=1, le=10)] = 2
    exclude_paths: list[Tag] | UnsetType = UNSET
    include_paths: list[Tag] | UnsetType = UNSET
    scrape_options: ScrapeOptions | UnsetType = UNSET
    allow_backward_links: bool = False
    allow_external_links: bool = False


class Done(Struct, frozen=True, kw_only=True):
    """`data` is what Firecrawl answered, without its envelope."""

    success: bool = True
    data: dict[str, Any]


class Firecrawl:
    """Firecrawl's HTTP interface, asked on behalf of callers. Opens nothing before the first of them."""

    def __init__(self, settings: Settings, *, door: Door | None = None) -> None:
        self.base_url = settings.firecrawl.base_url.rstrip("/")
        self._timeout = settings.firecrawl.timeout_ms / 1000
        self._door = door or Door()
        self._client = httpx.AsyncClient(base_url=self.base_url, trust_env=False)
        self.figures = Figures()

    async def scrape(self, asked: Scrape) -> dict[str, Any]:
        """One page. Raises InvalidRequestError for an address that is not public, UpstreamError."""
        body = msgspec.structs.replace(asked, url=await self._public(asked.url))
        patience = self._timeout if asked.timeout is UNSET else asked.timeout / 1000 + MARGIN_SECONDS
        with self.figures.scraping():
            return _data_of(await self._asked("POST", "/v1/scrape", body, patience))

    async def crawl(self, asked: Crawl) -> dict[str, Any]:
        """Begin a crawl: its id and where its state is told. Raises as `scrape` does."""
        body = msgspec.structs.replace(asked, url=await self._public(asked.url))
        found = await self._asked("POST", "/v1/crawl", body, self._timeout)
        self.figures.crawls.labels(ID, "success").inc()
        inner = found["data"] if isinstance(found.get("data"), dict) else {}
        return {name: found.get(name, inner.get(name)) for name in ("id", "url")}

    async def crawled(self, job: str) -> dict[str, Any]:
        """How far a crawl is, and its pages. Raises NotFoundException, UpstreamError."""
        try:
            found = await self._asked("GET", f"/v1/crawl/{job}", None, self._timeout)
        except UpstreamError as error:
            if error.status == 404:
                raise NotFoundException(f"there is no crawl {job}") from error
            raise
        self.figures.checks.labels(ID, _known(str(found.get("status")))).inc()
        names = ("status", "total", "completed", "creditsUsed", "expiresAt", "data", "next")
        return {name: found.get(name) for name in names}

    async def reachable(self) -> bool:
        """Whether Firecrawl says that it is ready."""
        try:
            answer = await self._client.get(READINESS, timeout=READINESS_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()
        await self._door.aclose()

    async def _public(self, url: str) -> str:
        try:
            target, _ = await self._door.checked(url.strip())
        except (RefusedTargetError, UnresolvedError) as error:
            raise invalid("url", str(error)) from error
        return target.url

    async def _asked(self, method: str, path: str, body: Struct | None, seconds: float) -> dict[str, Any]:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = await self._client.request(method, path, content=content, headers=headers, timeout=seconds)
        except httpx.ConnectError as error:
            raise UpstreamError(503, "Firecrawl does not answer; try again shortly") from error
        except httpx.TimeoutException as error:
            raise UpstreamError(504, f"Firecrawl has not answered within {seconds:g} s") from error
        except httpx.HTTPError as error:
            raise UpstreamError(502, "Firecrawl broke off its answer") from error
        return _found_in(answer)


class Figures:
    """What Prometheus is told."""

    def __init__(self) -> None:
        prefix, labels = "tradingsystem_firecrawl_", ["service", "status"]
        self.scrapes = Counter(f"{prefix}scrape_total", "Pages asked of Firecrawl", labels, registry=None)
        self.seconds = Histogram(f"{prefix}scrape_duration_seconds", "How long a page took", labels, registry=None)
        self.crawls = Counter(f"{prefix}crawl_jobs_total", "Crawls that were begun", labels, registry=None)
        self.checks = Counter(
            f"{prefix}crawl_status_checks_total",
            "Times that a crawl's state was asked",
            ["service", "crawl_status"],
            registry=None,
        )

    @property
    def collectors(self) -> list[Collector]:
        """All of them."""
        return [self.scrapes, self.seconds, self.crawls, self.checks]

    @contextlib.contextmanager
    def scraping(self) -> Iterator[None]:
        """Count and time one page."""
        began, status = time.perf_counter(), "error"
        try:
            yield
            status = "success"
        finally:
            self.scrapes.labels(ID, status).inc()
            self.seconds.labels(ID, status).observe(time.perf_counter() - began)


def refused(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Values that cannot be used, as the original's clients read them."""
    answer = problem_of(request, error)
    location = "body" if request.method == "POST" else "params"
    told = answer.content.get("errors") or [{"field": "", "message": answer.content["error"]}]
    answer.content["error"] = "Validation failed"
    answer.content["details"] = [
        {"type": "field", "msg": one["message"], "path": one["field"], "location": location} for one in told
    ]
    return answer


REFUSED: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    ValidationException: refused,
    InvalidRequestError: refused,
}


@post(
    "/api/v1/scrape",
    opt=scoped("firecrawl:write"),
    dto=Body[Scrape],
    status_code=200,
    tags=["firecrawl"],
    summary="Read one page",
    exception_handlers=REFUSED,
    responses=responses(400, 401, 429, 502, 503, 504),
)
async def scrape(data: JSONBody[Scrape], firecrawl: NamedDependency[Firecrawl]) -> Done:
    """The page in the formats that were asked for. Private and oddly written addresses are refused."""
    return Done(data=await firecrawl.scrape(data))


@post(
    "/api/v1/crawl",
    opt=scoped("firecrawl:write"),
    dto=Body[Crawl],
    status_code=200,
    tags=["firecrawl"],
    summary="Begin to read pages from one on",
    exception_handlers=REFUSED,
    responses=responses(400, 401, 429, 502, 503, 504),
)
async def crawl(data: JSONBody[Crawl], firecrawl: NamedDependency[Firecrawl]) -> Done:
    """The crawl's id, to ask for its state by."""
    return Done(data=await firecrawl.crawl(data))


@get(
    "/api/v1/crawl/{job:str}",
    opt=scoped("firecrawl:read"),
    tags=["firecrawl"],
    summary="How far a crawl is",
    exception_handlers=REFUSED,
    responses=responses(400, 401, 404, 429, 502, 503, 504),
)
async def crawled(job: Job, firecrawl: NamedDependency[Firecrawl]) -> Done:
    """State and pages of a crawl."""
    return Done(data=await firecrawl.crawled(job))


def _found_in(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not answer.is_success:
        raise UpstreamError(answer.status_code, _words_of(found, answer.status_code))
    if not isinstance(found, dict):
        raise UpstreamError(502, "Firecrawl answered something else than a JSON object")
    return found


def _words_of(found: Any, status: int) -> str:
    told = (found.get("error") or found.get("message")) if isinstance(found, dict) else None
    return str(told)[:MAX_WORDS] if told else f"Firecrawl answered with status {status}"


def _data_of(found: dict[str, Any]) -> dict[str, Any]:
    data = found.get("data", found)
    if not isinstance(data, dict):
        raise UpstreamError(502, "Firecrawl answered no page")
    return data


def _known(status: str) -> str:
    return status if status in ("scraping", "completed", "failed", "cancelled") else "other"


def firecrawl_proxy(settings: Settings, *, firecrawl: Firecrawl | None = None) -> Service:
    """The service of port 3600."""
    asked = firecrawl or Firecrawl(settings)
    shown = re.sub(r"(?<=://)[^/@]*@", "", asked.base_url)  # without a password
    checks = Checks({"firecrawl": asked.reachable})  # anybody may ask: Firecrawl is asked once a second at most
    began = time.monotonic()

    @get("/health", opt=OPEN, tags=["health"], summary="Health of the proxy, and whether Firecrawl is reached")
    async def health() -> Done:
        """Always 200: a proxy whose Firecrawl is away is alive, and says so."""
        found = (await checks.findings())["firecrawl"]
        return Done(
            data={
                "service": ID,
                "status": "ok",
                "firecrawl": {"reachable": found.status == "ok", "baseUrl": shown},
                "uptime": round(time.monotonic() - began, 1),
                "timestamp": dt.datetime.now(dt.UTC),
            }
        )

    @get("/", opt=OPEN, tags=["health"], summary="What this is")
    async def about() -> Done:
        """Name, version and paths."""
        return Done(data={"service": ID, "version": product_version(), "endpoints": ENDPOINTS})

    @contextlib.asynccontextmanager
    async def closing(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asked.close()

    return Service(
        id=ID,
        title="Firecrawl proxy",
        description=DESCRIPTION,
        handlers=[scrape, crawl, crawled],
        own=[health, about],
        collectors=asked.figures.collectors,
        parts={"firecrawl": asked},
        tags={"firecrawl": "Pages of the web as text"},
        lifespans=[closing],
        max_body_bytes=MAX_BODY_BYTES,
    )
