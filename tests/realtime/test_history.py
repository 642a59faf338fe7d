"""When an answer of the DLL's history is over, what is refused beforehand, and in which order the spool tells it."""

import datetime as dt

import msgspec
import pytest

from realtime.history import BusyError, History, Limits, Outcome, refusal_of
from realtime.profitdll.messages import HistoryEnd, Progress
from realtime.records import Kind
from tests.realtime.spooled import NOON_MS, records

NOW = dt.datetime(2026, 11, 19, 18, tzinfo=dt.UTC)  # 15:00 in São Paulo
NOON = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
OLDEST = dt.datetime(2026, 10, 20, 3, tzinfo=dt.UTC)  # midnight there, thirty days back


class Talk:
    """A history whose clock and DLL are played by the test; `marks` is what the spool was told."""

    def __init__(self) -> None:
        self.now, self.tail, self.lost = 1000.0, 0, 0
        self.counters = {"sentinels": 3, "untranslated": 5}
        self.marks: list[tuple[str, dict]] = []
        self.history = History(
            4,
            Limits(silence_seconds=60, quiet_seconds=2),
            mark=lambda reason, **detail: self.marks.append((reason, detail)),
            counters=lambda: dict(self.counters),
            lost=lambda: self.lost,
            clock=lambda: self.now,
        )

    def ask(self, symbol: str = "WINX99", *, begin: bool = True):
        asking = self.history.ask(symbol, "F", NOON, NOON + 60 * SECOND)
        if begin:
            self.history.begun()
        return asking

    def percent(self, percent: int, symbol: str = "WINX99", head: int = 0) -> None:
        self.history.heard(Progress(seq=1, mono=1, asset=1, percent=percent), symbol, head)

    def last(self, symbol: str = "WINX99", head: int = 0) -> None:
        self.history.heard(HistoryEnd(seq=1, mono=1, asset=1, trade=10, written=True), symbol, head)

    def trades(self, count: int) -> None:
        self.history.took(records(count, kind=Kind.HISTORY_TRADE))

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.history.settle(self.tail)

    def settled(self):
        """The one that ended now; None while it goes on."""
        self.history.settle(self.tail)
        ended = self.history.ended()
        return None if self.history.asking() or not ended else ended[0]


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.mark.parametrize(
    ("symbol", "since", "until", "field"),
    [
        ("WINX99", NOON, NOON, "until"),
        ("WINX99", NOON, NOON - SECOND, "until"),
        ("WINX99", NOON.replace(tzinfo=None), NOON + SECOND, "since"),
        ("WINX99", NOON, (NOON + SECOND).replace(tzinfo=None), "until"),
        ("WINX99", NOON + SECOND / 2, NOON + SECOND, "since"),
        ("WINX99", NOON, NOON + SECOND * 1.5, "until"),
        ("WINFUT", NOON, NOON + SECOND, "symbol"),
        ("PETR4", OLDEST - SECOND, NOON, "since"),
        ("WDOZ26", NOON - 10 * DAY, NOON, "until"),
        ("WINZ26", NOON - 11 * DAY, NOON, "until"),
    ],
)
def test_what_the_dll_would_refuse_is_refused_with_the_field_that_is_wrong(symbol, since, until, field):
    refusal = refusal_of(symbol, since, until, NOW)

    assert refusal is not None
    assert refusal[0] == field


@pytest.mark.parametrize(
    ("symbol", "since"),
    [("PETR4", OLDEST), ("INDZ26", OLDEST), ("WINZ26", NOON - 10 * DAY + SECOND)],
)
def test_the_widest_windows_are_let_through(symbol, since):
    assert refusal_of(symbol, since, NOON, NOW) is None


def test_an_answer_whose_last_trade_was_told_is_complete_with_the_hundredth_percent(talk):
    asking = talk.ask()
    talk.percent(0)
    talk.trades(30)
    talk.last()
    talk.counters = {"sentinels": 4, "untranslated": 7}
    before = talk.settled()
    talk.percent(100)
    ended = talk.settled()

    assert (asking.run, asking.number, asking.percent) == (4, 1, None)
    assert before is None
    assert (ended.state, ended.trades, ended.sentinels, ended.untranslated) == ("complete", 30, 1, 2)
    assert ended.last_trade_at == dt.datetime.fromtimestamp(NOON_MS / 1000 + 10800.030, dt.UTC)
    assert ended.why is None
    told = {"number": 1, "symbol": "WINX99", "since": "2026-11-19T15:00:00+00:00", "until": "2026-11-19T15:01:00+00:00"}
    assert talk.marks == [
        ("history asked", told),
        ("history answered", told | {"state": "complete", "trades": 30, "why": None}),
    ]
    assert msgspec.json.encode(talk.marks)


