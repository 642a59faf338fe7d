"""The stream over real sockets: what is told, to whom, once each, and what becomes of those who do not listen."""

import threading
import time
from contextlib import contextmanager

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.kernel.server import STOP_SECONDS
from config.settings import ROOT
from realtime.records import Kind
from realtime.relay.stream import batches
from realtime.relay.stream import resume as resuming
from realtime.spool import segments
from realtime.spool.segments import RECEIPT, SEALED
from tests.realtime import raw_socket
from tests.realtime.spooled import ASSETS, NOON_MS, records
from tests.realtime.streaming import Scene

KEY = "the-admin-key"
FLOOD = 100_000  # trades: more than the system's buffers and ours hold for a client


@pytest.fixture
def scene(settings_in, tmp_path):
    """A running relay over a spool."""
    settings = settings_in(tmp_path / "data", TRADINGSYSTEM_STREAM_CLIENT_BYTES="1000000")
    made = Scene(settings, segment_bytes=200_000)
    with made.relay():
        yield made
    made.spool.close()


def symbols(first, count):
    return [ASSETS[number % 3].ticker for number in range(first, first + count)]


def test_a_trade_is_told_in_the_short_shape(scene):
    with scene.client() as client:
        client.ask("subscribe", "WDOZ26")
        assert client.until("subscribed") == {
            "type": "subscribed",
            "channel": "market-data/trades",
            "symbols": ["WDOZ26"],
            "sequence": 0,
        }
        scene.put(records(3))
        (trade,) = client.trades(1)

    assert trade == {
        "type": "trade",
        "symbol": "WDOZ26",
        "price": 101.0,
        "volume": 2,
        "aggressor": "S",
        "timestamp": NOON_MS + 3 * 3_600_000 + 1,
        "sequence": 1,
        "tradeId": 10,
        "session": "2026-11-19",
    }


def test_a_trade_is_told_in_the_full_shape(scene):
    with scene.client("/ws/trades?shape=full&symbols=PETR4") as client:
        client.until("subscribed")
        scene.put(records(3))
        (trade,) = client.trades(1)

    assert trade == {
        "type": "trade",
        "symbol": "PETR4",
        "exchange": "BVMF",
        "price": 102.0,
        "volume": 3,
        "timestamp": "2026-11-19T15:00:00.002Z",
        "tradeId": 20,
        "aggressor": None,
        "sequence": 2,
        "session": "2026-11-19",
    }


@pytest.mark.parametrize("batch", ["true", "false"])
def test_everything_is_told_once_in_order(scene, batch):
    with scene.client(f"/ws/trades?symbols=*&batch={batch}") as client:
        client.until("subscribed")
        told = []
        for first in range(1, 30_000, 3_000):
            scene.put(records(3_000, first))
            told += client.trades(3_000)

    assert [trade["sequence"] for trade in told] == list(range(1, 30_001))
    assert [trade["symbol"] for trade in told] == symbols(1, 30_000)


def test_what_is_in_the_spool_already_is_not_told(scene):
    scene.put(records(100))
    with scene.client("/ws/trades") as client:
        client.reached(100)
        client.ask("subscribe", "*")
        client.until("subscribed")
        scene.put(records(5, 101))

        assert client.sequences(5) == list(range(101, 106))


def test_a_client_goes_on_where_it_stopped_without_hole_or_repeat(scene):
    """It resumes far back, over many segments, while the writer goes on; others listen all the time."""
    scene.put(records(20_000))
    stop = threading.Event()

    def write():
        first = 20_001
        while not stop.wait(0.01):
            scene.put(records(300, first))
            first += 300

    with scene.client("/ws/trades?symbols=*&batch=true") as other:
        other.until("subscribed")
        writer = threading.Thread(target=write)
        writer.start()
        try:
            with scene.client("/ws/trades?batch=true") as client:
                client.ask("subscribe", "WINZ26", "PETR4", from_sequence=777)
                told = client.sequences(20_000)
                while not client.live:
                    told += client.sequences(1)
                told += client.sequences(2_000)
        finally:
            stop.set()
            writer.join()
        others = other.sequences(5_000)

    wanted = [number for number in range(777, 777 + 2 * len(told)) if number % 3 != 1]

    assert told == wanted[: len(told)]
    assert others == list(range(others[0], others[0] + len(others)))


