import asyncio
import time

import pytest
from litestar import Litestar, get, post
from litestar.exceptions.base_exceptions import LitestarException
from litestar.params import JSONBody
from litestar.response import Stream
from litestar.testing import TestClient

from api.kernel import deadlines, errors
from api.kernel.deadlines import Deadlines
from tests.api.idle_time import IdleTime


@get("/slow", opt={"seconds": 0.1})
async def slow() -> None:
    await asyncio.sleep(30)


@get("/long", opt={"seconds": 0.1})
async def long() -> Stream:
    async def parts():
        for number in range(4):
            await asyncio.sleep(0.06)
            yield str(number)

    return Stream(parts())


@get("/own")
async def own() -> None:
    raise TimeoutError("of the handler")


@post("/body", opt={"seconds": 0.5})
async def body(data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data


@post("/patient")
async def patient(data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data


@pytest.fixture
def app():
    return Litestar([slow, long, own, body, patient], middleware=[Deadlines()], exception_handlers=errors.HANDLERS)


def test_an_answer_that_does_not_begin_is_503(app):
    began = time.monotonic()
    with TestClient(app, raise_server_exceptions=False) as caller:
        answer = caller.get("/slow")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert time.monotonic() - began < 20


def test_an_answer_that_has_begun_may_take_its_time(app):
    with TestClient(app) as caller:
        assert caller.get("/long").text == "0123"


def test_a_timeout_inside_a_handler_is_its_own_error(app):
    with TestClient(app, raise_server_exceptions=False) as caller:
        assert caller.get("/own").status_code == 500


def call(app, receive, send, path="/body", method="POST"):
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"9")], "scheme": "http",
        "http_version": "1.1", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "extensions": {},
    }  # fmt: skip
    with asyncio.Runner(loop_factory=IdleTime) as runner:
        runner.run(asyncio.wait_for(app(scope, receive, send), 10))


def test_a_body_that_stops_coming_is_408(app, monkeypatch):
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 0.1)
    parts, told = [{"type": "http.request", "body": b'{"a', "more_body": True}], []

    async def receive():
        if not parts:
            await asyncio.sleep(30)
        return parts.pop()

    async def send(message):
        told.append(message)

    call(app, receive, send, "/patient")

    assert told[0]["status"] == 408


def test_a_body_that_keeps_coming_has_its_time_and_not_for_ever(app, monkeypatch):
    monkeypatch.setattr(deadlines, "WHOLE_BODY_SECONDS", 3.0)
    told = []

    async def send(message):
        told.append(message)

    def slowly(parts):
        left = [{"type": "http.request", "body": part, "more_body": number > 0} for number, part in enumerate(parts)]

        async def receive():
            await asyncio.sleep(0.2)
            return left.pop()

        return receive

    call(app, slowly([b"", b"}", b" 1", b":", b'{"a"']), send)
    call(app, slowly([b" "] * 60), send)

    assert [message["status"] for message in told if "status" in message] == [201, 503]


def test_a_reader_that_stands_still_is_cut(app, monkeypatch):
    monkeypatch.setattr(deadlines, "TAKE_SECONDS", 0.1)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message.get("body"):
            await asyncio.sleep(30)

    with pytest.raises(LitestarException):  # within the ten seconds of `call`
        call(app, receive, send, "/long", "GET")
