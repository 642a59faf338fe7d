"""What is subscribed: settings, changes at run time that outlive a restart, and series that roll."""

import datetime as dt

import pytest

from realtime.subscriptions import Subscriptions, SubscriptionsError, Wanted, parsed


def wanted(symbol: str, **more: bool) -> Wanted:
    return parsed(symbol)[0] if not more else Wanted(symbol=symbol, market="F", **more)


def test_the_settings_name_symbols_and_books():
    found = parsed("winfut, PETR4:B  DI1F27", "winfut", "PETR4")

    assert [(w.symbol, w.market, w.depth, w.offers) for w in found] == [
        ("WINFUT", "F", True, False),
        ("PETR4", "B", False, True),
        ("DI1F27", "F", False, False),
    ]


@pytest.mark.parametrize(
    ("symbols", "depth", "message"), [("PETR4:X", "", "found 'X'"), ("PETR4", "VALE3", "VALE3: a book is wanted")]
)
def test_settings_that_cannot_be_meant_are_refused_by_name(symbols, depth, message):
    with pytest.raises(ValueError, match=message):
        parsed(symbols, depth)


def test_a_series_rolls_to_the_next_contract_after_the_last_session(tmp_path):
    subscriptions = Subscriptions(tmp_path / "subscriptions.json", parsed("WINFUT"))

    assert list(subscriptions.at(dt.date(2026, 12, 16))) == ["WINZ26"]
    assert list(subscriptions.at(dt.date(2026, 12, 17))) == ["WING27"]


def test_a_series_and_its_contract_are_subscribed_once_with_all_that_either_wants(tmp_path):
    configured = [*parsed("WINFUT"), wanted("WINZ26", depth=True)]
    found = Subscriptions(tmp_path / "s.json", configured).at(dt.date(2026, 11, 18))

    assert [(w.symbol, w.depth) for w in found.values()] == [("WINZ26", True)]


def test_changes_outlive_a_restart_whatever_the_settings_say(tmp_path):
    path, configured = tmp_path / "deep" / "subscriptions.json", parsed("PETR4 VALE3")
    first = Subscriptions(path, configured)
    first.add(wanted("WDOFUT", depth=True))
    assert first.remove("PETR4")
    assert not first.remove("PETR4")

    again = Subscriptions(path, configured)
    assert again.all() == first.all()
    assert [w.symbol for w in again.all()] == ["VALE3", "WDOFUT"]


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "subscriptions.json"
    path.write_text('{"PETR4": {"symbol": 4}}', encoding="utf-8")

    with pytest.raises(SubscriptionsError, match=r"subscriptions\.json"):
        Subscriptions(path, [])
