"""`/dagster`: Dagster's pages behind the gateway's access rules. Its webserver stands on loopback and asks nobody.

The webserver keeps its pages at `/`, where GraphQL clients of port 3070 expect them; what its HTML says of places is
written anew here, as its own `--path-prefix` would. A query never comes by GET: Dagster runs mutations by GET too, and
any web page can make a browser send one.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
from litestar import Request, Response, WebSocket, route, websocket
from litestar.di import NamedDependency
from litestar.exceptions import MethodNotAllowedException, ServiceUnavailableException
from litestar.response import Stream
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from api.bridge import MESSAGE_BYTES, bridge
from api.kernel import sessions
from api.kernel.access import BROWSER, caller_in, scoped
from config.settings import Settings

ID = "dagster"
PREFIX = "/dagster"
SUBPROTOCOL = Subprotocol("graphql-ws")
TIMEOUT = httpx.Timeout(120, connect=2)
FORWARDED = ("accept", "content-type", "if-none-match", "if-modified-since", "range", "idempotency-key")
RETURNED = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-security-policy",
    "etag",
    "feature-policy",
    "last-modified",
    "referrer-policy",
    "x-dagster-call-counts",
)
PLACES = re.compile(r"""((?:src|href)="|"pathPrefix": "|__webpack_public_path__ = "|"assetPrefix":")(?=/(?!/)|")""")


class Webserver:
    """Dagster's webserver, asked on behalf of callers who passed the gate. Opens nothing before the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url(ID)
        self._key = settings.access.api_key
        self._client: httpx.AsyncClient | None = None

    async def answer(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """What the webserver answers to the request. Raises ServiceUnavailableException when it does not."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        headers = {name: value for name in FORWARDED if (value := request.headers.get(name))}
        question = self._client.build_request(
            request.method, self._address(request), headers=headers, content=await request.body()
        )
        try:
            found = await self._client.send(question, stream=True)
            if found.headers.get("content-type", "").startswith("text/html"):
                return self._page(request, found, moved((await found.aread()).decode()))
        except httpx.TransportError as error:
            raise self._away() from error
        return Stream(
            _body(found), status_code=found.status_code, media_type=_media_type(found), headers=_returned(found)
        )

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[ClientConnection]:
        """A connection to the stream of events. Raises ServiceUnavailableException when there is none."""
        address = f"{self._url.replace('http', 'ws', 1)}/graphql"
        try:
            connection = await connect(address, subprotocols=[SUBPROTOCOL], proxy=None, max_size=MESSAGE_BYTES)
        except (OSError, WebSocketException) as error:
            raise self._away() from error
        async with connection:
            yield connection

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()

    def _address(self, request: Request[Any, Any, Any]) -> httpx.URL:
        raw: bytes = request.scope["raw_path"].partition(b"?")[0].removeprefix(PREFIX.encode()) or b"/"
        query = request.scope["query_string"]
        return httpx.URL(self._url).copy_with(raw_path=raw + (b"?" + query if query else b""))

    def _page(self, request: Request[Any, Any, Any], found: httpx.Response, page: str) -> Response[str]:
        headers = _returned(found)
        for name in ("content-length", "content-encoding"):
            headers.pop(name, None)
        if self._key is not None and (caller := caller_in(request)) is not None:
            headers["set-cookie"] = sessions.cookie(self._key, PREFIX, sessions.subject_for(caller))
        return Response(page, status_code=found.status_code, media_type="text/html", headers=headers)

    def _away(self) -> ServiceUnavailableException:
        return ServiceUnavailableException(
            f"Dagster does not answer at {self._url}; it starts with `up`, unless that says --no-dagster"
        )


def moved(page: str) -> str:
    """A page of the webserver whose places lie below the prefix."""
    return PLACES.sub(rf"\g<1>{PREFIX}", page)


@route(
    [PREFIX, f"{PREFIX}/graphql", f"{PREFIX}/{{rest:path}}"],
    http_method=["GET", "POST"],
    status_code=200,
    opt={**scoped("batch:admin"), **BROWSER},
    include_in_schema=False,
)
async def pages(request: Request[Any, Any, Any], webserver: NamedDependency[Webserver]) -> Response[Any]:
    """Dagster's pages, their files and GraphQL."""
    if request.method == "GET" and "query" in request.query_params:
        raise MethodNotAllowedException("a GraphQL query is taken by POST only", headers={"Allow": "POST"})
    return await webserver.answer(request)


@websocket(f"{PREFIX}/graphql", opt={**scoped("batch:admin"), **BROWSER})
async def events(socket: WebSocket[Any, Any, Any], webserver: NamedDependency[Webserver]) -> None:
    """What the pages subscribe to: events of runs."""
    async with webserver.events() as upstream:
        await socket.accept(subprotocols=SUBPROTOCOL)
        await bridge(socket, upstream)


async def _body(found: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in found.aiter_raw():
            yield part
    finally:
        await found.aclose()


def _media_type(found: httpx.Response) -> str:
    return str(found.headers.get("content-type", "application/octet-stream"))


def _returned(found: httpx.Response) -> dict[str, str]:
    return {name: found.headers[name] for name in RETURNED if name in found.headers}
