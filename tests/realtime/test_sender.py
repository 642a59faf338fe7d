import datetime as dt
import itertools
import threading
import time

import msgspec
import numpy as np
import polars as pl
import pytest

from realtime.records import Kind
from realtime.relay import sender as sending
from realtime.relay import state as memory
from realtime.relay.absences import Absences
from realtime.relay.rows import EDIT
from realtime.relay.sender import STATE, Sender
from realtime.spool import segments
from realtime.spool.files import Limits
from realtime.spool.frames import Asset, Frame, FrameKind
from realtime.spool.segments import OPEN, SEALED
from realtime.spool.writer import Spool
from sql import stores, ticks
from sql.errors import StoreUnavailableError
from sql.hot import HotStore
from sql.tables import TICKS, Flag
from tests.realtime.spooled import records

names = itertools.count()
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


class Scene:
    """A spool with symbols of its own, and senders of it."""

    def __init__(self, data, hot: HotStore, limits: Limits) -> None:
        self.data, self.hot = data, hot
        self.symbols = [f"S{next(names)}X99" for _ in range(3)]
        self.limits = limits
        self.spool = self.open()
        self.sender = self.started()

    def open(self) -> Spool:
        spool = Spool.open(self.data / "spool", source="simulator", limits=self.limits)
        spool.assets(Asset(n, symbol, "F") for n, symbol in enumerate(self.symbols, 1))
        return spool

    def started(self, **options) -> Sender:
        return Sender(self.data / "spool", self.data / "raw", self.hot, threading.Event(), **options)

    def put(self, made) -> None:
        self.spool.append(made)
        self.spool.commit()

    def send(self) -> None:
        while self.sender.step():
            pass

    def stored(self) -> pl.DataFrame:
        self.hot.wait_applied(TICKS)
        symbols = ", ".join(f"'{symbol}'" for symbol in self.symbols)
        return self.hot.frame(f"SELECT * FROM ticks WHERE symbol IN ({symbols}) ORDER BY trade_id", TICKS)

    def ids(self) -> list[int]:
        return self.stored()["trade_id"].to_list()

    def notes(self, kind: str) -> list[dict]:
        return [note.detail for note in self.sender.state.notes.values() if note.kind == kind]


@pytest.fixture
def scene(tmp_path, hot):
    made = Scene(tmp_path, hot, Limits(segment_bytes=50_000, commit_bytes=10_000))
    yield made
    made.spool._lock.release()


def ids(count: int, first: int = 1) -> list[int]:
    return [n * 10 for n in range(first, first + count)]


def until(holds) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "still not true after 60 s"
        time.sleep(0.02)


def test_every_trade_is_stored_once_and_segments_become_evidence(scene):
    for n in range(5):
        scene.put(records(500, 1 + n * 500))
        scene.send()
    scene.spool.close()
    scene.send()
    scene.sender.save()
    rows = scene.stored()

    assert rows["trade_id"].to_list() == ids(2500)
    assert rows["source"].unique().to_list() == ["simulator"]
    assert rows["session"].unique().to_list() == [dt.date(2026, 11, 19)]
    assert segments.numbers(scene.data / "spool", OPEN, SEALED) == []
    assert len(segments.numbers(scene.data / "raw", SEALED)) >= 5
    assert scene.sender.state.missing == {}
    tape = scene.sender.state.tape[f"{scene.symbols[1]} 2026-11-19"]
    assert tape == {1: memory.Seen(834, 10, 24_970)} or sum(s.rows for s in tape.values()) in (833, 834)


def test_repeats_cost_no_transaction(scene, hot):
    scene.put(records(300))
    scene.send()
    hot.wait_applied(TICKS)
    before = hot.wal(TICKS).taken
    again = records(300)
    again["time"] += 5  # the DLL repeats with another time now and then
    scene.put(again)
    scene.put(np.concatenate([again[:5].view("V96")] * 3).view(again.dtype))
    scene.send()

    assert hot.wal(TICKS).taken == before
    assert scene.sender.progress.repeated == 315
    assert scene.ids() == ids(300)


def test_a_sender_that_forgot_everything_doubles_nothing(scene):
    scene.put(records(400))
    scene.send()
    first = scene.stored()
    (scene.data / "spool" / STATE).unlink(missing_ok=True)
    scene.sender = scene.started()
    scene.put(records(100, 401))
    scene.send()

    assert scene.sender.progress.repeated == 400
    assert scene.ids() == ids(500)
    assert scene.stored()[:400].equals(first)


def test_what_somebody_else_stored_meanwhile_is_not_doubled(scene, hot):
    scene.put(records(20))
    scene.send()
    rows = scene.stored().with_columns(trade_id=pl.col("trade_id") + 210, ts=pl.col("ts") + dt.timedelta(seconds=7))
    ticks.store(hot, rows)
    scene.put(records(40, 11))
    scene.send()

    assert scene.ids() == ids(50)


