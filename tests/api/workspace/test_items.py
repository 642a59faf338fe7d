"""`/api/items` as the original's dashboards use it, row by row of its contract, and what came on top."""

import datetime as dt
import random
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sql import workspace

IDEA = {
    "title": " Alert when the book thins out ",
    "description": "Best five levels against their mean.",
    "category": "analise-dados",
    "priority": "high",
    "tags": ["book", "win"],
}
ITEM_FIELDS = {
    "id",
    "title",
    "description",
    "category",
    "priority",
    "status",
    "tags",
    "createdAt",
    "updatedAt",
    "createdBy",
    "updatedBy",
    "metadata",
}


def made(http, **values):
    answer = http.post("/api/items", json=IDEA | values)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def test_post_items(http):
    """POST /api/items"""
    answer = http.post("/api/items", json=IDEA | {"status": "rejected", "unknown": 1}, headers={"x-user-id": "ana"})
    body = answer.json()

    assert (answer.status_code, body["success"]) == (201, True)
    assert "created" in body["message"]
    assert set(body["data"]) == ITEM_FIELDS
    assert uuid.UUID(body["data"]["id"]).version == 4
    assert body["data"]["title"] == "Alert when the book thins out"
    assert (body["data"]["status"], body["data"]["updatedAt"], body["data"]["createdBy"]) == ("new", None, "ana")
    assert answer.headers["content-type"].startswith("application/json")


def test_get_items(http, empty):
    """GET /api/items: all of them, the newest first; unknown parameters change nothing."""
    ids = [made(http, title=f"number {number}")["id"] for number in range(3)]
    body = http.get("/api/items", params={"_t": "1764349000"}).json()

    assert (body["success"], body["count"], set(body)) == (True, 3, {"success", "count", "data"})
    assert [item["id"] for item in body["data"]] == ids[::-1]
    assert all(item["updatedAt"] == item["createdAt"] for item in body["data"])
    assert dt.datetime.fromisoformat(body["data"][0]["createdAt"]).utcoffset() == dt.timedelta(0)


def test_put_items(http):
    """PUT /api/items/{id}: any subset; the rest stays."""
    item = made(http)
    answer = http.put(f"/api/items/{item['id']}", json={"status": "in-progress", "id": "1", "created_by": "mallory"})
    body = answer.json()
    stored = http.get(f"/api/items/{item['id']}").json()["data"]

    assert (answer.status_code, body["success"]) == (200, True)
    assert body["data"]["updatedAt"] > item["createdAt"]
    assert body["data"] == stored
    assert {name for name in ITEM_FIELDS if stored[name] != item[name]} == {"status", "updatedAt", "updatedBy"}


def test_delete_items(http):
    """DELETE /api/items/{id}"""
    item = made(http)
    answer, again = (http.delete(f"/api/items/{item['id']}") for _ in range(2))

    assert (answer.status_code, answer.json()["success"], answer.json()["data"]["id"]) == (200, True, item["id"])
    assert again.status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("name", ["12", "b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10", "não há"])
def test_an_item_that_is_not_there_is_named(http, method, name):
    answer = http.request(method, f"/api/items/{name}", json={"title": "x"} if method == "PUT" else None)

    assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert name in answer.json()["message"]
    assert answer.json()["error"] == answer.json()["message"]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {"title", "description", "category", "priority"}),
        (IDEA | {"title": "  ", "description": "", "category": "ideas", "priority": 1}, set(IDEA) - {"tags"}),
        (IDEA | {"title": "x" * 256}, {"title"}),
        (IDEA | {"tags": ["a", 1]}, {"tags"}),
        (IDEA | {"tags": "a"}, {"tags"}),
        (IDEA | {"description": None}, {"description"}),
        ([IDEA], {"body"}),
    ],
)
def test_every_value_that_is_wrong_is_named(http, sent, fields):
    answer = http.post("/api/items", json=sent)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert all(error["message"] for error in answer.json()["errors"])


