"""ProfitDLL's broker over a DLL of our own: calls that hang, refuse or break, and details that come late."""

import datetime as dt
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from realtime.orders.broker import (
    AccountId,
    AccountsNews,
    LateNews,
    LinkNews,
    ListLoaded,
    NewOrder,
    NotLoadedError,
    NotReadyError,
    NotSentError,
    OrderKey,
    OrderNews,
    PositionNews,
    Sent,
    UnclearError,
    UnknownOrderError,
)
from realtime.orders.switch import Latch, Switch
from realtime.profitdll import requests
from realtime.profitdll.broker import RETRY_SECONDS, ProfitBroker
from realtime.profitdll.errors import NOT_FOUND, OFFSET, LibraryError, error_of
from realtime.profitdll.messages import AccountSeen, OrderChanged, OrdersLoaded, PositionChanged, State
from tests.realtime.profitdll.test_orders import ACCOUNT, told

OTHER = AccountId(3001, "000124")
PATIENCE = 10.0
HANGS = 1.5  # how long a call is waited for that will not come back


class Dll:
    """Answers as told; `gate` closed means that a call hangs."""

    def __init__(self):
        self.turn = threading.RLock()
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.answers = {}
        self.sent = []
        self.missing, self.missing_code = 0, NOT_FOUND

    def called(self, name, default):
        self.inside.set()
        assert self.gate.wait(PATIENCE)
        answer = self.answers.get(name, default)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def accounts(self):
        return self.called("accounts", [ACCOUNT])

    def send_order(self, order, password):
        self.sent.append((order, password))
        return self.called("send", requests.Sent(7, 70))

    def cancel_order(self, *_):
        return self.called("cancel", requests.Sent(-1, 71))

    def change_order(self, *_, **__):
        return self.called("change", requests.Sent(-1, 72))

    def cancel_all(self, *_):
        return self.called("cancel all", None)

    def order_details(self, key):
        if self.missing:
            self.missing -= 1
            raise error_of("GetOrderDetails", self.missing_code)
        return self.called("details", told(key=requests.OrderKey(key.local, "")))

    def orders(self, _):
        return self.called("orders", [])

    def server_clock(self):
        return self.called("clock", None)

    def load_orders(self, *_):
        return self.called("load", None)

    def position(self, *_):
        return self.called("position", None)


