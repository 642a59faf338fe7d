"""The live way from proposals to orders: `POST /api/v1/execute` as a strategy, and what became of them by `/ws/orders`.

Nothing here waits in the strategy's thread. An order leaves once: each attempt carries the name of its signal, and of
the tape's run, as its key. It does not leave when its tick is too old, or while nobody would hear what becomes of it.
"""

import contextlib
import heapq
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import httpx
import msgspec
import structlog
from msgspec import Struct
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from realtime.orders.prices import exact
from realtime.strategy import Became, Cancel, Change, OrderUpdate, StrategyError
from realtime.strategy.asking import ANSWER_SECONDS, Answer, Asking
from realtime.strategy.becoming import Known, heard, left_over, looked_up, settled, unfollowed
from realtime.strategy.proposing import Wanted, too_late, wanted_of
from realtime.strategy.running import Proposal, Request

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 0.5
IDLE_SECONDS = 0.5
CANCEL_AGAIN_MS = 1000
LOOK_AGAIN_MS = 1000
ENDING_SECONDS = 10.0  # how long cancellations are tried at the end
ENDING_AGAIN_SECONDS = 0.2
STALE_MS = 2000

log = structlog.get_logger("strategy")


class Way(Struct, frozen=True, kw_only=True):
    """Where orders go and how. `stale_ms`: how old the tick of a proposal may be when its order leaves."""

    url: str
    key: str
    strategy: str
    quantity: int = 1
    stale_ms: int = STALE_MS
    left: Literal["cancel", "tell"] = "cancel"  # what becomes of orders that an earlier process left working


class Counts(Struct):
    """What this process did."""

    sent: int = 0
    refused: int = 0
    unclear: int = 0
    fills: int = 0
    changed: int = 0
    left: int = 0  # orders that an earlier process of the strategy had left working


class Heard(Struct, frozen=True):
    """What was proposed or asked, when its tick reached this machine, and the run of the tape that it belongs to."""

    said: Proposal | Request
    received_ms: int
    run: str

    @property
    def key(self) -> str:
        """Under which it is asked for: another run of the same tape is another order."""
        return f"{self.run}:{self.said.line.id}"


