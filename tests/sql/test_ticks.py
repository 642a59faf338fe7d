"""The one writer of ticks against a real QuestDB: identity, repeats that cost nothing, cancellations that stay."""

import datetime as dt
import threading

import polars as pl
import pytest

from sql import stores, ticks
from sql.tables import TICKS, Flag
from sql.ticks import BusyError, Known, store, writing

SESSION = dt.date(2026, 3, 2)
OPEN = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture
def symbol(request):
    return f"T{abs(hash(request.node.name)) % 10**9}"


def frame(symbol, ids, *, price=5.0, second=0, flags=0, source="b3"):
    base = {
        "ts": OPEN + dt.timedelta(seconds=second),
        "symbol": symbol,
        "session": SESSION,
        "price": price,
        "quantity": 1,
        "aggressor": None,
        "buyer": None,
        "seller": 3,
        "flags": flags,
        "received_at": OPEN,
        "source": source,
    }
    return pl.DataFrame([{**base, "trade_id": i} for i in ids], schema_overrides=TICKS.polars)


def stored(hot, symbol):
    hot.wait_applied(TICKS)
    where = f"symbol = '{symbol}' ORDER BY trade_id"
    return hot.frame(f"SELECT {', '.join(TICKS.names)} FROM ticks WHERE {where}", TICKS)


def test_new_ticks_are_stored_and_repeats_cost_no_transaction(hot, symbol):
    assert store(hot, frame(symbol, [10, 20])).new == 2
    before = hot.wait_applied(TICKS).taken
    again = store(hot, frame(symbol, [10, 20]))

    assert (again.new, again.repeated) == (0, 2)
    assert hot.wal(TICKS).taken == before
    assert stored(hot, symbol).equals(frame(symbol, [10, 20]).select(TICKS.names))


def test_a_resend_with_another_time_is_no_second_row(hot, symbol):
    store(hot, frame(symbol, [10]))
    store(hot, frame(symbol, [10], second=7200))

    assert stored(hot, symbol)["ts"].to_list() == [OPEN]


def test_a_cancellation_rewrites_the_stored_row_and_stays(hot, symbol):
    store(hot, frame(symbol, [10, 20]))
    cancelled = store(hot, frame(symbol, [10], second=60, flags=int(Flag.CANCELLED)))
    store(hot, frame(symbol, [10, 20]))

    assert cancelled.cancelled == 1
    assert stored(hot, symbol).select("ts", "flags").rows() == [(OPEN, 1), (OPEN, 0)]


def test_a_trade_of_another_source_that_contradicts_is_refused(hot, symbol):
    store(hot, frame(symbol, [10], source="profitdll"))
    answer = store(hot, frame(symbol, [10, 20], price=6.0))

    assert (answer.new, answer.refused) == (1, 1)
    assert answer.conflicts.select("trade_id", "source_stored").rows() == [(10, "profitdll")]
    assert stored(hot, symbol)["price"].to_list() == [5.0, 6.0]


def test_a_writer_that_knows_its_sessions_asks_only_for_repeats(hot, symbol, monkeypatch):
    store(hot, frame(symbol, [10]))
    known = Known()
    assert known.load(hot, [SESSION], [symbol]) == 1
    asked = []
    monkeypatch.setattr(ticks, "look_up", lambda _hot, wanted, _below: asked.append(wanted.height) or wanted.clear())
    store(hot, frame(symbol, [20, 30]), known)
    store(hot, frame(symbol, [30, 40]), known)

    assert asked == [0, 1]


def test_large_batches_are_compared_like_small_ones(hot, symbol):
    ids = range(10, 300_000, 10)
    assert store(hot, frame(symbol, ids)).new == len(ids)
    late = store(hot, pl.concat([frame(symbol, ids, second=90), frame(symbol, [5])]))

    assert (late.new, late.repeated) == (1, len(ids))
    assert stored(hot, symbol)["ts"].unique().to_list() == [OPEN]


def test_a_time_that_cannot_be_of_the_session_is_an_error(hot, symbol):
    with pytest.raises(ValueError, match="cannot be a time of session"):
        store(hot, frame(symbol, [10], second=40 * 86400))


def test_a_session_has_one_writer_at_a_time(engines):
    warm = stores.warm(engines)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with writing(warm, [SESSION]):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(BusyError, match="being written by another process"), writing(warm, [SESSION], 0.2):
        pass
    leave.set()
    thread.join(30)
    with writing(warm, [SESSION], 5.0):
        pass
