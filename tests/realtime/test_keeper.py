"""The keeper over a real spool, sender and stores. Behind port 3205 stands an exchange that knows every trade."""

import datetime as dt
import itertools
import threading
import time
import types

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from realtime.records import Kind
from realtime.relay import keeper as keeping
from realtime.relay.asking import Asked, Later, Refused, Requests, Standing
from realtime.relay.keeper import Keeper
from realtime.relay.sender import Sender
from realtime.spool.files import Limits
from realtime.spool.frames import HISTORY_ANSWERED, HISTORY_ASKED, Asset
from realtime.spool.writer import Spool
from sql import daily, stores, tape_ledger
from sql.errors import StoreUnavailableError
from sql.exchange import SAO_PAULO
from sql.tables import DAILY, TICKS
from tests.realtime.spooled import records

names = itertools.count()
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture(scope="module")
def warm(engines):
    return stores.warm(engines)


class Exchange:
    """Yesterday's trades of one symbol: all of them, one each 100 ms from noon on, and history over the spool."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.every = records(600, every_ms=100)
        self.every["asset"], self.every["action"] = 1, 2
        self.every["time"] += scene.shift_ms
        self.asked: list = []
        self.run, self.number = 1, 0
        self.denied = self.away = self.dies = False
        self.truncate = 0  # trades at the end of the first answer
        self.lose: set[int] = set()  # numbers that no answer has

    def ask(self, window):
        if self.away:
            return Later(why="nobody answers")
        self.asked.append(window)
        if self.denied:
            return Refused(why="400 the DLL has 30 days")
        self.number += 1
        request = Asked(run=self.scene.spool.run, number=self.number)
        if self.dies:
            return request
        times = self.scene.instants(self.every)
        chosen = times >= np.datetime64(window.since.replace(tzinfo=None))
        chosen &= times < np.datetime64(window.until.replace(tzinfo=None))
        told = self.every[chosen & ~np.isin(self.every["number"], list(self.lose))].copy()
        if self.truncate and len(self.asked) == 1:
            told = told[-self.truncate :]
        told["kind"] = Kind.HISTORY_TRADE
        detail = {"number": self.number, "symbol": window.symbol}
        detail |= {"since": window.since.isoformat(), "until": window.until.isoformat()}
        spool = self.scene.spool
        spool.mark(HISTORY_ASKED, **detail)
        if len(told):
            self.scene.put(told)
        spool.mark(HISTORY_ANSWERED, **detail, state="complete", trades=len(told), why=None)
        spool.commit()
        return request

    def requests(self):
        return Requests(run=self.run, asking=None, ended=[])

    def standing(self):
        return Standing(link="Active")

    def close(self) -> None: ...


class Scene:
    def __init__(self, folder, hot, warm) -> None:
        self.folder, self.hot, self.warm = folder, hot, warm
        tens, ones = divmod(next(names), 10)
        self.symbol = f"{chr(ord('K') + tens)}{ones}X99"  # a contract whose point value is known
        self.session = dt.datetime.now(SAO_PAULO).date() - dt.timedelta(days=1)
        noon = dt.datetime.combine(self.session, dt.time(12))
        self.shift_ms = int((noon - dt.datetime(2026, 11, 19, 12)).total_seconds() * 1000)
        self.seq = 0
        self.spool = self.open()
        self.sender = Sender(folder / "spool", folder / "raw", hot, threading.Event())
        self.exchange = Exchange(self)
        self.keeper = self.started()
        self.later = MINUTE

    def open(self) -> Spool:
        limits = Limits(segment_bytes=1 << 20, commit_bytes=1 << 16)
        spool = Spool.open(self.folder / "spool", source="simulator", limits=limits)
        spool.assets([Asset(1, self.symbol, "B")])
        return spool

    def started(self, **options) -> Keeper:
        made = Keeper(
            self.sender,
            self.hot,
            self.warm,
            self.exchange,
            threading.Event(),
            now=lambda: dt.datetime.now(dt.UTC) + self.later,
            clock=lambda: self.now,
            **options,
        )
        self.now = 0.0
        return made

    def instants(self, made) -> np.ndarray:
        local = made["time"].astype("datetime64[ms]")
        return local + np.timedelta64(3, "h")

    def put(self, made) -> None:
        made = made.copy()
        made["seq"] = np.arange(self.seq + 1, self.seq + 1 + len(made))
        self.seq += len(made)
        self.spool.append(made)
        self.spool.commit()

    def live(self, numbers) -> None:
        every = self.exchange.every
        self.put(every[np.isin(every["number"], sorted(numbers))])
        self.send()

    def send(self) -> None:
        while self.sender.step():
            pass

    def say(self) -> None:
        every = self.exchange.every
        known = {
            "ts": dt.datetime.now(dt.UTC) - dt.timedelta(days=1),
            "symbol": self.symbol,
            "session": self.session,
            "volume": float((every["price"] * every["quantity"]).sum()),
            "quantity": int(every["quantity"].sum()),
            "trades": len(every),
            "received_at": dt.datetime.now(dt.UTC),
            "source": "simulator",
        }
        known |= dict.fromkeys(("open", "high", "low", "close"), 100.0)
        made = {c.name: [known.get(c.name)] for c in DAILY.columns}
        daily.store(self.hot, pl.DataFrame(made).select(pl.col(c.name).cast(c.kind.polars) for c in DAILY.columns))
        self.hot.wait_applied(DAILY)

    def keep(self, looks: int = 30) -> None:
        """So many looks, the sender's step after each; time passes."""
        for _ in range(looks):
            self.keeper.step()
            self.send()
            self.now += 40
            self.later += dt.timedelta(seconds=40)

    @property
    def numbers(self) -> set[int]:
        return set(self.exchange.every["number"].tolist())

    def row(self):
        (row,) = tape_ledger.sessions(self.warm, symbol=self.symbol)
        return row

    def gaps(self):
        return tape_ledger.gaps(self.warm, symbol=self.symbol)

    def close(self) -> None:
        self.spool._lock.release()
        with self.warm.connect() as connection:
            connection.execute("DELETE FROM tape_sessions WHERE symbol = %s", (self.symbol,))

    def stored(self) -> list[int]:
        self.hot.wait_applied(TICKS)
        return self.hot.frame(f"SELECT trade_id FROM ticks WHERE symbol = '{self.symbol}'")["trade_id"].to_list()


