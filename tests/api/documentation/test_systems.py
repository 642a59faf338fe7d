"""`/api/v1/systems`, row by row of its contract."""

import re
import uuid

import msgspec
import pytest
from litestar.testing import TestClient

from api.documentation.service import documentation
from api.kernel.application import create_app

FIELDS = {
    "id", "name", "type", "description", "url", "status", "owner", "tags", "metadata", "version", "icon", "color",
    "host", "port", "last_checked", "response_time_ms", "created_by", "created_at", "updated_at", "endpoint_count",
    "channel_count",
}  # fmt: skip


def test_post_systems(http):
    """POST /api/v1/systems"""
    name = f"Gateway {uuid.uuid4()}"
    sent = {"name": f" {name} ", "type": "api", "tags": ["a", " a", "b"], "metadata": {"k": 1}, "status": "nonsense"}
    answer = http.post("/api/v1/systems", json=sent | {"unknown": 1}, headers={"x-user-id": "ana"})
    body = answer.json()

    assert (answer.status_code, body["success"], body["message"]) == (201, True, "System created successfully")
    assert set(body["data"]) == FIELDS
    assert (body["data"]["name"], body["data"]["tags"], body["data"]["metadata"]) == (name, ["a", "b"], {"k": 1})
    assert (body["data"]["status"], body["data"]["created_by"]) == ("unknown", "ana")


def test_a_name_that_is_taken_is_409(http, made):
    taken = made("systems")["name"]
    other = made("systems")

    assert http.post("/api/v1/systems", json={"name": taken, "type": "docs"}).status_code == 409
    answer = http.put(f"/api/v1/systems/{other['id']}", json={"name": taken})
    assert (answer.status_code, answer.json()["error"]) == (409, "a system of this name exists already")


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": " ", "type": "database"}, {"name", "type"}),
        ({}, {"name", "type"}),
        ({"name": "x" * 256, "type": "api"}, {"name"}),
        ({"name": "x", "type": "api", "url": "ftp://example.com"}, {"url"}),
        ({"name": "x", "type": "api", "url": "http://"}, {"url"}),
        ({"name": "x", "type": "api", "description": "d" * 1001, "owner": "o" * 101}, {"description", "owner"}),
        ({"name": "x", "type": "api", "tags": ["t" * 51]}, {"tags"}),
        ({"name": "x", "type": "api", "port": 70_000, "metadata": []}, {"port", "metadata"}),
    ],
)
def test_every_wrong_value_is_told(http, values, fields):
    """400: `success`, `error`, `details` of field, message and value"""
    answer = http.post("/api/v1/systems", json=values)
    body = answer.json()

    assert (answer.status_code, body["success"]) == (400, False)
    assert {entry["field"] for entry in body["details"]} == fields
    assert all(set(entry) == {"field", "message", "value"} for entry in body["details"])
    assert body["error"]


def test_get_systems(http, made, empty):
    """GET /api/v1/systems"""
    names = [made("systems", owner="ops", description=f"number {number}")["name"] for number in range(3)]
    made("systems", type="docs")
    everything = http.get("/api/v1/systems", params={"_t": "17"}).json()
    asked = {"owner": "ops", "type": "api", "search": "number", "limit": 2, "offset": 1, "order_direction": "ASC"}
    page = http.get("/api/v1/systems", params=asked).json()

    assert (everything["success"], everything["count"]) == (True, 4)
    assert [system["name"] for system in page["data"]] == names[1:]
    assert (page["count"], page["total"]) == (2, 3)
    assert page["filters"]["owner"] == "ops"


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "offset=-1", "search=a", "order_by=id", "status=nonsense"])
def test_a_wrong_parameter_is_400(http, query):
    answer = http.get(f"/api/v1/systems?{query}")

    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == query.partition("=")[0]


def test_one_system(http, made):
    """GET, PUT, DELETE /api/v1/systems/{id}"""
    system = made("systems", url="https://example.com/", description="before")
    path = f"/api/v1/systems/{system['id']}"
    changed = http.put(path, json={"status": "online", "description": "", "created_by": "eve"}).json()

    assert http.get(path).json()["data"]["id"] == system["id"]
    assert (changed["success"], changed["message"]) == (True, "System updated successfully")
    assert (changed["data"]["status"], changed["data"]["description"]) == ("online", None)
    assert (changed["data"]["url"], changed["data"]["created_by"]) == ("https://example.com/", "ana")
    assert changed["data"]["updated_at"] > system["updated_at"]
    assert http.put(path, json={"nothing": "known"}).status_code == 400
    assert http.put(path, json={"name": None}).status_code == 400
    assert http.delete(path).json() == {"success": True, "message": "System deleted successfully"}
    assert http.get(path).status_code == http.put(path, json={"status": "online"}).status_code == 404
    assert http.delete(path).status_code == 404


