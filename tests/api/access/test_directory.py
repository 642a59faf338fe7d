"""Who is known while PostgreSQL is away: the installation's own key alone."""

import asyncio
import itertools
import socket
from typing import Any

import msgspec
import pytest
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from api.kernel import gate
from api.kernel.access import ROLES, scoped
from api.kernel.application import Service, create_app
from api.kernel.directory import FRESH_SECONDS, Directory, digest, made_key
from api.kernel.tokens import Bearer, Tokens
from tests.api.access.conftest import ADMIN, ADMIN_KEY, ASKING
from tests.api.access.memory import Register
from tests.api.service import stream


@pytest.fixture
def alone(settings, tmp_path):
    """A service whose register does not answer."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = {**settings.ports, "postgres": closed.getsockname()[1]}
        postgres = msgspec.structs.replace(settings.postgres, port=ports["postgres"])
        access = msgspec.structs.replace(settings.access, api_key=ADMIN_KEY)
        made = msgspec.structs.replace(settings, data_dir=tmp_path, ports=ports, postgres=postgres, access=access)
        service = Service(id="api-gateway", title="t", description="d", handlers=[*ASKING, stream])
        with TestClient(create_app(made, service), base_url="http://127.0.0.1:8000") as client:
            yield client, Tokens(tmp_path)


def test_without_the_register_nobody_is_known_but_the_installation(alone):
    client, tokens = alone
    token = tokens.issue(Bearer("p", "7d9f2ad2-8a32-4bb8-9d0a-54e5d16d0b8b"), "ana", "admin")
    known = [{"x-api-key": made_key()[1]}, {"authorization": f"Bearer {token}"}]
    answers = [client.post("/api/orders", headers=each) for each in known]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert client.post("/api/orders", headers=ADMIN).status_code == 200
    assert client.post("/api/orders").status_code == 401
    assert client.get("/api/things").status_code == 200
    assert client.get("/api/things", headers={"x-api-key": "of no form"}).status_code == 401


def test_a_stream_is_asked_to_come_back_later(alone):
    client, _ = alone
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        client.websocket_connect("/ws", headers={"x-api-key": made_key()[1]}) as socket_,
    ):
        socket_.receive_json()

    assert refusal.value.code == 1013


@websocket("/ws/long", opt=scoped("tape:read"))
async def long(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


@pytest.mark.parametrize("change", [{"good": False}, {"role": "none"}])
def test_a_stream_ends_with_the_right_to_it(settings, tmp_path, monkeypatch, change):
    monkeypatch.setattr(gate, "AGAIN_SECONDS", 0.01)
    monkeypatch.setitem(ROLES, "none", frozenset())
    register, tokens = Register(), Tokens(tmp_path)
    session = register.add_session("viewer")
    token = tokens.issue(Bearer("p", session), "ana", "viewer")
    seconds = itertools.count(step=10)
    directory = Directory(register, tokens, clock=lambda: next(seconds))
    service = Service(id="api-gateway", title="t", description="d", handlers=[long])
    with (
        TestClient(create_app(settings, service, directory=directory), base_url="http://127.0.0.1:8000") as client,
        client.websocket_connect("/ws/long", headers={"authorization": f"Bearer {token}"}) as stream_,
    ):
        stream_.send_text("there?")
        assert stream_.receive_text() == "there?"
        register.sessions[session].update(change)
        with pytest.raises(WebSocketDisconnect) as end:
            stream_.receive_text()

    assert end.value.code == 4401


class Rows:
    """A register that counts how often it is asked."""

    def __init__(self, **row):
        self.row, self.asked, self.noted = row, 0, 0

    async def key(self, _):
        self.asked += 1
        return self.row

    async def used(self, _):
        self.noted += 1


def test_what_was_looked_up_is_believed_for_two_seconds_and_no_longer(tmp_path):
    key_id, key = made_key()
    rows = Rows(id=key_id, name="k", hash=digest(key), scopes=["a:read"], source=None, good=True, worth_noting=True)
    now = [100.0]
    directory = Directory(rows, Tokens(tmp_path), clock=lambda: now[0])

    async def asked():
        found = await directory.holder(key)
        return found is not None, rows.asked, rows.noted

    async def story():
        first, again = await asked(), await asked()
        rows.row["good"] = False
        now[0] += FRESH_SECONDS - 0.01
        before = await asked()
        now[0] += 0.01
        return first, again, before, await asked()

    assert asyncio.run(story()) == ((True, 1, 1), (True, 1, 1), (True, 1, 1), (False, 2, 1))
