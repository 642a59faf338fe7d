"""Orders over HTTP, with a loop that runs over the scripted broker: shapes, keys, refusals, events."""

import threading
import time
from decimal import Decimal

import pytest
from litestar.testing import TestClient
from msgspec import structs

from launcher.cli import Refusal
from launcher.commands.drill import check, played
from realtime.orders import api as module
from realtime.orders.broker import AccountId, PositionNews
from realtime.orders.prices import Prices
from realtime.orders.service import loop_of
from realtime.server import orders_app
from tests.realtime.orders.scenes import at_noon, patient
from tests.realtime.orders.scripted_broker import ACCOUNT, Exchange, ScriptedBroker

KEY = "ts_" + "k" * 40
HOLDER = {"X-API-Key": KEY}
BODY = {"symbol": "WINX99", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": 130000}
NEW = {"symbol": "WINX99", "side": "BUY", "quantity": 2, "type": "LIMIT", "price": 130000}


class Running:
    """A loop on its own thread, a client of its application, and the exchange behind both."""

    def __init__(self, settings, client, loop, exchange, broker, prices):
        self.settings, self.client, self.loop = settings, client, loop
        self.exchange, self.broker, self.prices = exchange, broker, prices

    def tick(self, price: str = "130000") -> None:
        for symbol in ("WINX99", "WDOX99"):
            self.prices.note(symbol, Decimal(price))
            self.prices.noted_state(symbol, 0)

    def post(self, path: str, body: object, **headers: str):
        self.tick()
        return self.client.post(path, json=body, headers={**HOLDER, **headers})

    def until(self, holds, seconds: float = 30.0):
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.005)
        return found

    def order(self, name: str):
        return self.client.get(f"/api/orders/{name}").json()["data"]


@pytest.fixture
def running(settings_in, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CANCEL_SECONDS", 30.0)
    made = settings_in(
        tmp_path / "data",
        TRADINGSYSTEM_API_KEY=KEY,
        TRADINGSYSTEM_JOURNAL_KEY="j" * 40,
        TRADINGSYSTEM_TWIN_SECONDS="0",
        TRADINGSYSTEM_MAX_POSITION="10",
    )
    made = structs.replace(made, access=structs.replace(made.access, rate_limit_max=10_000))
    now = at_noon()
    exchange, prices = Exchange(now), Prices(now)
    broker = ScriptedBroker(exchange)
    loop = loop_of(made, broker, prices, name="scripted", live=False)
    patient(loop.chronicle).now = now
    with TestClient(orders_app(made, loop), base_url="http://127.0.0.1:3205") as client:
        one = Running(made, client, loop, exchange, broker, prices)
        one.tick()
        loop.start()
        one.until(lambda: loop.agreement.agreed("1:0042"))
        yield one
    loop.stop()
    loop.chronicle.close()
    loop.switch.close()


def test_execute_answers_with_the_number_of_an_order_that_then_lives(running):
    answer = running.post("/api/v1/execute", BODY)
    assert answer.status_code == 202
    assert answer.json()["status"] == "PENDING"
    name = answer.json()["orderId"]
    running.broker.fill("EX1", 1)
    running.loop._broker.wake()
    found = running.until(lambda: (o := running.order(name))["status"] == "FILLED" and o)

    assert found["filledQuantity"] == 1
    assert found["avgFillPrice"] == 130_000
    assert [fill["price"] for fill in found["fills"]] == [130_000]
    assert [each["kind"] for each in found["evidence"]][:2] == ["intent", "Sent"]
    assert [each["record"] for each in found["evidence"]] == sorted(each["record"] for each in found["evidence"])
    (position,) = running.client.get("/api/v1/positions").json()
    assert (position["symbol"], position["quantity"], position["side"]) == ("WINX99", 1, "LONG")
    assert running.client.get("/api/v1/fills").json()["data"]["total"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/execute", {**BODY, "qty": 1}),
        ("/api/v1/execute", {**BODY, "quantity": 0}),
        ("/api/v1/execute", {**BODY, "quantity": 1.5}),
        ("/api/v1/execute", {**BODY, "quantity": 10**4200}),
        ("/api/v1/execute", {**BODY, "side": "HOLD"}),
        ("/api/v1/execute", {**BODY, "orderType": "MARKET"}),
        ("/api/v1/execute", {**BODY, "symbol": "win;drop"}),
        ("/api/v1/execute", {**BODY, "symbol": "WINX99\n"}),
        ("/api/orders", {**NEW, "strategy": "flow\n"}),
        ("/api/orders", {**NEW, "account": "1:" + "x" * 101}),  # kept with its refusal, in memory as well
        ("/api/orders", {**NEW, "type": "STOP"}),
        ("/api/orders", {**NEW, "price": 130000.123}),
        ("/api/orders", {**NEW, "price": -5}),
        *(
            (f"/api/{path}", {**body, name: value})
            for path, body in (("v1/execute", BODY), ("orders", NEW))
            for name in ("price", "stopPrice")
            for value in ("NaN", "sNaN", "Infinity", 1e30, 0)
        ),
        ("/api/orders", {**NEW, "stopPrice": 130000}),
        ("/api/orders/flatten", {"everything": True}),
        ("/api/risk/kill-switch", {}),
        ("/api/risk/kill-switch", {"reason": "x" * 600}),
        ("/api/risk/kill-switch/release", {"reason": ""}),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(running, path, body):
    answer = running.post(path, body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["success"] is False
    assert running.broker.sends() == []
    assert running.loop.switch.latch is None


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("POST", "/api/v1/execute", '{"symbol": "WINX99", "side": "BUY", "quantity": 1, "quantity": 100}', "quantity"),
        ("PUT", "/api/risk/limits", '{"maxPositionSize": {"WIN": 5, "WIN": 5000}}', "WIN"),
    ],
)
def test_what_is_said_twice_is_refused(running, method, path, body, name):
    headers = {**HOLDER, "Content-Type": "application/json"}
    answer = running.client.request(method, path, content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"] == f"{name}: expected once, found 2 times"
    assert not running.loop.chronicle.ledger.entries


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/execute"),
        ("POST", "/api/orders"),
        ("POST", "/api/v1/orders/cancel-all"),
        ("POST", "/api/orders/flatten"),
        ("PATCH", "/api/orders/ORD-20261118-001"),
        ("DELETE", "/api/orders/ORD-20261118-001"),
        ("POST", "/api/orders/ORD-20261118-001/ruling"),
        ("PUT", "/api/risk/limits"),
        ("POST", "/api/v1/risk/kill-switch"),
        ("POST", "/api/v1/risk/kill-switch/release"),
    ],
)
def test_every_command_needs_a_key(running, method, path):
    assert running.client.request(method, path, json={}).status_code == 401
    assert running.client.request(method, path, json={}, headers={"X-API-Key": "another"}).status_code == 401


