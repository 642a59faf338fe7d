"""The fan-out: hands each batch to every client, in the event loop, and waits for none of them."""

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec
import structlog

from realtime.relay.stream.batches import Batch, Recent
from realtime.relay.stream.client import Client, Counts
from realtime.relay.stream.seen import Seen
from realtime.relay.stream.trades import Shape
from realtime.relay.stream.wire import BROKEN, TRY_AGAIN, framed
from sql.messages import BOOK, HEALTH, QUOTES, TRADES, Channel, Health, Heartbeat

HEALTH_BEATS = 5

log = structlog.get_logger("realtime.stream")


class Hub:
    """Every method is called in the event loop; `shapes`, `wants`, `asks`, `counts` may be read by other threads."""

    def __init__(self, most_clients: int) -> None:
        self.clients: set[Client] = set()
        self.counts = Counts()
        self.shapes: frozenset[Shape] = frozenset()  # that somebody wants just now
        self.told = 0  # number of the last record that was told, or passed over
        self.seen = Seen()
        self.ready = asyncio.Event()  # `told` is the end of the spool
        self._most_clients = most_clients
        self.wants: dict[Channel, int] = {}  # channels of states that somebody wants -> since when, by count
        self.states: dict[Channel, dict[str, tuple[int, bytes]]] = {QUOTES: {}, BOOK: {}}
        self.health: Callable[[], Health] | None = None
        self._begun = 0
        self._beats = 0
        self._recent = Recent()
        self.asks = 0  # how often somebody wanted to know that all is told that is on the disk by then
        self._answered = 0  # so many of them are answered
        self._waiting: list[asyncio.Future[None]] = []

    def begin(self, sequence: int) -> None:
        """What is in the spool already ends with this number."""
        self.told = max(self.told, sequence)
        self.ready.set()

    def join(self, client: Client) -> bool:
        """Take a client; False when there are too many."""
        if len(self.clients) >= self._most_clients:
            client.wire.cut(TRY_AGAIN, f"{self._most_clients} clients are connected already")
            return False
        self.clients.add(client)
        self.counts.clients = len(self.clients)
        return True

    def leave(self, client: Client) -> None:
        """A client went."""
        self.clients.discard(client)
        self.counts.clients = len(self.clients)
        self.changed()

    def changed(self) -> None:
        """What clients want is another thing now."""
        wants = {}
        for channel, states in self.states.items():
            if any(client.wanted[channel] for client in self.clients):
                self._begun += 1
                wants[channel] = self.wants.get(channel, self._begun)
            else:
                states.clear()  # nobody keeps them up to date
        self.wants = wants
        self.shapes = frozenset(client.form.shape for client in self.clients if client.wanted[TRADES])

    def tell(self, batch: Batch) -> None:
        """Hand out a batch."""
        for channel, states in self.states.items():
            if channel in self.wants:
                states.update(batch.states(channel))
        if batch.sequence > self.told:
            self.told = batch.sequence
            self._recent.add(batch)
        for client in tuple(self.clients):
            self._tell(client, batch)
        self._wake()

    def at_the_end(self, asks: int) -> None:
        """All is told that was on the disk when so many had asked."""
        self._answered = asks
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _tell(self, client: Client, batch: Batch) -> None:
        try:
            client.tell(batch, self.states)
        except Exception:  # the others must hear it; this one comes back for it
            log.exception("stream_client_broke", sequence=batch.sequence)
            client.cut(BROKEN, "cannot be told")

    def beat(self) -> None:
        """A sign of life for those who take what they are told."""
        frame = framed([msgspec.json.encode(Heartbeat(self.told, int(time.time() * 1000)))])
        self._beats += 1
        health = self.health_frame() if self._beats % HEALTH_BEATS == 0 else b""
        for client in tuple(self.clients):
            client.beat(frame, self.states)
            if health and client.wanted[HEALTH]:
                client.write(health)

    def health_frame(self) -> bytes:
        """How the relay stands."""
        return framed([msgspec.json.encode(self.health())]) if self.health else b""

    def since(self, sequence: int) -> Iterable[Batch] | None:
        """All batches above `sequence`; None when that is further back than is remembered, or not told yet."""
        if sequence >= self.told:
            return [] if sequence == self.told else None
        return self._recent.since(sequence)

    async def reached(self, sequence: int) -> None:
        """Until everything up to `sequence` is told."""
        while self.told < sequence:
            await self._woken()

    async def reached_or_end(self, sequence: int) -> None:
        """Until everything up to `sequence` is told, or else all that is on the disk by now."""
        self.asks += 1
        mine = self.asks
        while self.told < sequence and self._answered < mine:
            await self._woken()

    async def _woken(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