@pytest.mark.parametrize("body", [b"", b"{", b'{"title": "\xff"}', b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_json_is_refused(http, body):
    answer = http.post("/api/items", content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["body"])


UNFIT = random.Random(1).randbytes(4_000).hex()  # no index holds it, however it is packed


@pytest.mark.parametrize("sent", [{"title": "a\0b"}, {"tags": ["\0"]}, {"tags": [UNFIT]}])
def test_what_postgresql_cannot_hold_is_refused(http, sent):
    assert http.post("/api/items", json=IDEA | sent).status_code == 400


@pytest.mark.parametrize("sent", [{"status": "done"}, {"title": None}, {"priority": "urgent"}])
def test_a_change_that_is_wrong_changes_nothing(http, sent):
    item = made(http)
    answer = http.put(f"/api/items/{item['id']}", json={"description": "new"} | sent)

    assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (400, list(sent))
    assert http.get(f"/api/items/{item['id']}").json()["data"]["description"] == IDEA["description"]


def test_filters_and_pages_come_on_top(http, empty):
    for number, (priority, title) in enumerate([("low", "Fluxo"), ("high", "fluxo 100%"), ("high", "other")]):
        made(http, priority=priority, title=title, tags=[f"n{number}"])

    def titles(**asked):
        body = http.get("/api/items", params=asked).json()
        return [item["title"] for item in body["data"]], body["pagination"]["total"]

    assert titles(search="FLUXO") == (["fluxo 100%", "Fluxo"], 2)
    assert titles(search="0%") == (["fluxo 100%"], 1)
    assert titles(priority="high", limit=1) == (["other"], 2)
    assert titles(priority="high", limit=1, offset=1) == (["fluxo 100%"], 2)
    assert titles(offset=9) == ([], 3)
    assert titles(tag="n0", category="analise-dados", status="new", createdBy="anonymous") == (["Fluxo"], 1)
    wrong = http.get("/api/items", params={"status": "x"}), http.get("/api/items", params={"limit": 0})
    assert [(answer.status_code, answer.json()["errors"][0]["field"]) for answer in wrong] == [
        (400, "status"),
        (400, "limit"),
    ]


def test_of_two_people_who_edit_the_same_the_second_is_told(http):
    path = f"/api/items/{made(http)['id']}"
    seen = http.get(path).headers["etag"]
    first = http.put(path, json={"title": "first"}, headers={"if-match": seen})
    second = http.put(path, json={"title": "second"}, headers={"if-match": seen})
    deleted = http.delete(path, headers={"if-match": seen})

    assert (first.status_code, second.status_code, deleted.status_code) == (200, 412, 412)
    assert second.headers["etag"] == first.headers["etag"] == http.get(path).headers["etag"] != seen
    assert http.get(path).json()["data"]["title"] == "first"
    assert http.delete(path, headers={"if-match": first.headers["etag"]}).status_code == 200


def test_writers_at_the_same_time_lose_nothing(http):
    path = f"/api/items/{made(http)['id']}"
    fields = [
        {"title": "t"},
        {"description": "d"},
        {"category": "dashboard"},
        {"priority": "low"},
        {"status": "review"},
    ]
    with ThreadPoolExecutor(5) as threads:
        statuses = list(threads.map(lambda sent: http.put(path, json=sent).status_code, fields * 4))
    stored = http.get(path).json()["data"]

    assert statuses == [200] * 20
    assert {name: stored[name] for sent in fields for name in sent} == {
        k: v for sent in fields for k, v in sent.items()
    }


def test_a_creation_that_is_sent_again_is_the_same_item(http):
    key = {"idempotency-key": str(uuid.uuid4())}
    first, again = (http.post("/api/items", json=IDEA, headers=key) for _ in range(2))
    other = http.post("/api/items", json=IDEA | {"title": "another"}, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])


def test_the_audit_log_tells_who_did_what(http):
    item = made(http)
    path = f"/api/items/{item['id']}"
    http.put(path, json={"status": "review"}, headers={"x-user-id": "bea"})
    http.put(path, json={"status": "completed", "title": "Done"}, headers={"x-user-id": "cris"})
    http.delete(path, headers={"x-api-key": "the-admin-key"})
    deeds = http.get("/api/audit", params={"item": item["id"]}).json()["data"][::-1]
    told = sorted((deed["createdBy"], deed["action"]) for deed in deeds)

    assert told == [
        ("admin", "deleted"),
        ("anonymous", "created"),
        ("bea", "status_changed"),
        ("cris", "status_changed"),
        ("cris", "updated"),
    ]
    by_bea = next(deed for deed in deeds if deed["createdBy"] == "bea")
    assert (by_bea["oldValues"], by_bea["newValues"]) == ({"status": "new"}, {"status": "review"})
    renamed = next(deed for deed in deeds if deed["action"] == "updated")
    assert (renamed["oldValues"]["title"], renamed["newValues"]["title"]) == (item["title"], "Done")
    assert {deed["ipAddress"] for deed in deeds} == {"127.0.0.1"}
    assert (deeds[0]["newValues"]["title"], deeds[-1]["oldValues"]["title"]) == (item["title"], "Done")


def test_a_write_and_its_story_are_one_transaction(http, database):
    item = made(http)
    database.execute("REVOKE INSERT ON workspace.workspace_audit_log FROM app_workspace")
    try:
        answers = [
            http.put(f"/api/items/{item['id']}", json={"title": "x"}),
            http.delete(f"/api/items/{item['id']}"),
            http.post("/api/items", json=IDEA | {"title": "untold"}),
        ]
    finally:
        database.execute("GRANT INSERT ON workspace.workspace_audit_log TO app_workspace")

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert not re.search("audit|app_workspace|permission", "".join(answer.text for answer in answers))
    assert http.get(f"/api/items/{item['id']}").json()["data"]["title"] == item["title"]
    assert http.get("/api/items", params={"search": "untold"}).json()["count"] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM workspace.workspace_audit_log",
        "UPDATE workspace.workspace_audit_log SET created_by = 'x'",
        "TRUNCATE workspace.workspace_items",
        "CREATE TABLE workspace.mine (x int)",
        "CREATE TABLE documentation.mine (x int)",
    ],
)
def test_the_services_role_can_do_no_more_than_its_work(workspace_settings, statement):
    dsn = workspace_settings.postgres.dsn("app_workspace", "frontend_apps")

    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_an_old_id_always_becomes_the_same_uuid():
    assert workspace.id_of("12") == workspace.id_of("12") == uuid.UUID("6a293a47-4aa9-5ae3-a87f-4cff2d323fd9")
    assert workspace.id_of("12") != workspace.id_of("1")
    assert workspace.id_of("B2F1F6A2-7F0A-4E53-9A57-5B6F6A7C1D10").hex.startswith("b2f1")
