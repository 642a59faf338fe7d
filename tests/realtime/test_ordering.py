"""Live orders of a strategy: each leaves once or not at all, and what comes of it is told once."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.strategy import Cancel, Change, OrderUpdate, Signal, StrategyError
from realtime.strategy.becoming import Known, heard, looked_up, settled
from realtime.strategy.ordering import Orders, Way
from realtime.strategy.running import Proposal, Proposed, Request, Requested
from tests.realtime.order_desk import OrderDesk, order_of
from tests.realtime.orders.test_process import SCRIPT, ready
from tests.realtime.process import Realtime

AT = "2026-11-19T13:00:00.000Z"
STALE_MS = 60_000


def proposal(number: int, kind: str = "buy", **said: object) -> Proposal:
    signal = Signal(**{"symbol": "WINX99", "type": kind, "confidence": 0.9, **said})
    line = Proposed(
        id=f"Mine-{number}-0", symbol=signal.symbol, signal_type=signal.type, price=signal.price, confidence=0.9,
        quantity=signal.quantity, strategy="Mine", features={}, reasoning="", timestamp=AT, expires_at=None,
    )  # fmt: skip
    return Proposal(signal, line)


class Desk:
    """The stand-in, the way to it, and all news so far; its clock is put on by whoever wants time to pass."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self.there = OrderDesk()
        self.orders = Orders(Way(url=self.there.url, key="k", strategy="Mine", stale_ms=STALE_MS), self.now_ms)
        self.orders.start()
        self.told: list[OrderUpdate] = []

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def posts(self) -> list[Any]:
        return [body for method, _, body in self.there.asked if method == "POST"]

    def until(self, holds, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            self.told += self.orders.news()
            assert time.monotonic() < deadline, f"it never came to be; told {self.told}"
            time.sleep(0.005)

    def last(self, signal: Signal) -> list[tuple[str, int, float | None]]:
        """What was told about a signal."""
        return [(u.status, u.fill_quantity, u.fill_price) for u in self.told if u.signal is signal]

    def take(self, one: Proposal, age_ms: int = 0, run: str = "1", *, passes_ms: int = 0) -> Signal:
        """`passes_ms`: so much time is over after the first attempt."""
        self.orders.take(one, self.now_ms() - age_ms, run)
        if passes_ms:
            self.until(self.posts)
            self.ahead_ms += passes_ms
        self.until(lambda: self.last(one.signal))
        return one.signal


@pytest.fixture(scope="module")
def desk():
    made = Desk()
    yield made
    made.orders.close()
    made.there.close()


@pytest.fixture(autouse=True)
def fresh(request):
    if "desk" in request.fixturenames:
        desk = request.getfixturevalue("desk")
        desk.there.answers.clear()
        desk.there.asked.clear()
        desk.until(desk.orders._listening.is_set)


@pytest.mark.parametrize(
    ("number", "answers"),
    [(1, [503, 202]), (2, [429, 500, 202]), (3, ["hangs up", 202]), (4, ["hangs up after", 202])],
)
def test_an_order_whose_answer_did_not_come_is_asked_for_again_under_its_key_and_is_one(desk, number, answers):
    before = len(desk.there.orders)
    desk.there.answers.extend(answers)
    signal = desk.take(proposal(number))
    sent = desk.posts()

    assert desk.last(signal) == [("SUBMITTED", 0, None)]
    assert len(sent) == len(answers)
    assert len({body["key"] for body in sent}) == 1
    assert len(desk.there.orders) == before + 1


@pytest.mark.parametrize(
    ("answers", "age", "said", "status", "reason", "posts"),
    [
        ([403], 0, {}, "REFUSED", "CONFIDENCE: limit at least 0.6", 1),
        ([], 70_000, {}, "REFUSED", "STALE: its tick came 7", 0),
        ([], 100, {"lives_ms": 50}, "REFUSED", "EXPIRED_SIGNAL", 0),
        ([429] * 99, 600, {}, "REFUSED", "STALE", None),
        (
            ["hangs up", 403],
            0,
            {},
            "UNKNOWN",
            "nobody knows whether it left",
            2,
        ),  # by no check: it says nothing of the first
        ([503] * 99, 600, {}, "UNKNOWN", "nobody knows whether it left, and it is not sent again", None),
    ],
)
def test_what_does_not_leave_is_told_with_its_reason(desk, answers, age, said, status, reason, posts):
    desk.there.answers.extend(answers)
    passes = STALE_MS if posts is None else 0
    signal = desk.take(proposal(20_000 + age + len(answers), **said), age_ms=age, passes_ms=passes)
    (update,) = [u for u in desk.told if u.signal is signal]

    assert (update.status, update.order) == (status, None)
    assert reason in update.reason
    assert posts is None or len(desk.posts()) == posts
    assert update.over == (status == "REFUSED")


def test_fills_are_told_once_also_those_that_nobody_heard(desk):
    """The listener is cut; what happened meanwhile is looked up when it is back."""
    signal = desk.take(proposal(31_000, quantity=3))
    order = desk.there.keys["1:Mine-31000-0"]
    said = {"status": "PARTIALLY_FILLED", "filledQuantity": 1, "averagePrice": 100.0}
    for _ in range(2):
        desk.there.tell("orders/status", order, status="PARTIALLY_FILLED")
        desk.there.tell("orders/execution", order, **said)
    desk.until(lambda: len(desk.last(signal)) == 2)
    desk.there.deaf = True
    desk.there.hang_up()
    desk.until(lambda: not desk.orders._listening.is_set())
    desk.there.orders[order] |= {"status": "FILLED", "filledQuantity": 3, "avgFillPrice": 102.0}
    deaf = desk.take(proposal(31_001))
    desk.there.deaf = False
    desk.until(lambda: len(desk.last(signal)) == 3)

    assert desk.last(signal) == [("SUBMITTED", 0, None), ("PARTIALLY_FILLED", 1, 100.0), ("FILLED", 2, 103.0)]
    assert [(u.status, u.reason[:4]) for u in desk.told if u.signal is deaf] == [("REFUSED", "DEAF")]


def test_what_became_of_an_order_is_asked_for_until_somebody_says_it(desk):
    """A fill that came before the order's name was known here is told by nobody else."""
    desk.there.looks.extend([429, *[503] * 999])
    signal = desk.take(proposal(32_000))
    order = desk.there.keys["1:Mine-32000-0"]
    desk.there.orders[order] |= {"status": "FILLED", "filledQuantity": 1, "avgFillPrice": 100.0}
    desk.until(lambda: len(desk.there.looks) < 998)  # it has been asked for in vain, twice
    desk.there.looks.clear()
    desk.until(lambda: len(desk.last(signal)) == 2)

    assert desk.last(signal) == [("SUBMITTED", 0, None), ("FILLED", 1, 100.0)]


def test_an_order_whose_answer_never_came_is_found_and_cancelled(desk):
    desk.there.answers.extend(["hangs up after", *[503] * 99])
    signal = desk.take(proposal(34_000, price=129_000.0), passes_ms=STALE_MS)
    desk.there.answers.clear()
    order = desk.there.keys["1:Mine-34000-0"]
    desk.until(lambda: [u for u in desk.told if u.order == order and u.over])
    named = [(u.status, u.reason) for u in desk.told if u.order == order]

    assert desk.last(signal) == [("UNKNOWN", 0, None)]
    assert named[0] == ("SUBMITTED", "nobody knew whether it left")
    assert named[-1][0] == "CANCELED"


def test_what_is_left_of_an_order_is_cancelled_when_its_signal_has_lived(desk):
    signal = desk.take(proposal(41_000, price=129_000.0, lives_ms=30_000))
    desk.ahead_ms += 30_000
    desk.until(lambda: len(desk.last(signal)) == 2)

    assert [status for status, *_ in desk.last(signal)] == ["SUBMITTED", "CANCELED"]


def test_an_end_that_brings_a_fill_brings_it(desk):
    signal = desk.take(proposal(33_000, quantity=3))
    order = desk.there.keys["1:Mine-33000-0"]
    end = {"status": "CANCELED", "filledQuantity": 2, "averagePrice": 101.0}
    for channel in ("orders/status", "orders/execution"):
        desk.there.tell(channel, order, **end)
    desk.until(lambda: len(desk.last(signal)) == 2)

    assert desk.last(signal)[1] == ("CANCELED", 2, 101.0)


def test_the_same_moment_of_another_run_is_another_order_and_of_the_same_run_the_same_one(desk):
    before = len(desk.there.orders)
    for run in ("1", "2", "1"):
        desk.take(proposal(35_000), run=run)
    desk.until(lambda: len([u for u in desk.told if u.signal.symbol == "WINX99" and u.order]) >= 3)

    assert len(desk.there.orders) == before + 2


def asked(desk, wish: Cancel | Change, number: int) -> None:
    line = Requested(
        id=f"Mine-{number}-0", order=wish.order, request="change", price=None, quantity=None, strategy="Mine",
        reasoning="", timestamp=AT,
    )  # fmt: skip
    desk.orders.take(Request(wish, line), desk.now_ms(), "1")


@pytest.mark.parametrize(
    ("number", "answers"), [(50, [202]), (51, ["hangs up", 503, 202]), (52, ["hangs up after", 202])]
)
def test_a_change_is_made_once_and_told_as_the_order_stands(desk, number, answers):
    signal = desk.take(proposal(number, price=129_000.0, quantity=3))
    order = desk.there.keys[f"1:Mine-{number}-0"]
    desk.there.answers.extend(answers)
    asked(desk, Change(order=order, price=129_005.0, quantity=2), number + 100)
    desk.until(lambda: len(desk.last(signal)) == 2 and not desk.there.answers)
    patched = [body for method, _, body in desk.there.asked if method == "PATCH"]

    (_, update) = [u for u in desk.told if u.signal is signal]
    assert (update.status, update.quantity, update.price, update.unfollowed) == ("SUBMITTED", 2, 129_005.0, None)
    assert {(body["price"], body["quantity"], body["key"]) for body in patched} == {
        (129_005.0, 2, f"1:Mine-{number + 100}-0")
    }
    assert len(patched) == len(answers)


def test_a_change_that_is_not_made_says_so_and_the_order_stands(desk):
    signal = desk.take(proposal(60, price=129_000.0, quantity=3))
    order = desk.there.keys["1:Mine-60-0"]
    desk.there.answers.append(403)
    wish = Change(order=order, price=129_001.0)
    asked(desk, wish, 160)
    desk.until(lambda: len(desk.last(signal)) == 2)

    (_, update) = [u for u in desk.told if u.signal is signal]
    assert (update.status, update.quantity, update.price, update.over) == ("SUBMITTED", 3, 129_000.0, False)
    assert update.unfollowed is wish
    assert update.reason.startswith("CONFIDENCE")


def test_a_change_that_the_broker_takes_back_is_told_once_it_is_over():
    known = Known(order="O", signal=proposal(1).signal, quantity=3, price=100.0, asked=Change(order="O", price=105.0))
    order = {"status": "SUBMITTED", "quantity": 3, "price": 100.0, "updatedAt": AT, "changing": True, "message": "no"}

    assert settled(known, order) is None
    update = settled(known, {**order, "changing": False})
    assert update is not None
    assert (update.unfollowed, update.reason, update.price) == (Change(order="O", price=105.0), "no", 100.0)
    known.asked, known.price = Change(order="O", price=105.0), 105.0
    assert settled(known, {**order, "price": 105.0, "changing": False}) is known.asked is None


def test_an_older_word_of_price_and_quantity_changes_nothing():
    known = Known(order="O", signal=proposal(1).signal, quantity=2, price=105.0, as_of_ms=1_795_093_200_001)
    old = {"channel": "orders/status", "status": "SUBMITTED", "filledQuantity": 0, "averagePrice": None}

    assert heard(known, {**old, "quantity": 3, "price": 100.0, "timestamp": AT}) is None
    assert heard(known, {**old, "quantity": 1, "price": 105.0, "timestamp": "2026-11-20T13:00:00.000Z"}) is not None


def test_a_strategy_cancels_its_own_order_and_nothing_else(desk):
    signal = desk.take(proposal(70, price=129_000.0))
    order = desk.there.keys["1:Mine-70-0"]
    desk.there.asked.clear()
    asked(desk, Cancel(order="ORD-20261119-999"), 169)
    asked(desk, Cancel(order=order), 170)
    desk.until(lambda: len(desk.last(signal)) == 2)
    asked(desk, Change(order=order, quantity=1), 171)  # it is over
    desk.take(proposal(71))

    assert desk.last(signal)[1][0] == "CANCELED"
    assert [path for method, path, _ in desk.there.asked if method in ("DELETE", "PATCH")] == [f"/api/orders/{order}"]


@pytest.mark.parametrize("left", ["cancel", "tell"])
def test_what_an_earlier_process_left_working_is_told_and_cancelled_by_default(left):
    there = OrderDesk()
    body = {"symbol": "WINX99", "side": "SELL", "quantity": 3, "price": 131_000, "strategy": "Mine", "confidence": 0.7}
    there.orders["ORD-1"] = order_of("ORD-1", body) | {"status": "PARTIALLY_FILLED", "filledQuantity": 1,
                                                       "avgFillPrice": 131_000}  # fmt: skip
    there.orders["ORD-2"] = order_of("ORD-2", body) | {"source": "api"}  # a person's, in its name
    told: list[OrderUpdate] = []
    orders = Orders(Way(url=there.url, key="k", strategy="Mine", **({"left": left} if left == "tell" else {})))
    orders.start()
    deadline = time.monotonic() + 15
    while len(told) < (2 if left == "cancel" else 1):
        told += orders.news()
        assert time.monotonic() < deadline, told
        time.sleep(0.005)
    cancelled = [path for method, path, _ in there.asked if method == "DELETE"]
    orders.close()
    there.close()

    first = told[0]
    assert (first.order, first.status, first.filled, first.fill_quantity) == ("ORD-1", "PARTIALLY_FILLED", 1, 0)
    assert (first.signal.type, first.signal.confidence, first.price, first.quantity) == ("sell", 0.7, 131_000, 3)
    assert "earlier run" in first.reason
    assert [u.status for u in told[1:]] == (["CANCELED"] if left == "cancel" else [])
    assert cancelled == (["/api/orders/ORD-1"] if left == "cancel" else [])


def test_what_works_at_the_end_is_cancelled_although_nobody_answers_at_first():
    made = Desk()
    made.take(proposal(80, price=129_000.0))
    made.there.cancels.extend([503, 503])
    made.orders.close()
    (order,) = made.there.orders.values()
    made.there.close()

    assert order["status"] == "CANCELED"


def test_nobody_who_listens_is_no_way_to_make_orders(monkeypatch):
    monkeypatch.setattr("realtime.strategy.ordering.CONNECT_SECONDS", 0.2)
    orders = Orders(Way(url="http://127.0.0.1:9", key="k", strategy="Mine"))
    with pytest.raises(StrategyError, match="nobody tells of orders"):
        orders.start()
    orders.close()


steps = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=6)


