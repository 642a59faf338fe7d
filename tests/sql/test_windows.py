"""Which ranges a pass writes: everything that a transaction touched, nothing below the floor that hot does not hold."""

import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from sql.windows import (
    DAY,
    MICROSECOND,
    MINUTE,
    SLICE_ROWS,
    Span,
    Transaction,
    Window,
    batches_of,
    by_day,
    joined,
    runs,
    slices_of,
    spans_of,
    windows_of,
)
from tests.tape import HOUR, NOON, SECOND

INSTANTS = st.integers(0, 4 * 86_400).map(lambda seconds: NOON + seconds * SECOND)
SPANS = st.lists(st.tuples(INSTANTS, st.integers(1, 90_000)).map(lambda at: Span(at[0], at[0] + at[1] * SECOND, 1)))


def taken(number, first=0, last=0, rows=1):
    return Transaction(number, f"at {number}", NOON + first * SECOND, NOON + last * SECOND, rows)


def test_transactions_after_the_last_make_spans_that_hold_their_last_row():
    found = spans_of([taken(4), taken(5, 100, 200, 7), taken(6, 900, 900), taken(7, 150, 300, 2)], last=4, applied=7)

    assert found == [
        Span(NOON + 100 * SECOND, NOON + 300 * SECOND + MICROSECOND, 9),
        Span(NOON + 900 * SECOND, NOON + 900 * SECOND + MICROSECOND, 1),
    ]


def test_a_part_that_nobody_counted_leaves_the_whole_uncounted():
    counted, unknown = Span(NOON, NOON + MINUTE, 10), Span(NOON + MINUTE, NOON + DAY)

    assert joined([counted, unknown]) == [Span(NOON, NOON + DAY)]
    assert joined([unknown, counted]) == [Span(NOON, NOON + DAY)]


def test_what_is_taken_but_not_applied_waits():
    assert spans_of([taken(1), taken(2), taken(3, 50)], last=1, applied=2) == [Span(NOON, NOON + MICROSECOND, 1)]


def test_a_gap_in_the_numbers_tells_nothing():
    assert spans_of([taken(2), taken(4)], last=1, applied=4) is None
    assert spans_of([taken(3)], last=1, applied=3) is None
    assert spans_of([], last=1, applied=2) is None


def test_a_transaction_without_a_count_or_times_tells_nothing():
    assert spans_of([taken(2), Transaction(3, "", None, None, None)], last=1, applied=3) is None
    assert spans_of([Transaction(2, "", None, None, 5)], last=1, applied=2) is None


def test_a_window_across_the_floor_is_split_at_it():
    floor = NOON + MINUTE

    assert windows_of([Span(NOON, NOON + 2 * MINUTE)], floor) == [
        Window(NOON, floor, whole=False),
        Window(floor, NOON + 2 * MINUTE, whole=True),
    ]
    assert windows_of([Span(NOON, floor)], floor) == [Window(NOON, floor, whole=False)]
    assert windows_of([Span(floor, floor + MINUTE)], floor) == [Window(floor, floor + MINUTE, whole=True)]
    assert windows_of([Span(NOON, floor)], None) == [Window(NOON, floor, whole=True)]


@given(SPANS)
def test_joined_spans_cover_all_that_was_given_and_stand_apart(spans):
    found = joined(spans)

    assert sum(span.rows for span in found) == len(spans)
    assert all(a.until + SECOND < b.since for a, b in itertools.pairwise(found))
    assert all(any(whole.since <= span.since and span.until <= whole.until for whole in found) for span in spans)


@given(SPANS, INSTANTS | st.none())
def test_no_window_that_deletes_reaches_below_the_floor(spans, floor):
    windows = windows_of(joined(spans), floor)

    assert all(window.since < window.until for window in windows)
    assert all(window.since >= floor for window in windows if window.whole and floor)
    assert all(window.until <= floor for window in windows if not window.whole)


@given(
    st.dictionaries(st.integers(0, 4000), st.integers(1, 2 * SLICE_ROWS)), st.integers(0, 59), st.integers(61, 99_999)
)
def test_slices_lie_in_their_window_apart_from_each_other_and_cover_its_minutes(rows, first, seconds):
    window = Window(NOON + first * SECOND, NOON + seconds * SECOND, whole=True)
    minutes = {NOON + n * MINUTE: count for n, count in rows.items() if NOON + n * MINUTE < window.until}
    found = slices_of(window, minutes)

    assert sum(each.rows for each in found) == sum(minutes.values())
    assert all(window.since <= each.since < each.until <= window.until for each in found)
    assert all(a.until <= b.since for a, b in itertools.pairwise(found))
    assert all(each.rows <= SLICE_ROWS or each.until - each.since <= MINUTE for each in found)
    assert all(any(each.since <= max(minute, window.since) < each.until for each in found) for minute in minutes)


def test_a_window_is_read_at_once_when_it_is_counted_small_and_of_one_day():
    midnight = dt.datetime(2026, 11, 18, tzinfo=dt.UTC)

    def small(hours: int, rows: int) -> bool:
        return Window(midnight - HOUR, midnight + (hours - 1) * HOUR, whole=True, rows=rows).small

    assert [small(1, SLICE_ROWS), small(1, SLICE_ROWS + 1), small(1, 0), small(2, 10)] == [True, False, False, False]


def test_small_slices_travel_together_and_in_order():
    slices = [Span(NOON + n * MINUTE, NOON + n * MINUTE + SECOND, 1000) for n in range(100)]
    batches = list(batches_of(slices))

    assert [len(batch) for batch in batches] == [40, 40, 20]
    assert [each for batch in batches for each in batch] == slices


def test_a_range_falls_into_its_days():
    midnight = dt.datetime(2026, 11, 18, tzinfo=dt.UTC)

    assert by_day(NOON, NOON + 3 * DAY, [midnight, midnight + 3 * DAY, midnight + 9 * DAY]) == [
        Span(NOON, midnight + DAY),
        Span(midnight + 3 * DAY, NOON + 3 * DAY),
    ]


def test_days_in_a_row_are_one_run():
    first = NOON.date()

    assert list(runs([first + DAY, first, first + 5 * DAY, first])) == [
        (first, first + DAY),
        (first + 5 * DAY, first + 5 * DAY),
    ]
    assert list(runs([])) == []
