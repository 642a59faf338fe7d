"""One connection of the stream, without sockets: what a client may ask, and what becomes of one that does not read."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from realtime.relay.stream import session as sessions
from realtime.relay.stream.batches import Form
from realtime.relay.stream.client import Client
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.resume import Kept, Resume
from realtime.relay.stream.session import Session, Stream, options_of
from realtime.relay.stream.wire import BROKEN, TRY_AGAIN
from sql.messages import BOOK, TRADES
from tests.realtime.test_stream_batches import batch, messages, numbers

BOUND = 100_000
WIN, WDO, PETR = "WINZ26", "WDOZ26", "PETR4"


class End:
    """A client's end that takes nothing."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = None
        self.took = asyncio.Event()

    @property
    def gone(self) -> bool:
        return self.closed is not None

    def waiting_bytes(self) -> int:
        return len(self.written)

    def write_frames(self, data: bytes) -> None:
        self.written += data

    async def drained(self) -> None:
        await self.took.wait()

    def cut(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def told(self, *kinds: str) -> list[dict]:
        return [each for each in messages(bytes(self.written)) if not kinds or each["type"] in kinds]


class Said:
    """What a client says, one thing after another; then it stays until it is let go."""

    def __init__(self, *asks: dict) -> None:
        self._events: asyncio.Queue[dict] = asyncio.Queue()
        self.heard = 0  # asks that were taken
        self.idle = asyncio.Event()
        for ask in asks:
            self.say(ask)

    def say(self, ask: dict) -> None:
        self.idle.clear()
        self._events.put_nowait({"type": "websocket.receive", "text": msgspec.json.encode(ask).decode()})

    def go(self) -> None:
        self._events.put_nowait({"type": "websocket.disconnect"})

    async def __call__(self) -> dict:
        if self._events.empty():
            self.idle.set()
        event = await self._events.get()
        self.heard += 1
        return event


def subscribe(*symbols: str, **more) -> dict:
    return {"action": "subscribe", "symbols": symbols, **more}


def talk(hub: Hub, end: End, said: Said, channel=TRADES, **query: str) -> asyncio.Task:
    stream = Stream(hub, [Path("nowhere")], BOUND)
    return asyncio.create_task(Session(stream, end, options_of(query), channel).run(said))


def begun(sequence: int) -> Hub:
    hub = Hub(10)
    hub.begin(sequence)
    return hub


def joined(hub: Hub, *symbols: str, bound: int = BOUND) -> tuple[Client, End]:
    end = End()
    client = Client(end, Form(), "cut", bound, hub.counts)
    hub.join(client)
    client.want(TRADES, frozenset(symbols))
    client.sequence = hub.told
    return client, end


def test_a_client_that_breaks_is_cut_and_the_others_are_told(monkeypatch):
    async def story():
        hub = begun(0)
        ends = [joined(hub, "*") for _ in range(5)]
        broken, _ = ends[2]
        monkeypatch.setattr(broken, "_tell_trades", lambda *_: 1 // 0)
        hub.tell(batch(0, 3))
        return [(end.closed, numbers(bytes(end.written))) for _, end in ends]

    whole = (None, [1, 2, 3])
    broke = ((BROKEN, "cannot be told; resume with from_sequence=1"), [])

    assert asyncio.run(story()) == [whole, whole, broke, whole, whole]


def test_one_that_asks_and_does_not_read_is_cut():
    async def story():
        hub, end = begun(0), End()
        asks = [subscribe("*") for _ in range(1000)]
        said = Said(*asks)
        said.go()
        task = talk(hub, end, said, BOOK)
        hub.states[BOOK] = {f"S{n}": (n, b"x" * 3000) for n in range(10)}
        await task
        return end, hub.counts.cut, said.heard

    end, cut, heard = asyncio.run(story())

    assert end.closed == (TRY_AGAIN, "answers are not taken; resume with from_sequence=1")
    assert (cut, heard) == (1, 5)
    assert len(end.written) < 2 * BOUND


def test_symbols_are_listed_up_to_a_number(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SYMBOLS", 3)

    async def story():
        hub, end = begun(0), End()
        said = Said(subscribe("A", "B"), subscribe("B", "C"), subscribe("D"), subscribe("*", "C", "A"))
        task = talk(hub, end, said)
        await said.idle.wait()
        said.go()
        await task
        return [each.get("code", each["type"]) for each in end.told()]

    assert asyncio.run(story()) == ["subscribed", "subscribed", "TOO_MANY", "TOO_MANY"]


def test_a_sequence_is_unknown_once_all_is_read_that_was_on_the_disk_when_it_was_asked_for(monkeypatch):
    """Whoever reads the disk may be late: what a client heard before a restart is there all the same."""
    monkeypatch.setattr(sessions, "kept", lambda *_: Kept(0, 1))

    async def story():
        hub, said = begun(0), (End(), End())
        tasks = [talk(hub, end, Said(), symbols="*", from_sequence="3") for end in said]
        while hub.asks < 2:
            await asyncio.sleep(0)
        before = list(said[1].told())
        hub.at_the_end(1)  # read before the second one asked
        while not said[0].told():
            await asyncio.sleep(0)
        between = list(said[1].told())
        hub.tell(batch(0, 5))
        while not said[1].told():
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return before, between, [end.told()[0].get("code", end.told()[0]["type"]) for end in said]

    assert asyncio.run(asyncio.wait_for(story(), 20)) == ([], [], ["SEQUENCE_UNKNOWN", "subscribed"])


@pytest.mark.parametrize(("sequence", "heartbeats"), [("5", [4]), ("0", []), ("2000", [1000])])
def test_no_heartbeat_runs_ahead_while_the_place_on_the_disk_is_looked_for(monkeypatch, sequence, heartbeats):
    """Who is cut then comes back with the number it heard."""
    looking, found = threading.Event(), threading.Event()

    def slowly(*_):
        looking.set()
        found.wait(20)
        return Kept(0, 1)

    monkeypatch.setattr(sessions, "kept", slowly)

    async def story():
        hub, end, said = begun(1000), End(), Said()
        task = talk(hub, end, said, symbols="*", from_sequence=sequence)
        if int(sequence) <= 1001:
            await asyncio.to_thread(looking.wait, 20)
        else:
            await asyncio.sleep(0)
        hub.beat()
        found.set()
        told = end.told("heartbeat")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return [each["sequence"] for each in told]

    assert asyncio.run(story()) == heartbeats


def test_what_was_asked_for_from_a_number_holds_heartbeats_back_no_longer_when_it_is_over(monkeypatch):
    monkeypatch.setattr(sessions, "kept", lambda *_: Kept(0, 900))

    async def story():
        hub, end = begun(1000), End()
        asks = [subscribe("*", from_sequence=5), subscribe("*", from_sequence=950)]
        said = Said(*asks, {"action": "unsubscribe", "symbols": ["*"]})
        task = talk(hub, end, said)
        await said.idle.wait()
        await asyncio.sleep(0)  # a resume that was cancelled before its first step is done
        (client,) = hub.clients
        left = dict(client.resuming)
        said.go()
        await task
        return end.told(), left

    told, left = asyncio.run(story())

    assert [each.get("code", each["type"]) for each in told] == ["SEQUENCE_GONE", "subscribed", "unsubscribed"]
    assert left == {}


def test_unsubscribing_one_symbol_leaves_the_others_of_a_resume(monkeypatch):
    reading, go_on = threading.Event(), threading.Event()

    def slowly(self):
        reading.set()
        go_on.wait(20)
        self._cursor = 9
        made = batch(0, 9)
        made.frames(TRADES, self.symbols, Form())
        return made

    monkeypatch.setattr(sessions, "kept", lambda *_: Kept(0, 1))
    monkeypatch.setattr(Resume, "_read", slowly)

    async def story():
        hub, end, said = begun(9), End(), Said(subscribe(WIN, WDO, PETR, from_sequence=1))
        task = talk(hub, end, said)
        end.took.set()
        await asyncio.to_thread(reading.wait, 20)
        said.say({"action": "unsubscribe", "symbols": [WDO]})
        await said.idle.wait()
        (client,) = hub.clients
        go_on.set()
        while not end.told("live") and client.resuming:
            await asyncio.sleep(0.001)
        hub.tell(batch(9, 12))
        said.go()
        await task
        return end

    end = asyncio.run(story())

    assert [each["symbols"] for each in end.told("live")] == [[PETR, WIN]]
    assert [each["sequence"] for each in end.told("trade")] == [2, 3, 5, 6, 8, 9, 11, 12]


def test_a_cut_client_comes_back_for_what_is_still_resumed():
    async def story():
        hub = begun(5000)
        client, end = joined(hub, "*", bound=1000)
        client.resuming[object()] = 40
        hub.tell(batch(5000, 5002))
        hub.tell(batch(5002, 5102))
        return end.closed

    assert asyncio.run(story()) == (TRY_AGAIN, "too slow; resume with from_sequence=41")
