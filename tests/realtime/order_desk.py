"""A stand-in for the order process: answers as it is told, keeps what it was asked, can hang up on its listeners."""

import asyncio
import json
import socket
import threading
from collections import deque
from typing import Any

import uvicorn

Answer = int | str  # a status, or "hangs up"
WORKING = ("SUBMITTED", "PARTIALLY_FILLED")


class OrderDesk:
    """Takes orders over HTTP and tells of them over WebSocket, on a port of its own."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()  # to the next orders; 202 when there is none
        self.looks: deque[int] = deque()  # statuses of the next look-ups of one order; 200 when there is none
        self.cancels: deque[int] = deque()  # statuses of the next cancellations; 200 when there is none
        self.asked: list[tuple[str, str, Any]] = []  # method, path, body with the key in it
        self.orders: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.deaf = False  # nobody may listen
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        how = uvicorn.Config(self._app, interface="asgi3", log_level="critical", ws="websockets-sansio")
        self._server = uvicorn.Server(how)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hang_up()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def tell(self, channel: str, order: str, **said: Any) -> None:
        """A message to all listeners; the order becomes what is said."""
        told = {"status": "SUBMITTED", "ambiguous": False, **said}
        known = self.orders[order]
        known |= {"status": told["status"], "ambiguous": told["ambiguous"]}
        told = {"filledQuantity": known["filledQuantity"], "averagePrice": known["avgFillPrice"], **told}
        known |= {"filledQuantity": told["filledQuantity"], "avgFillPrice": told["averagePrice"]}
        known |= {name: told[name] for name in ("quantity", "price") if name in told}
        told = {"quantity": known["quantity"], "price": known["price"], **told}
        message = {"channel": channel, "orderId": order, "timestamp": "2026-11-19T13:00:00.000Z", **told}
        self._all(message)

    def hang_up(self) -> None:
        """Cut all listeners."""
        self._all(None)

    def _all(self, message: dict[str, Any] | None) -> None:
        for each in list(self._queues):
            self._loop.call_soon_threadsafe(each.put_nowait, message)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "websocket":
            await self._listened(receive, send)
        else:
            await self._answered(scope, receive, send)

    async def _listened(self, receive: Any, send: Any) -> None:
        await receive()
        if self.deaf:
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept"})
        mine: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._queues.add(mine)
        await send({"type": "websocket.send", "text": '{"channel": "system"}'})
        while (message := await mine.get()) is not None:
            await send({"type": "websocket.send", "text": json.dumps(message)})
        self._queues.discard(mine)
        await send({"type": "websocket.close", "code": 1000})

    async def _answered(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part.get("more_body"):
                break
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode()
        self.asked.append((scope["method"], scope["path"], {**json.loads(body or b"{}"), "key": key}))
        status, said = self._reply(scope["method"], scope["path"], key, json.loads(body or b"{}"))
        if status == "hangs up":
            raise ConnectionError
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    def _reply(self, method: str, path: str, key: str, body: dict[str, Any]) -> tuple[Any, Any]:
        order = path.rpartition("/")[2]
        if method == "GET" and order == "orders":
            working = [each for each in self.orders.values() if each["status"] in WORKING]
            return 200, {"data": {"orders": working, "total": len(working)}}
        if method == "GET" and self.looks:
            return self.looks.popleft(), {"error": "more than 300 requests in 60 s"}
        if method == "GET":
            return 200, {"data": {**self.orders[order], "updatedAt": "2026-11-19T13:00:00.000Z"}}
        if method == "DELETE" and self.cancels:
            return self.cancels.popleft(), {"error": "the order loop does not answer in time"}
        if method == "DELETE":
            self.tell("orders/status", order, status="CANCELED")
            return 200, {"data": self.orders[order]}
        answer = self.answers.popleft() if self.answers else 202
        if answer not in (202, "hangs up after"):
            return answer, {"error": "CONFIDENCE: limit at least 0.6, observed 0.5"}
        if method == "PATCH":
            changed = {name: body[name] for name in ("quantity", "price") if name in body}
            if key not in self.keys:  # a repetition changes nothing
                self.keys[key] = order
                self.tell("orders/status", order, **changed)
            return ("hangs up" if answer == "hangs up after" else 202), {"data": {"orderId": order}}
        name = self.keys.setdefault(key, f"ORD-20261119-{len(self.keys) + 1:03d}")
        self.orders.setdefault(name, order_of(name, body))
        return ("hangs up" if answer == "hangs up after" else 202), {"orderId": name, "status": "PENDING"}


def order_of(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """A new order, as a list shows it."""
    return {
        "orderId": name,
        "status": "SUBMITTED",
        "ambiguous": False,
        "filledQuantity": 0,
        "avgFillPrice": None,
        "symbol": body["symbol"],
        "side": body["side"],
        "quantity": body["quantity"],
        "price": body.get("price"),
        "confidence": body.get("confidence"),
        "strategy": body.get("strategy"),
        "source": "strategy",
        "changing": False,
        "updatedAt": "2026-11-19T13:00:00.000Z",
    }