@given(steps, st.lists(st.integers(0, 30), max_size=20), st.data())
def test_fills_add_up_to_the_order_whatever_is_repeated_or_missed(drawn, places, data):
    filled, money, messages = 0, 0, []
    for quantity, price in drawn:
        filled, money = filled + quantity, money + quantity * price
        status = "FILLED" if len(messages) == len(drawn) - 1 else "PARTIALLY_FILLED"
        messages.append({"channel": "orders/execution", "status": status, "filledQuantity": filled, "timestamp": AT,
                         "averagePrice": money / filled, "ambiguous": False})  # fmt: skip
    known, found = Known(order="O", signal=proposal(1).signal), []
    for place in [*sorted(p % len(messages) for p in places), *data.draw(st.permutations(range(len(messages))))]:
        found.append(heard(known, messages[place]))
    last = {**messages[-1], "avgFillPrice": messages[-1]["averagePrice"], "updatedAt": AT}
    found.append(looked_up(known, last))
    updates = [update for update in found if update is not None]

    assert sum(u.fill_quantity for u in updates) == filled
    assert min(u.fill_quantity for u in updates) >= 0
    assert abs(sum(u.fill_quantity * (u.fill_price or 0) for u in updates) - money) < 1e-3
    assert [u.over for u in updates].count(True) == 1
    assert updates[-1].over


