"""Daily aggregates from the ring's halves to rows of `daily`."""

import datetime as dt
import itertools
import threading

import numpy as np
import polars as pl
import pytest

from realtime.records import DAILY_COUNTS, DAILY_PRICES, RECORD, Kind
from realtime.relay.dailies import Pairs, frame_of, pairs_of, sound
from realtime.relay.sender import Sender
from realtime.spool.files import Limits
from realtime.spool.frames import Asset, Frame, FrameKind
from realtime.spool.writer import Spool
from sql import stores
from sql.errors import StoreUnavailableError
from sql.tables import DAILY
from tests.realtime.spooled import ASSETS, NOON_MS, joined, records

NAMES = {asset.number: asset for asset in ASSETS}
WALL, MONO = 1_795_100_400_000_000_000, 5_000_000_000
HOUR_MS = 3_600_000
names = itertools.count()


def aggregate(trades: int, *, seq: int = 1, asset: int = 1, time: int = NOON_MS, **values):
    """The two records of one aggregate."""
    made = np.zeros(2, RECORD)
    prices, counts = made[:1].view(DAILY_PRICES), made[1:].view(DAILY_COUNTS)
    said = {
        **{name: 100.0 + place for place, name in enumerate(DAILY_PRICES.names)},
        **{name: 200 + place for place, name in enumerate(DAILY_COUNTS.names)},
        "trades": trades,
        **values,
    }
    for name, value in said.items():
        (prices if name in DAILY_PRICES.names else counts)[name] = value
    made["seq"], made["asset"], made["time"], made["mono"] = (seq, seq + 1), asset, time, MONO
    made["kind"] = Kind.DAILY_PRICES, Kind.DAILY_COUNTS
    return made


def framed(made, run: int = 1) -> Frame:
    return Frame(FrameKind.RECORDS, run, 1, len(made), WALL, MONO, np.frombuffer(made.tobytes(), np.uint8), 1, 0)


def rows(pairs: Pairs) -> pl.DataFrame:
    return frame_of(pairs, NAMES, "simulator")


