"""Batches of the stream: who comes late is told what is missing, no more and no less."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.relay.stream import batches
from realtime.relay.stream.batches import Batch, Form, Recent
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.trades import EVERYTHING, rows_of
from realtime.relay.stream.wire import framed
from realtime.spool.frames import Frame, FrameKind
from sql.messages import TRADES, Gap
from tests.realtime import raw_socket
from tests.realtime.spooled import ASSETS, records

NAMES = {asset.number: asset for asset in ASSETS}


def batch(after: int, sequence: int, gaps=()) -> Batch:
    count = sequence - after
    frame = Frame(FrameKind.RECORDS, 1, after + 1, count, 0, 0, records(count, after + 1).view(np.uint8), 1, 0)
    return Batch(after, sequence, rows_of([frame], NAMES), list(gaps))


def messages(data: bytes) -> Iterator[dict]:
    return (msgspec.json.decode(text) for _, text, _ in raw_socket.frames(data))


def numbers(data: bytes) -> list[int]:
    return [row["sequence"] for message in messages(data) for row in message.get("data", [message])]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.data(), st.booleans())
def test_who_comes_late_is_told_the_rest(sizes, data, batched):
    ends = np.cumsum(sizes).tolist()
    recent = Recent()
    for size, end in zip(sizes, ends, strict=True):
        recent.add(batch(end - size, end))
    since = data.draw(st.integers(0, ends[-1]))
    left = recent.since(since)
    told = [n for each in left for n in numbers(each.frames(TRADES, EVERYTHING, Form("short", batched)))]

    assert told == list(range(since + 1, ends[-1] + 1))


def test_what_is_forgotten_is_not_told_in_part(monkeypatch):
    monkeypatch.setattr(batches, "RECENT_BATCHES", 3)
    recent = Recent()
    for after in range(0, 50, 10):
        recent.add(batch(after, after + 10))

    assert recent.since(19) is None
    assert [each.sequence for each in recent.since(20)] == [30, 40, 50]


def test_nobody_joins_ahead_of_what_was_told():
    hub = Hub(10)
    hub.begin(0)
    hub.tell(batch(0, 10))

    assert hub.since(11) is None
    assert list(hub.since(10)) == []
    assert [each.sequence for each in hub.since(4)] == [10]


@pytest.mark.parametrize("batched", [True, False])
def test_a_gap_stands_in_its_place(batched):
    made = batch(0, 6, [Gap(3, 3, 1, "lost")])
    told = list(messages(made.frames(TRADES, EVERYTHING, Form("short", batched))))
    kinds = [message["type"] for message in told]

    assert kinds == (["trades", "gap", "trades"] if batched else ["trade"] * 2 + ["gap"] + ["trade"] * 4)


def test_a_batch_is_never_longer_than_clients_take(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_TRADES", 10)
    told = list(messages(batch(0, 25).frames(TRADES, frozenset({"WINZ26"}), Form("short", batch=True))))
    all_of_them = list(messages(batch(0, 25).frames(TRADES, EVERYTHING, Form("short", batch=True))))

    assert [(len(message["data"]), message["sequence"]) for message in told] == [(8, 25)]
    assert [(len(message["data"]), message["sequence"]) for message in all_of_them] == [(10, 10), (10, 20), (5, 25)]


def test_the_same_frames_are_shared():
    made = batch(0, 10)

    assert made.frames(TRADES, EVERYTHING, Form()) is made.frames(TRADES, frozenset({"*"}), Form())


def test_frames_of_many_lists_are_not_kept(monkeypatch):
    monkeypatch.setattr(batches, "MOST_LISTS", 4)
    made = batch(0, 10)
    lists = [frozenset({"WINZ26", f"X{n}"}) for n in range(20)]
    told = [made.frames(TRADES, symbols, Form()) for symbols in lists]
    first, last = lists[0], lists[-1]

    assert set(told) == {told[0]} != {b""}
    assert made.frames(TRADES, first, Form()) is told[0]
    assert made.frames(TRADES, last, Form()) is not told[-1]
    assert len(made._made) == 4


def test_what_is_remembered_are_trades_without_frames_and_states():
    made, recent = batch(0, 10), Recent()
    made.books = {"WINZ26": (1, b"x")}
    recent.add(made)
    told = made.frames(TRADES, EVERYTHING, Form())
    for _ in range(2):
        (kept,) = recent.since(0)
        assert (kept._made, kept.books) == ({}, {})
        assert kept.texts("short") is made.texts("short")
        assert kept.frames(TRADES, EVERYTHING, Form()) == told


@given(st.lists(st.binary(max_size=70_000), max_size=5))
def test_frames_are_read_back_as_they_were(texts):
    found = [(first, text) for first, text, _ in raw_socket.frames(framed(texts))]

    assert found == [(raw_socket.TEXT, text) for text in texts]
