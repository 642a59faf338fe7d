"""Orders through the gateway: the caller's own key decides, bytes and statuses come back as they were answered."""

import contextlib
import datetime as dt
import socket
import threading
import time
from decimal import Decimal

import pytest
import uvicorn
from litestar.testing import TestClient
from msgspec import structs

from api.kernel import sessions
from api.kernel.application import Service, create_app
from api.orders import OrderManager, order_events, orders
from realtime.orders.prices import Prices
from realtime.orders.service import loop_of
from realtime.server import orders_app
from tests.realtime.orders.scripted_broker import Exchange, ScriptedBroker

KEY = "ts_" + "g" * 40
HOLDER = {"X-API-Key": KEY}
BODY = {"symbol": "WINX99", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": 130000}


@pytest.fixture
def gateway(settings_in, tmp_path, monkeypatch):
    """The proxy's handlers, before a real port 3205."""
    monkeypatch.setattr("realtime.orders.api.CANCEL_SECONDS", 30.0)  # the broker's thread may be slow to come to it
    made = settings_in(tmp_path / "data", TRADINGSYSTEM_API_KEY=KEY, TRADINGSYSTEM_JOURNAL_KEY="j" * 40)
    made = structs.replace(made, access=structs.replace(made.access, rate_limit_max=10_000))
    prices = Prices()
    broker = ScriptedBroker(Exchange(lambda: dt.datetime.now(dt.UTC)))
    loop = loop_of(made, broker, prices, name="scripted", live=False)
    prices.note("WINX99", Decimal(130_000))
    prices.noted_state("WINX99", 0)
    loop.start()
    server = uvicorn.Server(uvicorn.Config(orders_app(made, loop), log_config=None, lifespan="on"))
    bound = socket.socket()
    bound.bind(("127.0.0.1", made.ports["order-manager"]))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not (server.started and loop.agreement.agreed("1:0042")):
        time.sleep(0.01)
    manager = OrderManager(made)

    @contextlib.asynccontextmanager
    async def closing(_):
        yield
        await manager.close()

    service = Service(
        id="api-gateway",
        title="t",
        description="d",
        handlers=[orders, order_events],
        parts={"order_manager": manager},
        lifespans=[closing],
    )
    with TestClient(create_app(made, service), base_url="http://127.0.0.1:8000") as client:
        yield client, server
    server.should_exit = True
    thread.join(10)
    bound.close()
    loop.stop()
    loop.chronicle.close()


def test_an_order_goes_through_with_its_key_and_comes_back_as_it_was_answered(gateway):
    client, _ = gateway
    assert client.post("/api/v1/execute", json=BODY).status_code == 401
    headers = {**HOLDER, "Idempotency-Key": "one"}
    with client.websocket_connect("/ws/orders") as events:
        assert events.receive_json()["channels"]
        first = client.post("/api/v1/execute", json=BODY, headers=headers)
        told = next(each for each in iter(events.receive_json, None) if each["channel"] == "orders/status")
        assert told["status"] == "PENDING"
    second = client.post("/api/v1/execute", json=BODY, headers=headers)
    name = first.json()["orderId"]

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert client.get(f"/api/orders/{name}").json()["data"]["orderId"] == name
    assert client.get("/api/v1/orders", params={"limit": 1}).json()["data"]["total"] == 1
    assert client.post("/api/v1/execute", json={**BODY, "qty": 1}, headers=HOLDER).status_code == 400
    assert client.delete(f"/api/orders/{name}", headers=HOLDER).json()["data"]["status"] == "CANCELED"
    assert client.get("/api/risk/limits").json()["data"]["version"] == 1


def test_a_page_orders_by_its_session_and_only_with_the_word_of_the_session(gateway):
    client, _ = gateway
    session = {"cookie": sessions.cookie(KEY, "/", sessions.INSTALLATION).partition(";")[0]}
    without = client.post("/api/v1/execute", json=BODY, headers=session)
    session[sessions.CSRF_HEADER] = sessions.csrf_token(KEY, sessions.INSTALLATION)
    ordered = client.post("/api/v1/execute", json=BODY, headers=session)

    assert (without.status_code, ordered.status_code) == (403, 202)


def test_without_the_realtime_process_it_says_so(settings_in, tmp_path):
    made = settings_in(tmp_path / "data", TRADINGSYSTEM_API_KEY=KEY)
    service = Service(
        id="api-gateway",
        title="t",
        description="d",
        handlers=[orders],
        parts={"order_manager": OrderManager(made)},
    )
    with TestClient(create_app(made, service), base_url="http://127.0.0.1:8000") as client:
        answer = client.post("/api/v1/execute", json=BODY, headers=HOLDER)
        odd = client.get("/api/orders/%0A%00", headers=HOLDER)

    assert answer.status_code == odd.status_code == 503
    assert "orders are not taken" in answer.json()["error"]


def test_what_lowers_risk_is_never_kept_waiting_by_other_requests(settings_in, tmp_path):
    made = settings_in(tmp_path / "data", TRADINGSYSTEM_API_KEY=KEY)
    made = structs.replace(made, access=structs.replace(made.access, rate_limit_max=1))
    service = Service(
        id="api-gateway", title="t", description="d", handlers=[orders], parts={"order_manager": OrderManager(made)}
    )
    paths = ("orders/cancel-all", "orders/flatten", "risk/kill-switch")
    with TestClient(create_app(made, service), base_url="http://127.0.0.1:8000") as client:
        client.headers.update(HOLDER)
        counted = [client.post("/api/v1/execute", json=BODY).status_code for _ in range(2)]
        free = [client.post(f"/api{version}/{path}", json={}).status_code for path in paths for version in ("", "/v1")]
        free.append(client.delete("/api/v1/orders/ORD-20261118-001").status_code)
        still = client.post("/api/risk/kill-switch/release", json={}).status_code

    assert (counted, still) == ([503, 429], 429)  # 503: no realtime process answers here
    assert set(free) == {503}