def test_a_refusal_says_check_limit_and_value(running):
    answer = running.post("/api/v1/execute", {**BODY, "quantity": 11})

    assert answer.status_code == 403
    found = answer.json()
    assert found["code"] == "POSITION_LIMIT"
    assert (found["details"]["limit"], found["details"]["observed"]) == ("10", "11")
    assert "limit 10, observed 11" in found["error"]
    assert running.post("/api/v1/execute", BODY).json()["orderId"] != found["orderId"]  # it stays the refused one's
    assert running.client.get("/api/v1/risk/refusals").json()["data"][0]["check"] == "POSITION_LIMIT"


def test_the_same_key_gets_the_same_bytes_and_another_body_is_refused(running):
    first = running.post("/api/v1/execute", BODY, **{"Idempotency-Key": "k-1"})
    second = running.post("/api/v1/execute", BODY, **{"X-Idempotency-Key": "k-1"})
    third = running.post("/api/v1/execute", {**BODY, "idempotencyKey": "k-1"})
    other = running.post("/api/v1/execute", {**BODY, "quantity": 2}, **{"Idempotency-Key": "k-1"})
    elsewhere = running.post("/api/orders", {**NEW, "quantity": 1}, **{"Idempotency-Key": "k-1"})

    assert first.content == second.content == third.content
    assert other.status_code == elsewhere.status_code == 422
    assert len(running.broker.sends()) == 1


def test_a_key_that_says_nothing_sends_nothing(running):
    for header in ("Idempotency-Key", "X-Idempotency-Key"):
        assert running.post("/api/v1/execute", BODY, **{header: ""}).status_code == 400

    assert running.broker.sends() == []


