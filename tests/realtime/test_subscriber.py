"""What the DLL is asked for as wishes change, over a DLL that only writes down what it is asked."""

import datetime as dt

import pytest

from realtime.desk import Desk
from realtime.profitdll.errors import OFFSET, error_of
from realtime.subscriber import Subscriber
from realtime.subscriptions import Subscriptions, Wanted, parsed

SECONDS = 10.0


class Asked:
    """Stands for the DLL; `answers` are codes of its next requests."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: list[int] = []

    def __getattr__(self, name):
        def ask(symbol: str, market: str) -> None:
            self.calls.append(f"{name} {symbol}:{market}")
            if self.answers and (code := self.answers.pop(0)):
                raise error_of(name, OFFSET + code)

        return ask


class Subscribing:
    def __init__(self, folder) -> None:
        self.dll, self.desk = Asked(), Desk()
        self.day = dt.datetime(2026, 12, 16, 15, tzinfo=dt.UTC)
        self.wishes = Subscriptions(folder / "subscriptions.json", parsed("PETR4", "PETR4"))
        self.subscriber = Subscriber(self.dll, self.desk, self.wishes, lambda: self.day)
        self.desk.start()

    def asked(self) -> list[str]:
        """What following asked for, once."""
        self.dll.calls.clear()
        self.subscriber.follow()
        assert self.desk.ask("nothing", lambda: None).wait(SECONDS)
        return list(self.dll.calls)


@pytest.fixture
def made(tmp_path):
    subscribing = Subscribing(tmp_path)
    assert subscribing.subscriber.all_again(lambda: True)
    yield subscribing
    assert subscribing.desk.stop(SECONDS)


def test_nothing_is_asked_for_that_is_there(made):
    assert made.dll.calls == ["subscribe PETR4:B", "subscribe_depth PETR4:B"]
    assert made.asked() == []


def test_a_book_that_is_wanted_no_more_ends_and_the_symbol_goes_on(made):
    made.wishes.add(Wanted(symbol="PETR4", market="B", offers=True))

    assert made.asked() == ["unsubscribe_depth PETR4:B", "subscribe PETR4:B", "subscribe_offers PETR4:B"]


def test_another_market_is_another_symbol(made):
    made.wishes.add(Wanted(symbol="PETR4", market="F", depth=True))

    assert made.asked() == [
        "unsubscribe_depth PETR4:B",
        "unsubscribe PETR4:B",
        "subscribe PETR4:F",
        "subscribe_depth PETR4:F",
    ]


def test_a_series_leaves_its_contract_with_the_session(made):
    made.wishes.remove("PETR4")
    made.wishes.add(Wanted(symbol="WINFUT", market="F"))

    assert made.asked()[-1] == "subscribe WINZ26:F"
    made.day += dt.timedelta(days=1)
    assert made.asked() == ["unsubscribe WINZ26:F", "subscribe WING27:F"]
    assert made.subscriber.symbols == ("WING27",)


def test_what_failed_for_now_is_asked_for_again_and_what_was_refused_is_not(made):
    made.wishes.add(Wanted(symbol="VALE3", market="B"))
    made.dll.answers = [0x04]  # the DLL waits for its server
    assert made.asked() == ["subscribe VALE3:B"]
    assert made.subscriber.symbols == ("PETR4",)
    made.dll.answers = [0x0F]  # no such exchange
    assert made.asked() == ["subscribe VALE3:B"]

    assert made.asked() == []
    assert made.subscriber.unknown == ("VALE3",)
    assert made.subscriber.symbols == ("PETR4",)


def test_a_refusal_that_comes_after_its_symbol_was_let_go_is_not_kept(made):
    made.wishes.remove("PETR4")
    made.asked()
    made.subscriber.refused("PETR4")

    assert made.subscriber.unknown == ()


def test_a_reconnect_asks_for_all_and_ends_what_was_let_go_meanwhile(made):
    made.wishes.remove("PETR4")
    made.wishes.add(Wanted(symbol="VALE3", market="B"))
    made.dll.calls.clear()

    assert made.subscriber.all_again(lambda: True)
    assert made.dll.calls == ["subscribe VALE3:B", "unsubscribe_depth PETR4:B", "unsubscribe PETR4:B"]
    assert not made.subscriber.all_again(lambda: False)