@pytest.fixture
def scene(tmp_path, hot, warm):
    made = Scene(tmp_path, hot, warm)
    yield made
    made.close()


def test_what_is_lost_is_found_asked_for_filled_proven_and_told(scene):
    lost = {10, 20, 30, 1000, 1010, 3500, 5980, 5990, 6000}
    scene.live(scene.numbers - lost)
    scene.say()
    scene.keep()

    assert sorted(scene.stored()) == sorted(scene.numbers)
    assert scene.row().state == "proven"
    assert {gap.state for gap in scene.gaps()} == {"filled"}
    assert scene.sender.progress.filled == len(lost)
    story = tape_ledger.story_of(scene.warm, [gap.id for gap in scene.gaps()])
    for told in story.values():
        assert [each.event for each in told][:2] == ["found", "asked"]
        assert "filled" in [each.event for each in told]


def test_a_session_that_is_whole_asks_for_nothing(scene):
    scene.live(scene.numbers)
    scene.say()
    scene.keep(5)

    assert (scene.row().state, scene.exchange.asked) == ("proven", [])


def test_a_truncated_first_answer_is_asked_for_again(scene):
    scene.live(scene.numbers - set(range(1000, 2000, 10)))
    scene.say()
    scene.exchange.truncate = 30
    scene.keep()

    assert scene.row().state == "proven"
    assert len(scene.exchange.asked) >= 2
    assert sorted(scene.stored()) == sorted(scene.numbers)


def test_numbers_never_used_are_vacant_after_two_equal_answers(scene):
    scene.exchange.every = scene.exchange.every[~np.isin(scene.exchange.every["number"], [2000, 2010])]
    scene.live(scene.numbers)
    scene.say()
    scene.keep()

    assert scene.row().state == "proven"
    assert [(gap.state, gap.note) for gap in scene.gaps()] == [("vacant", "2 numbers were never used")]
    assert len(scene.exchange.asked) == 2


def test_what_history_never_has_stays_unproven_and_says_so(scene):
    scene.exchange.lose = {2000}
    scene.live(scene.numbers - {2000, 2010})
    scene.say()
    scene.keep()

    assert scene.row().state == "unproven"
    assert "1 trades fewer than the exchange says" in scene.row().reason
    assert [(gap.state, gap.ids_left) for gap in scene.gaps()] == [("unfillable", 1)]
    assert len(scene.exchange.asked) == 2  # the second brought nothing more


def test_a_refusal_makes_it_unfillable_and_is_not_repeated_soon(scene):
    scene.exchange.denied = True
    scene.live(scene.numbers - {2000})
    scene.say()
    scene.keep()

    assert [(gap.state, gap.refused) for gap in scene.gaps()] == [("unfillable", True)]
    assert len(scene.exchange.asked) == 1

    scene.exchange.denied = False
    scene.later += dt.timedelta(hours=7)
    scene.keep()
    assert scene.row().state == "proven"


def test_a_broker_that_is_away_is_waited_for(scene):
    scene.exchange.away = True
    scene.live(scene.numbers - {2000})
    scene.say()
    scene.keep(5)
    assert scene.keeper.progress.waits_for == "nobody answers"

    scene.exchange.away = False
    scene.keep()
    assert scene.row().state == "proven"
    assert scene.keeper.progress.waits_for is None


