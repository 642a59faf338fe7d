"""The thread that follows the spool's end and hands what came to the hub. Whether hot takes it is not asked."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from realtime.relay.stream.batches import Batch
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.prices import Prices
from realtime.relay.stream.trades import rows_of
from realtime.spool import segments
from realtime.spool.frames import Frame, FrameKind, Loss
from realtime.spool.reader import Position, Reader
from realtime.spool.segments import OPEN, SEALED
from sql.messages import BOOK, QUOTES, Channel, Gap

POLL_SECONDS = 0.01  # the spool commits 50 times a second
IDLE_SECONDS = 0.2  # while nobody listens
READ_BYTES = 1 << 20
AHEAD = 8  # batches that the loop may be behind
PAUSE_SECONDS = 1.0  # after an error
HEARTBEAT_SECONDS = 1.0
JOIN_SECONDS = 5.0

log = structlog.get_logger("realtime.stream")


class Tail:
    """Runs in a thread of its own until `stop` is set."""

    def __init__(
        self, folders: Sequence[Path], hub: Hub, loop: asyncio.AbstractEventLoop, stop: threading.Event
    ) -> None:
        self._hub = hub
        self._loop = loop
        self._stop = stop
        self._room = threading.Semaphore(AHEAD)
        self._reader = Reader(folders, Position(newest(folders)))
        self._seen = hub.seen
        self._gaps = Gaps()
        self._prices = Prices()
        self._wants: dict[Channel, int] = {}
        self._began = False
        self._answered = 0  # so many asks for the end
        self._beat_at = float("-inf")

    def run(self) -> None:
        """Learn what the newest segment holds, then tell what follows."""
        while not self._stop.is_set():
            try:
                asks = self._hub.asks  # before the disk is looked at
                while self._step() and not self._stop.is_set():
                    pass
                self._at_the_end(asks)
                pause = POLL_SECONDS if self._hub.counts.clients else IDLE_SECONDS
            except Exception:  # the top of a thread: tried again from where it stands
                log.exception("stream_cannot_go_on")
                pause = PAUSE_SECONDS
            self._stop.wait(pause)

    def _step(self) -> bool:
        """Hand over what is there, at most so much; whether there was anything."""
        before, after = self._reader.position, self._gaps.sequence
        try:
            found = self._reader.read(READ_BYTES)
            rows = rows_of(found.frames, self._reader.assets)
        except BaseException:
            self._reader.position = before
            raise
        batch = Batch(after, 0, self._seen.fresh(rows), self._gaps.read(found.frames))
        batch.sequence = self._gaps.sequence
        self._read_prices(found.frames, batch)
        if self._began and (batch.sequence > after or batch.quotes or batch.books):
            self._hand_over(batch)
        return bool(found.frames or found.damages)

    def _read_prices(self, frames: list[Frame], batch: Batch) -> None:
        """Quotes and books, if somebody wants them; all that is known when somebody begins to."""
        wants, before = self._hub.wants, self._wants
        known = self._prices.quotes() if wants.get(QUOTES) != before.get(QUOTES) else []
        quotes, changed = self._prices.read(frames, self._reader.assets, quotes=QUOTES in wants)
        if QUOTES in wants:
            batch.quotes = known + quotes
        if BOOK in wants:
            batch.books = self._prices.books(changed if wants[BOOK] == before.get(BOOK) else None)
        self._wants = wants

    def _hand_over(self, batch: Batch) -> None:
        for shape in self._hub.shapes:
            batch.texts(shape)  # made here, so that the loop has less to do
        batch.quote_texts()
        while not self._room.acquire(timeout=0.1):
            if self._stop.is_set():
                return
        self._call(self._tell, batch)

    def _at_the_end(self, asks: int) -> None:
        if not self._began:
            self._began = True
            self._call(self._hub.begin, self._gaps.sequence)
        if asks != self._answered:
            self._answered = asks
            self._call(self._hub.at_the_end, asks)
        if time.monotonic() - self._beat_at >= HEARTBEAT_SECONDS:
            self._beat_at = time.monotonic()
            self._call(self._hub.beat)

    def _tell(self, batch: Batch) -> None:
        self._room.release()
        self._hub.tell(batch)

    def _call(self, function: Callable[..., None], *arguments: Batch | int) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: the process ends
            self._stop.set()


@asynccontextmanager
async def following(hub: Hub, folders: Sequence[Path]) -> AsyncIterator[None]:
    """A tail's thread while the block runs."""
    stop = threading.Event()
    tail = Tail(folders, hub, asyncio.get_running_loop(), stop)
    thread = threading.Thread(target=tail.run, name="stream", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, JOIN_SECONDS)


class Gaps:
    """What is missing between frames that follow each other, and what they say was lost."""

    def __init__(self) -> None:
        self.sequence = 0  # of the last record, there or lost

    def read(self, frames: list[Frame]) -> list[Gap]:
        """Take frames in their order; the first one that is ever read begins without a past."""
        found = []
        for frame in frames:
            if self.sequence and frame.first > self.sequence + 1:
                missing = frame.first - self.sequence - 1
                found.append(Gap(self.sequence + 1, frame.first - 1, missing, "not in the spool any more"))
            if frame.kind == FrameKind.LOSS:
                loss: Loss = frame.said(Loss)
                found.append(Gap(frame.first, frame.following - 1, frame.count, loss.reason))
            self.sequence = max(self.sequence, frame.following - 1)
        return found


def newest(folders: Sequence[Path]) -> int:
    """The number of the last segment; 0 when there is none."""
    return max((number for folder in folders for number in segments.numbers(folder, OPEN, SEALED)[-1:]), default=0)
