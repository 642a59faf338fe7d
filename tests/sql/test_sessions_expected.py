import datetime as dt

from sql.sessions_expected import lost_whole

MONDAY = dt.date(2026, 11, 16)
TODAY = MONDAY + dt.timedelta(days=10)  # a Thursday


def day(number: int) -> dt.date:
    return MONDAY + dt.timedelta(days=number)


def test_days_between_two_sessions_are_lost_and_weekends_and_holidays_are_not():
    found = lost_whole({("PETR4", day(0)), ("PETR4", day(8))}, [], TODAY, day(-30))

    # 20 November is a holiday of the exchange
    assert found == {("PETR4", day(n)) for n in (1, 2, 3, 7)}


def test_before_the_first_session_nothing_is_expected():
    assert lost_whole({("PETR4", day(8))}, [], TODAY, day(-30)) == set()
    assert lost_whole({("PETR4", day(0)), ("PETR4", day(8))}, [], TODAY, day(7)) == {("PETR4", day(7))}


def test_a_symbol_that_is_wanted_is_expected_until_yesterday():
    assert lost_whole({("PETR4", day(7))}, ["PETR4"], TODAY, day(-30)) == {("PETR4", day(8)), ("PETR4", day(9))}


def test_a_contract_that_rolled_is_not_expected_after_its_last_day():
    # WINZ26 ends on Wednesday 16 December 2026
    last = dt.date(2026, 12, 16)
    today = dt.date(2026, 12, 21)

    assert lost_whole({("WINZ26", last)}, ["WINZ26"], today, day(0)) == set()
    assert lost_whole({("WINZ26", dt.date(2026, 12, 15))}, ["WINZ26"], today, day(0)) == {("WINZ26", last)}
