"""The whole way in the real process: HTTP, checks, journal, interop, the simulated broker; and a kill in between."""

import sys
import time

import httpx
import pytest

from realtime.orders.journal import verify
from tests.realtime.process import KEY, Realtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")

HOLDER = {"X-API-Key": KEY}
SCRIPT = """\
symbol WINX99 F price 131250 tick 5 lot 1 rate 50
symbol WDOX99 F price 5412 tick 1 lot 1 rate 20
symbol BGIX99 F price 300 tick 0.05 lot 1 rate 20
latency 1
order broker-state {state}
"""


@pytest.fixture
def running(settings_in, tmp_path):
    made = Realtime(
        settings_in(tmp_path / "data"),
        SCRIPT.format(state=tmp_path / "broker-state"),
        TRADINGSYSTEM_SYMBOLS="WINX99 WDOX99 BGIX99",
        TRADINGSYSTEM_TWIN_SECONDS="0",
    )
    with made:
        ready(made)
        yield made


def ready(running: Realtime) -> None:
    """Orders may leave, and the tape has told price and state."""
    running.active()
    until(lambda: all(running.get("/api/v1/orders-standing").json()["data"]["accounts"].values() or [False]))
    until(lambda: running.get("/health").status_code == 200)


def until(holds, seconds: float = 90.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)
    return found


def post(running: Realtime, path: str, body: object) -> httpx.Response:
    return httpx.post(running.url + path, json=body, headers=HOLDER, timeout=20)


def last(running: Realtime) -> float:
    """A price near the market, on the tick."""
    answer = post(running, "/api/v1/execute", {"symbol": "WINX99", "side": "BUY", "quantity": 1})
    assert answer.status_code == 202, answer.text
    order = until(lambda: (o := one(running, answer.json()["orderId"]))["status"] == "FILLED" and o)
    return float(order["avgFillPrice"])


def one(running: Realtime, name: str) -> dict:
    return running.get(f"/api/orders/{name}").json()["data"]


def told_by_the_broker(running: Realtime) -> None:
    """The simulator's words of its assets have come all the way to the checks."""

    def told(symbol: str) -> dict | None:
        answer = running.get(f"/api/v1/prices/{symbol}")
        return answer.json()["data"]["instrument"] if answer.status_code == 200 else None

    bgi = until(lambda: told("BGIX99"))  # in no table
    wdo = until(lambda: (now := told("WDOX99")) and now["dispute"] and now)
    win = until(lambda: told("WINX99"))
    assert win == {"tickSize": 5.0, "lot": 1, "pointValue": 0.2, "dispute": None}
    assert wdo["dispute"] == {"ours": "tick 0.5", "theirs": "tick 1"}
    assert bgi == {"tickSize": 0.05, "lot": 1, "pointValue": 0.2, "dispute": None}
    refused = post(running, "/api/v1/execute", {"symbol": "WDOX99", "side": "BUY", "quantity": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "INSTRUMENT")
    standing = running.get("/api/v1/orders-standing").json()["data"]
    assert standing["instrumentsDisputed"].keys() == {"WDOX99"}
    bought = post(running, "/api/v1/execute", {"symbol": "BGIX99", "side": "BUY", "quantity": 1})
    assert bought.status_code == 202, bought.text
    until(lambda: one(running, bought.json()["orderId"])["status"] == "FILLED")


def test_orders_live_and_a_kill_between_them_loses_nothing(running):
    told_by_the_broker(running)
    price = last(running)
    far = {"symbol": "WINX99", "side": "BUY", "quantity": 2, "type": "LIMIT", "price": price - 5000}
    name = post(running, "/api/orders", far).json()["data"]["orderId"]
    until(lambda: one(running, name)["brokerOrderId"])
    changed = httpx.patch(f"{running.url}/api/orders/{name}", json={"quantity": 1}, headers=HOLDER, timeout=20)
    assert changed.status_code == 202, changed.text
    until(lambda: one(running, name)["quantity"] == 1)
    before = running.get("/api/orders").json()["data"]["orders"]

    running.process.kill()
    running.process.wait(10)
    running.start()
    ready(running)
    after = running.get("/api/orders").json()["data"]["orders"]

    assert [(o["orderId"], o["status"], o["filledQuantity"]) for o in after] == [
        (o["orderId"], o["status"], o["filledQuantity"]) for o in before
    ]
    assert running.get("/api/v1/positions/WINX99").json()["quantity"] == 1
    pulled = post(running, "/api/v1/risk/kill-switch", {"reason": "the end of the test", "flatten": True})
    assert pulled.status_code == 200
    until(lambda: one(running, name)["status"] == "CANCELED")
    until(lambda: running.get("/api/v1/positions/WINX99").json()["quantity"] == 0)
    assert running.stop() == 0
    folder = running.settings.orders_dir

    found = verify(folder / "journal.jsonl", folder / "head.json", b"a-journal-key-for-these-tests-alone")
    assert found.holds, found.wrong