def test_the_order_managers_own_route_answers_201_and_then_200(running):
    first = running.post("/api/orders", NEW, **{"Idempotency-Key": "k-2"})
    second = running.post("/api/v1/orders", NEW, **{"Idempotency-Key": "k-2"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content == second.content
    assert first.json()["data"]["status"] == "PENDING"


def test_an_order_is_changed_and_cancelled(running):
    name = running.post("/api/orders", NEW).json()["data"]["orderId"]
    running.until(lambda: running.order(name)["brokerOrderId"])
    running.tick()
    answer = running.client.patch(f"/api/orders/{name}", json={"price": 129995, "quantity": 3}, headers=HOLDER)
    assert answer.status_code == 202
    running.until(lambda: running.order(name)["price"] == 129_995)
    gone = running.client.delete(f"/api/orders/{name}", headers=HOLDER)
    again = running.client.delete(f"/api/orders/{name}", headers=HOLDER)

    assert gone.status_code == again.status_code == 200
    assert gone.json()["data"]["status"] == "CANCELED"
    assert gone.json()["data"]["canceledAt"]
    assert running.client.patch(f"/api/orders/{name}", json={"quantity": 1}, headers=HOLDER).status_code == 409


def test_a_filled_order_cannot_be_cancelled_and_an_unknown_one_is_not_there(running):
    name = running.post("/api/v1/execute", BODY).json()["orderId"]
    running.broker.fill("EX1", 1)
    running.broker.wake()
    running.until(lambda: running.order(name)["status"] == "FILLED")

    assert running.client.delete(f"/api/orders/{name}", headers=HOLDER).status_code == 400
    assert running.client.delete("/api/orders/ORD-20261118-999", headers=HOLDER).status_code == 404
    assert running.client.get("/api/orders/nonsense").status_code == 400


def test_an_ambiguous_order_shows_as_submitted_and_says_so_and_a_person_rules(running):
    running.broker.faults = ["unclear after"]
    running.broker.loads = False
    name = running.post("/api/v1/execute", BODY).json()["orderId"]
    found = running.order(name)
    assert (found["status"], found["ambiguous"]) == ("SUBMITTED", True)
    ruling = {"status": "CANCELED", "reason": "called the broker"}
    bot = running.post(f"/api/orders/{name}/ruling", ruling, **{"X-Source": "agent"})
    assert bot.status_code == 403
    answer = running.post(f"/api/orders/{name}/ruling", ruling)

    assert answer.status_code == 200
    assert running.order(name)["status"] == "CANCELED"


def test_a_list_of_a_strategys_working_orders_holds_no_others(running):
    for strategy, price in (("flow", 129980), ("flow", 129985), ("ebb", 129990), (None, 129995)):
        running.post("/api/orders", {**NEW, "price": price, **({"strategy": strategy} if strategy else {})})
    name = running.client.get("/api/orders").json()["data"]["orders"][-1]["orderId"]
    running.client.delete(f"/api/orders/{name}", headers=HOLDER)
    running.until(lambda: running.order(name)["status"] == "CANCELED")

    def found(**asked: object) -> list[float]:
        return [o["price"] for o in running.client.get("/api/orders", params=asked).json()["data"]["orders"]]

    assert found(strategy="flow", working=True) == [129985]
    assert found(strategy="flow", working=False) == [129980]
    assert sorted(found(working=True)) == [129985, 129990, 129995]


def test_flatten_of_an_agent_says_what_it_cancels_and_what_is_not_closed(running):
    running.post("/api/orders", NEW)
    running.broker.fill("EX1", 2)
    running.loop._broker.wake()
    running.until(lambda: running.client.get("/api/v1/positions").json())
    name = running.post("/api/orders", {**NEW, "price": 129990}).json()["data"]["orderId"]
    answer = running.post("/api/orders/flatten", {}, **{"X-Source": "agent"})
    told = answer.json()
    assert (answer.status_code, told["success"], told["details"]["check"]) == (403, False, "SOURCE")
    assert told["data"] == {"orders": [name], "ordersCanceled": 1, "closing": [], "notClosed": ["WINX99"]}
    assert "1 orders are being cancelled; WINX99 not closed: SOURCE" in told["error"]
    running.until(lambda: running.order(name)["status"] == "CANCELED")
    pulled = running.post("/api/risk/kill-switch", {"reason": "odd", "flatten": True}, **{"X-Source": "agent"})

    assert (pulled.status_code, pulled.json()["data"]["flatten"]) == (200, False)
    assert pulled.json()["flattenRefused"].startswith("SOURCE")
    answer = running.post("/api/orders/flatten", {})
    assert (answer.status_code, answer.json()["details"]["check"]) == (403, "KILL_SWITCH")


def test_what_lowers_risk_is_never_kept_waiting_by_other_requests(running):
    made = structs.replace(running.settings, access=structs.replace(running.settings.access, rate_limit_max=1))
    name = running.post("/api/orders", NEW).json()["data"]["orderId"]
    with TestClient(orders_app(made, running.loop), base_url="http://127.0.0.1:3205") as client:
        client.headers.update(HOLDER)
        counted = [client.post("/api/v1/execute", json={}).status_code for _ in range(2)]
        free = [
            client.delete(f"/api/orders/{name}"),
            client.post("/api/v1/orders/cancel-all", json={}),
            client.post("/api/v1/orders/flatten", json={}),
            client.post("/api/v1/risk/kill-switch", json={"reason": "too many requests"}),
        ]

    assert counted == [400, 429]
    assert all(answer.status_code in (200, 202) for answer in free)


def test_a_cancellation_is_followed_although_nobody_waits_for_it_any_more(running, monkeypatch):
    name = running.post("/api/orders", NEW).json()["data"]["orderId"]
    running.until(lambda: running.order(name)["status"] == "SUBMITTED")
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    hangs, let_go = threading.Event(), threading.Event()
    running.broker.wait = lambda _: hangs.set() or let_go.wait(10)
    running.broker.wake()
    assert hangs.wait(10)
    impatient = running.client.delete(f"/api/orders/{name}", headers=HOLDER)
    let_go.set()

    assert impatient.status_code == 503
    running.until(lambda: running.order(name)["status"] == "CANCELED")


def test_a_drill_refuses_live_brokers_and_a_switch_that_is_on(running):
    with pytest.raises(Refusal, match="found scripted"):
        check(running.client)
    running.loop.rules = structs.replace(running.loop.rules, broker="paper")
    check(running.client)
    running.post("/api/v1/risk/kill-switch", {"reason": "the market is odd"})
    with pytest.raises(Refusal, match="on already") as refused:
        check(running.client)

    assert refused.value.exit_code == 2
    assert running.loop.switch.latch is not None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("post", "/api/v1/execute", 202),
        ("post", "/api/orders", 201),
        ("post", "/api/orders/cancel-all", 202),
        ("post", "/api/orders/flatten", 202),
        ("put", "/api/risk/limits", 200),
        ("post", "/api/risk/kill-switch", 200),
        ("post", "/api/risk/kill-switch/release", 200),
    ],
)
def test_what_the_documentation_proposes_can_be_sent_as_it_stands(running, method, path, status):
    document = running.client.get("/docs/openapi.json").json()
    proposed = document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"]
    running.tick()

    assert running.client.request(method, path, json=proposed, headers=HOLDER).status_code == status


