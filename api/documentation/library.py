"""`/api/v1/docs`: search over the pages of the Hub, what they are, and reading them anew."""

import asyncio
import datetime as dt
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio.to_thread
import structlog
from litestar import get, post
from litestar.di import NamedDependency
from litestar.exceptions import TooManyRequestsException
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api.documentation.answers import READS
from api.hub import pages as hub
from api.kernel.access import scoped
from api.kernel.errors import invalid, responses
from sql.documentation import pages
from sql.errors import StoreError
from sql.pool import Pool

PATH = "/api/v1/docs"
TAGS = ["pages"]
READ = scoped("documentation:read")
WRITE = scoped("documentation:write")
REST_SECONDS = 60.0  # between two readings that somebody asks for
AGAIN_SECONDS = 10.0  # before a store that was away is asked again
FACETS_SECONDS = 300.0
MOST_TAGS = 10

log = structlog.get_logger("documentation")

Domain = Literal["frontend", "backend", "ops", "shared"]
Kind = Literal[
    "guide", "reference", "adr", "prd", "rfc", "runbook", "overview", "index", "glossary", "template", "feature"
]
Status = Literal["active", "draft", "deprecated"]
Words = Annotated[
    str | None, QueryParameter(name="q", min_length=2, max_length=200, description="Words, or beginnings of them.")
]


class Found(Struct, frozen=True, kw_only=True):
    """Pages, the best first; `highlight` is HTML with what matches in <mark>."""

    success: bool = True
    total: int
    results: list[dict[str, Any]]
    query: dict[str, Any]


class Facets(Struct, frozen=True, kw_only=True):
    """How many pages there are of each kind."""

    success: bool = True
    facets: dict[str, list[dict[str, Any]]]


class Suggestions(Struct, frozen=True, kw_only=True):
    """Pages by their titles."""

    success: bool = True
    suggestions: list[dict[str, Any]]


class Indexed(Struct, frozen=True, kw_only=True):
    """What a reading of all pages found."""

    success: bool = True
    indexed: dict[str, Any]


class Stats(Struct, frozen=True, kw_only=True):
    """What the index holds."""

    success: bool = True
    stats: dict[str, Any]


class Library:
    """The pages below a folder, and their index in PostgreSQL."""

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        self._facets: tuple[float, dict[str, list[dict[str, Any]]]] | None = None

    async def keep_up(self) -> None:
        """Read the pages anew when they are not those of the index; a store that is away is waited for."""
        while True:
            try:
                await self._kept_up()
            except StoreError as error:
                log.warning("pages_not_indexed", reason=type(error).__name__, again_seconds=AGAIN_SECONDS)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    async def asked_anew(self) -> dict[str, Any]:
        """Read the pages because somebody asks; at most once a minute. Raises TooManyRequestsException."""
        rest = self._asked + REST_SECONDS - time.monotonic()
        if rest > 0:
            seconds = str(max(1, round(rest)))
            raise TooManyRequestsException(
                f"pages were read a moment ago; ask again in {seconds} s", headers={"Retry-After": seconds}
            )
        self._asked = time.monotonic()
        try:
            return await self.read_anew()
        except BaseException:
            self._asked = float("-inf")
            raise

    async def read_anew(self, found: list[hub.Page] | None = None) -> dict[str, Any]:
        """Read every page, store what the search needs, and note what is wrong with them."""
        began = time.perf_counter()
        async with self._lock:
            found = found if found is not None else await anyio.to_thread.run_sync(hub.read, self._folder)
            issues = hub.issues_of(found, dt.datetime.now(dt.UTC).date())
            rows = [page.row() for page in found if page.indexed]
            review = {
                "fingerprint": hub.fingerprint(found),
                "pages": len(found),
                "score": hub.score_of(len(found), issues),
                "issues": issues,
            }
            await pages.replace(self._pool, rows, review)
            self._facets = None
        return {
            "files": len(rows),
            "domains": len({row["domain"] for row in rows}),
            "types": len({row["type"] for row in rows}),
            "tags": len({tag for row in rows for tag in row["tags"]}),
            "statuses": len({row["status"] for row in rows}),
            "duration_ms": round((time.perf_counter() - began) * 1000),
            "errors": [f"{issue.path}: {issue.message}" for issue in issues if issue.type == "frontmatter"],
        }

    async def facets(self, text: str) -> dict[str, list[dict[str, Any]]]:
        """What the pages are; kept for five minutes when no words are asked for."""
        if text:
            return await pages.facets(self._pool, text)
        if not self.cached:
            self._facets = (time.monotonic(), await pages.facets(self._pool, ""))
        assert self._facets is not None
        return self._facets[1]

    async def _kept_up(self) -> None:
        last = await pages.last_review(self._pool)
        found = await anyio.to_thread.run_sync(hub.read, self._folder)
        if last is None or last["fingerprint"] != hub.fingerprint(found):
            await self.read_anew(found)

    @property
    def cached(self) -> bool:
        """Whether the counts without words are at hand."""
        return self._facets is not None and time.monotonic() - self._facets[0] < FACETS_SECONDS


