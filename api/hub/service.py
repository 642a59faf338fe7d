"""The Documentation Hub on port 3004, and at `/hub` of the gateway: `docs/` to read and to search."""

import time
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from api.hub import pages, rendering
from api.kernel.access import OPEN, scoped
from api.kernel.application import Service
from api.kernel.limits import COUNTED
from api.kernel.ports import prefix_of
from config.settings import Settings
from sql.documentation import pages as index
from sql.errors import StoreError
from sql.pool import Pool

ID = "docs-hub"
HERE = Path(__file__).parent
FIRST = "how-it-fits.md"
FRESH_SECONDS = 5.0
READ = scoped("documentation:read")
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'"
FOUND = 50


class Shelf:
    """The pages below a folder, read again at most every five seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pages: list[pages.Page] = []
        self._at = float("-inf")

    async def pages(self) -> list[pages.Page]:
        """All of them, in the order of their titles."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            found = await anyio.to_thread.run_sync(pages.read, self._folder)
            self._pages = sorted(found, key=lambda page: page.title.casefold())
            self._at = time.monotonic()
        return self._pages


@get(["/", "/{path:path}"], opt=READ, include_in_schema=False)
async def hub_page(
    request: Request[Any, Any, Any], hub_shelf: NamedDependency[Shelf], path: FromPath[str] = ""
) -> Response[str]:
    """A page, with or without `.md`; `/` is the first one."""
    known = await hub_shelf.pages()
    wanted = path.strip("/").removesuffix(".md")
    names = (f"{wanted}.md", f"{wanted}/README.md") if wanted else (FIRST,)
    found = next((page for page in known if page.path in names), None)
    if found is None and not wanted and known:
        found = known[0]
    root = prefix_of(request.scope)
    if found is None:
        return _html(rendering.message_html("No such page", f"There is no page {wanted}.", known, root), 404)
    return _html(rendering.page_html(found, known, root))


@get("/search", opt={**READ, COUNTED: "/search"}, include_in_schema=False)
async def hub_search(
    request: Request[Any, Any, Any],
    hub_shelf: NamedDependency[Shelf],
    hub_pool: NamedDependency[Pool],
    question: Annotated[str, QueryParameter(name="q", max_length=200)] = "",
) -> Response[str]:
    """Pages that hold the words, with the passage that does."""
    known, root, words = await hub_shelf.pages(), prefix_of(request.scope), question.replace("\0", "").strip()
    if not words:
        return _html(rendering.message_html("Search", "What are you looking for?", known, root))
    try:
        found, total = await index.search(hub_pool, words, {}, FOUND)
    except StoreError:
        words = "The search does not answer now; the pages do. Try again shortly."
        return _html(rendering.message_html("Search", words, known, root), 503)
    return _html(rendering.search_html(words, found, total, known, root))


@get("/hub.css", opt=OPEN, include_in_schema=False, sync_to_thread=True)
def hub_style() -> Response[bytes]:
    """How the pages look."""
    headers = {"Cache-Control": "max-age=3600"}
    return Response((HERE / "hub.css").read_bytes(), media_type="text/css", headers=headers)


def docs_hub(settings: Settings) -> Service:
    """The service on the pages of this checkout. Opens nothing before the first request."""
    pool = Pool(settings.postgres.dsn("app_documentation", "frontend_apps"), ID, size=2)
    return Service(
        id=ID,
        title="Documentation Hub",
        description="Pages for people: how it fits together, guides, decisions.",
        handlers=[],
        own=[hub_page, hub_search, hub_style],
        parts={"hub_shelf": Shelf(settings.root / "docs"), "hub_pool": pool},
        pools=[pool],
    )


def _html(content: str, status: int = 200) -> Response[str]:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(content, status_code=status, media_type="text/html", headers=headers)
