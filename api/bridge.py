"""A WebSocket through the gateway: both directions of text, and the end of either side told to the other."""

import contextlib
from typing import Any

import anyio
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

MESSAGE_BYTES = 64 * 2**20
GONE = 1012  # the service restarts: come again


async def bridge(socket: WebSocket[Any, Any, Any], upstream: ClientConnection) -> None:
    """Pass on until either side is gone. A client that is slow slows the upstream side, which knows what to do."""
    async with anyio.create_task_group() as both:

        async def ask() -> None:
            with contextlib.suppress(WebSocketDisconnect, ConnectionClosed):
                while True:
                    await upstream.send(await socket.receive_text())
            both.cancel_scope.cancel()

        both.start_soon(ask)
        with contextlib.suppress(WebSocketDisconnect, ConnectionClosed):
            async for message in upstream:
                await socket.send_text(message if isinstance(message, str) else message.decode())
        both.cancel_scope.cancel()
    if socket.connection_state != "disconnect":
        code = upstream.close_code
        await socket.close(code if code not in (None, 1005, 1006) else GONE, upstream.close_reason or None)
