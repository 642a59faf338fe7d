import datetime as dt
import threading

import polars as pl
import pytest

from realtime import generated
from realtime.feed import CATCH_UP, Feed
from realtime.server import moving
from sql import stores
from sql.hot import HotStore
from sql.tables import TICKS

NOON = dt.datetime(2031, 3, 5, 12, tzinfo=dt.UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


def instrument(symbol: str) -> tuple[generated.Instrument, ...]:
    return (generated.Instrument(symbol, 100.0, 0.5, 0.5, 1),)


def stored(hot: HotStore, symbol: str) -> pl.DataFrame:
    hot.wait_applied(TICKS)
    return hot.frame(f"SELECT * FROM ticks WHERE symbol = '{symbol}' ORDER BY ts, trade_id", TICKS)


def expected(symbol: str, since: dt.datetime, until: dt.datetime) -> pl.DataFrame:
    days = [generated.day(instrument(symbol), date) for date in sorted({since.date(), until.date()})]
    due = pl.concat(days).filter(pl.col("ts").is_between(since, until, closed="left"))
    return due.drop("received_at")


@pytest.fixture
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


def test_every_tick_arrives_once_whatever_the_steps(hot):
    clock = Clock(NOON)
    feed = Feed(hot, threading.Event(), instruments=instrument("STEPS99"), now=clock)
    since = NOON - dt.timedelta(minutes=1)
    for seconds in (0.0, 0.3, 20.0, 0.0, 61.7):
        clock.now += dt.timedelta(seconds=seconds)
        since = feed.step(since)

    assert (
        stored(hot, "STEPS99")
        .drop("received_at")
        .equals(expected("STEPS99", NOON - dt.timedelta(minutes=1), clock.now))
    )


def test_a_restart_goes_on_where_the_last_one_was_killed_and_repeats_change_nothing(hot):
    clock = Clock(NOON + dt.timedelta(days=1))
    first = Feed(hot, threading.Event(), instruments=instrument("AGAIN99"), now=clock)
    begin = first.resume_point()
    first.step(begin)
    clock.now += dt.timedelta(minutes=2)
    second = Feed(hot, threading.Event(), instruments=instrument("AGAIN99"), now=clock)
    resumed = second.resume_point()
    second.step(resumed)
    second.step(resumed)

    assert begin <= resumed <= clock.now - dt.timedelta(minutes=2)
    assert stored(hot, "AGAIN99").drop("received_at").equals(expected("AGAIN99", begin, clock.now))


def test_a_demo_that_slept_does_not_invent_what_it_slept_through(hot):
    clock = Clock(NOON + dt.timedelta(days=30))

    assert Feed(hot, threading.Event(), now=clock).resume_point() == clock.now - CATCH_UP


def test_midnight_is_no_gap(hot):
    midnight = dt.datetime(2031, 4, 2, tzinfo=dt.UTC)
    clock = Clock(midnight + dt.timedelta(seconds=30))
    Feed(hot, threading.Event(), instruments=instrument("NIGHT99"), now=clock).step(midnight - dt.timedelta(seconds=30))

    assert (
        stored(hot, "NIGHT99")
        .drop("received_at")
        .equals(expected("NIGHT99", midnight - dt.timedelta(seconds=30), clock.now))
    )


def test_a_clock_that_steps_back_stores_nothing_twice(hot):
    clock = Clock(dt.datetime(2031, 5, 2, 10, tzinfo=dt.UTC))
    feed = Feed(hot, threading.Event(), instruments=instrument("BACK99"), now=clock)
    since = feed.step(clock.now - dt.timedelta(minutes=1))
    clock.now -= dt.timedelta(minutes=5)

    assert feed.step(since) == since


def test_a_store_that_is_away_is_counted_and_said_and_the_feed_goes_on():
    stop = threading.Event()
    away = HotStore("http://127.0.0.1:9", "postgresql://admin:quest@127.0.0.1:9/qdb")
    feed = Feed(away, stop)
    thread = threading.Thread(target=feed.run)
    thread.start()
    for _ in range(200):
        if feed.progress.failures >= 1:
            break
        stop.wait(0.1)
    stop.set()
    thread.join(30)

    assert not thread.is_alive()
    assert feed.progress.failures >= 1
    assert "does not answer" in (feed.progress.last_error or "")
    assert moving(feed.progress) is False