def test_two_halves_become_the_row_that_the_contract_wants():
    made = aggregate(7, volume=1234.5, seller_trades=3, max_limit=110.0)
    pairs = pairs_of([framed(joined([records(3), made, records(2, 4)]))], None)
    row = rows(pairs).row(0, named=True)

    assert list(row) == list(DAILY.names)
    assert (row["ts"], row["symbol"]) == (dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC), "WINZ26")
    assert row["session"] == dt.date(2026, 11, 19)
    assert (row["trades"], row["volume"], row["seller_trades"], row["max_limit"]) == (7, 1234.5, 3, 110.0)
    for place, name in enumerate(DAILY_COUNTS.names):
        assert name in ("trades", "seller_trades") or row[name] == 200 + place
    assert row["received_at"] == dt.datetime.fromtimestamp(WALL // 10**9, dt.UTC)
    assert (pairs.half, pairs.alone) == (None, 0)


@pytest.mark.parametrize("cut", range(6))
def test_halves_that_lie_in_two_frames_or_two_readings_find_each_other(cut):
    made = joined([aggregate(7), aggregate(8, seq=3), aggregate(9, seq=5)])
    whole = pairs_of([framed(made[:cut]), framed(made[cut:])], None)
    first = pairs_of([framed(made[:cut])], None)
    second = pairs_of([framed(made[cut:])], first.half)

    assert rows(whole)["trades"].to_list() == [7, 8, 9]
    assert [*rows(first)["trades"], *rows(second)["trades"]] == [7, 8, 9]
    assert first.alone == second.alone == whole.alone == 0


def test_halves_that_do_not_belong_together_make_no_row():
    one, other = aggregate(7, seq=1), aggregate(8, seq=3)
    lost = joined([one[:1], other[1:]])
    foreign = joined([one[:1], aggregate(8, seq=1, asset=2)[1:]])
    waiting = pairs_of([framed(one[:1])], None).half

    assert pairs_of([framed(lost)], None).alone == 2
    assert pairs_of([framed(foreign)], None).alone == 2
    assert pairs_of([framed(one[1:], run=2)], waiting).alone == 1
    assert [
        len(each.prices) for each in (pairs_of([framed(lost)], None), pairs_of([framed(one[1:], run=2)], waiting))
    ] == [
        0,
        0,
    ]


def test_an_aggregate_without_time_name_or_sums_is_refused_and_other_nonsense_is_null():
    wrong = [{"time": 0}, {"asset": 9}, {"volume": np.nan}, {"trades": -1}, {"quantity": -1}, {"volume": -1.0}]
    made = [aggregate(**{"trades": 7, "seq": 1 + 2 * n, **each}) for n, each in enumerate(wrong)]
    odd = aggregate(8, seq=99, open=np.nan, high=np.inf, low=-5.0, open_contracts=-1, min_limit=-np.inf)
    whole, refused = sound(pairs_of([framed(joined([*made, odd]))], None), NAMES)
    row = rows(whole).row(0, named=True)

    assert refused == len(wrong)
    assert row["trades"] == 8
    assert [row[name] for name in ("open", "high", "low", "open_contracts", "min_limit")] == [None] * 5


class Scene:
    """A spool with a symbol of its own, and senders of it."""

    def __init__(self, data, hot, limits) -> None:
        self.data, self.hot = data, hot
        self.symbol = f"D{next(names)}X99"
        self.spool = Spool.open(data / "spool", source="simulator", limits=limits)
        self.spool.assets([Asset(1, self.symbol, "F")])
        self.sender = self.started()

    def started(self) -> Sender:
        return Sender(self.data / "spool", self.data / "raw", self.hot, threading.Event())

    def put(self, *made) -> None:
        self.spool.append(joined(list(made)))
        self.spool.commit()

    def send(self) -> None:
        while self.sender.step():
            pass

    def stored(self) -> pl.DataFrame:
        self.hot.wait_applied(DAILY)
        return self.hot.frame(f"SELECT * FROM daily WHERE symbol = '{self.symbol}' ORDER BY ts, trades", DAILY)


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture
def scene(tmp_path, hot):
    made = Scene(tmp_path, hot, Limits(segment_bytes=50_000, commit_bytes=10_000))
    yield made
    made.spool._lock.release()


def test_the_sender_stores_aggregates_beside_the_ticks_and_counts_them(scene):
    ticks = records(5)
    ticks["asset"] = 1
    scene.put(ticks[:3], aggregate(3, seq=10), ticks[3:], aggregate(5, seq=20, time=NOON_MS + HOUR_MS))
    scene.send()

    assert scene.stored()["trades"].to_list() == [3, 5]
    assert scene.sender.progress.dailies == 2
    assert scene.sender.progress.stored == 5
    assert scene.sender.progress.passed_over == {}
    assert scene.stored()["source"].unique().to_list() == ["simulator"]


def test_the_same_aggregate_again_costs_no_transaction_and_a_smaller_one_takes_nothing_away(scene, hot):
    scene.put(aggregate(3, seq=1), aggregate(5, seq=3))
    scene.send()
    hot.wait_applied(DAILY)
    before = hot.wal(DAILY).taken
    scene.put(aggregate(5, seq=5), aggregate(5, seq=7))
    scene.send()
    repeated = hot.wal(DAILY).taken
    scene.put(aggregate(0, seq=9))  # the day changed, and the broker still tells the old date
    scene.send()

    assert repeated == before
    assert scene.stored()["trades"].to_list() == [0, 3, 5]


def test_a_sender_that_is_killed_between_two_halves_loses_no_aggregate(scene):
    made = aggregate(7)
    scene.put(made[:1])
    scene.send()
    scene.sender.save()
    scene.sender = scene.started()
    scene.put(made[1:])
    scene.send()

    assert scene.stored()["trades"].to_list() == [7]


def test_what_hot_did_not_take_is_sent_again_with_its_first_half(scene, monkeypatch):
    made = aggregate(7)
    scene.put(made[:1])
    scene.send()
    scene.put(made[1:], aggregate(8, seq=3)[:1])
    insert = scene.hot.insert

    def broken(table, frame):
        if table is DAILY:
            raise StoreUnavailableError("away")
        return insert(table, frame)

    monkeypatch.setattr(scene.hot, "insert", broken)
    with pytest.raises(StoreUnavailableError):
        scene.sender.step()
    monkeypatch.undo()
    scene.send()
    scene.put(aggregate(8, seq=3)[1:])
    scene.send()

    assert scene.stored()["trades"].to_list() == [7, 8]
    assert scene.sender.progress.refused == 0