def test_the_list_is_filtered_and_paged(running):
    for n in range(5):
        assert running.post("/api/orders", {**NEW, "price": 130000 - 5 * n}).status_code == 201
    page = running.client.get("/api/orders", params={"limit": 2, "offset": 1}).json()["data"]

    assert (page["total"], len(page["orders"])) == (5, 2)
    assert page["orders"][0]["orderId"].endswith("004")
    assert running.client.get("/api/orders", params={"side": "SELL"}).json()["data"]["total"] == 0
    assert running.client.get("/api/orders", params={"status": "SUBMITTED"}).json()["data"]["total"] == 5
    assert running.client.get("/api/orders", params={"limit": 501}).status_code == 400


def test_the_switch_is_pulled_told_and_released(running):
    name = running.post("/api/orders", NEW).json()["data"]["orderId"]
    pulled = running.post("/api/v1/risk/kill-switch", {"reason": "the market is odd", "operator": "João da mesa 2"})
    assert pulled.status_code == 200
    assert (pulled.json()["status"], pulled.json()["data"]["ordersCanceled"]) == ("activated", 1)
    running.until(lambda: running.order(name)["status"] == "CANCELED")
    again = running.post("/api/v1/risk/kill-switch", {"reason": "once more"})
    assert again.json()["data"]["ordersCanceled"] == 0
    assert again.json()["data"]["reason"] == "the market is odd"
    assert running.post("/api/v1/execute", BODY).json()["code"] == "KILL_SWITCH"
    assert running.client.get("/api/v1/risk/kill-switch").json()["data"]["activatedBy"] == "João da mesa 2"
    bot = running.post("/api/v1/risk/kill-switch/release", {"reason": "all fine"}, **{"X-Source": "agent"})
    assert bot.status_code == 403
    released = running.post("/api/v1/risk/kill-switch/release", {"reason": "checked with the desk"})

    assert released.json()["data"]["killSwitchActive"] is False
    assert running.post("/api/v1/execute", BODY).status_code == 202