def test_what_nobody_expected_is_tried_again_and_told(scene, monkeypatch):
    scene.put(records(20))
    monkeypatch.setattr(sending, "frame_of", lambda *_: 1 / 0)
    thread = threading.Thread(target=scene.sender.run)
    thread.start()
    until(lambda: scene.sender.progress.last_error)
    told = scene.sender.progress.last_error
    monkeypatch.undo()
    until(lambda: scene.sender.progress.stored)
    scene.sender._stop.set()
    thread.join(20)

    assert told == "division by zero"
    assert scene.ids() == ids(20)


def test_an_edit_revises_the_stored_trade_and_keeps_its_time(scene):
    scene.put(records(9))
    scene.send()
    before = scene.stored()
    edits = records(3)
    edits["flags"], edits["price"], edits["time"] = EDIT, 222.0, edits["time"] + 2 * HOUR_MS
    edits["quantity"][2] = 0
    scene.put(edits)
    scene.send()
    rows = scene.stored()

    assert rows["ts"].to_list() == before["ts"].to_list()
    assert rows["price"].to_list()[:2] == [222.0, 222.0]
    assert rows["flags"].to_list()[:3] == [0, 0, Flag.CANCELLED]
    assert rows[3:].equals(before[3:])


def test_a_cancellation_of_a_trade_without_a_price_that_nobody_knows_is_counted(scene):
    struck = records(1)
    struck["flags"], struck["price"] = EDIT, 0.0
    scene.put(struck)
    scene.send()

    assert scene.sender.progress.refused == 1
    assert scene.ids() == []


def test_no_transaction_has_rows_of_two_hours_and_days_are_apart(scene, hot):
    made = records(3000, every_ms=40_000.0)  # over a day and a half
    hot.wait_applied(TICKS)
    before = hot.wal(TICKS)
    scene.put(made)
    scene.send()
    after = hot.wait_applied(TICKS)
    rows = scene.stored()
    windows = [t for t in hot.transactions(TICKS, after, before.taken + 1) if t.rows]

    assert rows.height == 3000
    assert rows["session"].n_unique() == 2
    assert sum(window.rows or 0 for window in windows) == 3000
    assert [w for w in windows if w.since and w.last and w.since.hour != w.last.hour] == []


def test_other_kinds_stay_in_the_spool_and_are_counted(scene):
    for kind in (Kind.ASSET_STATE, Kind.LAST_QUOTE, Kind.LAST_QUOTE, Kind.OFFER):
        scene.put(records(10, kind=kind))
    scene.send()

    assert scene.sender.progress.passed_over == {Kind.ASSET_STATE: 10, Kind.LAST_QUOTE: 20, Kind.OFFER: 10}
    assert scene.ids() == []


def test_what_the_ring_dropped_is_noted_with_its_numbers(scene):
    scene.put(records(10))
    scene.put(records(10, 21))
    made = records(10, 31)
    scene.put(made[[0, 1, 2, 6, 7, 8, 9]])
    scene.send()

    holes = [(hole["first_seq"], hole["last_seq"]) for hole in scene.notes("ring")]
    assert holes == [(11, 20), (34, 36)]
    assert all("after" in ring for ring in scene.notes("ring"))
    assert scene.sender.state.missing == {"ring": 13}


def test_a_loss_tells_when_the_frame_before_it_was_written():
    def frame(first: int, wall: int) -> Frame:
        made = records(10, first)
        return Frame(
            FrameKind.RECORDS, 1, first, 10, wall * 10**9, 0, np.frombuffer(made.tobytes(), np.uint8), 1, first
        )

    state = memory.State()
    absences = Absences(state)
    for first, wall in [(1, 100), (11, 107), (31, 130)]:
        absences.read(frame(first, wall))

    (hole,) = state.notes.values()
    assert (hole.kind, hole.at.timestamp(), dt.datetime.fromisoformat(hole.detail["after"]).timestamp()) == (
        "hole",
        130,
        107,
    )


def test_what_was_not_read_yet_is_known_by_when_it_was_written(scene):
    scene.put(records(10))
    before = scene.sender.unread_since()
    scene.send()
    read = scene.sender.unread_since()
    scene.put(records(10, 11))

    assert (before.timestamp(), read) == (0, None)
    assert scene.sender.unread_since().timestamp() == pytest.approx(scene.sender.progress.stored_until / 1e9)