def test_a_short_break_is_told_from_memory(scene, monkeypatch):
    monkeypatch.setattr(resuming, "Reader", None)
    with scene.client("/ws/trades?symbols=*") as client:
        client.until("subscribed")
        scene.put(records(10))
        client.trades(10)
    with scene.client("/ws/trades") as again:
        monkeypatch.setattr("realtime.relay.stream.session.kept", lambda *_: resuming.Kept(1, 1))
        again.ask("subscribe", "*", from_sequence=4)

        assert again.sequences(7) == list(range(4, 11))


def test_segments_that_were_moved_to_raw_are_resumed_from(scene):
    scene.put(records(6_000))
    scene.spool.commit()
    scene.settings.raw_dir.mkdir()
    for number in segments.numbers(scene.settings.spool_dir, SEALED):
        for suffix in (SEALED, RECEIPT):
            path = scene.settings.spool_dir / segments.name(number, suffix)
            path.rename(scene.settings.raw_dir / path.name)
    scene.put(records(6_000, 6_001))
    with scene.client("/ws/trades?symbols=*&batch=true&from_sequence=0") as client:
        told = client.sequences(12_000)

    assert told == list(range(1, 12_001))
    assert segments.numbers(scene.settings.raw_dir, SEALED)


@pytest.mark.parametrize(("sequence", "code"), [(5_000_000, "SEQUENCE_UNKNOWN"), (1, "SEQUENCE_GONE")])
def test_a_sequence_that_is_not_there_is_refused_with_what_is(scene, sequence, code):
    for first in (1, 3_001, 6_001):
        scene.put(records(3_000, first))
    with scene.client("/ws/trades?symbols=*") as client:
        client.reached(9_000)
    oldest = segments.numbers(scene.settings.spool_dir, SEALED)[0]
    (scene.settings.spool_dir / segments.name(oldest, SEALED)).unlink()
    (scene.settings.spool_dir / segments.name(oldest, RECEIPT)).unlink()
    with scene.client() as client:
        client.ask("subscribe", "*", from_sequence=sequence)
        answer = client.until("error")
        client.ask("subscribe", "*", from_sequence=answer.get("oldest", answer["newest"] + 1))

        assert answer["code"] == code
        assert client.until("subscribed")["sequence"] == answer.get("oldest", answer["newest"] + 1) - 1


def test_repeats_are_dropped_and_revisions_are_told(scene):
    first = records(4)
    edited, struck, filled = records(1, 2), records(1, 3), records(1, 50)
    edited["flags"] = struck["flags"] = 1
    struck["quantity"] = 0
    filled["kind"] = Kind.HISTORY_TRADE
    again = records(2, 3)
    again["time"] += 1
    with scene.client("/ws/trades?symbols=*") as client:
        client.until("subscribed")
        scene.put(first)
        live = client.trades(4)
        for made in (again, edited, struck, filled, filled):
            scene.put(made)
        scene.put(records(1, 60))
        live += client.trades(4)
    with scene.client("/ws/trades?symbols=*&from_sequence=1") as client:
        resumed = client.trades(8)
    with scene.client("/ws/trades?symbols=*&from_sequence=5") as client:  # it heard the originals of the repeats
        later = client.trades(4)

    assert [trade["sequence"] for trade in live] == [1, 2, 3, 4, 7, 8, 9, 11]
    assert [trade.get("revision") for trade in live] == [None] * 4 + ["corrected", "cancelled", None, None]
    assert [trade.get("filled") for trade in live] == [None] * 6 + [True, None]
    assert resumed == live
    assert later == live[4:]


def test_a_repeat_of_an_earlier_segment_is_not_told_to_those_who_resume_after_it(scene, monkeypatch):
    monkeypatch.setattr(batches, "RECENT_BATCHES", 1)  # so that it is told from the disk
    with scene.client("/ws/trades") as client:
        for made in (records(3_000), records(2, 5), records(1, 5_000)):
            client.reached(last := scene.put(made))
    with scene.client("/ws/trades?symbols=*&from_sequence=3001") as client:
        assert client.sequences(1) == [last]


