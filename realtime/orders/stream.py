"""Order and position events over WebSocket: told once their record is on the disk, in the journal's order.

Channels `orders/execution`, `orders/status`, `positions/updates`. A client that does not take its messages is cut with
1013; what it missed stands in the orders, which it reads again.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from api.kernel.access import scoped
from realtime.orders import records, shapes
from realtime.orders.entries import Change
from realtime.orders.loop import OrderLoop

WAITING = 1000  # messages of one client
TRY_AGAIN = 1013
CHANNELS = ("orders/execution", "orders/status", "positions/updates", "risk")


class Listeners:
    """Hands each record's messages to all clients. `told` runs on the journal's thread, everything else in the loop."""

    def __init__(self, orders: OrderLoop) -> None:
        self._orders = orders
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[asyncio.Queue[bytes | None]] = set()
        orders.chronicle.watchers.append(self._told)

    def join(self) -> "asyncio.Queue[bytes | None]":
        """A client's messages from now on; None means that it was cut."""
        self._loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._clients.add(waiting)
        return waiting

    def leave(self, client: "asyncio.Queue[bytes | None]") -> None:
        """A client went."""
        self._clients.discard(client)

    def _told(self, change: Change, number: int | None) -> None:
        loop = self._loop
        if loop is None or not self._clients:
            return
        texts = [msgspec.json.encode(message) for message in self._messages(change, number)]
        if texts:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._hand_out, texts)

    def _hand_out(self, texts: list[bytes]) -> None:
        for client in tuple(self._clients):
            for text in texts:
                if client.full():
                    self._clients.discard(client)
                    while not client.empty():
                        client.get_nowait()
                    client.put_nowait(None)
                    break
                client.put_nowait(text)

    def _messages(self, change: Change, number: int | None) -> Iterable[dict[str, Any]]:
        stamp = shapes.stamp(change.entry.at)
        entry = self._orders.chronicle.ledger.entries.get(change.order.id) if change.order else None
        if change.order is not None:
            order = change.order
            yield {
                "channel": "orders/status",
                "record": number,
                "orderId": order.id,
                "symbol": order.symbol,
                "side": order.side,
                "orderType": order.kind,
                "quantity": order.quantity,
                "price": shapes.number(order.price),
                "stopPrice": shapes.number(order.stop),
                **shapes.status_of(order),
                "filledQuantity": order.traded,
                "remainingQuantity": order.leaves,
                "averagePrice": shapes.number(order.average_price) if order.traded else None,
                "reason": order.text or None,
                "timestamp": stamp,
            }
        if change.fill is not None and change.order is not None:
            order = change.order
            yield {
                "channel": "orders/execution",
                "record": number,
                "orderId": order.id,
                "symbol": order.symbol,
                "side": order.side,
                "orderType": order.kind,
                "quantity": order.quantity,
                "price": shapes.number(order.price),
                "filledQuantity": order.traded,
                "averagePrice": shapes.number(order.average_price),
                "remainingQuantity": order.leaves,
                **shapes.status_of(order),
                "fill": shapes.fill_of(change.fill),
                "timestamp": stamp,
                "exchangeOrderId": order.exchange_id,
                "strategy": entry.order.strategy if entry else None,
            }
        if change.position is not None:
            yield self._position(change, number, stamp)
        yield from _of_risk(change, number, stamp)

    def _position(self, change: Change, number: int | None, stamp: str) -> dict[str, Any]:
        assert change.position is not None
        position = change.position
        shown = shapes.position_of(position, self._orders.market.last(position.symbol))
        return {
            "channel": "positions/updates",
            "record": number,
            "account": position.account,
            "symbol": position.symbol,
            "positionType": "net",
            "quantity": position.net,
            "averagePrice": shown["averagePrice"],
            "marketPrice": shown["marketPrice"],
            "unrealizedPnL": shown["unrealizedPnl"],
            "realizedPnL": shown["realizedPnl"],
            "timestamp": stamp,
        }


def _of_risk(change: Change, number: int | None, stamp: str) -> Iterable[dict[str, Any]]:
    entry = change.entry
    told = {"channel": "risk", "record": number, "timestamp": stamp}
    match entry:
        case records.Refused():
            yield {**told, "event": "risk.violation", **shapes.refusal_of(entry.refusal)["details"]}
        case records.SwitchPulled():
            yield {**told, "event": "kill-switch.activated", "reason": entry.latch.reason, "by": entry.latch.by}
        case records.SwitchReleased():
            yield {**told, "event": "kill-switch.released", "reason": entry.reason, "by": entry.caller.user}
        case records.LimitsSet():
            yield {**told, "event": "risk-limits.updated", "by": entry.caller.user}


@websocket("/ws/orders", opt=scoped("orders:read"))
async def stream(socket: WebSocket[Any, Any, Any], listeners: NamedDependency[Listeners]) -> None:
    """All channels; what a client sends is not read, except for its end."""
    await socket.accept()
    waiting = listeners.join()
    await socket.send_text(msgspec.json.encode({"channel": "system", "channels": CHANNELS}).decode())
    ended = asyncio.ensure_future(_end(socket))
    try:
        while not ended.done():
            taking = asyncio.ensure_future(waiting.get())
            await asyncio.wait({taking, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
                break
            text = taking.result()
            if text is None:
                await socket.close(code=TRY_AGAIN, reason="too slow: read the orders again and come back")
                return
            await socket.send_text(text.decode())
    except WebSocketDisconnect:
        pass
    finally:
        listeners.leave(waiting)
        ended.cancel()


async def _end(socket: WebSocket[Any, Any, Any]) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
