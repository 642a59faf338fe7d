"""The stream behind the gateway, over a relay that stands in for it; and its document, which both ports serve."""

import re
import threading

import msgspec
import pytest
import uvicorn
from litestar import Litestar, WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from api.kernel.application import Service, create_app
from api.kernel.asyncapi import document, page, stream_documentation
from api.kernel.server import listening
from api.stream import Relay, stream
from sql.messages import ADDRESSES, PATHS, Ask, Options
from tests.api import patient

KEY = "the-admin-key"


@websocket(list(PATHS))
async def told(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"path": socket.scope["path"], "query": dict(socket.query_params.items())})
    asked = await socket.receive_json()
    await socket.send_json({"asked": asked, "key": socket.headers.get("x-api-key"), "long": "é" * 1_000_000})
    await socket.close(1013, "too slow")


@pytest.fixture(scope="module")
def upstream():
    from config import settings as configuration
    from config.settings import ROOT

    made = configuration.load({}, root=ROOT / "no-such-folder")
    (bound,) = listening(msgspec.structs.replace(made, ports={"dagster": 0}), ["dagster"])
    server = uvicorn.Server(uvicorn.Config(Litestar([told], openapi_config=None), log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture
def caller(settings, upstream):
    """Makes a client of a gateway with nothing but the stream."""

    def make(port=upstream, **access):
        there = msgspec.structs.replace(
            settings,
            ports={**settings.ports, "data-capture": port},
            access=msgspec.structs.replace(settings.access, **access),
        )
        described = stream_documentation(document("Test", "here", ADDRESSES, Ask, Options))
        service = Service(
            id="api-gateway",
            title="Test",
            description="A test.",
            handlers=[stream, *described],
            parts={"relay": Relay(there)},
        )
        return TestClient(create_app(there, service), base_url="http://127.0.0.1:8000", raise_server_exceptions=False)

    return make


def test_both_directions_and_the_end_go_through(caller):
    with caller() as client, client.websocket_connect("/ws/trades?symbols=WINZ26&batch=true") as socket:
        first = socket.receive_json()
        socket.send_json({"action": "subscribe"})
        second = socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()

    assert first == {"path": "/ws/trades", "query": {"symbols": "WINZ26", "batch": "true"}}
    assert second == {"asked": {"action": "subscribe"}, "key": KEY, "long": "é" * 1_000_000}
    assert (end.value.code, end.value.detail) == (1013, "too slow")


@pytest.mark.parametrize(
    ("access", "headers", "code"),
    [
        ({}, {"origin": "https://evil.example"}, 4403),
        ({"mode": "required"}, {}, 4401),
        ({"mode": "required"}, {"x-api-key": "wrong"}, 4401),
    ],
)
def test_who_may_not_call_does_not_reach_the_relay(caller, access, headers, code):
    with caller(port=1, **access) as client, pytest.raises(WebSocketDisconnect) as end:
        client.websocket_connect("/ws/trades", headers=headers).__enter__()

    assert end.value.code == code


def test_without_a_relay_the_connection_is_refused(caller):
    with caller(port=1) as client, pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/ws").__enter__()


def test_the_document_is_whole(caller):
    with caller() as client:
        made = client.get("/docs/asyncapi.json").json()
    references = re.findall(r'"\$ref":"#/([^"]+)"', msgspec.json.encode(made).decode())

    def at(path):
        place = made
        for part in path.split("/"):
            place = place[part]
        return place

    assert made["asyncapi"] == "3.0.0"
    assert [channel["address"] for channel in made["channels"].values()] == list(PATHS)
    assert all(at(reference) for reference in references)
    assert {operation["action"] for operation in made["operations"].values()} == {"send", "receive"}


def test_the_page_tells_every_message_and_loads_nothing(caller):
    with caller() as client:
        answer = client.get("/docs/stream")

    assert answer.headers["content-type"].startswith("text/html")
    assert all(f'id="{name}"' in answer.text for name in ("Trade", "FullTrade", "Quote", "Book", "Gap", "Ask"))
    assert re.findall(r"(?:src|href)=.(?!#|/)", answer.text) == []


def test_what_the_contract_says_reaches_the_page_as_text():
    made = document("<script>", "here", ADDRESSES, Ask, Options)

    assert "<script>" not in page(made)


def test_the_gateway_serves_the_document(url):
    assert patient.get(f"{url}/docs/asyncapi.json").json()["asyncapi"] == "3.0.0"
    assert patient.get(f"{url}/docs/stream").status_code == 200