def test_what_was_lost_is_told_as_a_gap(scene):
    with scene.client("/ws/trades?symbols=*") as client:
        client.until("subscribed")
        scene.put(records(3))
        scene.spool._next += 7
        scene.spool.progress.committed += 7
        scene.put(records(3, 20))

        assert client.until("gap") == {
            "type": "gap",
            "first": 4,
            "sequence": 10,
            "records": 7,
            "reason": "not in the spool any more",
        }
        assert client.sequences(3) == [11, 12, 13]


def test_unsubscribing_ends_it(scene):
    with scene.client("/ws/trades?symbols=WINZ26,PETR4") as client:
        client.until("subscribed")
        client.ask("unsubscribe", "PETR4")
        client.until("unsubscribed")
        scene.put(records(30))

        assert {trade["symbol"] for trade in client.trades(10)} == {"WINZ26"}


@pytest.mark.parametrize(
    "said", ["{", '{"action":"buy","symbols":[]}', '{"action":"subscribe"}', '{"action":"subscribe","symbols":"WIN"}']
)
def test_what_is_not_understood_is_answered_and_the_connection_stays(scene, said):
    with scene.client() as client:
        client.connection.send(said)

        assert client.until("error")["code"] == "NOT_UNDERSTOOD"
        client.ask("subscribe", "*")
        assert client.until("subscribed")


def test_an_address_that_is_not_understood_is_answered_and_closed(scene):
    with scene.client("/ws/trades?shape=round") as client:
        assert "shape" in client.until("error")["message"]
        with pytest.raises(ConnectionClosed) as end:
            client.hear()

    assert end.value.rcvd.code == 1008


def test_a_heartbeat_tells_how_far_it_is(scene):
    last = scene.put(records(30))
    with scene.client() as client:
        assert client.until("heartbeat")["sequence"] == last


@contextmanager
def still(scene, path):
    """What a client hears that subscribes and then reads no more until it is asked to."""
    with raw_socket.opened(scene.settings.ports["data-capture"], path, 1 << 16) as connection:
        yield raw_socket.heard(connection)


def flood(scene, client, first, count, step=5_000):
    """Spool trades as fast as `client` hears of them."""
    for at in range(first, first + count, step):
        scene.put(records(step, at))
        heard = client.sequences(step)

        assert heard == list(range(at, at + step))


def test_a_slow_client_is_cut_and_told_how_to_go_on_and_nobody_else_is_slowed(scene):
    with scene.client("/ws/trades?symbols=*&batch=true") as prompt, still(scene, "/ws/trades?symbols=*") as slow:
        prompt.until("subscribed")
        flood(scene, prompt, 1, FLOOD)
        metrics = httpx.get(scene.settings.url("data-capture", "/metrics")).text
        *told, (first, last_words) = slow
    sequences = [message["sequence"] for message in map(decoded, told) if message["type"] == "trade"]

    assert sequences == list(range(1, len(sequences) + 1))
    assert (first, int.from_bytes(last_words[:2], "big")) == (raw_socket.CLOSE, 1013)
    assert last_words[2:].decode() == f"too slow; resume with from_sequence={len(sequences) + 1}"
    assert "datacapture_stream_cut_total 1.0" in metrics


def test_a_slow_client_that_wants_it_so_is_told_the_last_ones(scene):
    with (
        scene.client("/ws/trades?symbols=*&batch=true") as prompt,
        still(scene, "/ws/trades?symbols=*&slow=conflate") as slow,
    ):
        prompt.until("subscribed")
        flood(scene, prompt, 1, FLOOD)
        messages = (message for message in map(decoded, slow) if message["type"] in ("trade", "conflated"))
        told = [next(message for message in messages if message["sequence"] >= 1)["sequence"]]
        while (message := next(messages))["type"] == "trade":
            told.append(message["sequence"])
        after = [next(messages)["sequence"] for _ in range(3)]
        scene.put(records(1, FLOOD + 1))
        after.append(next(messages)["sequence"])

    assert told == list(range(1, message["first"]))
    assert message["sequence"] == FLOOD
    assert message["trades"] == FLOOD + 1 - message["first"]
    assert after == [FLOOD - 2, FLOOD - 1, FLOOD, FLOOD + 1]


