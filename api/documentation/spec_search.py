"""`/api/v1/search`, `/suggest`, `/reindex`: the API documents found by words; how much was searched for what."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api.documentation import spec_parts
from api.documentation.answers import READS
from api.documentation.library import READ, WRITE
from api.kernel.errors import responses
from api.kernel.health import product_version
from sql.documentation import specs
from sql.pool import Pool

TAGS = ["specs"]
RANGES = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
MOST_SEARCHES = 10_000
POPULAR = 10

Range = Literal["15m", "1h", "6h", "24h", "7d"]


class Found(Struct, frozen=True, kw_only=True):
    """Parts of the API documents, the best first."""

    success: bool = True
    total: int
    version: str
    results: list[dict[str, Any]]


class Suggestions(Struct, frozen=True, kw_only=True):
    """Paths and names."""

    success: bool = True
    suggestions: list[dict[str, Any]]


class Indexed(Struct, frozen=True, kw_only=True):
    """How many parts there are."""

    success: bool = True
    version: str
    indexed: int


class Searched(Struct, frozen=True, kw_only=True, rename="camel"):
    """Searches since this process began, at most the last ten thousand."""

    total_searches: int
    average_duration: float
    popular_queries: list[dict[str, Any]]


class Specs:
    """The index of the API documents, made when it is first needed after a start; and who searched for what."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = asyncio.Lock()
        self._made = False
        self._searches: deque[tuple[float, str, float]] = deque(maxlen=MOST_SEARCHES)

    async def indexed(self, request: Request[Any, Any, Any]) -> None:
        """See that the index is that of the documents of this process."""
        if not self._made:
            async with self._lock:
                if not self._made:
                    await self.index(request)

    async def index(self, request: Request[Any, Any, Any]) -> int:
        """Make the index anew; how many parts there are."""
        documents = await spec_parts.live(request)
        entries = {entry["id"]: entry for entry in spec_parts.entries_of(*documents)}
        await specs.replace(self._pool, list(entries.values()))
        self._made = True
        return len(entries)

    def note(self, words: str, seconds: float) -> None:
        """Remember a search."""
        self._searches.append((time.time(), words.casefold()[:100], seconds))

    def since(self, seconds: int) -> Sequence[tuple[float, str, float]]:
        """The searches of the last so many seconds."""
        first = time.time() - seconds
        return [one for one in self._searches if one[0] >= first]


@get("/api/v1/search", tags=TAGS, summary="Search the API documents", opt=READ, responses=READS)
async def search_specs(
    *,
    request: Request[Any, Any, Any],
    documentation_pool: NamedDependency[Pool],
    specs_index: NamedDependency[Specs],
    question: Annotated[str, QueryParameter(name="q", min_length=1, max_length=200, pattern=r"\S")],
    kind: Annotated[Literal["endpoint", "schema", "channel", "message"] | None, QueryParameter(name="type")] = None,
    source: FromQuery[Literal["openapi", "asyncapi", "schema"] | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 10,
) -> Found:
    """Endpoints, schemas, channels and messages of everything that this process serves."""
    began = time.perf_counter()
    await specs_index.indexed(request)
    rows, total = await specs.search(documentation_pool, question.strip(), {"type": kind, "source": source}, limit)
    specs_index.note(question.strip(), time.perf_counter() - began)
    version = product_version()
    return Found(total=total, version=version, results=[row | {"version": version} for row in rows])


@get("/api/v1/suggest", tags=TAGS, summary="Paths and names that begin so", opt=READ, responses=READS)
async def suggest_specs(
    *,
    request: Request[Any, Any, Any],
    documentation_pool: NamedDependency[Pool],
    specs_index: NamedDependency[Specs],
    question: Annotated[str, QueryParameter(name="q", min_length=1, max_length=200, pattern=r"\S")],
    limit: Annotated[int, QueryParameter(ge=1, le=10)] = 5,
) -> Suggestions:
    """Each text once."""
    await specs_index.indexed(request)
    rows = await specs.suggestions(documentation_pool, question.strip(), limit)
    return Suggestions(suggestions=[row | {"version": product_version()} for row in rows])


@post(
    "/api/v1/reindex",
    status_code=200,
    tags=TAGS,
    summary="Read the API documents anew",
    opt=WRITE,
    responses=responses(401, 403, 429, 503),
)
async def reindex_specs(request: Request[Any, Any, Any], specs_index: NamedDependency[Specs]) -> Indexed:
    """They change with the program alone; a start reads them too."""
    return Indexed(version=product_version(), indexed=await specs_index.index(request))


@get("/metrics/dashboard", tags=TAGS, summary="What was searched for", opt=READ, responses=READS)
async def search_figures(
    specs_index: NamedDependency[Specs], within: Annotated[Range, QueryParameter(name="range")] = "1h"
) -> Searched:
    """Durations in milliseconds."""
    found = specs_index.since(RANGES[within])
    popular = Counter(words for _, words, _ in found).most_common(POPULAR)
    average = sum(seconds for _, _, seconds in found) / len(found) * 1000 if found else 0.0
    return Searched(
        total_searches=len(found),
        average_duration=round(average, 2),
        popular_queries=[{"query": words, "count": count} for words, count in popular],
    )


HANDLERS = (search_specs, suggest_specs, reindex_specs, search_figures)
