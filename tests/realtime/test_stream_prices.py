"""Quotes, books and health over real sockets; and what a book is after any changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.records import RECORD, Kind
from realtime.relay.stream import prices
from realtime.relay.stream.prices import DELETE, DELETE_FROM, EDIT, FIRST, FULL, INSERT, LAST, applied
from sql.messages import Level
from tests.realtime import raw_socket
from tests.realtime.spooled import records
from tests.realtime.streaming import Scene


@pytest.fixture
def scene(settings_in, tmp_path):
    made = Scene(settings_in(tmp_path / "data", TRADINGSYSTEM_STREAM_CLIENT_BYTES="1000000"))
    with made.relay():
        yield made
    made.spool.close()


def quotes(*sides, asset=1):
    """Quote records of (side, price, quantity)."""
    made = np.zeros(len(sides), RECORD)
    made["kind"], made["asset"] = Kind.QUOTE, asset
    made["side"], made["price"], made["quantity"] = zip(*sides, strict=True)
    return made


def depth(*changes, asset=1):
    """Depth records of (action, side, position, flags, price, quantity, orders)."""
    made = np.zeros(len(changes), RECORD)
    made["kind"], made["asset"] = Kind.DEPTH, asset
    names = ("action", "side", "position", "flags", "price", "quantity", "count")
    for name, values in zip(names, zip(*changes, strict=True), strict=True):
        made[name] = values
    return made


FULL_BOOK = [
    (FULL, 0, 0, FIRST, 100.0, 5, 2),
    (FULL, 0, 1, LAST, 99.0, 6, 3),
    (FULL, 1, 0, FIRST | LAST, 101.0, 7, 1),
]


def test_a_quote_has_both_sides(scene):
    with scene.client("/ws/quotes?symbols=WINZ26") as client:
        client.until("subscribed")
        scene.put(quotes((0, 100.0, 5)))
        first = client.until("quote")
        scene.put(quotes((1, 101.0, 7), (0, 0.0, 0)))
        second, third = client.until("quote"), client.until("quote")

    del first["timestamp"]
    assert first == {
        "type": "quote",
        "symbol": "WINZ26",
        "exchange": "BVMF",
        "bidPrice": 100.0,
        "askPrice": None,
        "bidSize": 5,
        "askSize": None,
        "sequence": 1,
    }
    assert (second["bidPrice"], second["askPrice"], second["sequence"]) == (100.0, 101.0, 2)
    assert (third["bidPrice"], third["askPrice"], third["sequence"]) == (None, 101.0, 3)


def test_who_comes_later_is_told_what_holds(scene):
    scene.put(quotes((0, 100.0, 5), (1, 101.0, 7)))
    scene.put(quotes((0, 50.0, 1), asset=2))
    with scene.client("/ws/quotes") as first:
        first.reached(3)
        first.ask("subscribe", "*")
        told = [first.until("quote") for _ in range(2)]
        with scene.client("/ws/quotes?symbols=WINZ26") as second:
            again = second.until("quote")

    assert [(quote["symbol"], quote["sequence"]) for quote in told] == [("WINZ26", 2), ("WDOZ26", 3)]
    assert again == told[0]


def test_quotes_come_in_batches(scene):
    with scene.client("/ws/quotes?symbols=WINZ26&batch=true") as client:
        client.until("subscribed")
        last = scene.put(quotes(*((0, 100.0 + n, n + 1) for n in range(50))))
        told = []
        while len(told) < 50:
            message = client.until("quotes")
            told += message["data"]

    assert [quote["bidSize"] for quote in told] == list(range(1, 51))
    assert message["sequence"] == last


def test_a_slow_client_is_told_the_newest_quote_and_is_not_cut(scene):
    port = scene.settings.ports["data-capture"]
    with (
        scene.client("/ws/quotes?symbols=WINZ26&batch=true") as prompt,
        raw_socket.opened(port, "/ws/quotes?symbols=*", 1 << 16) as slow,
    ):
        heard = raw_socket.heard(slow)
        next(heard)
        prompt.until("subscribed")
        for first in range(0, 100_000, 5_000):
            scene.put(quotes(*((0, 100.0, n + 1) for n in range(first, first + 5_000))))
            while prompt.until("quotes")["data"][-1]["bidSize"] < first + 5_000:
                pass
        told = []
        while not told or told[-1] < 100_000:
            _, text = next(heard)
            if b'"quote"' in text:
                told.append(int(text.partition(b'"bidSize":')[2].partition(b",")[0]))

    assert told == sorted(told)
    assert len(told) < 100_000


def test_a_book_is_told_as_it_stands(scene):
    scene.put(depth(*FULL_BOOK))
    with scene.client("/ws/book?symbols=WINZ26") as client:
        first = client.until("book")
        scene.put(depth((INSERT, 0, 0, 0, 100.5, 1, 1), (DELETE, 1, 0, 0, 0, 0, 0)))
        second = client.until("book")

    del first["timestamp"]
    assert first == {
        "type": "book",
        "symbol": "WINZ26",
        "exchange": "BVMF",
        "bids": [{"price": 100.0, "quantity": 5, "orders": 2}, {"price": 99.0, "quantity": 6, "orders": 3}],
        "asks": [{"price": 101.0, "quantity": 7, "orders": 1}],
        "sequence": 3,
    }
    assert [level["price"] for level in second["bids"]] == [100.5, 100.0, 99.0]
    assert (second["asks"], second["sequence"]) == ([], 5)


def test_a_book_that_was_not_told_from_its_beginning_says_so(scene):
    scene.put(depth((EDIT, 0, 2, 0, 98.0, 3, 1)))
    with scene.client("/ws/book?symbols=*") as client:
        book = client.until("book")

    assert book["partial"]
    assert [level["price"] for level in book["bids"]] == [98.0]


def test_a_channel_of_states_cannot_be_resumed(scene):
    with scene.client("/ws") as client:
        client.ask("subscribe", "*", channel="market-data/quotes", from_sequence=1)

        assert client.until("error")["code"] == "NOT_RESUMABLE"


def test_one_connection_has_all_channels(scene):
    with scene.client("/ws") as client:
        client.ask("subscribe", "*")
        unnamed = client.until("error")
        for channel in ("market-data/trades", "market-data/quotes", "market-data/orderbook", "system/health"):
            client.ask("subscribe", "*", channel=channel)
            client.until("subscribed")
        health = client.until("health")
        scene.put(quotes((0, 100.0, 5)))
        client.until("quote")
        scene.put(depth(*FULL_BOOK))
        client.until("book")
        scene.put(records(1))
        client.until("trade")

    assert unnamed["code"] == "NOT_UNDERSTOOD"
    assert health["checks"].keys() >= {"spool", "lag", "sender"}
    assert health["checks"]["sender"]["status"] == "fail"


levels = st.builds(Level, st.floats(1, 1e6), st.integers(1, 1000), st.integers(1, 50))
changes = st.lists(
    st.tuples(st.sampled_from([EDIT, DELETE, INSERT, DELETE_FROM]), st.integers(0, 8), levels), max_size=60
)


@given(changes)
def test_a_book_follows_a_list_that_is_changed_the_same_way(made):
    """The list of a book that is known from its beginning; changes outside of it are not made."""
    book, wanted = [], []
    for action, position, level in made:
        if position > len(wanted) or (position == len(wanted) and action != INSERT):
            continue
        applied(book, action, position, 0, level)
        if action == INSERT:
            wanted.insert(position, level)
        elif action == EDIT:
            wanted[position] = level
        elif action == DELETE:
            del wanted[position]
        else:
            del wanted[position:]

    assert book == wanted


@given(changes)
def test_a_book_never_grows_without_bound(made):
    book = []
    for action, position, level in made:
        applied(book, action, position * 100, 0, level)

    assert len(book) <= prices.MOST_LEVELS
