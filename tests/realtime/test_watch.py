"""Judgements of the watch, as a table of moments."""

import pytest

from realtime.connection import Connection
from realtime.watch import Limits, Watch, trouble_of

WELL = Connection(login=0, activation=0, market=4, subscribed=True, symbols=1)
LIMITS = Limits(silence_seconds=60, restart_seconds=300)


def test_an_open_market_may_be_silent_for_so_long():
    watch = Watch(LIMITS, 0)

    assert not watch.silent(60, trading=True, last_record=0)
    assert watch.silent(61, trading=True, last_record=0)
    assert not watch.silent(61, trading=True, last_record=30)


def test_a_night_counts_for_nothing():
    watch = Watch(LIMITS, 0)

    assert not watch.silent(40_000, trading=False, last_record=0)
    assert not watch.silent(40_060, trading=True, last_record=0)
    assert watch.silent(40_061, trading=True, last_record=0)


def test_trouble_must_last_while_the_market_trades_before_a_new_process_is_asked_for():
    watch = Watch(LIMITS, 0)
    moments = [(300, True, "slow"), (301, True, "slow"), (302, False, "slow"), (602, True, "slow"), (603, True, "slow")]

    found = [watch.exhausted(now, trading=trading, trouble=said, final=False) for now, trading, said in moments]
    assert found == [False, True, False, False, True]
    assert not watch.exhausted(604, trading=True, trouble=None, final=False)
    assert not watch.exhausted(904, trading=True, trouble="slow", final=False)
    assert watch.exhausted(905, trading=True, trouble="slow", final=False)


def test_a_refusal_is_never_tried_again():
    watch = Watch(LIMITS, 0)

    assert not watch.exhausted(10_000, trading=True, trouble="the broker refuses the login", final=True)


@pytest.mark.parametrize(
    ("connection", "failed", "hanging", "said"),
    [
        (WELL, None, (None, 0.0), None),
        (WELL, "no DLL", ("login", 31.4), "the DLL does not come back from `login` for 31 s"),
        (WELL, "no DLL", (None, 0.0), "the DLL cannot be used: no DLL"),
        (Connection(login=2), None, (None, 0.0), "the broker refuses the login: the password is wrong"),
        (Connection(login=0), None, (None, 0.0), "no market data yet (Authenticating)"),
        (Connection(login=0, activation=0, market=4), None, (None, 0.0), "symbols are being subscribed"),
        (Connection(login=0, activation=0, market=5, subscribed=True), None, (None, 0.0), "the feed is slow"),
    ],
)
def test_the_first_thing_that_is_wrong_is_told(connection, failed, hanging, said):
    assert trouble_of(connection, failed=failed, hanging=hanging) == said
