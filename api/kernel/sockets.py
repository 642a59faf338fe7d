"""The server's end of a WebSocket, with a way to write frames that were made once for many clients.

ASGI has one message at a time, encoded for each client, and waits for slow ones. A handler finds this end by `wire_of`;
it never waits, and says how much the client has not taken yet.
"""

from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

WIRE = "tradingsystem.wire"
REASON_BYTES = 123  # a close frame holds no more
LAST_WORDS_SECONDS = 10.0  # a client that is cut has so long to take what waits for it


class SharedFrames(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket without compression, so that the bytes of a frame are the same for every client."""

    def handle_connect(self, event: Request) -> None:
        """Offer this end to the handler, which begins in the next turn of the loop."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[WIRE] = self

    @property
    def gone(self) -> bool:
        """Nothing reaches the client any more."""
        return self.disconnected or self.close_sent or self.transport.is_closing()

    def waiting_bytes(self) -> int:
        """How much is written here and not in the hands of the system."""
        return self.transport.get_write_buffer_size()

    def write_frames(self, data: bytes) -> None:
        """Write whole frames. Never waits."""
        if not self.gone:
            self.transport.write(data)

    async def drained(self) -> None:
        """Until little waits, or the client is gone."""
        await self.writable.wait()

    def cut(self, code: int, reason: str) -> None:
        """Close behind what waits; after some seconds, whether it was taken or not."""
        if self.gone:
            return
        reason = reason.encode()[:REASON_BYTES].decode(errors="ignore")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._end_soon()

    def keepalive_timeout(self) -> None:
        """A client that does not answer may not take the last words either."""
        super().keepalive_timeout()
        self._end_soon()

    def shutdown(self) -> None:
        """A client that stands still must not hold up the end of the process."""
        super().shutdown()
        self._end_soon(LAST_WORDS_SECONDS / 10)

    def _end_soon(self, seconds: float = LAST_WORDS_SECONDS) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)


def wire_of(scope: Mapping[str, Any]) -> SharedFrames:
    """The end of the connection that a handler has; only `api.kernel.server` serves with it."""
    wire: SharedFrames = scope["extensions"][WIRE]
    return wire