def decoded(frame):
    return msgspec.json.decode(frame[1])


def test_the_process_ends_though_a_client_stands_still(scene):
    with (
        scene.client("/ws/trades?symbols=*&batch=true") as prompt,
        still(scene, "/ws/trades?symbols=*&slow=conflate"),
    ):
        prompt.until("subscribed")
        flood(scene, prompt, 1, FLOOD)
        began = time.monotonic()
        scene.end()

        assert time.monotonic() - began < STOP_SECONDS - 0.5, "not when the time is over"


@pytest.mark.parametrize(
    ("variables", "headers", "status"),
    [
        ({}, {"Origin": "https://evil.example"}, 403),
        ({"TRADINGSYSTEM_ACCESS": "required"}, {}, 403),
        ({"TRADINGSYSTEM_ACCESS": "required"}, {"X-API-Key": "wrong"}, 403),
        ({"TRADINGSYSTEM_ACCESS": "required"}, {"X-API-Key": KEY}, None),
        ({}, {"Origin": "http://localhost:3103"}, None),
    ],
)
def test_the_access_rules_hold(settings_in, tmp_path, variables, headers, status):
    scene = Scene(settings_in(tmp_path / "data", TRADINGSYSTEM_API_KEY=KEY, **variables))
    with scene.relay():
        if status is None:
            with scene.client("/ws/trades?symbols=*", additional_headers=headers) as client:
                assert client.until("subscribed")
        else:
            with (
                pytest.raises(InvalidStatus, match=str(status)),
                scene.client("/ws/trades?symbols=*", additional_headers=headers),
            ):
                pass
    scene.spool.close()


def test_a_new_process_goes_on_with_the_numbers_of_the_old_one(settings_in, tmp_path):
    settings = settings_in(tmp_path / "data")
    scene = Scene(settings)
    with scene.relay(), scene.client("/ws/trades?symbols=*") as client:
        client.until("subscribed")
        scene.put(records(1_000))
        last = client.sequences(1_000)[-1]
    scene.put(records(500, 1_001))
    scene.spool.close()
    other = Scene(settings)
    other.put(records(500, 1_501))
    with other.relay(), other.client(f"/ws/trades?symbols=*&from_sequence={last + 1}") as client:
        told = client.sequences(1_000)
    other.spool.close()

    assert told == list(range(1_001, 2_001))


def test_a_heartbeat_does_not_run_ahead_of_what_is_resumed(scene, monkeypatch):
    """The client goes on from the number it hears: nothing above it may be untold."""
    reading, go_on = threading.Event(), threading.Event()
    read = resuming.Resume._read

    def slowly(self):
        reading.set()
        go_on.wait(20)
        return read(self)

    monkeypatch.setattr(resuming.Resume, "_read", slowly)
    last = scene.put(records(9_000))
    with scene.client("/ws/trades") as client:
        client.reached(last)
        client.ask("subscribe", "*", from_sequence=5)
        client.until("subscribed")
        assert reading.wait(20)
        heard = client.until("heartbeat")["sequence"]
        go_on.set()

        assert heard == 4
        assert client.sequences(8_996)[-1] == last


def test_the_client_in_the_documentation_goes_on_by_itself(settings_in, tmp_path):
    page = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)  # our own page
    names["time"] = type("", (), {"sleep": lambda _: None})
    scene = Scene(settings_in(tmp_path / "data"))
    told = names["trades"](scene.url + "/ws/trades", last=0)
    with scene.relay():
        scene.put(records(100))
        first = [next(told)["sequence"] for _ in range(100)]
    scene.put(records(100, 101))
    with scene.relay():
        second = [next(told)["sequence"] for _ in range(100)]
        told.close()
    scene.spool.close()

    assert first + second == list(range(1, 201))
