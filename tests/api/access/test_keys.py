"""Keys of programs: made once, bound to scopes and sources, revoked everywhere."""

import datetime as dt

import psycopg
import pytest

from api.kernel.access import ROLES, denied
from sql.access import DATABASE, GATE_ROLE, REGISTER_ROLE
from tests.api.access.conftest import ADMIN


@pytest.mark.parametrize(
    ("scopes", "source", "allowed"),
    [
        (["things:read"], None, "look"),
        (["things:*"], None, "look change"),
        (["*:read", "*:write"], None, "look change"),
        (["*:*"], None, "look change order cancel limit forgotten"),
        (["orders:*"], None, "order cancel"),
        (["*:read", "orders:write"], "strategy", "look order"),
        (["*:read", "*:write", "orders:delete"], "agent", "look change cancel"),
        (["orders:read"], "telegram", ""),
    ],
)
def test_a_key_does_what_its_scopes_cover_and_its_source_allows(http, key, scopes, source, allowed):
    header = key(*scopes, source=source)["header"]
    asked = {
        "look": ("GET", "/api/things"),
        "change": ("POST", "/api/things"),
        "order": ("POST", "/api/orders"),
        "cancel": ("DELETE", "/api/orders"),
        "limit": ("POST", "/api/limits"),
        "forgotten": ("GET", "/api/forgotten"),
    }
    found = {name: http.request(*call, headers=header).status_code for name, call in asked.items()}

    assert found == {name: 200 if name in allowed.split() else 403 for name in asked}


def test_an_ended_key_is_no_key(http, key, database):
    revoked, over, good = key("things:read"), key("things:read"), key("things:read")
    database.execute("UPDATE access.api_keys SET expires_at = now() WHERE id = %s", (over["data"]["id"],))
    path = f"/api/v1/access/keys/{revoked['data']['id']}"
    answers = [http.delete(path, headers=ADMIN).status_code for _ in range(2)]
    seen = [http.get("/api/things", headers=each["header"]).status_code for each in (revoked, over, good)]

    assert answers == [200, 404]
    assert seen == [401, 401, 200]


@pytest.mark.parametrize("change", [lambda k: k[:-1] + ("A" if k[-1] != "A" else "B"), lambda k: k + "A", str.upper])
def test_an_altered_key_is_not_known(http, key, change):
    answer = http.get("/api/things", headers={"x-api-key": change(key("things:read")["key"])})

    assert answer.status_code == 401


def test_a_key_is_shown_once_and_its_last_use_for_ever(http, key, database):
    made = key("things:read")
    before = next(
        k for k in http.get("/api/v1/access/keys", headers=ADMIN).json()["data"] if k["id"] == made["data"]["id"]
    )
    http.get("/api/things", headers=made["header"])
    listed = http.get("/api/v1/access/keys", headers=ADMIN)
    after = next(k for k in listed.json()["data"] if k["id"] == made["data"]["id"])
    stored = str(database.execute("SELECT * FROM access.api_keys").fetchall())

    assert before["lastUsedAt"] is None
    assert dt.datetime.fromisoformat(after["lastUsedAt"]) > dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    secret = made["key"].rsplit("_", 1)[1]
    assert secret not in listed.text
    assert secret not in stored


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"scopes": []}, 400, "expected scopes, or one role"),
        ({"scopes": ["a:read"], "role": "viewer"}, 400, "expected scopes, or one role"),
        ({"scopes": ["a:look"]}, 400, "found 'a:look'"),
        ({"scopes": ["risk:admin"], "source": "agent"}, 400, "never has risk:admin"),
        ({"scopes": ["*:*"], "source": "strategy"}, 400, "never has *:*"),
        ({"scopes": ["orders:write"], "source": "telegram"}, 400, "never has orders:write"),
        ({"scopes": ["access:read"], "source": "scheduler"}, 400, "never has access:read"),
        ({"role": "admin", "source": "agent"}, 400, "never has *:*"),
        ({"scopes": ["a:read"], "source": "person"}, 400, "person"),
        ({"scopes": ["a:read"], "expiresAt": "2020-01-01T00:00:00Z"}, 400, "an instant to come"),
        ({"scopes": ["a:read"], "expiresAt": "2999-01-01T00:00:00"}, 400, "with its zone"),
        ({"scopes": ["a:read"], "scope": "b:read"}, 400, "scope"),
        ({"scopes": ["a:read"], "name": "taken"}, 409, "clashes"),
    ],
)
def test_what_no_key_may_be_is_refused(http, key, body, status, words):
    if body.get("name") == "taken":
        key("a:read", name="taken")
    answer = http.post("/api/v1/access/keys", json={"name": "never made", **body}, headers=ADMIN)

    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_every_change_of_a_key_is_told_with_its_author(http, key):
    admin = key("*:*", name="the desk's")
    made = http.post("/api/v1/access/keys", json={"name": "short", "role": "viewer"}, headers=admin["header"]).json()
    http.delete(f"/api/v1/access/keys/{made['data']['id']}", headers=admin["header"])
    deeds = http.get("/api/v1/access/audit", params={"limit": 2}, headers=ADMIN).json()["data"]

    assert [(deed["action"], deed["actor"]) for deed in deeds] == [
        ("key.revoked", "the desk's"),
        ("key.created", "the desk's"),
    ]
    assert {deed["object"] for deed in deeds} == {f"key {made['data']['id']}"}
    assert deeds[1]["after"]["scopes"] == sorted(ROLES["viewer"])
    older = http.get("/api/v1/access/audit", params={"limit": 1, "before": deeds[1]["id"]}, headers=ADMIN).json()
    assert older["data"][0]["object"] == f"key {admin['data']['id']}"


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [
        (GATE_ROLE, "SELECT password_hash FROM access.people"),
        (GATE_ROLE, "UPDATE access.api_keys SET scopes = '{*:*}'"),
        (GATE_ROLE, "UPDATE access.people SET role = 'admin'"),
        (GATE_ROLE, "DELETE FROM access.api_keys"),
        (GATE_ROLE, "SELECT 1 FROM access.audit_log"),
        (REGISTER_ROLE, "UPDATE access.audit_log SET actor = 'nobody'"),
        (REGISTER_ROLE, "DELETE FROM access.audit_log"),
        (REGISTER_ROLE, "UPDATE access.api_keys SET scopes = '{*:*}'"),
        (REGISTER_ROLE, "SELECT 1 FROM ticks"),
    ],
)
def test_the_roles_of_the_register_may_do_no_more_than_they_must(access_settings, role, forbidden):
    with (
        psycopg.connect(access_settings.postgres.dsn(role, DATABASE)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(forbidden)


@pytest.mark.parametrize("source", ["agent", "telegram", "strategy", "scheduler"])
@pytest.mark.parametrize("scope", ["risk:admin", "orders:admin", "access:read", "access:write", "tape:admin"])
def test_no_bound_source_has_a_persons_rights(source, scope):
    assert denied(source, scope)


def test_a_source_that_nobody_knows_may_do_nothing():
    assert denied("robot", "tape:read")
    assert not denied(None, "risk:admin")
