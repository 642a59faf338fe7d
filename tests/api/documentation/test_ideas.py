"""`/api/v1/ideas` and `/api/v1/links`, row by row of their contracts."""

import uuid

import pytest

IDEA_FIELDS = {
    "id", "title", "description", "category", "priority", "status", "assigned_to", "system_id", "system", "tags",
    "estimated_hours", "actual_hours", "due_date", "created_by", "created_at", "updated_at", "completed_at",
}  # fmt: skip


def test_post_ideas(http, made):
    """POST /api/v1/ideas"""
    system = made("systems")
    idea = made("ideas", system_id=system["id"], due_date="2026-12-01", estimated_hours=5, unknown=1)

    assert set(idea) == IDEA_FIELDS
    assert (idea["priority"], idea["status"], idea["created_by"]) == ("medium", "backlog", "ana")
    assert idea["due_date"] == "2026-12-01T00:00:00Z"
    assert idea["system"]["name"] == system["name"]


def test_a_system_that_is_not_there_is_404(http, made):
    nobody = str(uuid.uuid4())
    made_of = {"title": "t", "category": "content", "system_id": nobody}

    assert "not found" in http.post("/api/v1/ideas", json=made_of).json()["error"]
    assert http.post("/api/v1/ideas", json=made_of).status_code == 404
    assert http.put(f"/api/v1/ideas/{made('ideas')['id']}", json={"system_id": nobody}).status_code == 404
    assert http.put(f"/api/v1/links/{made('links')['id']}", json={"system_id": nobody}).status_code == 404


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"category": "api"}, "category"),
        ({"priority": "critical"}, "priority"),
        ({"status": "new"}, "status"),
        ({"estimated_hours": 0}, "estimated_hours"),
        ({"estimated_hours": 1001}, "estimated_hours"),
        ({"actual_hours": 10_001}, "actual_hours"),
        ({"due_date": "tomorrow"}, "due_date"),
        ({"system_id": "12"}, "system_id"),
        ({"description": "d" * 2001}, "description"),
        ({"assigned_to": "a" * 101}, "assigned_to"),
        ({"title": ""}, "title"),
    ],
)
def test_a_wrong_value_is_400(http, values, field):
    answer = http.post("/api/v1/ideas", json={"title": "t", "category": "content"} | values)

    assert answer.status_code == 400
    assert [entry["field"] for entry in answer.json()["details"]] == [field]


def test_get_ideas(http, made, empty):
    """GET /api/v1/ideas: pages, and words with underscores"""
    for number in range(25):
        made("ideas", title=f"Number {number}", status="in_progress", category="bug_fix", priority="high")
    made("ideas")
    first = http.get("/api/v1/ideas", params={"_t": "17"}).json()
    asked = {"status": "in_progress", "category": "bug_fix", "priority": "high", "search": "number", "offset": 20}
    last = http.get("/api/v1/ideas", params=asked).json()

    assert (first["success"], first["count"], first["total"]) == (True, 20, 26)
    assert (last["count"], last["total"]) == (5, 25)
    assert [idea["title"] for idea in last["data"]] == [f"Number {number}" for number in (4, 3, 2, 1, 0)]
    assert last["filters"]["status"] == "in_progress"
    assert http.get("/api/v1/ideas", params={"limit": 101}).status_code == 400


def test_done_is_told_with_its_time(http, made):
    """GET, PUT, DELETE /api/v1/ideas/{id}"""
    path = f"/api/v1/ideas/{made('ideas')['id']}"
    done = http.put(path, json={"status": "done"}).json()
    still = http.put(path, json={"status": "done", "title": "Other"}).json()["data"]
    again = http.put(path, json={"status": "review"}).json()["data"]

    assert (done["success"], done["message"]) == (True, "Idea updated successfully")
    assert done["data"]["completed_at"] is not None
    assert still["completed_at"] == done["data"]["completed_at"]
    assert again["completed_at"] is None
    assert http.get(path).json()["data"]["status"] == "review"
    assert http.delete(path).json()["success"] is True
    assert http.get(path).status_code == http.delete(path).status_code == 404


def test_kanban(http, made, empty):
    """GET /api/v1/ideas/kanban"""
    for priority in ("low", "urgent", "medium", "high"):
        made("ideas", status="todo", priority=priority)
    board = http.get("/api/v1/ideas/kanban").json()["data"]

    assert list(board) == ["backlog", "todo", "in_progress", "review", "done"]
    assert [idea["priority"] for idea in board["todo"]] == ["urgent", "high", "medium", "low"]
    assert board["done"] == []


def test_links(http, made, empty):
    """/api/v1/links: GET, POST, GET, PUT, DELETE {id}"""
    system = made("systems")
    link = made("links", title="Manual", system_id=system["id"], tags=["b3"], metadata={"old": "1"})
    made("links", title="Other")
    path = f"/api/v1/links/{link['id']}"
    found = http.get("/api/v1/links", params={"system_id": system["id"], "tag": "b3", "search": "manuals"}).json()
    changed = http.put(path, json={"url": "https://example.com/new"}).json()["data"]

    assert (link["created_by"], link["system"]["id"], link["metadata"]) == ("ana", system["id"], {"old": "1"})
    assert (found["count"], found["total"], found["data"][0]["title"]) == (1, 1, "Manual")
    assert (changed["url"], changed["title"]) == ("https://example.com/new", "Manual")
    assert http.put(path, json={"url": "javascript:alert(1)"}).status_code == 400
    assert http.post("/api/v1/links", json={"title": "no address"}).status_code == 400
    assert http.delete(path).json()["success"] is True
    assert http.get(path).status_code == 404
