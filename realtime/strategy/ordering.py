"""The live way from proposals to orders: `POST /api/v1/execute` as a strategy, and what became of them by `/ws/orders`.

Nothing here waits in the strategy's thread. An order leaves once: each attempt carries the name of its signal as its
key. It does not leave when its tick is too old, or while nobody would hear what becomes of it.
"""

import contextlib
import heapq
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import structlog
from msgspec import Struct
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from realtime.strategy import Became, OrderUpdate, StrategyError
from realtime.strategy.becoming import Known, heard, looked_up
from realtime.strategy.proposing import Wanted, too_late, wanted_of
from realtime.strategy.running import Proposal

ANSWER_SECONDS = 12.0
AGAIN_SECONDS = 0.1
CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 0.5
IDLE_SECONDS = 0.5
CANCEL_AGAIN_MS = 1000
STALE_MS = 2000
TOO_MANY = 429  # nothing left, and it may be tried again
MAYBE_LEFT = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

log = structlog.get_logger("strategy")


class Way(Struct, frozen=True, kw_only=True):
    """Where orders go and how. `stale_ms`: how old the tick of a proposal may be when its order leaves."""

    url: str
    key: str
    strategy: str
    quantity: int = 1
    stale_ms: int = STALE_MS


class Counts(Struct):
    """What this process did."""

    sent: int = 0
    refused: int = 0
    unclear: int = 0
    fills: int = 0