class Heard:
    """The broker, with what the drain would hand over."""

    def __init__(self, dll):
        self.dll = dll
        self.broker = ProfitBroker(dll, "secret", call_seconds=PATIENCE)
        self.news = []
        self.waiting = deque()

    def hear(self, kind, **fields):
        self.broker.hear(kind(seq=1, mono=1, **fields))

    def states(self, *words):
        for channel, result in words:
            self.hear(State, channel=channel, result=result)

    def hang(self):
        """From now on a call does not come back."""
        self.dll.gate.clear()
        self.broker.call_seconds = HANGS

    def up(self):
        self.states((0, 0), (3, 0), (2, 4), (1, 5))
        self.until(LinkNews(True))
        return self

    def all_heard(self):
        """Until everything that was told so far has been taken."""
        fields = {"broker": 1, "account": "x", "sub_account": "", "ticker": "-1", "exchange": "", "event": 1}
        self.hear(PositionChanged, **fields)
        self.until(PositionNews)

    def until(self, wanted):
        """Wait for a news, or for one of a type."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.waiting.extend(self.broker.news())
            while self.waiting:
                news = self.waiting.popleft()
                self.news.append(news)
                if news == wanted or type(news) is wanted:
                    return news
            assert time.monotonic() < deadline, (wanted, self.news)
            self.broker.wait(0.05)


@pytest.fixture
def dll():
    return Dll()


@pytest.fixture
def heard(dll):
    made = Heard(dll)
    yield made
    dll.gate.set()
    made.broker.close()


def new():
    price = Decimal(131000)
    return NewOrder(id="ours", account=ACCOUNT, symbol="WINZ26", side="BUY", kind="LIMIT", quantity=1, price=price)


def order_seen(heard, local=7, cl_order=""):
    heard.hear(OrderChanged, local=local, cl_order=cl_order)


def test_orders_leave_when_the_broker_itself_is_connected_and_an_account_is_known(dll, heard):
    dll.answers["accounts"] = []
    heard.states((0, 0), (3, 0), (2, 4), (1, 2), (1, 5))
    heard.all_heard()
    with pytest.raises(NotReadyError):
        heard.broker.send(new())
    dll.answers["accounts"] = [ACCOUNT, OTHER]
    heard.hear(AccountSeen, broker=3001, account="000123", sub_account="", broker_name="", holder="")
    heard.until(LinkNews(True))

    assert AccountsNews() in heard.news
    assert heard.broker.accounts() == [ACCOUNT, OTHER]
    assert heard.broker.send(new()) == Sent(7, 70)
    assert dll.sent[0][1] == "secret"


def test_a_send_that_hangs_is_unclear_and_its_answer_is_told_late(dll, heard):
    heard.up()
    heard.hang()
    with pytest.raises(UnclearError, match=r"SendOrder has not come back within 1\.5 s"):
        heard.broker.send(new())
    assert not heard.broker.ready
    heard.broker.call_seconds, began = 60, time.monotonic()
    with pytest.raises(NotReadyError, match="has not come back for"):
        heard.broker.cancel(ACCOUNT, OrderKey(7))
    assert time.monotonic() - began < 30, "it waits for no call that hangs"
    dll.gate.set()

    assert heard.until(LateNews) == LateNews(id="ours", sent=Sent(7, 70))
    assert heard.broker.ready
    assert len(dll.sent) == 1


def test_a_refusal_that_comes_late_is_told_as_one(dll, heard):
    heard.up()
    heard.hang()
    dll.answers["send"] = error_of("SendOrder", OFFSET + 0x03)
    with pytest.raises(UnclearError):
        heard.broker.send(new())
    dll.gate.set()

    late = heard.until(LateNews)
    assert late.sent is None
    assert "NL_INVALID_ARGS" in late.refused


def test_an_unclear_answer_that_comes_late_says_nothing(dll, heard):
    """A refusal would free the equal intent, and a second order would double the first."""
    heard.up()
    heard.hang()
    dll.answers["send"] = error_of("SendOrder", OFFSET + 0x01)
    with pytest.raises(UnclearError):
        heard.broker.send(new())
    dll.gate.set()
    heard.all_heard()

    assert not any(isinstance(each, LateNews) for each in heard.news)


def test_the_switch_that_is_pulled_while_a_call_waits_for_its_turn_stops_it(dll, heard, tmp_path):
    heard.up()
    heard.broker.call_seconds = PATIENCE
    switch = Switch(tmp_path / "switch")
    with ThreadPoolExecutor(2) as pool:
        with dll.turn:  # capture's desk is in the DLL
            calls = [
                pool.submit(heard.broker.send, new(), switch.sending()),
                pool.submit(
                    heard.broker.change, ACCOUNT, OrderKey(7), quantity=1, price=Decimal(131000), gate=switch.sending()
                ),
            ]
            while not heard.broker._worker._jobs:
                time.sleep(0.001)
            switch.pull(Latch(reason="a person asked", by="ana", at=dt.datetime.now(dt.UTC)))
        for call in calls:
            with pytest.raises(NotSentError, match="a person asked") as raised:
                call.result(PATIENCE)
            assert raised.value.code == "KILL_SWITCH"

    assert dll.sent == []


def test_a_send_that_was_never_made_is_a_definite_no(dll, heard):
    """Somebody else's call is in the DLL, and hangs there."""
    heard.up()
    let_go = threading.Event()
    holding = threading.Event()

    def desk():
        with dll.turn:
            holding.set()
            let_go.wait(PATIENCE)

    thread = threading.Thread(target=desk)
    thread.start()
    holding.wait(PATIENCE)
    heard.broker.call_seconds = 0.3
    with pytest.raises(NotReadyError, match="was not made"):
        heard.broker.send(new())
    let_go.set()
    thread.join()
    heard.broker.call_seconds = PATIENCE
    heard.broker.send(new())

    assert len(dll.sent) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0x01, UnclearError),
        (0x04, UnclearError),
        (0x05, NotReadyError),
        (0x03, NotSentError),
        (0x0C, NotSentError),
        (0x1F, NotSentError),
        (0x29, UnclearError),
    ],
)
def test_what_a_refused_send_means(dll, heard, code, error):
    heard.up()
    dll.answers["send"] = error_of("SendOrder", OFFSET + code)
    with pytest.raises(error) as raised:
        heard.broker.send(new())
    assert type(raised.value) is error


def test_a_send_that_is_answered_without_a_number_is_unclear(dll, heard):
    """An order of number 0 would match nothing in the list: ours would fail there, and count as somebody else's."""
    heard.up()
    dll.answers["send"] = requests.Sent(0, 70)

    with pytest.raises(UnclearError, match="expected the number of an order, found 0"):
        heard.broker.send(new())


def test_a_call_that_breaks_is_unclear_and_a_missing_function_a_definite_no(dll, heard):
    heard.up()
    dll.answers["send"] = RuntimeError("of .NET")
    with pytest.raises(UnclearError, match=r"of \.NET"):
        heard.broker.send(new())
    dll.answers["send"] = LibraryError("no such function")
    with pytest.raises(NotSentError, match="no such function"):
        heard.broker.send(new())


def test_orders_that_the_dll_does_not_know_are_told_as_such(dll, heard):
    heard.up()
    for name, call in (
        ("cancel", lambda key: heard.broker.cancel(ACCOUNT, key)),
        ("change", lambda key: heard.broker.change(ACCOUNT, key, quantity=1, price=Decimal(131000))),
    ):
        dll.answers[name] = error_of("Send", NOT_FOUND)
        with pytest.raises(UnknownOrderError, match="CL-1"):
            call(OrderKey(exchange_id="CL-1"))