class Orders:
    """Two threads: one sends, changes and cancels, one listens. `take` and `news` are the strategy's."""

    def __init__(self, way: Way, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.counts = Counts()
        self._failed: str | None = None
        self._way = way
        self._now_ms = now_ms
        self._waiting: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[OrderUpdate] = queue.SimpleQueue()
        self._known: dict[str, Known] = {}  # by order, while it may trade
        self._lock = threading.Lock()
        self._expiring: list[tuple[int, str, str]] = []  # when an order is to be cancelled, and why
        self._unseen: dict[str, int] = {}  # order -> when it is to be looked up again, since nobody said how it stands
        self._nameless = False  # an order may have left whose answer, and with it its name, never came
        self._listening = threading.Event()
        self._ending = threading.Event()
        headers = {"X-API-Key": way.key, "X-Source": "strategy", "X-User-Id": way.strategy}
        self._asking = Asking(way.url, headers, self._ending)
        self._socket: ClientConnection | None = None
        self._sender = threading.Thread(target=self._send_all, name="orders", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="listening", daemon=True)

    def start(self) -> None:
        """Begin; returns when order events are heard. Raises StrategyError when they are not.

        What an earlier process of the strategy left working is told of, and cancelled where `Way.left` says so.
        """
        self._listener.start()
        if not self._listening.wait(CONNECT_SECONDS):
            self._ending.set()
            raise StrategyError(f"nobody tells of orders at {self._way.url}/ws/orders: `tradingsystem up` starts it")
        try:
            self._take_up("an earlier run of the strategy left it")
        except httpx.HTTPError as error:
            self._ending.set()
            raise StrategyError(f"what an earlier run left working cannot be asked for: {error}") from error
        self._sender.start()

    def take(self, said: Proposal | Request, received_ms: int, run: str) -> None:
        """Make an order of a proposal, or follow a request, whose tick reached this machine at `received_ms`.

        News tell what comes of it. `run`: of the tape, so that the same moment of another one is another order.
        """
        if isinstance(said, Request) or wanted_of(said.signal, self._way.quantity) is not None:
            self._waiting.put(Heard(said, received_ms, run))

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
        self._find_nameless()
        self._cancel_all()
        self._ending.set()
        if self._socket is not None:
            self._socket.close()
        self._listener.join(CONNECT_SECONDS)
        self._asking.close()

    def _cancel_all(self) -> None:
        """Nobody looks after them from here on: each is asked to end until that is taken, for a while."""
        deadline, left = time.monotonic() + ENDING_SECONDS, list(self._known)
        while left := [order for order in left if not self._asking.cancelled(order, "its strategy ended")]:
            if time.monotonic() > deadline:
                log.error("orders_left_working", orders=left, reason="their cancellation was not taken")
                return
            time.sleep(ENDING_AGAIN_SECONDS)

    # --- sending ---

    def _take_up(self, why: str) -> None:
        for order in self._asking.working(self._way.strategy):
            if order["orderId"] in self._known:
                continue
            known, update = left_over(order, why)
            log.warning("order_left_over", order=known.order, status=update.status, then=self._way.left)
            self.counts.left += 1
            self._news.put(update)
            with self._lock:
                self._known[known.order] = known
            if self._way.left == "cancel":
                heapq.heappush(self._expiring, (self._now_ms(), known.order, why))
            self._look_up(known)  # what happened while it was being taken up

    def _find_nameless(self) -> None:
        """Where an order may have left that has no name here: it works under one there, and would work on for ever."""
        if not self._nameless:
            return
        try:
            self._take_up("nobody knew whether it left")
        except httpx.HTTPError as error:
            log.warning("nameless_not_found", reason=f"{type(error).__name__}: {error}")
        else:
            self._nameless = False

    def _send_all(self) -> None:
        with self._told_when_broken():
            while True:
                with contextlib.suppress(queue.Empty):
                    asked = self._waiting.get(timeout=self._until_next())
                    if asked is None:
                        return
                    self._follow(asked)
                self._look_again()
                self._expire()

    def _follow(self, asked: Heard) -> None:
        said = asked.said
        if isinstance(said, Proposal):
            wanted = wanted_of(said.signal, self._way.quantity)
            if wanted is not None:
                self._send(asked, said, wanted)
        elif (known := self._known.get(said.wish.order)) is None:
            log.warning("request_for_nothing", request=said.line.id, order=said.wish.order)  # over, or not its own
        elif isinstance(said.wish, Cancel):
            self._cancel(known.order, f"its strategy asked: {said.wish.reasoning}".rstrip(": "))
        else:
            self._change(asked, known, said.wish)

    def _look_again(self) -> None:
        """What has become of an order while nobody could say it may never be told again: it is asked for until told."""
        if self._listening.is_set():
            self._find_nameless()
        for order, at in list(self._unseen.items()):
            if at <= self._now_ms():
                del self._unseen[order]
                if (known := self._known.get(order)) is not None:
                    self._look_up(known)

    def _expire(self) -> None:
        while self._expiring and self._expiring[0][0] <= self._now_ms():
            _, order, reason = heapq.heappop(self._expiring)
            if order in self._known:
                self._cancel(order, reason)

    def _cancel(self, order: str, reason: str) -> None:
        """Cancel, and again until it is taken: nothing is too late for that."""
        if not self._asking.cancelled(order, reason):
            heapq.heappush(self._expiring, (self._now_ms() + CANCEL_AGAIN_MS, order, reason))

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

    def _send(self, asked: Heard, proposal: Proposal, wanted: Wanted) -> None:
        signal = proposal.signal

        def why_not() -> str | None:
            age = self._now_ms() - asked.received_ms
            if (late := too_late(signal, age)) is not None:
                return f"EXPIRED_SIGNAL: {late}, limit {signal.lives_ms} ms"
            return self._why_not(asked.received_ms)

        body = _body(proposal, wanted, self._way.strategy)
        answer = self._asking.answered("POST", "/api/v1/execute", body, key=asked.key, why_not=why_not)
        if answer.taken is None:
            self._ends(proposal, answer)
            return
        self.counts.sent += 1
        price = None if wanted.price is None else float(wanted.price)
        known = Known(order=answer.taken["orderId"], signal=signal, quantity=wanted.quantity, price=price)
        self._news.put(
            OrderUpdate(
                ts_ms=self._now_ms(),
                signal=signal,
                order=known.order,
                status="SUBMITTED",
                quantity=wanted.quantity,
                price=price,
            )
        )
        with self._lock:
            self._known[known.order] = known
        if signal.lives_ms is not None:
            heapq.heappush(self._expiring, (asked.received_ms + signal.lives_ms, known.order, "its signal expired"))
        self._look_up(known)  # it may have been told of before its name was known here

    def _why_not(self, received_ms: int) -> str | None:
        """Why nothing that may raise the risk leaves now."""
        age = self._now_ms() - received_ms
        if age > self._way.stale_ms:
            return f"STALE: its tick came {age} ms ago, limit {self._way.stale_ms} ms"
        if not self._listening.is_set():
            return "DEAF: nobody would hear what becomes of it"
        return None

    def _change(self, asked: Heard, known: Known, wish: Change) -> None:
        price = None if wish.price is None else float(exact(wish.price))
        body = {name: value for name, value in (("price", price), ("quantity", wish.quantity)) if value is not None}
        path, key = f"/api/orders/{known.order}", asked.key
        answer = self._asking.answered("PATCH", path, body, key=key, why_not=lambda: self._why_not(asked.received_ms))
        if answer.taken is None:
            log.warning("change_refused", order=known.order, request=asked.said.line.id, reason=answer.told)
            self._news.put(unfollowed(known, wish, answer.told, self._now_ms()))
            return
        self.counts.changed += 1
        with self._lock:
            known.asked = wish
        self._look_up(known)

    def _ends(self, proposal: Proposal, answer: Answer) -> None:
        if answer.maybe_left:
            self.counts.unclear += 1
            self._nameless = True
            log.error("order_unclear", signal=proposal.line.id, reason=answer.told)
        else:
            self.counts.refused += 1
            log.warning("order_refused", signal=proposal.line.id, reason=answer.told)
        status: Became = "UNKNOWN" if answer.maybe_left else "REFUSED"
        self._news.put(
            OrderUpdate(ts_ms=self._now_ms(), signal=proposal.signal, order=None, status=status, reason=answer.told)
        )

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
                if ours.asked is not None:  # the message does not say whether a change is over
                    self._look_up(ours)

    def _look_up(self, known: Known) -> None:
        order = self._asking.order(known.order)
        if order is None:
            self._unseen[known.order] = self._now_ms() + LOOK_AGAIN_MS
            return
        self._learn(known, looked_up, order)
        self._learn(known, settled, order)

    def _learn(
        self, known: Known, rule: Callable[[Known, Mapping[str, Any]], OrderUpdate | None], said: Mapping[str, Any]
    ) -> None:
        with self._lock:
            update = rule(known, said)
            if known.over:
                self._known.pop(known.order, None)
            if update is not None:
                self.counts.fills += update.fill_quantity > 0
                self._news.put(update)


def _body(proposal: Proposal, wanted: Wanted, strategy: str) -> dict[str, Any]:
    price = {} if wanted.price is None else {"price": float(wanted.price)}
    return {
        "symbol": wanted.symbol,
        "side": wanted.side,
        "quantity": wanted.quantity,
        "orderType": wanted.kind,
        "strategy": strategy,
        "confidence": proposal.signal.confidence,
        **price,
    }