@get(f"{PATH}/search", tags=TAGS, summary="Search the pages of the Hub", opt=READ, responses=READS)
async def search_pages(
    *,
    documentation_pool: NamedDependency[Pool],
    question: Words = None,
    domain: FromQuery[Domain | None] = None,
    kind: Annotated[Kind | None, QueryParameter(name="type")] = None,
    tags: Annotated[str | None, QueryParameter(max_length=500, description="By commas; all must match.")] = None,
    status: FromQuery[Status | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
) -> Found:
    """Portuguese and English words; without any, all pages that fit."""
    text = (question or "").strip()
    wanted = {"domain": domain, "type": kind, "tags": _tags(tags), "status": status}
    rows, total = await pages.search(documentation_pool, text, wanted, limit)
    asked = {name: value for name, value in wanted.items() if value}
    return Found(total=total, results=rows, query={"q": text or None, "filters": asked})


@get(f"{PATH}/facets", tags=TAGS, summary="What the pages are", opt=READ, responses=READS)
async def page_facets(
    library: NamedDependency[Library], question: Annotated[str, QueryParameter(name="q", max_length=200)] = ""
) -> Facets:
    """Counted by domain, type, tag and status, the commonest first."""
    return Facets(facets=await library.facets(question.strip()))


@get(f"{PATH}/suggest", tags=TAGS, summary="Pages by their titles", opt=READ, responses=READS)
async def suggest_pages(
    documentation_pool: NamedDependency[Pool],
    question: Annotated[str, QueryParameter(name="q", min_length=2, max_length=200)],
    limit: Annotated[int, QueryParameter(ge=1, le=10)] = 5,
) -> Suggestions:
    """Those whose title begins so first."""
    return Suggestions(suggestions=await pages.suggestions(documentation_pool, question.strip(), limit))


@post(
    f"{PATH}/reindex",
    status_code=200,
    tags=TAGS,
    summary="Read the pages anew",
    opt=WRITE,
    responses=responses(401, 403, 429, 503),
)
async def reindex_pages(library: NamedDependency[Library]) -> Indexed:
    """At most once a minute. `errors` names pages that the search does not know, and why."""
    return Indexed(indexed=await library.asked_anew())


@get(f"{PATH}/stats", tags=TAGS, summary="What the index of pages holds", opt=READ, responses=READS)
async def page_stats(documentation_pool: NamedDependency[Pool], library: NamedDependency[Library]) -> Stats:
    """Counts, and when it was made."""
    cached = library.cached
    counts, last = await library.facets(""), await pages.last_review(documentation_pool)
    return Stats(
        stats={
            "totalFiles": sum(entry["count"] for entry in counts["statuses"]),
            "totalDomains": len(counts["domains"]),
            "totalTypes": len(counts["types"]),
            "totalTags": len(counts["tags"]),
            "totalStatuses": len(counts["statuses"]),
            "lastReindexTime": last["reviewed_at"] if last else None,
            "cacheValid": cached,
        }
    )


def _tags(text: str | None) -> list[str]:
    tags = [tag.strip() for tag in (text or "").split(",") if tag.strip()]
    if len(tags) > MOST_TAGS:
        raise invalid("tags", f"expected at most {MOST_TAGS}, found {len(tags)}")
    return tags


HANDLERS = (search_pages, page_facets, suggest_pages, reindex_pages, page_stats)
