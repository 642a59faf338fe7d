import threading
import time

import pytest

from realtime.orders.broker import (
    AccountId,
    AccountsNews,
    BrokerError,
    LinkNews,
    NewsQueue,
    NotLoadedError,
    NotReadyError,
    NotSentError,
    UnclearError,
    UnknownOrderError,
)


@pytest.mark.parametrize("account", [AccountId(3001, "000123"), AccountId(3001, "000123", "7")])
def test_an_account_is_read_as_it_is_written(account):
    assert AccountId.of(str(account)) == account


@pytest.mark.parametrize("text", ["", "000123", "x:1", "3001:", "3001:1:", "3001:1:2:3", "-1:5"])
def test_what_is_no_account_is_refused(text):
    with pytest.raises(ValueError, match="broker:account"):
        AccountId.of(text)


def test_a_definite_no_is_told_from_what_nobody_knows():
    assert issubclass(NotReadyError, NotSentError)
    assert issubclass(UnknownOrderError, NotSentError)
    assert not issubclass(UnclearError, NotSentError)
    assert not issubclass(NotLoadedError, NotSentError)
    assert issubclass(UnclearError, BrokerError)
    assert issubclass(NotLoadedError, BrokerError)


def test_news_are_taken_once_and_in_their_order():
    queue = NewsQueue()
    queue.put(LinkNews(True))
    queue.put(AccountsNews())

    assert queue.take() == [LinkNews(True), AccountsNews()]
    assert queue.take() == []


def test_a_sleeper_wakes_for_news_or_for_a_word():
    queue = NewsQueue()
    assert not queue.wait(0)

    began = time.monotonic()
    threading.Timer(0.01, queue.put, [AccountsNews()]).start()
    assert queue.wait(10)
    queue.take()

    threading.Timer(0.01, queue.wake).start()
    assert not queue.wait(10)
    assert time.monotonic() - began < 9


def test_a_word_before_the_sleep_is_heard():
    queue = NewsQueue()
    queue.wake()

    assert not queue.wait(60)
