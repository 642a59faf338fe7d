"""The exchange's calendar against days that are known, and the hours in which a silent feed is a broken one."""

import datetime as dt

import pytest

from assets.sessions import SAO_PAULO, is_session, rows_expected, sessions_until


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-02-16", "Carnival Monday"),
        ("2026-02-17", "Carnival Tuesday"),
        ("2025-03-03", "Carnival Monday"),
        ("2025-03-04", "Carnival Tuesday"),
        ("2026-04-03", "Good Friday"),
        ("2025-04-18", "Good Friday"),
        ("2026-06-04", "Corpus Christi"),
        ("2025-06-19", "Corpus Christi"),
        ("2026-04-21", "Tiradentes"),
        ("2026-05-01", "Labour Day"),
        ("2026-09-07", "Independence"),
        ("2026-10-12", "Our Lady of Aparecida"),
        ("2026-11-02", "All Souls"),
        ("2024-11-15", "Republic"),
        ("2024-11-20", "Black Awareness, national since 2024"),
        ("2025-11-20", "Black Awareness"),
        ("2026-11-20", "Black Awareness"),
        ("2026-12-24", "the exchange is closed"),
        ("2026-12-25", "Christmas"),
        ("2026-12-31", "the exchange is closed"),
        ("2027-01-01", "New Year"),
        ("2026-11-21", "Saturday"),
        ("2026-11-22", "Sunday"),
    ],
)
def test_the_exchange_is_closed(day, why):
    assert not is_session(dt.date.fromisoformat(day)), why


@pytest.mark.parametrize(
    "day",
    [
        "2026-02-18",  # Ash Wednesday, from one o'clock on
        "2023-01-25",  # the city's holiday, no longer one of the exchange
        "2024-01-25",
        "2024-07-09",  # the state's
        "2023-11-20",  # before it was national
        "2026-06-05",
        "2026-11-19",
        "2026-12-23",
        "2026-12-30",
    ],
)
def test_the_exchange_trades(day):
    assert is_session(dt.date.fromisoformat(day))


def test_sessions_are_counted_back_over_holidays_and_weekends():
    days = sessions_until(dt.date(2026, 11, 22), 3)

    assert [str(day) for day in days] == ["2026-11-17", "2026-11-18", "2026-11-19"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-18 08:59", False),
        ("2026-11-18 09:00", True),
        ("2026-11-18 18:24", True),
        ("2026-11-18 18:25", False),
        ("2026-11-20 12:00", False),
        ("2026-02-18 12:59", False),  # Ash Wednesday
        ("2026-02-18 13:00", True),
        ("2026-02-19 09:30", True),
    ],
)
def test_rows_are_expected_in_the_hours_of_a_session(at, expected):
    assert rows_expected(dt.datetime.fromisoformat(at).replace(tzinfo=SAO_PAULO)) is expected
