"""The exchange's calendar against days that are known, and the hours in which a silent feed is a broken one."""

import datetime as dt

import pytest

from sql.exchange import (
    SAO_PAULO,
    contract_of,
    instrument_of,
    is_session,
    last_session,
    market_of,
    rows_expected,
    sessions_until,
)


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


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-18 09:30", False),
        ("2026-11-18 10:00", True),
        ("2026-11-18 17:30", True),  # New York in winter
        ("2026-11-18 18:00", False),
        ("2026-10-28 17:30", False),  # in summer
        ("2026-10-28 16:59", True),
        ("2026-11-03 17:30", True),  # the first session after New York's change
    ],
)
def test_the_cash_market_has_hours_of_its_own(at, expected):
    assert rows_expected(dt.datetime.fromisoformat(at).replace(tzinfo=SAO_PAULO), "B") is expected


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("WINZ26", "2026-12-16"),
        ("INDZ25", "2025-12-17"),
        ("WING26", "2026-02-18"),  # Ash Wednesday is a session
        ("WINQ26", "2026-08-12"),
        ("WDOZ26", "2026-11-30"),
        ("DOLF27", "2026-12-30"),  # 31 December is none
        ("WDOX26", "2026-10-30"),
    ],
)
def test_contracts_end_on_their_known_days(symbol, day):
    assert str(last_session(symbol)) == day


@pytest.mark.parametrize(
    ("series", "day", "contract"),
    [
        ("WINFUT", "2026-11-20", "WINZ26"),
        ("WINFUT", "2026-12-16", "WINZ26"),
        ("WINFUT", "2026-12-17", "WING27"),
        ("INDFUT", "2026-10-14", "INDV26"),
        ("WDOFUT", "2026-10-30", "WDOX26"),
        ("WDOFUT", "2026-10-31", "WDOZ26"),
        ("DOLFUT", "2026-12-31", "DOLG27"),
        ("PETR4", "2026-11-20", None),
        ("DI1FUT", "2026-11-20", None),
    ],
)
def test_a_series_stands_for_one_contract_a_session(series, day, contract):
    assert contract_of(series, dt.date.fromisoformat(day)) == contract


def test_the_last_day_of_a_contract_ends_earlier():
    late = dt.datetime(2026, 12, 16, 18, 10, tzinfo=SAO_PAULO)

    assert rows_expected(late, "F", "WING27")
    assert not rows_expected(late, "F", "WINZ26")


def test_the_shape_of_a_symbol_tells_its_market():
    assert [market_of(s) for s in ("WINZ26", "WDOFUT", "DI1F27", "PETR4", "B3SA3", "ABEVK130")] == list("FFFBBB")


def test_tick_sizes_come_with_the_symbol_and_are_never_guessed():
    assert [instrument_of(s) and instrument_of(s).tick_size for s in ("WINZ26", "DOLFUT", "PETR4", "DI1F27")] == [
        5.0,
        0.5,
        0.01,
        None,
    ]
