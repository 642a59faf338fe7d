"""Quotes and the book from the spool into hot: by a thread of their own, each event once, whatever is killed."""

import itertools
import threading

import numpy as np
import polars as pl
import pytest

from realtime.records import RECORD, Kind
from realtime.relay import books
from realtime.relay.books import STATE, Books
from realtime.relay.sender import Sender
from realtime.spool.files import Limits
from realtime.spool.frames import Asset
from realtime.spool.writer import Spool
from sql import stores
from sql.errors import StoreUnavailableError
from sql.tables import BOOK, QUOTES
from tests.realtime.spooled import records

names = itertools.count()


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


def events(count: int, first: int = 1, *, kind: Kind = Kind.DEPTH):
    made = np.zeros(count, RECORD)
    numbers = np.arange(first, first + count)
    made["seq"] = made["mono"] = numbers
    made["kind"], made["asset"] = kind, 1
    made["action"], made["side"], made["position"] = 1, numbers % 2, numbers % 9
    made["price"], made["quantity"], made["count"] = 100.0 + numbers, numbers, 1
    return made


class Scene:
    """A spool with a symbol of its own, and what sends its events."""

    def __init__(self, data, hot) -> None:
        self.data, self.hot = data, hot
        self.symbol = f"B{next(names)}X99"
        self.spool = Spool.open(
            data / "spool", source="simulator", limits=Limits(segment_bytes=50_000, commit_bytes=10_000)
        )
        self.spool.assets([Asset(1, self.symbol, "F")])
        self.books = self.started()

    def started(self, **options) -> Books:
        return Books(self.data / "spool", self.data / "raw", self.hot, threading.Event(), **options)

    def put(self, made) -> None:
        self.spool.append(made)
        self.spool.commit()

    def send(self) -> None:
        while self.books.step():
            pass

    def stored(self, table=BOOK) -> pl.DataFrame:
        self.hot.wait_applied(table)
        return self.hot.frame(f"SELECT * FROM {table.name} WHERE symbol = '{self.symbol}' ORDER BY run, seq", table)


@pytest.fixture
def scene(tmp_path, hot):
    made = Scene(tmp_path, hot)
    yield made
    made.spool._lock.release()


def test_every_event_is_stored_once_in_the_table_of_its_kind(scene):
    for n in range(5):
        scene.put(events(300, 1 + n * 400))
        scene.put(events(100, 301 + n * 400, kind=Kind.QUOTE))
        scene.put(records(10))
        scene.send()
    book, quotes = scene.stored(), scene.stored(QUOTES)

    assert book["seq"].to_list() == [seq for seq in range(1, 2001) if (seq - 1) % 400 < 300]
    assert quotes["seq"].to_list() == [seq for seq in range(1, 2001) if (seq - 1) % 400 >= 300]
    assert (book["run"].unique().to_list(), book["source"].unique().to_list()) == ([1], ["simulator"])
    assert scene.books.progress.stored == {"quotes": 500, "book": 1500}
    assert book["price"].to_list() == [100.0 + seq for seq in book["seq"]]


def test_what_is_sent_again_changes_nothing(scene):
    scene.put(events(400))
    scene.send()
    before = scene.stored()
    (scene.data / "spool" / STATE).unlink()
    scene.books = scene.started()
    scene.send()

    assert scene.books.progress.stored["book"] == 400
    assert scene.stored().equals(before)


def test_it_goes_on_where_it_was_and_reads_what_ticks_moved_to_the_evidence(scene, hot):
    scene.put(events(100))
    scene.send()
    scene.books.save()
    ticks = Sender(scene.data / "spool", scene.data / "raw", hot, threading.Event())
    for n in range(1, 8):
        scene.put(events(100, 1 + n * 100))
    while ticks.step():
        pass
    ticks.save()
    scene.books = scene.started()
    scene.send()

    assert list((scene.data / "raw").glob("*.sealed"))
    assert scene.stored()["seq"].to_list() == list(range(1, 801))
    assert scene.books.progress.stored["book"] == 700


def test_events_of_an_asset_without_a_name_are_counted(scene):
    made = events(10)
    made["asset"][3:5] = 9
    scene.put(made)
    scene.send()

    assert scene.books.progress.unnamed == 2
    assert scene.stored().height == 8


def test_hot_away_is_waited_for_and_ticks_do_not_wait_meanwhile(scene, hot, monkeypatch):
    insert = hot.execute

    def without_book(statement):
        if statement.startswith("INSERT INTO book"):
            raise StoreUnavailableError("hot.book is away")
        return insert(statement)

    monkeypatch.setattr(hot, "execute", without_book)
    scene.put(events(50))
    scene.put(records(30))
    ticks = Sender(scene.data / "spool", scene.data / "raw", hot, threading.Event())
    with pytest.raises(StoreUnavailableError):
        scene.books.step()
    ticks.step()
    monkeypatch.undo()
    scene.send()

    assert ticks.progress.stored == 10  # one of the three assets has a name here
    assert scene.stored()["seq"].to_list() == list(range(1, 51))


def test_another_hot_table_makes_it_send_again(scene):
    scene.put(events(100))
    scene.send()
    scene.books.save()
    state = scene.data / "spool" / STATE
    state.write_bytes(state.read_bytes().replace(scene.hot.wal(BOOK).incarnation.encode(), b"another"))
    scene.books = scene.started()
    scene.send()

    assert scene.books.progress.rewinds == 1
    assert scene.books.progress.stored["book"] == 100
    assert scene.stored().height == 100


def test_the_machine_started_anew_makes_it_send_again_what_came_last(scene, monkeypatch):
    scene.put(events(100))
    scene.send()
    scene.books.save()
    monkeypatch.setattr(books.memory, "boot_id", lambda: "another boot")
    scene.books = scene.started()
    scene.send()

    assert scene.books.progress.rewinds == 1
    assert scene.books.progress.stored["book"] == 100


def test_an_unreadable_state_begins_anew(scene):
    scene.put(events(20))
    (scene.data / "spool" / STATE).write_text("not json")
    scene.books = scene.started()
    scene.send()

    assert scene.stored().height == 20


def test_it_stands_back_while_ticks_wait_but_not_for_ever(scene, monkeypatch):
    monkeypatch.setattr(books, "STANDS_BACK_SECONDS", 3.0)
    asked = []
    scene.books = scene.started(ticks_wait=lambda: asked.append(1) or True)
    scene.put(events(20))
    thread = threading.Thread(target=scene.books.run)
    thread.start()
    while not scene.books.progress.stored["book"]:
        thread.join(0.05)
    scene.books._stop.set()
    thread.join(20)

    assert len(asked) >= 3
    assert scene.stored().height == 20


def test_the_tick_sender_counts_events_of_the_books_as_taken(scene, hot):
    ticks = Sender(scene.data / "spool", scene.data / "raw", hot, threading.Event())
    scene.put(np.concatenate([events(5), events(5, 6, kind=Kind.OFFER)]))
    ticks.step()

    assert ticks.progress.passed_over == {Kind.OFFER: 5}
