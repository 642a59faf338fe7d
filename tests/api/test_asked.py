import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.asked import Cursor, cursor_of, span_of, span_of_cursor, text_of
from api.kernel.errors import InvalidRequestError
from sql.tape import Key, Span

UTC = dt.UTC


class NoTape:
    """Stands for a tape whose newest day is known."""

    def last_day(self, symbol):
        return dt.date(2026, 11, 18)


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "first", "end"),
    [
        ("2026-11-19", "2026-11-20", at(2026, 11, 19), at(2026, 11, 20)),
        ("2026-11-19T13:00:00Z", "2026-11-19T14", at(2026, 11, 19, 13), at(2026, 11, 19, 14)),
        ("2026-11-19T10:00:00-03:00", "2026-11-20", at(2026, 11, 19, 13), at(2026, 11, 20)),
        ("2026-11-19T10:00:00 03:00", "2026-11-20", at(2026, 11, 19, 7), at(2026, 11, 20)),
        ("2026-11-19 10:00", "2026-11-20", at(2026, 11, 19, 10), at(2026, 11, 20)),
        (None, "2026-11-20", at(2026, 11, 19), at(2026, 11, 20)),
        (None, "2026-11-19T14:00Z", at(2026, 11, 19), at(2026, 11, 19, 14)),
        (None, None, at(2026, 11, 18), at(2026, 11, 19)),
        ("2199-01-01", None, at(2199, 1, 1), at(2199, 1, 2)),
    ],
)
def test_a_range_is_understood(since, until, first, end):
    assert span_of(NoTape(), "WINZ26", since, until) == Span("WINZ26", first, end)


@pytest.mark.parametrize(
    ("symbol", "since", "until", "fields"),
    [
        ("WIN'; DROP TABLE ticks; --", None, None, ["symbol"]),
        ("", None, None, ["symbol"]),
        ("X" * 33, None, None, ["symbol"]),
        (None, "yesterday", "2026-13-01", ["from", "to"]),
        (None, "1969-12-31", None, ["from"]),
        (None, "0001-01-01T00:00:00+14:00", None, ["from"]),
        (None, "2026-11-20", "2026-11-20", ["to"]),
        (None, "2026-11-20", "2026-11-19", ["to"]),
    ],
)
def test_what_is_no_range_is_refused_and_named(symbol, since, until, fields):
    with pytest.raises(InvalidRequestError) as refusal:
        span_of(NoTape(), symbol, since, until)

    assert [error.field for error in refusal.value.errors] == fields


CURSOR = Cursor(
    1, Span("WINZ26", at(2026, 11, 19), at(2026, 11, 20)), Key(at(2026, 11, 19, 13), "WINZ26", dt.date(2026, 11, 19), 7)
)


def test_a_cursor_travels_unchanged():
    assert cursor_of(text_of(CURSOR)) == CURSOR


def test_a_cursor_belongs_to_its_range():
    assert span_of_cursor(CURSOR, "WINZ26", "2026-11-19", None) == CURSOR.span
    with pytest.raises(InvalidRequestError) as refusal:
        span_of_cursor(CURSOR, "PETR4", None, "2026-11-21")

    assert [error.field for error in refusal.value.errors] == ["symbol", "to"]


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_no_invented_cursor_is_more_than_a_400(text):
    with pytest.raises(InvalidRequestError):
        cursor_of(text)


@given(st.integers(0, len(text_of(CURSOR)) - 1), st.sampled_from("AZaz09-_'"))
def test_a_changed_cursor_is_refused_or_still_a_valid_place(position, letter):
    text = text_of(CURSOR)
    changed = text[:position] + letter + text[position + 1 :]
    try:
        found = cursor_of(changed)
    except InvalidRequestError:
        return

    assert found.span.since.tzinfo is not None
