import pytest
from litestar.connection import ASGIConnection
from litestar.exceptions import WebSocketDisconnect

from api.kernel.access import INSTALLATION, Caller, actor, scoped
from api.kernel.gate import _password
from config.settings import SettingsError
from tests.api.service import client

KEY = {"x-api-key": "the-admin-key"}
BEARER = {"authorization": "Bearer the-admin-key"}
WRONG = {"x-api-key": "the-admin-kez"}
FOREIGN = {"origin": "https://evil.example"}
LOCAL = {"origin": "http://localhost:5173"}
LISTED = {"origin": "http://localhost:3103"}


@pytest.mark.parametrize(
    ("host", "method", "path", "headers", "status"),
    [
        ("127.0.0.1:8000", "GET", "/api/items/1", {}, 200),
        ("localhost:8000", "GET", "/api/items/1", {}, 200),
        ("LOCALHOST", "GET", "/api/items/1", {}, 200),
        ("[::1]:8000", "GET", "/api/items/1", {}, 200),
        ("127.0.0.1:8000", "POST", "/api/items", {}, 201),
        ("evil.example", "GET", "/api/items/1", {}, 403),
        ("evil.example", "GET", "/health", {}, 403),
        ("evil.example", "GET", "/api/items/1", KEY, 403),
        ("localhost.evil.example", "GET", "/api/items/1", {}, 403),
        ("127.0.0.1.evil.example:8000", "GET", "/api/items/1", {}, 403),
        ("127.0.0.1:8000", "GET", "/api/items/1", FOREIGN, 401),
        ("127.0.0.1:8000", "GET", "/api/items/1", {"origin": "http://["}, 401),
        ("127.0.0.1:8000", "GET", "/api/items/1", FOREIGN | KEY, 200),
        ("127.0.0.1:8000", "POST", "/api/items", FOREIGN, 403),
        ("127.0.0.1:8000", "POST", "/api/items", FOREIGN | KEY, 403),
        ("127.0.0.1:8000", "POST", "/api/items", {"origin": "null"}, 403),
        ("127.0.0.1:8000", "POST", "/api/items", {"origin": "http://127.0.0.1.evil.example"}, 403),
        ("127.0.0.1:8000", "POST", "/api/items", LOCAL, 201),
        ("127.0.0.1:8000", "POST", "/api/items", LISTED, 201),
        ("127.0.0.1:8000", "GET", "/api/items/1", KEY, 200),
        ("127.0.0.1:8000", "GET", "/api/items/1", BEARER, 200),
        ("127.0.0.1:8000", "GET", "/api/items/1", WRONG, 401),
        ("127.0.0.1:8000", "GET", "/api/items/1", {"authorization": "Bearer other"}, 401),
        ("127.0.0.1:8000", "POST", "/api/orders", {}, 401),
        ("127.0.0.1:8000", "POST", "/api/orders", KEY, 201),
        ("127.0.0.1:8000", "POST", "/api/orders", WRONG, 401),
    ],
)
def test_loopback_reads_without_a_key_and_web_pages_do_not(settings, host, method, path, headers, status):
    with client(settings) as caller:
        answer = caller.request(method, path, headers={"host": host, **headers}, json={} if method == "POST" else None)

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/items/1", {}, 401),
        ("/metrics", {}, 401),
        ("/api/items/1", KEY, 200),
        ("/api/items/1", BEARER, 200),
        ("/api/items/1", WRONG, 401),
        ("/health", {}, 200),
        ("/docs", {}, 200),
        ("/docs/openapi.json", {}, 200),
    ],
)
def test_a_key_is_needed_everywhere_but_where_no_data_is(with_access, path, headers, status):
    with client(with_access(mode="required"), host="desk.example") as caller:
        answer = caller.get(path, headers=headers)

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("scopes", "wanted", "holds"),
    [
        ({"workspace:read"}, "workspace:read", True),
        ({"workspace:read"}, "workspace:write", False),
        ({"workspace:*"}, "workspace:admin", True),
        ({"workspace:*"}, "workspaces:read", False),
        ({"*:read"}, "orders:read", True),
        ({"*:read"}, "orders:write", False),
        ({"*:*"}, "orders:admin", True),
        (set(), "orders:read", False),
    ],
)
def test_scopes_cover_what_they_name(scopes, wanted, holds):
    assert Caller(name="k", scopes=frozenset(scopes)).may(wanted) is holds


