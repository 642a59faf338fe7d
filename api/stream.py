"""`/ws…`: the relay's stream through the gateway, for those who may only come here. Full feeds belong on port 3100."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import ServiceUnavailableException
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from api.bridge import MESSAGE_BYTES, bridge
from api.kernel.access import scoped
from config.settings import Settings
from sql.messages import PATHS

ID = "data-capture"


class Relay:
    """The relay's port, asked on behalf of callers who passed the gate. Opens nothing before the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url(ID).replace("http", "ws", 1)
        self._key = settings.access.api_key

    @contextlib.asynccontextmanager
    async def stream(self, path: str, query: bytes) -> AsyncIterator[ClientConnection]:
        """A connection to an address of the stream. Raises ServiceUnavailableException when there is none."""
        headers = {"X-API-Key": self._key} if self._key else {}
        address = f"{self._url}{path}" + (f"?{query.decode()}" if query else "")
        try:
            connection = await connect(
                address, additional_headers=headers, compression=None, proxy=None, max_size=MESSAGE_BYTES
            )
        except (OSError, WebSocketException) as error:
            raise ServiceUnavailableException(
                f"the relay does not answer at {self._url}; it starts with `up --source simulator` or `profitdll`"
            ) from error
        async with connection:
            yield connection


@websocket(list(PATHS), opt=scoped("tape:read"))
async def stream(socket: WebSocket[Any, Any, Any], relay: NamedDependency[Relay]) -> None:
    """Market data as it comes; see `/docs/stream`."""
    async with relay.stream(socket.scope["path"], socket.scope["query_string"]) as upstream:
        await socket.accept()
        await bridge(socket, upstream)
