"""Who orders: a key's source and name are its own, whatever a request says of itself."""

import time
from decimal import Decimal

import pytest
from litestar.testing import TestClient

from api.kernel import application
from api.kernel.directory import Directory
from api.kernel.tokens import Bearer, Tokens
from realtime.orders.prices import Prices
from realtime.orders.service import loop_of
from realtime.server import orders_app
from tests.api.access.memory import Register
from tests.realtime.orders.scenes import at_noon, patient
from tests.realtime.orders.scripted_broker import Exchange, ScriptedBroker

KEY = "ts_" + "k" * 40
BODY = {"symbol": "WINX99", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": 130000}


@pytest.fixture
def desk(settings_in, tmp_path, monkeypatch):
    """Port 3205 over the scripted broker, the register behind its gate, and what signs tokens."""
    made = settings_in(tmp_path / "data", TRADINGSYSTEM_API_KEY=KEY, TRADINGSYSTEM_JOURNAL_KEY="j" * 40)
    register, tokens, now = Register(), Tokens(made.data_dir), at_noon()
    monkeypatch.setattr(application, "directory_of", lambda _: Directory(register, tokens))
    broker, prices = ScriptedBroker(Exchange(now)), Prices(now)
    loop = loop_of(made, broker, prices, name="scripted", live=False)
    patient(loop.chronicle).now = now
    with TestClient(orders_app(made, loop), base_url="http://127.0.0.1:3205") as client:
        prices.note("WINX99", Decimal(130_000))
        prices.noted_state("WINX99", 0)
        loop.start()
        deadline = time.monotonic() + 30
        while not loop.agreement.agreed("1:0042"):
            assert time.monotonic() < deadline, "the loop never agreed with its broker"
            time.sleep(0.005)  # the loop's own thread tells nobody
        yield client, register, tokens
    loop.stop()
    loop.chronicle.close()
    loop.switch.close()


def said(client, header, **headers):
    """Status of an order, and who it is journalled for."""
    answer = client.post("/api/v1/execute", json={**BODY, "confidence": 0.9}, headers={**header, **headers})
    if answer.status_code != 202:
        return answer.status_code, answer.json()["error"]
    found = client.get(f"/api/orders/{answer.json()['orderId']}").json()["data"]
    return 202, found["source"]


def test_a_bound_key_speaks_as_its_source_alone(desk):
    client, register, _ = desk
    header = {"x-api-key": register.add_key("scalper", {"*:read", "orders:write"}, "strategy")}
    unsaid, told, lied = said(client, header), said(client, header, **{"x-source": "strategy"}), None
    lied = said(client, header, **{"x-source": "api"})

    assert (unsaid, lied) == ((202, "strategy"), (403, "this key speaks as strategy, not as api"))
    assert told[0] in (202, 403)  # 403: the same order within a second
    assert "speaks" not in told[1]


@pytest.mark.parametrize("source", ["agent", "telegram"])
def test_what_proposes_never_orders_even_with_every_scope_and_another_word(desk, source):
    client, register, _ = desk
    header = {"x-api-key": register.add_key("llm", {"*:*"}, source)}

    assert said(client, header)[0] == 403
    assert said(client, header, **{"x-source": "api"})[0] == 403
    released = client.post("/api/risk/kill-switch/release", json={"reason": "all fine"}, headers=header)
    limits = client.put("/api/risk/limits", json={"dailyLossLimit": 1}, headers=header)
    assert (released.status_code, limits.status_code) == (403, 403)
    assert client.post("/api/risk/kill-switch", json={"reason": "I do not like it"}, headers=header).status_code == 200


def test_a_key_of_idempotency_that_another_used_is_refused_and_its_answer_not_told(desk):
    client, register, _ = desk
    ana, bob = ({"x-api-key": register.add_key(name, {"orders:*"}), "idempotency-key": "1"} for name in ("ana", "bob"))
    first, again, other = (client.post("/api/v1/execute", json=BODY, headers=each) for each in (ana, ana, bob))

    assert first.status_code == 202
    assert first.content == again.content
    assert other.status_code == 422


def test_an_unbound_key_may_only_lower_itself(desk):
    client, register, _ = desk
    header = {"x-api-key": register.add_key("desk", {"orders:*"})}

    assert said(client, header) == (202, "api")
    refused = client.post("/api/v1/execute", json=BODY, headers={**header, "x-source": "agent"})
    assert refused.status_code == 403
    assert "SOURCE" in refused.text


@pytest.mark.parametrize("kind", ["key", "person"])
def test_the_switch_is_pulled_in_the_name_of_its_key_or_person(desk, kind):
    client, register, tokens = desk
    if kind == "key":
        header = {"x-api-key": register.add_key("bia", {"risk:write"})}
    else:
        session = register.add_session("trader")
        register.sessions[session]["name"] = "bia"
        header = {"authorization": f"Bearer {tokens.issue(Bearer('p', session), 'bia', 'trader')}"}
    headers = {**header, "x-user-id": "somebody else"}
    client.post("/api/risk/kill-switch", json={"reason": "a test", "operator": "mallory"}, headers=headers)

    assert client.get("/api/risk/kill-switch").json()["data"]["activatedBy"] == "bia"
