"""Dagster's pages behind the gateway, over a webserver that stands in for it: who gets in, and what comes through."""

import base64
import contextlib
import itertools
import threading
from pathlib import Path
from typing import Any

import dagster_webserver
import msgspec
import pytest
import uvicorn
from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from api.batch import Webserver, events, moved, pages
from api.kernel import sessions
from api.kernel.application import Service, create_app
from api.kernel.directory import Directory
from api.kernel.server import listening
from api.kernel.tokens import Tokens
from tests import loopback
from tests.api.access.memory import Register

KEY = "the-admin-key"
HOST = "desk.example"
PAGE = '<html><script>{"pathPrefix": ""}</script><script src="/_next/a.js"></script><a href="https://x/"></a></html>'
BUILD = Path(dagster_webserver.__file__).parent / "webapp" / "build"


@get(["/", "/runs/{run:path}", "/graphql"], media_type="text/html")
async def page() -> str:
    return PAGE


@get("/_next/a b.js")
async def script() -> Response[bytes]:
    return Response(b"x" * 3_000_000, media_type="application/javascript", headers={"etag": '"1"'})


@post("/graphql", status_code=400)
async def graphql(request: Request[Any, Any, Any]) -> dict[str, Any]:
    secrets = [name for name in ("authorization", "cookie", "x-api-key") if name in request.headers]
    return {"asked": await request.json(), "secrets": secrets}


@websocket("/graphql")
async def subscriptions(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept(subprotocols="graphql-ws")
    assert (await socket.receive_json())["type"] == "connection_init"
    await socket.send_json({"type": "connection_ack", "payload": "é" * 100_000})
    await socket.close()


@pytest.fixture(scope="module")
def upstream():
    from config import settings as configuration
    from config.settings import ROOT

    made = configuration.load({}, root=ROOT / "no-such-folder")
    (bound,) = listening(msgspec.structs.replace(made, ports={"dagster": 0}), ["dagster"])
    app = Litestar([page, script, graphql, subscriptions], openapi_config=None)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture
def caller(settings, upstream):
    """Makes a client of the gateway; `access` as in the settings."""

    def make(host="127.0.0.1:8000", port=upstream, directory=None, **access):
        there = msgspec.structs.replace(
            settings,
            ports={**settings.ports, "dagster": port},
            access=msgspec.structs.replace(settings.access, **access),
        )
        webserver = Webserver(there)

        @contextlib.asynccontextmanager
        async def closed(_):
            yield
            await webserver.close()

        service = Service(
            id="api-gateway",
            title="Test",
            description="A test.",
            handlers=[pages, events],
            parts={"webserver": webserver},
            lifespans=[closed],
        )
        app = create_app(there, service, directory=directory)
        return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False)

    return make


@pytest.fixture
def remote(caller):
    """A client of a gateway that asks everybody for the key."""
    with caller(HOST, mode="required") as client:
        yield client


def basic(key):
    return {"authorization": "Basic " + base64.b64encode(f"anybody:{key}".encode()).decode()}


@pytest.mark.parametrize("path", ["/dagster", "/dagster/", "/dagster/runs/a/b"])
def test_a_page_comes_with_places_below_the_prefix(caller, path):
    with caller() as client:
        answer = client.get(path)

    assert answer.status_code == 200
    assert answer.text == PAGE.replace('""', '"/dagster"').replace('"/_next', '"/dagster/_next')
    assert "set-cookie" not in answer.headers


def test_the_page_of_the_installed_dagster_becomes_that_of_its_own_prefix():
    """The webserver puts its prefix in at two marks; a new version that has other ones must not pass unseen."""
    template = (BUILD / "index.html").read_text(encoding="utf-8")
    marks = ("BUILDTIME_ASSETPREFIX_REPLACE_ME", "__PATH_PREFIX__")

    def with_prefix(prefix):
        page = template
        for mark in marks:
            page = page.replace(mark, prefix)
        return page

    assert all(mark in template for mark in marks)
    assert moved(with_prefix("")) == with_prefix("/dagster")


def test_a_file_comes_whole_with_its_type(caller):
    with caller() as client:
        answer = client.get("/dagster/_next/a%20b.js")

    assert len(answer.content) == 3_000_000
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.headers["etag"] == '"1"'


def test_graphql_goes_through_with_its_status_and_without_secrets(remote):
    answer = remote.post("/dagster/graphql", json={"query": "{ version }"}, headers={"x-api-key": KEY, "cookie": "a=b"})

    assert answer.status_code == 400
    assert answer.json() == {"asked": {"query": "{ version }"}, "secrets": []}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/dagster/graphql?query=mutation", "/dagster/%67raphql?%71uery=mutation"])