def test_an_id_that_is_none_is_400(http):
    assert http.get("/api/v1/systems/12").status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/200", "online", "answered 200"), ("/500", "error", "answered 500"), ("/404", "error", "answered 404"),
     ("/away", "offline", "no answer"), ("/302", "unknown", "not asked"), (None, "unknown", "no url")],
)  # fmt: skip
def test_post_health(http, made, target, path, status, words):
    """POST /api/v1/systems/{id}/health"""
    system = made("systems", url=path and f"{target}{path}")
    body = http.post(f"/api/v1/systems/{system['id']}/health").json()
    stored = http.get(f"/api/v1/systems/{system['id']}").json()["data"]

    assert (body["success"], body["data"]["status"]) == (True, status)
    assert body["data"]["message"].startswith(words)
    assert (stored["status"], stored["last_checked"]) == (status, body["data"]["last_checked"])
    assert (stored["response_time_ms"] is not None) is (status in ("online", "error"))
    assert stored["updated_at"] == system["updated_at"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://169.254.169.254/", "http://localhost:9000/exec?query=x"]
)
def test_a_probe_goes_to_no_other_place_of_this_network(http, made, url):
    system = made("systems", url=url)

    assert http.post(f"/api/v1/systems/{system['id']}/health").json()["data"]["status"] == "unknown"


def test_post_health_check_all(http, made, target, empty):
    """POST /api/v1/systems/health-check-all"""
    made("systems", name="b", url=f"{target}/503")
    made("systems", name="a", url=target)
    found = http.post("/api/v1/systems/health-check-all").json()["data"]

    assert [(entry["system"]["name"], entry["health"]["status"]) for entry in found] == [
        ("a", "online"),
        ("b", "error"),
    ]
    assert [entry["system"]["status"] for entry in found] == ["online", "error"]


def test_lists_by_one_word(http, made, empty):
    """GET /api/v1/systems/status/{status}, /type/{type}"""
    made("systems", type="webapp")
    by_status = http.get("/api/v1/systems/status/unknown").json()
    by_type = http.get("/api/v1/systems/type/webapp").json()

    assert (by_status["count"], by_status["status"]) == (1, "unknown")
    assert (by_type["count"], by_type["type"]) == (1, "webapp")
    assert http.get("/api/v1/systems/type/tool").json()["data"] == []


@pytest.mark.parametrize("question", ["configuração", "configuracao", "Config", "chamada", "orta"])
def test_search_knows_accents_endings_beginnings_and_parts(http, made, empty, question):
    """GET /api/v1/systems/search?q="""
    made("systems", name="Portal", tags=["configuração"], description="Roteamento das chamadas")
    made("systems", name="Other")
    body = http.get("/api/v1/systems/search", params={"q": f" {question} "}).json()

    assert (body["count"], body["query"]) == (1, question)
    assert http.get("/api/v1/systems/search", params={"q": "configurac\u0327a\u0303o"}).json()["count"] == 1
    assert http.get("/api/v1/systems/search", params={"q": "%_"}).json()["count"] == 0
    assert http.get("/api/v1/systems/search", params={"q": " a "}).status_code == 400


def test_statistics(http, made, target, empty):
    """GET /api/v1/systems/statistics"""
    online = made("systems", owner="ops", url=target)["id"]
    http.post(f"/api/v1/systems/{online}/health")
    http.put(f"/api/v1/systems/{made('systems', type='tool')['id']}", json={"status": "error"})
    made("systems")
    data = http.get("/api/v1/systems/statistics").json()["data"]

    assert {name: data[name] for name in ("total", "active", "inactive", "degraded", "unknown")} == {
        "total": 3, "active": 1, "inactive": 0, "degraded": 1, "unknown": 1,
    }  # fmt: skip
    assert data["by_type"] == {"api": 2, "tool": 1}
    assert data["by_owner"] == {"ops": 1, "unassigned": 2}
    assert data["by_status"] == {"online": 1, "error": 1, "unknown": 1}
    assert data["avg_response_time"] >= 0


@pytest.mark.parametrize("kind", ["systems", "ideas", "links"])
def test_of_two_editors_one_is_told(http, made, kind):
    thing, name = made(kind), "name" if kind == "systems" else "title"
    path = f"/api/v1/{kind}/{thing['id']}"
    seen = http.get(path).headers["etag"]
    first = http.put(path, json={name: f"first {thing['id']}"}, headers={"If-Match": seen})
    second = http.put(path, json={name: f"second {thing['id']}"}, headers={"If-Match": seen})

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["etag"] == first.headers["etag"] == http.get(path).headers["etag"]
    assert http.get(path).json()["data"][name].startswith("first")
    assert http.delete(path, headers={"If-Match": seen}).status_code == 412
    assert http.delete(path, headers={"If-Match": first.headers["etag"]}).status_code == 200


def test_health(http):
    """GET /health"""
    body = http.get("/health").json()

    assert (body["status"], body["service"], body["ok"]) == ("ok", "documentation-api", True)
    assert (body["database"]["engine"], body["database"]["status"]) == ("postgres", "healthy")


def test_health_without_a_database(engines, free_tcp_port):
    """GET /health, GET /api/v1/systems: 503"""
    settings = msgspec.structs.replace(engines, postgres=msgspec.structs.replace(engines.postgres, port=free_tcp_port))
    with TestClient(create_app(settings, documentation(settings)), base_url="http://127.0.0.1:3400") as client:
        health, systems = client.get("/health"), client.get("/api/v1/systems")
    body = health.json()

    assert (health.status_code, body["status"], body["database"]["status"]) == (503, "error", "error")
    assert "does not answer" in body["error"]
    assert (systems.status_code, systems.json()["success"]) == (503, False)
    assert systems.headers["retry-after"]
    told = health.text + systems.text
    alone = rf"(?<![0-9a-f]){free_tcp_port}(?![0-9a-f])"  # digits like these may stand in a time or an id
    assert not re.search(alone, told)
