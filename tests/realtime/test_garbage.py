"""Short collections: what has outlived one is left alone until the night."""

import datetime as dt
import gc
import weakref
from collections.abc import Iterator

import pytest

from realtime.garbage import Thrift
from sql.exchange import SAO_PAULO

NOON = dt.datetime(2026, 11, 18, 12, tzinfo=SAO_PAULO)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now


class Knot:
    """Refers to itself: only a collection finds it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def thrift(clock: Clock) -> Iterator[Thrift]:
    made = Thrift(clock)
    made.begin()
    yield made
    made.end()
    gc.collect()


def dead_knot(knots: list[Knot]) -> weakref.ref[Knot]:
    return weakref.ref(knots.pop())


@pytest.mark.usefixtures("thrift")
def test_new_garbage_is_found_and_what_outlived_a_look_is_put_aside():
    knots = [Knot(), Knot()]
    young = dead_knot(knots)
    aside = gc.get_freeze_count()
    gc.collect()
    old = dead_knot(knots)
    gc.collect()

    assert young() is None
    assert old() is not None
    assert gc.get_freeze_count() > aside
    assert gc.get_count()[2] == 0


def test_at_night_everything_is_looked_through_once(thrift, clock):
    knots = [Knot(), Knot()]
    gc.collect()
    first = dead_knot(knots)
    clock.now = NOON.replace(hour=22)
    gc.collect()
    assert first() is not None
    clock.now = NOON.replace(hour=3) + dt.timedelta(days=1)
    gc.collect()
    assert first() is None
    second = dead_knot(knots)
    clock.now += dt.timedelta(hours=1)
    gc.collect()

    assert second() is not None
    assert thrift.thorough == 1


def test_the_end_gives_everything_back(clock):
    made = Thrift(clock)
    made.begin()
    made.end()

    assert gc.get_freeze_count() == 0
