"""Work in a thread of its own, a few items ahead."""

import itertools
import threading

import pytest

from sql.ahead import ahead


def test_items_come_in_order_and_are_made_in_another_thread():
    makers = []

    def items():
        for n in range(50):
            makers.append(threading.current_thread())
            yield n

    with ahead(items(), 3) as ready:
        assert list(ready) == list(range(50))
    assert threading.current_thread() not in makers


def test_no_more_is_made_than_asked_for():
    made = []
    with ahead((made.append(n) or n for n in itertools.count()), 3) as ready:
        first = next(ready)

    assert first == 0
    assert len(made) <= 6


def test_an_error_of_the_maker_is_raised_to_the_reader():
    def items():
        yield 1
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), ahead(items(), 3) as ready:
        list(ready)


def test_what_the_maker_holds_is_given_back_when_the_reader_leaves():
    given_back = threading.Event()

    def items():
        try:
            yield from itertools.count()
        finally:
            given_back.set()

    def leave():
        with ahead(items(), 3) as ready:
            raise KeyError(next(ready))

    with pytest.raises(KeyError):
        leave()
    assert given_back.is_set()