@pytest.mark.parametrize("wrong", ["workspace", "workspace:", "workspace:look", "Workspace:read", "*:read", "a:*", ""])
def test_a_scope_of_another_form_is_refused_where_it_is_declared(wrong):
    with pytest.raises(ValueError, match="expected"):
        scoped(wrong)


@pytest.mark.parametrize(
    ("client", "caller", "told", "name"),
    [
        ("127.0.0.1", None, None, "anonymous"),
        ("127.0.0.1", None, " ", "anonymous"),
        ("127.0.0.1", None, "maria", "maria"),
        ("::1", None, "m" * 99, "m" * 64),
        ("10.0.0.9", None, "maria", "anonymous"),
        ("127.0.0.1", INSTALLATION, None, "admin"),
        ("127.0.0.1", INSTALLATION, "maria", "maria"),
        ("10.0.0.9", INSTALLATION, "maria", "admin"),
        ("127.0.0.1", Caller(name="joao", kind="person"), "maria", "joao"),
    ],
)
def test_a_name_that_is_told_is_believed_on_this_machine_and_beside_no_other(client, caller, told, name):
    headers = [(b"x-user-id", told.encode())] if told else []
    connection = ASGIConnection({"type": "http", "headers": headers, "client": (client, 5), "auth": caller})

    assert actor(connection) == name


def test_another_bind_implies_that_a_key_is_needed(with_access):
    with client(with_access(bind="0.0.0.0")) as caller:
        answer = caller.get("/api/items/1")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_it_does_not_start_when_a_key_is_needed_and_none_is_set(with_access):
    with pytest.raises(SettingsError, match="TRADINGSYSTEM_API_KEY"):
        client(with_access(mode="required", api_key=None))


def test_a_key_that_is_no_ascii_is_refused_not_a_crash(settings):
    with client(settings) as caller:
        answer = caller.get("/api/items/1", headers={b"x-api-key": "chavé".encode("latin-1")})

    assert answer.status_code == 401


def test_a_password_that_is_no_base64_is_a_wrong_one_not_a_crash():
    words = [_password(word) for word in ("é", "=", "w6k6w6k=")]

    assert words == ["", "", "é"]


@pytest.mark.parametrize(("headers", "allowed"), [({}, True), (LOCAL, True), (FOREIGN, False)])
def test_a_foreign_page_opens_no_websocket(settings, headers, allowed):
    with client(settings) as caller:
        if allowed:
            with caller.websocket_connect("/ws", headers=headers) as socket:
                assert socket.receive_json() == {"hello": True}
            return
        with pytest.raises(WebSocketDisconnect) as refusal, caller.websocket_connect("/ws", headers=headers) as socket:
            socket.receive_json()

        assert refusal.value.code == 4403


def test_development_answers_preflights_of_any_origin_without_credentials(settings):
    with client(settings) as caller:
        answer = caller.options("/api/items/1", headers=FOREIGN | {"access-control-request-method": "GET"})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(("origin", "status"), [(LISTED, 204), (FOREIGN, 400)])
def test_production_answers_preflights_of_listed_origins_only(with_access, origin, status):
    with client(with_access(environment="production")) as caller:
        answer = caller.options("/api/items/1", headers=origin | {"access-control-request-method": "GET"})

    assert answer.status_code == status
    assert (answer.headers.get("access-control-allow-origin") == origin["origin"]) is (status == 204)


@pytest.mark.parametrize(
    ("host", "status"), [("data.example:3200", 200), ("localhost:3200", 200), ("evil.example", 403), ("", 403)]
)
def test_where_every_call_needs_a_key_the_names_that_are_answered_to_may_be_listed(with_access, host, status):
    settings = with_access(mode="required", allowed_hosts="data.example, other.example")
    with client(settings) as caller:
        answer = caller.get("/api/items/1", headers={"host": host, "X-API-Key": "the-admin-key"})

    assert answer.status_code == status


def test_cors_can_be_switched_off(with_access):
    with client(with_access(disable_cors=True)) as caller:
        answer = caller.get("/api/items/1", headers=LOCAL)

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
