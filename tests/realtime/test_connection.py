"""The connection as a state: every order in which the DLL may say its words, and what each leaves allowed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.connection import Channel, Connection, Link, heard, must_subscribe

UP = [(Channel.ACTIVATION, 0), (Channel.LOGIN, 0), (Channel.MARKET, 4), (Channel.ROUTING, 5)]


def after(*words: tuple[int, int], **fields: object) -> Connection:
    connection = Connection(**fields)  # type: ignore[arg-type]
    for channel, word in words:
        connection = heard(connection, channel, word)
    return connection


@pytest.mark.parametrize("order", list(itertools.permutations(UP)))
def test_ready_is_reached_whatever_the_order_of_the_channels(order):
    for count in range(len(order)):
        said = set(order[:count])
        connection = after(*order[:count])
        assert connection.data_ready is {*UP[:3]}.issubset(said)
        assert connection.orders_ready is ({*UP[:2], UP[3]}).issubset(said)

    connection = after(*order)
    assert connection.data_ready
    assert connection.orders_ready


@pytest.mark.parametrize("word", [1, 2, 3, 4])
def test_a_refused_login_is_said_and_leaves_nothing_ready(word):
    connection = after((Channel.LOGIN, word))

    assert connection.link is Link.INVALID_CREDENTIALS
    assert connection.refusal
    assert not connection.data_ready


def test_a_bad_activation_key_is_a_refusal():
    assert after((Channel.LOGIN, 0), (Channel.ACTIVATION, 1)).link is Link.INVALID_CREDENTIALS


def test_words_of_a_shutdown_are_no_bad_login():
    connection = after(*UP, (Channel.LOGIN, 1), closing=True)

    assert connection.refusal is None
    assert connection.link is Link.DISCONNECTED
    assert not connection.orders_ready


def test_the_routing_server_alone_takes_no_orders():
    connection = after(*UP[:3], (Channel.ROUTING, 2), routing_wanted=True)

    assert not connection.orders_ready
    assert connection.link is Link.BROKER_CONNECTED


def test_every_return_of_the_market_asks_for_the_symbols_again():
    connection = Connection(login=0, activation=0, market=4, subscribed=True, symbols=2)
    assert not must_subscribe(heard(connection, Channel.MARKET, 4))

    for word in (0, 1, 2):
        connection = heard(connection, Channel.MARKET, word)
        assert not must_subscribe(connection)

    assert must_subscribe(heard(connection, Channel.MARKET, 4))


@pytest.mark.parametrize("word", [5, 6])
def test_slow_is_degraded_and_still_connected(word):
    connection = Connection(login=0, activation=0, market=4, routing=5, subscribed=True, symbols=1)
    slow = heard(connection, Channel.MARKET, word)

    assert slow.link is Link.DEGRADED
    assert slow.data_ready
    assert not must_subscribe(slow)
    assert heard(slow, Channel.MARKET, 4).link is Link.ACTIVE


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 2, 3, 4, 5, 6, 200, -1])), max_size=30))
def test_only_the_last_word_of_each_channel_counts(words):
    latest = dict(words)
    once = after(*latest.items())
    every = after(*words)

    assert (every.link, every.data_ready, every.orders_ready) == (once.link, once.data_ready, once.orders_ready)