class Orders:
    """Two threads: one sends and cancels, one listens. `take` and `news` are the strategy's."""

    def __init__(self, way: Way, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.counts = Counts()
        self._failed: str | None = None
        self._way = way
        self._now_ms = now_ms
        self._waiting: queue.SimpleQueue[tuple[Proposal, Wanted, int] | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[OrderUpdate] = queue.SimpleQueue()
        self._known: dict[str, Known] = {}  # by order, while it may trade
        self._lock = threading.Lock()
        self._expiring: list[tuple[int, str]] = []
        self._listening = threading.Event()
        self._ending = threading.Event()
        headers = {"X-API-Key": way.key, "X-Source": "strategy", "X-User-Id": way.strategy}
        self._client = httpx.Client(base_url=way.url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False)
        self._socket: ClientConnection | None = None
        self._sender = threading.Thread(target=self._send_all, name="orders", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="listening", daemon=True)

    def start(self) -> None:
        """Begin; returns when order events are heard. Raises StrategyError when they are not."""
        self._listener.start()
        if not self._listening.wait(CONNECT_SECONDS):
            self._ending.set()
            raise StrategyError(f"nobody tells of orders at {self._way.url}/ws/orders: `tradingsystem up` starts it")
        self._sender.start()

    def take(self, proposal: Proposal, received_ms: int) -> None:
        """Make an order of a proposal whose tick reached this machine at `received_ms`; news tell what comes of it."""
        wanted = wanted_of(proposal.signal, self._way.quantity)
        if wanted is not None:
            self._waiting.put((proposal, wanted, received_ms))

    def news(self) -> list[OrderUpdate]:
        """What became of orders since the last call. Raises StrategyError when no more can be made."""
        if self._failed is not None:
            raise StrategyError(self._failed)
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._news.get_nowait())
        return found

    def close(self) -> None:
        """Send what waits, cancel what may still trade, let go. Positions stay."""
        self._waiting.put(None)
        if self._sender.ident is not None:
            self._sender.join(ANSWER_SECONDS * 2)
        for order in list(self._known):
            self._cancel(order, "its strategy ended")
        self._ending.set()
        if self._socket is not None:
            self._socket.close()
        self._listener.join(CONNECT_SECONDS)
        self._client.close()

    # --- sending ---

    def _send_all(self) -> None:
        with self._told_when_broken():
            while True:
                with contextlib.suppress(queue.Empty):
                    asked = self._waiting.get(timeout=self._until_next())
                    if asked is None:
                        return
                    self._send(*asked)
                self._expire()

    def _expire(self) -> None:
        while self._expiring and self._expiring[0][0] <= self._now_ms():
            _, order = heapq.heappop(self._expiring)
            if order in self._known and not self._cancel(order, "its signal expired"):
                heapq.heappush(self._expiring, (self._now_ms() + CANCEL_AGAIN_MS, order))

    @contextlib.contextmanager
    def _told_when_broken(self) -> Iterator[None]:
        """The strategy must not go on without one of the threads: its next look for news says why."""
        try:
            yield
        except Exception as error:  # the top of a thread
            log.exception("ordering_broke")
            self._failed = f"orders cannot be made any more: {type(error).__name__}: {error}"

    def _until_next(self) -> float:
        if not self._expiring:
            return IDLE_SECONDS
        return min(max(self._expiring[0][0] - self._now_ms(), 1) / 1000, IDLE_SECONDS)

    def _send(self, proposal: Proposal, wanted: Wanted, received_ms: int) -> None:
        maybe_left = False
        while True:
            if (why := self._why_not(proposal, received_ms)) is not None:
                self._ends(proposal, why, maybe_left=maybe_left)
                return
            try:
                answer = self._client.post(
                    "/api/v1/execute",
                    json=self._body(proposal, wanted),
                    headers={"Idempotency-Key": f"{self._way.strategy}:{proposal.line.id}"},
                )
            except httpx.TransportError as error:
                maybe_left = maybe_left or isinstance(error, MAYBE_LEFT)
                log.warning("order_not_answered", signal=proposal.line.id, reason=f"{type(error).__name__}: {error}")
            else:
                if answer.status_code < 500 and answer.status_code != TOO_MANY:
                    self._answered(proposal, answer, received_ms, maybe_left=maybe_left)
                    return
                maybe_left = maybe_left or answer.status_code != TOO_MANY
                log.warning("order_not_taken", signal=proposal.line.id, status=answer.status_code)
            self._ending.wait(AGAIN_SECONDS)

    def _why_not(self, proposal: Proposal, received_ms: int) -> str | None:
        """Why an order may not leave now."""
        age = self._now_ms() - received_ms
        if age > self._way.stale_ms:
            return f"STALE: its tick came {age} ms ago, limit {self._way.stale_ms} ms"
        if (late := too_late(proposal.signal, age)) is not None:
            return f"EXPIRED_SIGNAL: {late}, limit {proposal.signal.lives_ms} ms"
        if not self._listening.is_set():
            return "DEAF: nobody would hear what becomes of it"
        return None

    def _body(self, proposal: Proposal, wanted: Wanted) -> dict[str, Any]:
        price = {} if wanted.price is None else {"price": float(wanted.price)}
        return {
            "symbol": wanted.symbol,
            "side": wanted.side,
            "quantity": wanted.quantity,
            "orderType": wanted.kind,
            "strategy": self._way.strategy,
            "confidence": proposal.signal.confidence,
            **price,
        }

    def _answered(self, proposal: Proposal, answer: httpx.Response, received_ms: int, *, maybe_left: bool) -> None:
        if answer.status_code not in (200, 201, 202):
            # a check's word is that of the first attempt as well; another refusal says nothing about it
            self._ends(proposal, _reason(answer), maybe_left=maybe_left and not _checked(answer))
            return
        self.counts.sent += 1
        known = Known(order=answer.json()["orderId"], signal=proposal.signal)
        self._news.put(OrderUpdate(ts_ms=self._now_ms(), signal=proposal.signal, order=known.order, status="SUBMITTED"))
        with self._lock:
            self._known[known.order] = known
        if proposal.signal.lives_ms is not None:
            heapq.heappush(self._expiring, (received_ms + proposal.signal.lives_ms, known.order))
        self._look_up(known)  # it may have been told of before its name was known here

    def _ends(self, proposal: Proposal, why: str, *, maybe_left: bool) -> None:
        if maybe_left:
            self.counts.unclear += 1
            why = f"nobody knows whether it left, and it is not sent again: {why}"
            log.error("order_unclear", signal=proposal.line.id, reason=why)
        else:
            self.counts.refused += 1
            log.warning("order_refused", signal=proposal.line.id, reason=why)
        status: Became = "UNKNOWN" if maybe_left else "REFUSED"
        self._news.put(OrderUpdate(ts_ms=self._now_ms(), signal=proposal.signal, order=None, status=status, reason=why))

    def _cancel(self, order: str, reason: str) -> bool:
        """Whether the cancellation was taken, or there is nothing to cancel."""
        try:
            answer = self._client.delete(f"/api/orders/{order}", params={"reason": reason})
        except httpx.TransportError as error:
            log.warning("cancel_not_answered", order=order, reason=f"{type(error).__name__}: {error}")
            return False
        return answer.status_code in (200, 202, 400, 404)

    # --- listening ---

    def _listen(self) -> None:
        url = f"ws{self._way.url.removeprefix('http')}/ws/orders"
        with self._told_when_broken():
            while not self._ending.is_set():
                try:
                    with connect(url, additional_headers={"X-API-Key": self._way.key}, proxy=None) as socket:
                        self._socket = socket
                        self._hear(socket)
                except (OSError, WebSocketException) as error:
                    if not self._ending.is_set():
                        log.warning("order_events_not_heard", reason=f"{type(error).__name__}: {error}")
                finally:
                    self._listening.clear()
                self._ending.wait(RECONNECT_SECONDS)

    def _hear(self, socket: ClientConnection) -> None:
        socket.recv(timeout=CONNECT_SECONDS)  # the greeting: from here on everything is told
        with self._lock:
            missed = list(self._known.values())
        for known in missed:
            self._look_up(known)
        self._listening.set()
        for text in socket:
            message = msgspec.json.decode(text)
            if (ours := self._known.get(message.get("orderId", ""))) is not None:
                self._learn(ours, heard, message)

    def _look_up(self, known: Known) -> None:
        try:
            answer = self._client.get(f"/api/orders/{known.order}")
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("order_not_looked_up", order=known.order, reason=f"{type(error).__name__}: {error}")
            return
        self._learn(known, looked_up, answer.json()["data"])

    def _learn(self, known: Known, rule: Callable[[Known, Any], OrderUpdate | None], said: Any) -> None:
        with self._lock:
            update = rule(known, said)
            if known.over:
                self._known.pop(known.order, None)
        if update is not None:
            self.counts.fills += update.fill_quantity > 0
            self._news.put(update)


def _checked(answer: httpx.Response) -> bool:
    """Whether a check of the order loop refused."""
    try:
        return bool(answer.json()["details"]["check"])
    except (ValueError, KeyError, TypeError):
        return False


def _reason(answer: httpx.Response) -> str:
    """What the answer says, in its own words."""
    try:
        body = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    return str(body.get("error") or body.get("message") or f"HTTP {answer.status_code}")
