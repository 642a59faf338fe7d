"""Orders, limits, switch and positions through the gateway: the realtime process answers, under the caller's own key.

Nothing is decided or tried again here. A request whose answer did not come may have had its effect: the caller is told
to look before asking again.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from litestar import Request, Response, WebSocket, route, websocket
from litestar.di import NamedDependency
from litestar.exceptions import ServiceUnavailableException
from litestar.types import Scope
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from api.bridge import MESSAGE_BYTES, bridge
from api.kernel import callers
from api.kernel.access import FORWARDED, scoped
from config.settings import Settings

ID = "order-manager"
TIMEOUT = httpx.Timeout(20, connect=2)
SENT = (
    "x-api-key",
    "authorization",
    "cookie",
    "x-csrf-token",
    "content-type",
    "accept",
    "idempotency-key",
    "x-idempotency-key",
    "x-source",
    "x-user-id",
)
RETURNED = ("content-type", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
FIXED = ("/api/v1/execute", "/api/v1/fills", "/api/v1/orders-standing")
ROOTS = ("/api/orders", "/api/v1/orders", "/api/risk", "/api/v1/risk", "/api/v1/positions", "/api/v1/prices")
LOWERING = ("/api/orders/cancel-all", "/api/orders/flatten", "/api/risk/kill-switch")
EVENTS = "/ws/orders"


class OrderManager:
    """The port of orders, asked on behalf of callers who passed the gate. Opens nothing before the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url(ID)
        self._key = settings.access.api_key
        self._client: httpx.AsyncClient | None = None

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """What the realtime process answers. Raises ServiceUnavailableException when it does not."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        headers = {name: value for name in SENT if (value := request.headers.get(name))}
        if request.client is None or request.client.host not in ("127.0.0.1", "::1"):
            headers.pop("x-user-id", None)  # believed on this machine alone, and the next one sees us
        if self._key and request.client is not None:
            headers |= callers.telling(self._key, request.client.host)
        headers["x-correlation-id"] = request.scope.get("state", {}).get("correlation_id") or ""
        address = self._address(request)
        try:
            found = await self._client.request(request.method, address, headers=headers, content=await request.body())
        except httpx.ConnectError as error:
            raise ServiceUnavailableException(f"orders are not taken: nothing answers at {self._url}") from error
        except httpx.TransportError as error:
            raise ServiceUnavailableException(
                "the realtime process did not answer in time: look at the orders before you ask again"
            ) from error
        kept = {name: found.headers[name] for name in RETURNED if name in found.headers}
        media_type = kept.pop("content-type", "application/json")
        return Response(found.content, status_code=found.status_code, media_type=media_type, headers=kept)

    def _address(self, request: Request[Any, Any, Any]) -> httpx.URL:
        # As it was written: what was read of it may hold a `?`, or letters that no address can.
        raw: bytes = request.scope["raw_path"].partition(b"?")[0]
        query = request.scope["query_string"]
        return httpx.URL(self._url).copy_with(raw_path=raw + (b"?" + query if query else b""))

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[ClientConnection]:
        """A connection to the events of orders. Raises ServiceUnavailableException when there is none."""
        headers = {"X-API-Key": self._key} if self._key else {}
        address = f"{self._url.replace('http', 'ws', 1)}{EVENTS}"
        try:
            connection = await connect(
                address, additional_headers=headers, compression=None, proxy=None, max_size=MESSAGE_BYTES
            )
        except (OSError, WebSocketException) as error:
            raise ServiceUnavailableException(f"orders tell nothing: nothing answers at {self._url}") from error
        async with connection:
            yield connection

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()


def never_kept_waiting(scope: Scope) -> bool:
    """Whether a request lowers the risk: it passes, however many others were counted. The port itself wants a key."""
    method, path = scope.get("method"), scope["path"].rstrip("/").replace("/api/v1/", "/api/", 1)
    if method == "DELETE":
        return path.startswith("/api/orders/")
    return method == "POST" and path in LOWERING


@route(
    [*FIXED, *ROOTS, *(f"{root}/{{rest:path}}" for root in ROOTS)],
    http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
    status_code=200,
    include_in_schema=False,
    opt={**FORWARDED, "free_when": never_kept_waiting},
)
async def orders(request: Request[Any, Any, Any], order_manager: NamedDependency[OrderManager]) -> Response[bytes]:
    """As port 3205 answers; its `/docs` describes them."""
    return await order_manager.answer(request)


@websocket(EVENTS, opt=scoped("orders:read"))
async def order_events(socket: WebSocket[Any, Any, Any], order_manager: NamedDependency[OrderManager]) -> None:
    """Events of orders and positions."""
    async with order_manager.events() as upstream:
        await socket.accept()
        await bridge(socket, upstream)