def test_a_process_that_dies_with_the_request_is_not_waited_for_for_ever(scene):
    scene.exchange.dies = True
    scene.live(scene.numbers - {2000})
    scene.say()
    scene.keep(2)
    scene.exchange.dies, scene.exchange.run = False, 2
    scene.keep()

    assert scene.row().state == "proven"
    (gap,) = scene.gaps()
    events = [each.event for each in tape_ledger.story_of(scene.warm, [gap.id])[gap.id]]
    assert events[:3] == ["found", "asked", "unanswered"]


@pytest.mark.parametrize("busy", [True, False])
def test_an_answer_that_waits_for_hot_is_not_lost(scene, busy):
    scene.live(scene.numbers - {2000})
    scene.say()
    scene.keeper.step()
    if busy:
        scene.sender.progress.oldest_wall = time.time_ns() - 3600 * 10**9
    for _ in range(5):
        scene.now += 40
        scene.later += dt.timedelta(seconds=40)
        scene.keeper.step()
    scene.keep()

    assert scene.row().state == "proven"
    (gap,) = scene.gaps()
    events = [each.event for each in tape_ledger.story_of(scene.warm, [gap.id])[gap.id]]
    assert "unanswered" not in events
    assert len(scene.exchange.asked) == 1


def test_a_keeper_that_forgot_everything_goes_on(scene):
    scene.live(scene.numbers - {500, 2000, 4000})
    scene.say()
    for _ in range(25):
        scene.keeper = scene.started()
        scene.keep(2)

    assert scene.row().state == "proven"
    assert sorted(scene.stored()) == sorted(scene.numbers)


def test_without_filling_it_judges_and_asks_for_nothing(scene):
    scene.live(scene.numbers - {2000})
    scene.say()
    scene.keeper = scene.started(fill=False)
    scene.keep(5)

    assert scene.exchange.asked == []
    assert (scene.row().state, scene.row().missing) == ("unproven", 1)


def test_a_store_that_is_away_fails_a_look_and_not_the_thread(scene, monkeypatch):
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.01)
    failed = threading.Event()

    def away(*_):
        failed.set()
        raise StoreUnavailableError("PostgreSQL does not answer")

    monkeypatch.setattr(keeping.tape_ledger, "known_sessions", lambda *_, **__: away())
    stop = scene.keeper._stop
    thread = threading.Thread(target=scene.keeper.run)
    thread.start()
    assert failed.wait(10)
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    assert scene.keeper.progress.failures >= 1
    assert scene.keeper.progress.last_error == "PostgreSQL does not answer"


def test_it_looks_while_the_sender_adds(monkeypatch):
    """What is walked through is a copy: reading one adds another, as the sender's thread may."""

    class Adding:
        run, at, detail = 1, dt.datetime(2026, 11, 19, tzinfo=dt.UTC), {}

        def __init__(self, place: dict) -> None:
            self._place = place

        def _added(self, what):
            self._place[len(self._place) + 1] = types.SimpleNamespace(kind="ring", rows=5)
            return what

        kind = property(lambda self: self._added("mark"))
        rows = property(lambda self: self._added(5))

    notes: dict = {}
    runs: dict = {}
    notes[0], runs[0] = Adding(notes), Adding(runs)
    state = types.SimpleNamespace(notes=notes, tape={"WINZ26 2026-11-19": runs})
    broker = types.SimpleNamespace(standing=lambda: None, requests=lambda: None)
    sender = types.SimpleNamespace(state=state, unread_since=lambda: None)
    keeper = Keeper(sender, None, None, broker, threading.Event())
    seen = []
    monkeypatch.setattr(keeper, "_due", lambda rows: seen.append(rows) or {})
    monkeypatch.setattr(keeping.tape_asks, "watched", lambda *_: None)
    monkeypatch.setattr(keeping.tape_ledger, "counts", lambda _: ({}, {}))
    keeper.judge_all()

    assert seen == [{("WINZ26", dt.date(2026, 11, 19)): 5}]


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # an example takes seconds: a failing one is told as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lost=st.lists(st.tuples(st.integers(0, 599), st.integers(1, 60)), min_size=1, max_size=8),
    truncate=st.sampled_from([0, 5, 100]),
    forget=st.booleans(),
)
def test_whatever_is_lost_comes_back_once(tmp_path_factory, hot, warm, lost, truncate, forget):
    scene = Scene(tmp_path_factory.mktemp("kept"), hot, warm)
    gone = {10 * (n + 1) for first, length in lost for n in range(first, min(600, first + length))}
    scene.exchange.truncate = truncate
    try:
        scene.live(scene.numbers - gone)
        scene.say()
        scene.keep(2)
        if forget:
            scene.keeper = scene.started()
        for _ in range(30):
            scene.keep(1)
            if scene.row().state == "proven":
                break

        assert scene.row().state == "proven", (scene.row().reason, scene.gaps())
        assert sorted(scene.stored()) == sorted(scene.numbers)
    finally:
        scene.close()