def test_no_query_is_taken_from_an_address(caller, method, path):
    """Dagster runs mutations by GET, and an image on any web page sends one."""
    with caller() as client:
        answer = client.request(method, path)

    assert answer.status_code == 405


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("POST", {}, 400),
        ("POST", {"origin": "http://127.0.0.1:8000"}, 400),
        ("POST", {"origin": "https://evil.example"}, 403),
        ("GET", {"host": "evil.example"}, 403),
        ("GET", basic("wrong"), 401),
    ],
)
def test_on_this_machine_no_key_is_needed_and_foreign_pages_stay_out(caller, method, headers, status):
    with caller() as client:
        answer = client.request(
            method, "/dagster/graphql" if method == "POST" else "/dagster", headers=headers, json={}
        )

    assert answer.status_code == status


@pytest.mark.parametrize(
    "headers", [{}, basic("wrong"), {"authorization": "Basic %%%"}, {"cookie": f"{sessions.NAME}=1.a"}]
)
def test_elsewhere_a_browser_is_asked_for_the_key(remote, headers):
    for answer in (remote.get("/dagster", headers=headers), remote.post("/dagster/graphql", headers=headers, json={})):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")


def test_with_the_key_a_browser_gets_a_session_that_lets_everything_in(remote):
    signed_in = remote.get("/dagster", headers=basic(KEY))
    cookie = signed_in.headers["set-cookie"]

    assert signed_in.status_code == 200
    assert {"HttpOnly", "SameSite=Strict", "Path=/dagster"} <= set(cookie.split("; "))
    assert KEY not in cookie
    assert remote.get("/dagster/runs/1").status_code == 200  # the client keeps the cookie
    assert remote.post("/dagster/graphql", json={}).status_code == 400
    assert remote.post("/dagster/graphql", json={}, headers={"origin": "https://evil.example"}).status_code == 403
    assert remote.get("/metrics", headers={"cookie": cookie.partition(";")[0]}).status_code == 401


def test_a_programs_key_is_a_password_too_and_its_session_ends_with_it(caller, tmp_path):
    register, seconds = Register(), itertools.count(step=10)
    keys = [register.add_key(scope, {scope}) for scope in ("batch:admin", "batch:read")]
    directory = Directory(register, Tokens(tmp_path), clock=lambda: next(seconds))
    with caller(HOST, mode="required", directory=directory) as client:
        statuses = [client.get("/dagster", headers=basic(key)).status_code for key in keys]
        inside = client.get("/dagster/runs/1").status_code
        for row in register.keys.values():
            row["good"] = False
        after = client.get("/dagster/runs/1").status_code

    assert (statuses, inside, after) == ([200, 403], 200, 401)


def test_a_session_ends_by_itself_and_with_its_key():
    header = sessions.cookie(KEY, "/dagster", "key.abc", now=1000).partition(";")[0]
    last = 1000 + sessions.SECONDS - 1

    assert sessions.subject_of(f"other=1; {header}", KEY, "/dagster/runs", now=last) == "key.abc"
    assert sessions.subject_of(header, KEY, "/dagster", now=last + 1) is None
    assert sessions.subject_of(header, KEY, "/metrics", now=last) is None
    assert sessions.subject_of(header, "another key", "/dagster", now=1001) is None
    assert sessions.subject_of(header.replace("=", "=9"), KEY, "/dagster", now=1001) is None
    assert sessions.subject_of(header.replace("key.abc", "admin"), KEY, "/dagster", now=1001) is None


@pytest.mark.parametrize("headers", [{}, {"x-api-key": KEY}, {"origin": "https://evil.example", "x-api-key": KEY}])
def test_events_come_through_for_those_who_may(remote, headers):
    def talk():
        with remote.websocket_connect("/dagster/graphql", headers=headers, subprotocols=["graphql-ws"]) as socket:
            socket.send_json({"type": "connection_init"})
            answer = socket.receive_json()
            with pytest.raises(WebSocketDisconnect) as end:  # the webserver hung up
                socket.receive_json()
            assert end.value.code == 1000
            return answer

    if "x-api-key" in headers and "origin" not in headers:
        assert talk() == {"type": "connection_ack", "payload": "é" * 100_000}
        return
    with pytest.raises(WebSocketDisconnect) as refusal:
        talk()

    assert refusal.value.code == (4403 if headers else 4401)


def test_without_a_webserver_it_is_503_and_says_what_to_do(caller, free_port):
    with caller(port=free_port) as client:
        answer = client.get("/dagster")

    assert answer.status_code == 503
    assert "--no-dagster" in answer.json()["error"]


@pytest.fixture
def free_port():
    return loopback.free_port()