def test_limits_are_read_and_changed_with_a_version(running):
    before = running.client.get("/api/risk/limits").json()["data"]
    assert before["dailyLossLimit"] == 5000
    assert before["tradingHours"] == {"start": "00:00", "end": "23:59", "timezone": "America/Sao_Paulo"}
    change = {"maxPositionSize": {"WINX99": 1}, "version": before["version"]}
    after = running.client.put("/api/risk/limits", json=change, headers=HOLDER)
    late = running.client.put("/api/risk/limits", json=change, headers=HOLDER)
    wrong = running.client.put("/api/risk/limits", json={"dailyLossLimit": 1}, headers=HOLDER)

    assert after.json()["data"]["maxPositionSize"] == {"WINX99": 1}
    assert after.json()["data"]["updatedBy"] == "admin"
    assert late.status_code == 409
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "dailyLossLimit")
    assert running.post("/api/orders", NEW).json()["code"] == "POSITION_LIMIT"
    freed = running.client.put("/api/risk/limits", json={"maxPositionSize": {"WINX99": None}}, headers=HOLDER)
    assert freed.json()["data"]["maxPositionSize"] == {}


@pytest.fixture
def two_accounts(monkeypatch):
    """Both hold what the exchange holds."""
    monkeypatch.setattr(ScriptedBroker, "accounts", lambda _: [ACCOUNT, AccountId(1, "0043")])


def test_the_usage_of_limits_is_told_of_each_account(two_accounts, running):
    running.until(lambda: running.loop.agreement.agreed("1:0043"))
    running.exchange.held["WINX99"] = 2
    for number in ("0042", "0043"):
        running.broker.put(PositionNews(AccountId(1, number), "WINX99"))

    held = {"WINX99": {"quantity": 2, "limit": 10}}
    usage = running.until(
        lambda: len(found := running.client.get("/api/risk/limits").json()["data"]["usage"]["positions"]) == 2 and found
    )
    assert usage == {"1:0042": held, "1:0043": held}


def test_events_are_told_over_the_socket_in_the_journals_order(running):
    with running.client.websocket_connect("/ws/orders") as socket:
        assert "orders/status" in socket.receive_json()["channels"]
        name = running.post("/api/v1/execute", BODY).json()["orderId"]
        running.broker.fill("EX1", 1)
        running.broker.wake()
        found = []
        while not found or found[-1]["channel"] != "positions/updates":
            found.append(socket.receive_json())

    statuses = [each["status"] for each in found if each["channel"] == "orders/status"]
    assert statuses[0] == "PENDING"
    assert statuses[-1] == "FILLED"
    (execution,) = [each for each in found if each["channel"] == "orders/execution"]
    assert (execution["orderId"], execution["fill"]["quantity"]) == (name, 1)
    told = next(each for each in found if each["channel"] == "orders/status")
    assert (told["symbol"], told["quantity"], told["price"], told["stopPrice"]) == ("WINX99", 1, 130_000, None)
    assert found[-1]["quantity"] == 1
    assert [each["record"] for each in found] == sorted(each["record"] for each in found)


def test_a_drill_says_how_long_it_took_and_leaves_the_switch_off(running):
    running.client.headers["X-API-Key"] = KEY
    found = played(running.client, 3, "WINX99", 60.0)

    assert found["holds"], found
    assert found["working_before"] == 3
    assert found["ms_to_last_order_out"] <= found["ms_to_last_cancel"]
    assert running.loop.switch.latch is None


def test_health_and_metrics_tell_how_orders_stand(running):
    running.post("/api/v1/execute", BODY)
    running.post("/api/v1/execute", {**BODY, "quantity": 11})
    sent = "order_manager_execution_latency_seconds_count 1.0"
    text = running.until(lambda: sent in (t := running.client.get("/metrics").text) and t)

    assert running.client.get("/health").json()["checks"]["orders"]["status"] == "ok"
    assert 'order_manager_risk_violations_total{type="POSITION_LIMIT"} 1.0' in text
    assert "order_manager_reconciled 1.0" in text
    assert running.client.get("/api/v1/orders-standing").json()["data"]["journal"] == "ok"


def test_the_document_names_every_route_with_its_body(running):
    document = running.client.get("/docs/openapi.json", headers=HOLDER).json()

    assert {"/api/v1/execute", "/api/orders", "/api/orders/{order}", "/api/risk/limits"} <= set(document["paths"])
    execute = document["paths"]["/api/v1/execute"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert execute