def test_without_a_routing_password_no_order_leaves(dll, heard):
    nameless = Heard(dll)
    nameless.broker.close()
    nameless.broker = ProfitBroker(dll, "", call_seconds=PATIENCE)
    nameless.states((0, 0), (3, 0), (2, 4), (1, 5))
    nameless.all_heard()
    with pytest.raises(NotReadyError, match="PROFITDLL_ROUTING_PASSWORD"):
        nameless.broker.send(new())
    nameless.broker.close()


def test_cancels_leave_without_a_link(dll, heard):
    assert heard.broker.cancel(ACCOUNT, OrderKey(7)) == Sent(-1, 71)
    heard.broker.cancel_all(ACCOUNT)


@pytest.mark.parametrize("code", [0x02, 0x05])
def test_a_cancel_that_comes_before_the_login_has_to_wait_for_it(dll, heard, code):
    """After a kill it was told before the DLL was up, refused, and forgotten."""
    dll.answers["cancel"] = error_of("SendCancelOrderV2", OFFSET + code)

    with pytest.raises(NotReadyError):
        heard.broker.cancel(ACCOUNT, OrderKey(exchange_id="CL-1"))


@pytest.mark.parametrize("code", [NOT_FOUND, OFFSET + 0x01, OFFSET + 0x04, OFFSET + 0x05])
def test_details_that_are_not_there_yet_are_asked_for_again(dll, heard, code):
    dll.missing, dll.missing_code = 4, code
    order_seen(heard, cl_order="CL-7")
    report = heard.until(OrderNews).report

    assert report.key == OrderKey(7, "CL-7")


def test_details_that_never_come_are_given_up_and_others_go_on(dll, heard):
    dll.missing = len(RETRY_SECONDS) + 1
    order_seen(heard, local=6)
    deadline = time.monotonic() + PATIENCE
    while dll.missing and time.monotonic() < deadline:
        heard.broker.wait(0.05)
    order_seen(heard, local=7)

    assert heard.until(OrderNews).report.key.local_id == 7


def test_an_exchange_id_is_remembered_for_later_reports(dll, heard):
    order_seen(heard, cl_order="CL-7")
    heard.until(OrderNews)
    order_seen(heard)

    assert heard.until(OrderNews).report.key == OrderKey(7, "CL-7")


def test_an_order_that_cannot_be_counted_stops_new_ones(dll, heard):
    heard.up()
    dll.answers["details"] = told(side=200)
    order_seen(heard)
    heard.until(LinkNews(False))

    with pytest.raises(NotReadyError, match="side 200"):
        heard.broker.send(new())
    heard.broker.cancel(ACCOUNT, OrderKey(7))


def test_a_list_is_there_when_the_dll_says_so(dll, heard):
    heard.up()
    began = requests.instant(1_000)
    dll.answers["load"] = error_of("HasOrdersInInterval", OFFSET + 0x04)
    heard.broker.load(ACCOUNT, began)
    heard.all_heard()
    with pytest.raises(NotLoadedError):
        heard.broker.listed(ACCOUNT)
    heard.hear(OrdersLoaded, broker=3001, account="000124", sub_account="")
    heard.hear(OrdersLoaded, broker=3001, account="000123", sub_account="")
    assert heard.until(ListLoaded) == ListLoaded(ACCOUNT)
    old, late = told(created=requests.instant(500)), told(created=requests.instant(2_000))
    dll.answers["orders"] = [old, late, told()]

    assert [r.created for r in heard.broker.listed(ACCOUNT)] == [requests.instant(2_000), None]
    heard.states((1, 1), (1, 5))
    heard.until(LinkNews(False))
    heard.until(LinkNews(True))
    with pytest.raises(NotLoadedError):
        heard.broker.listed(ACCOUNT)


def test_a_list_cannot_be_asked_for_without_a_link(heard):
    with pytest.raises(NotReadyError):
        heard.broker.load(ACCOUNT, requests.instant(1_000))


def test_positions_that_cannot_be_read_are_not_known(dll, heard):
    dll.answers["position"] = error_of("GetPositionV2", OFFSET + 0x02)
    with pytest.raises(NotReadyError, match="NL_NOT_INITIALIZED"):
        heard.broker.position(ACCOUNT, "WINZ26")


@pytest.mark.parametrize(("ticker", "symbol"), [("WINZ26", "WINZ26"), ("-1", None)])
def test_a_changed_position_is_told(heard, ticker, symbol):
    fields = {"broker": 3001, "account": "000123", "sub_account": "", "exchange": "F", "event": 1}
    heard.hear(PositionChanged, ticker=ticker, **fields)

    assert heard.until(PositionNews) == PositionNews(ACCOUNT, symbol)