def test_the_last_trade_and_then_quiet_is_complete_and_the_word_that_is_still_owed_is_not_the_next_ones(talk):
    talk.ask()
    talk.percent(0)
    talk.last()
    talk.passes(1.9)
    before = talk.settled()
    talk.passes(0.2)
    ended = talk.settled()
    talk.ask()
    talk.percent(0)
    talk.percent(100)  # of the first
    talk.passes(3)

    assert before is None
    assert ended.state == "complete"
    assert talk.settled() is None
    talk.percent(50)
    talk.percent(100)
    talk.passes(3)
    assert talk.settled().number == 2


def test_the_word_that_is_still_owed_keeps_nobody_from_asking(talk):
    talk.ask()
    talk.percent(0)
    talk.last()
    talk.passes(2)
    talk.percent(100)

    assert talk.ask().number == 2


def test_a_hundred_percent_counts_after_a_quiet_time_when_nobody_names_the_last_trade(talk):
    talk.ask()
    talk.percent(0)
    talk.trades(5)
    talk.percent(100)
    talk.passes(1)
    talk.trades(5)
    talk.passes(1.5)
    before = talk.settled()
    talk.passes(1)

    assert before is None
    assert talk.settled().trades == 10


def test_a_first_word_of_a_hundred_percent_belongs_to_an_earlier_answer(talk):
    talk.ask()
    talk.percent(100)
    talk.passes(30)

    assert talk.settled() is None


def test_silence_ends_it_and_no_other_time_does(talk):
    talk.ask()
    talk.percent(0)
    for percent in range(1, 100):
        talk.passes(59)
        talk.percent(percent)
    talk.passes(59)
    before = talk.settled()
    talk.passes(1)
    ended = talk.settled()

    assert before is None
    assert (ended.state, ended.why) == ("silent", "no sign of it for 60 s, at 99 percent")


def test_the_end_is_told_when_the_spool_has_all_that_came_before_it(talk):
    talk.ask()
    talk.percent(0)
    talk.last(head=700)
    talk.percent(100, head=700)
    talk.tail = 699
    before = talk.settled()
    talk.tail = 700

    assert before is None
    assert talk.settled().state == "complete"


def test_one_request_at_a_time(talk):
    talk.ask()

    with pytest.raises(BusyError, match="request 1 for WINX99 is in flight"):
        talk.ask("PETR4")


def test_after_a_request_that_was_given_up_the_next_waits_until_its_answer_is_quiet(talk):
    talk.ask()
    talk.trades(5)
    talk.history.give_up(Outcome.LOST, "the market data was lost meanwhile")
    ended = talk.settled()

    assert (ended.state, ended.trades) == ("lost", 5)
    with pytest.raises(BusyError, match="not fallen silent"):
        talk.ask()
    talk.passes(1.5)
    talk.trades(5)
    talk.passes(1.5)
    with pytest.raises(BusyError):
        talk.ask()
    talk.passes(1)
    assert talk.ask().number == 2


def test_an_answer_that_fell_silent_and_comes_after_all_keeps_the_next_from_being_asked(talk):
    talk.ask()
    talk.passes(61)
    talk.passes(100)
    talk.trades(1)

    with pytest.raises(BusyError):
        talk.ask()


def test_after_a_complete_answer_the_next_may_be_asked_at_once(talk):
    for number in (1, 2):
        assert talk.ask().number == number
        talk.percent(0)
        talk.trades(2)
        talk.last()
        talk.percent(100)
        assert talk.settled().number == number


def test_an_answer_of_which_something_found_no_room_is_lost(talk):
    talk.ask()
    talk.percent(0)
    talk.lost = 3
    talk.last()
    talk.percent(100)

    assert talk.settled().why == "3 records of it found the ring or the spool full"
    assert talk.settled().state == "lost"


def test_words_about_other_symbols_are_not_of_this_request(talk):
    talk.ask()
    talk.percent(0)
    talk.last("PETR4")
    talk.percent(100, "PETR4")
    talk.history.give_up(Outcome.REFUSED, "unknown", "PETR4")
    talk.passes(10)

    assert talk.settled() is None


def test_the_spool_is_told_before_the_request_is_made_and_the_end_not_before_that(talk):
    talk.ask(begin=False)
    talk.history.give_up(Outcome.LOST, "the process ends")
    before = talk.settled()
    request = talk.history.begun()

    assert before is None
    assert talk.marks[-1][0] == "history asked"
    assert talk.history.begun() is None
    assert talk.history.wanted(request)
    assert talk.settled().state == "lost"
    assert not talk.history.wanted(request)


def test_the_last_fifty_are_remembered_the_newest_first(talk):
    for _ in range(60):
        talk.ask()
        talk.history.give_up(Outcome.REFUSED, "no")
        talk.settled()
    ended = talk.history.ended()

    assert [each.number for each in ended] == list(range(60, 10, -1))
    assert talk.history.counts == {"refused": 60}