def test_what_the_spool_dropped_is_noted_and_not_taken_for_the_rings(scene):
    scene.put(records(10))
    scene.spool.progress.last_error = "the disk is full"
    scene.spool._drop(records(20, 11))
    scene.spool._retry_at = 0.0
    scene.spool.commit()
    scene.put(records(10, 31))
    scene.send()

    (loss,) = scene.notes("loss")
    assert (loss["first_seq"], loss["last_seq"], sum(loss["kinds"].values())) == (11, 30, 20)
    assert scene.sender.state.missing == {"loss": 20}
    assert scene.ids() == [*ids(10), *ids(10, 31)]


def test_a_damaged_frame_is_noted_and_the_rest_is_stored(scene):
    for n in range(3):
        scene.put(records(10, 1 + n * 10))
    (path,) = (scene.data / "spool").glob("segment-*" + OPEN)
    raw = bytearray(path.read_bytes())
    raw[-1500] ^= 1  # in the middle one of the three
    path.write_bytes(raw)
    for _ in ("before", "damage", "after"):
        scene.send()

    assert scene.ids() == [*ids(10), *ids(10, 21)]
    (damage,) = scene.notes("damage")
    assert damage["file"] == path.name
    assert "checksum" in damage["expected"]
    (hole,) = scene.notes("hole")
    assert (hole["first"], hole["last"]) == (11, 20)
    assert scene.sender.state.missing == {"hole": 10}


def test_trades_of_an_asset_that_nobody_named_are_noted(scene):
    made = records(6)
    made["asset"][2] = 77
    scene.put(made)
    scene.send()

    assert len(scene.ids()) == 5
    (unnamed,) = scene.notes("unnamed")
    assert unnamed == {"records": 1, "first": 30, "last": 30}


def test_hot_away_loses_nothing_and_is_told(scene, monkeypatch):
    scene.put(records(50))
    real, fails = HotStore.execute, itertools.count()

    def away(self, statement):
        if statement.startswith("INSERT") and next(fails) % 2 == 0:
            raise StoreUnavailableError("nobody there")
        return real(self, statement)

    monkeypatch.setattr(HotStore, "execute", away)
    stop = scene.sender._stop
    thread = threading.Thread(target=scene.sender.run)
    thread.start()
    for n in range(1, 6):
        scene.put(records(50, 1 + n * 50))
        stop.wait(0.5)
    until(lambda: scene.sender.progress.stored >= 300)
    stop.set()
    thread.join(20)

    assert scene.sender.progress.failures > 0
    assert scene.sender.progress.last_error is None
    assert scene.ids() == ids(300)


def test_after_a_boot_of_the_machine_it_sends_again_what_hot_may_have_lost(scene, hot, monkeypatch):
    for n in range(4):
        scene.put(records(300, 1 + n * 300))
        scene.send()
    scene.sender.save()
    assert scene.sender.state.position.segment == 2
    # What QuestDB acknowledged and the disk never saw; it has no DELETE, so the rows go to another name.
    gone = ", ".join(map(str, ids(500, 401)))
    symbols = ", ".join(f"'{symbol}'" for symbol in scene.symbols)
    hot.execute(f"UPDATE ticks SET symbol = 'GONEX99' WHERE symbol IN ({symbols}) AND trade_id IN ({gone})")
    hot.wait_applied(TICKS)
    monkeypatch.setattr(memory, "boot_id", lambda: "another boot")
    scene.sender = scene.started()
    scene.send()

    assert scene.ids() == ids(1200)
    assert scene.sender.progress.rewinds == 1
    assert scene.sender.progress.stored == 500
    scene.sender = scene.started()
    scene.send()
    assert scene.sender.progress.rewinds == 0


@pytest.mark.parametrize("change", [{"incarnation": "9:ticks~9"}, {"taken": 10**9}])
def test_a_hot_tier_that_is_another_or_older_gets_everything_again(scene, change):
    scene.put(records(300))
    scene.send()
    scene.sender.save()
    path = scene.data / "spool" / STATE
    state = msgspec.json.decode(path.read_bytes(), type=memory.State)
    memory.save(path, msgspec.structs.replace(state, **change))
    scene.sender = scene.started()
    scene.send()

    assert scene.sender.progress.rewinds == 1
    assert scene.sender.progress.repeated == 300
    assert scene.ids() == ids(300)


def test_reconnects_and_restarts_are_notes(scene):
    scene.put(records(5))
    scene.spool.mark("reconnected", connection="market")
    scene.spool.close()
    scene.spool = scene.open()
    made = records(5, 6)
    made["seq"] -= 5  # a new process counts anew
    scene.put(made)
    scene.send()

    reasons = [mark["reason"] for mark in scene.notes("mark")]
    assert reasons == ["start", "reconnected", "stop", "start"]
    assert scene.sender.state.missing == {}
    assert scene.ids() == ids(10)
