import datetime as dt
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sql.gaps import (
    HISTORY_DAYS,
    MOST_GAPS,
    Gap,
    due_at,
    left_of,
    missing_in,
    session_window,
    settled,
    unknown_of,
    windows,
)
from sql.numbering import gaps_of, head_of, numbering_of

SESSION = dt.date(2026, 11, 19)
NOW = dt.datetime(2026, 11, 19, 18, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
EVERY = set(range(10, 20_010, 10))


def gap(**fields) -> Gap:
    made = {"kind": "inner", "first_id": 100, "last_id": 190, "ids": 10, "ids_left": 10, "id": 1, "found_at": NOW}
    return Gap(symbol="WINZ26", session=SESSION, **{**made, **fields})


class Ledger:
    """Gaps as they are followed from look to look, without a database."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []

    def look(self, present: set[int], **options) -> None:
        ids = np.array(sorted(present), np.int64)
        numbers = numbering_of(ids)
        head = head_of(numbers)
        holes = [*numbers.holes, *([head] if head else [])]
        told = {"deficit": None, "shown": False, "came": False, "filled_by": "history", "now": NOW, **options}
        left = left_of(self.gaps, holes)
        self.gaps = [settled(each, left=count, **told) for each, count in zip(self.gaps, left, strict=True)]
        for found in unknown_of(self.gaps, gaps_of(numbers.holes, ids), head):
            fields = {"kind": found.kind, "first_id": found.first_id, "last_id": found.last_id}
            self.gaps.append(gap(**fields, ids=found.ids, ids_left=found.ids, id=len(self.gaps)))


def missing(present: set[int]) -> int:
    return len({n for n in EVERY if n < max(present)} - present)


@settings(deadline=None)
@given(
    lost=st.sets(st.sampled_from(sorted(EVERY)[:-1]), max_size=400),
    back=st.lists(st.sets(st.sampled_from(sorted(EVERY)), max_size=300), max_size=4),
)
def test_the_missing_numbers_are_counted_right_whatever_comes_back_and_when(lost, back):
    present, ledger = EVERY - lost, Ledger()
    ledger.look(present)
    assert missing_in(ledger.gaps) == missing(present)

    for some in back:
        present = present | some
        ledger.look(present)
        assert missing_in(ledger.gaps) == missing(present)
    ledger.look(EVERY)

    assert {each.state for each in ledger.gaps} <= {"filled"}
    assert missing_in(ledger.gaps) == 0


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(EVERY)[:-1]), max_size=200))
def test_a_look_that_is_repeated_finds_nothing_new(lost):
    ledger = Ledger()
    ledger.look(EVERY - lost)
    before = ledger.gaps
    ledger.look(EVERY - lost)

    assert ledger.gaps == before


def test_what_two_answers_do_not_have_was_never_used_unless_the_exchange_counts_more():
    exhausted = gap(exhausted=True)
    told = {"shown": False, "came": False, "filled_by": "history", "now": NOW}

    assert settled(exhausted, left=10, deficit=None, **told).state == "vacant"
    assert settled(exhausted, left=10, deficit=0, **told).state == "vacant"
    assert settled(exhausted, left=4, deficit=0, **told).state == "filled"
    assert settled(exhausted, left=10, deficit=3, **told).state == "unfillable"
    assert settled(gap(), left=10, deficit=0, **told).state == "missing"
    assert settled(gap(), left=10, deficit=0, **{**told, "shown": True}).state == "vacant"
    assert settled(gap(refused=True), left=10, deficit=0, **told).state == "unfillable"
    assert settled(gap(refused=True), left=0, deficit=0, **told).state == "filled"


def test_a_trade_that_goes_missing_again_opens_its_gap_again():
    told = {"deficit": None, "shown": False, "came": False, "filled_by": "history", "now": NOW}
    vacant = settled(gap(exhausted=True), left=3, **told)
    lost = settled(vacant, left=4, **told)

    assert (vacant.state, lost.state, lost.exhausted, lost.filled_at) == ("filled", "missing", False, None)


def test_more_gaps_than_a_session_may_have_are_one():
    ids = np.array([n for n in range(10, 2_000_000, 10) if n % 400], np.int64)
    numbers = numbering_of(ids)
    found = unknown_of([], gaps_of(numbers.holes, ids), head_of(numbers))

    assert len(found) == MOST_GAPS
    assert sum(each.ids for each in found) == numbers.missing


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 400)), min_size=1, max_size=30))
def test_windows_cover_every_gap_and_never_touch(places):
    begin = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)
    now = begin + dt.timedelta(days=1)
    gaps = [
        gap(id=n, since=begin + at * SECOND / 3, until=begin + (at + length) * SECOND / 3)
        for n, (at, length) in enumerate(places)
    ]
    found = windows(gaps, now)

    for each in gaps:
        (own,) = [window for window in found if each.id in window.gaps]
        assert own.since < each.since
        assert each.until < own.until
        assert own.since.microsecond == own.until.microsecond == 0
    for before, after in itertools.pairwise(found):
        assert before.until < after.since


def test_a_head_begins_with_the_day_and_a_tail_ends_with_it_or_now():
    begin, end = session_window(SESSION)
    head = gap(kind="head", until=NOW)
    tail = gap(kind="tail", since=NOW - 60 * SECOND, id=2)

    assert windows([head], NOW)[0].since == begin == dt.datetime(2026, 11, 19, 3, tzinfo=dt.UTC)
    assert windows([tail], NOW)[0].until == NOW + SECOND
    assert windows([tail], end + SECOND)[0].until == end


def test_what_is_too_old_is_not_asked_for():
    late = NOW + dt.timedelta(days=HISTORY_DAYS + 1)

    assert windows([gap(since=NOW, until=NOW)], late) == []


def test_asking_again_waits_longer_each_time():
    asked = [gap(asked=n, last_asked=NOW) for n in range(12)]
    pauses = [due_at(each) - NOW for each in asked]

    assert pauses == sorted(pauses)
    assert pauses[1] == 40 * SECOND
    assert pauses[-1] == dt.timedelta(hours=1)
    assert due_at(replace(asked[1], state="unfillable")) == NOW + dt.timedelta(hours=6)
    assert due_at(replace(asked[1], state="vacant")) is None