MINE = """\
from realtime.strategy import Change, Signal
class Mine:
    def __init__(self, quiet=False):
        self.asked = quiet
        self.moved = False
    def on_tick(self, tick):
        if self.asked or tick.symbol != "WINX99":
            return ()
        self.asked = True
        return (
            Signal(symbol="WINX99", type="buy", confidence=0.5),
            Signal(symbol="WINX99", type="buy", confidence=0.7, quantity=2),
            Signal(symbol="WINX99", type="buy", confidence=0.8, price=tick.price - 5000, lives_ms=6000),
            Signal(symbol="WINX99", type="sell", confidence=0.8, price=tick.price + 5000),
        )
    def on_bar(self, bar): return ()
    def on_order(self, update):
        said = f"{update.signal.type} {update.signal.confidence} {update.status} {update.fill_quantity} {update.reason}"
        alert = Signal(symbol="WINX99", type="alert", confidence=1.0, reasoning=said)
        if update.signal.type == "sell" and not self.moved:
            self.moved = True
            return alert, Change(order=update.order, price=update.price + 50)
        if update.price and update.price != update.signal.price:
            alert = Signal(symbol="WINX99", type="alert", confidence=1.0, reasoning=f"moved {float(update.price)}")
        return (alert,)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")
def test_proposals_become_orders_of_the_simulator_and_their_news_come_back(settings_in, tmp_path):
    """The whole way: spool, strategy, HTTP, checks, journal, DLL, exchange, WebSocket, strategy."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    output = tmp_path / "lines.jsonl"
    script = SCRIPT.format(state=tmp_path / "broker-state")
    running = Realtime(settings_in(tmp_path / "data"), script, TRADINGSYSTEM_SYMBOLS="WINX99 WDOX99")
    command = [sys.executable, "-P", "-m", "realtime.strategy", f"{tmp_path}/mine.py:Mine", "--orders"]
    with running:
        ready(running)
        with subprocess.Popen(
            [*command, "--output", str(output), "--name", "first", "--stale-ms", "10000"],
            env=running.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as strategy:
            wanted = ("buy 0.5 REFUSED", "buy 0.7 FILLED 2", "buy 0.8 CANCELED", "sell 0.8 SUBMITTED", "moved")
            until(lambda: all(word in words(output) for word in wanted), strategy)
            orders = {
                o["confidence"]: o for o in running.get("/api/orders").json()["data"]["orders"] if o["side"] == "BUY"
            }
            strategy.kill()  # nobody cancels
        (sell,) = [o for o in listed(running) if o["side"] == "SELL"]
        again = [*command, "--output", str(tmp_path / "again.jsonl"), "--name", "first", "--param", "quiet=true"]
        with subprocess.Popen(
            again, env=running.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as strategy:
            until(lambda: listed(running, sell["orderId"])["status"] == "CANCELED", strategy)
            until(lambda: "sell 0.8 CANCELED" in words(tmp_path / "again.jsonl"), strategy)
            strategy.terminate()
            said, _ = strategy.communicate(timeout=30)
        refusals = running.get("/api/v1/risk/refusals").json()["data"]

    assert strategy.returncode == 0
    assert (orders[0.7]["source"], orders[0.7]["strategy"], orders[0.7]["filledQuantity"]) == ("strategy", "first", 2)
    assert orders[0.8]["status"] == "CANCELED"
    assert (sell["status"], f"moved {sell['price']:.1f}" in words(output)) == ("SUBMITTED", True)
    assert "CONFIDENCE" in json.dumps(refusals)
    assert "CONFIDENCE: limit at least 0.6, observed 0.5" in words(output)
    assert {"sent": 0, "left": 1}.items() <= json.loads(said.splitlines()[-1]).items()


def listed(running: Realtime, order: str = "") -> Any:
    found = running.get(f"/api/orders/{order}".rstrip("/")).json()["data"]
    return found if order else found["orders"]


def words(output) -> str:
    lines = output.read_bytes().splitlines() if output.exists() else []
    return "\n".join(json.loads(line)["reasoning"] for line in lines)


def until(holds, strategy: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        if strategy.poll() is not None or time.monotonic() > deadline:
            strategy.kill()  # or the test would wait for its end
            raise AssertionError(f"ended, or still not true after 60 s: {strategy.communicate()}")
        time.sleep(0.05)
