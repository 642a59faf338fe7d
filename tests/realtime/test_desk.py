"""The desk makes requests in order, survives those that fail, and says which one hangs."""

import threading

import pytest

from realtime.desk import Desk

SECONDS = 10.0


@pytest.fixture
def desk():
    made = Desk(hangs_seconds=0.05)
    made.start()
    yield made
    assert made.stop(SECONDS)


def test_requests_are_made_in_the_order_in_which_they_were_asked(desk):
    made: list[int] = []
    done = [desk.ask(str(n), lambda n=n: made.append(n)) for n in range(50)]

    assert done[-1].wait(SECONDS)
    assert made == list(range(50))


def test_a_request_that_fails_is_counted_and_the_next_one_is_made(desk):
    failed = desk.ask("breaks", lambda: 1 / 0)
    done = desk.ask("works", lambda: None)

    assert failed.wait(SECONDS)
    assert done.wait(SECONDS)
    assert desk.failures == 1


def test_a_request_that_hangs_is_named_and_the_asker_does_not_wait(desk):
    release, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(SECONDS)

    done = desk.ask("subscribe WINZ26", hang)
    assert begun.wait(SECONDS)
    hanging = None
    for _ in range(200):
        if hanging := desk.hanging()[0]:
            break
        release.wait(0.01)
    release.set()

    assert hanging == "subscribe WINZ26"
    assert done.wait(SECONDS)
    assert desk.hanging() == (None, 0.0)


def test_what_waits_already_is_not_asked_twice(desk):
    release, made = threading.Event(), []
    desk.ask("first", lambda: release.wait(SECONDS))
    one = desk.ask("again", lambda: made.append(1))
    two = desk.ask("again", lambda: made.append(2))
    release.set()

    assert one.wait(SECONDS)
    assert two.wait(SECONDS)
    assert made == [1]
