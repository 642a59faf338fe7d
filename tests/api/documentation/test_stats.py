"""`/api/v1/stats` and the audit log, row by row of their contracts."""

import pytest

from api.documentation.figures import overall
from sql.documentation.searching import marked


@pytest.fixture
def furnished(http, made, uploaded, target, empty):
    """A system that is online, two ideas of which one is done, a link, a file."""
    system = made("systems", name="Gateway", description="Roteamento dos serviços", url=target)
    http.post(f"/api/v1/systems/{system['id']}/health")
    made("ideas", title="Configure <b>services</b>", system_id=system["id"], priority="high")
    done = made("ideas", title="Old", category="bug_fix")
    http.put(f"/api/v1/ideas/{done['id']}", json={"status": "done"}, headers={"x-user-id": "bob"})
    made("links", title="Service manual")
    uploaded("services.md", b"#" * (1 << 20), idea_id=done["id"])
    return {"system": system, "done": done}


def page(http, path, **params):
    answer = http.get(f"/api/v1/stats{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["", "/dashboard"])
def test_dashboard(http, furnished, path):
    """GET /api/v1/stats, /api/v1/stats/dashboard"""
    body = page(http, path, timeframe="7d")
    data = body["data"]

    assert (body["success"], body["timeframe"]) == (True, "7d")
    assert data["overview"] == {
        "total_systems": 1, "active_systems": 1, "total_ideas": 2, "completed_ideas": 1, "total_files": 1,
        "total_storage_mb": 1.0,
    }  # fmt: skip
    assert (data["systems"]["total"], data["systems"]["by_status"], data["systems"]["online_count"]) == (
        1, {"online": 1}, 1,
    )  # fmt: skip
    assert data["ideas"]["by_status"] == {"backlog": 1, "todo": 0, "in_progress": 0, "review": 0, "done": 1}
    assert data["ideas"]["recent_activity"] == {"created_last_7_days": 2}
    assert (data["files"]["total_size_mb"], data["files"]["by_mime_type"]) == (1.0, {"text/markdown": 1})
    assert data["recent_activity"][0]["type"] == "files"
    assert http.get("/api/v1/stats/dashboard?timeframe=2d").status_code == 400


def test_systems(http, furnished):
    """GET /api/v1/stats/systems"""
    data = page(http, "/systems")["data"]

    assert (data["total"], data["active"]) == (1, 1)
    assert [(day["checks"], day["online"]) for day in data["health_trend"]] == [(1, 1)]


def test_ideas(http, furnished):
    """GET /api/v1/stats/ideas"""
    data = page(http, "/ideas")["data"]
    counted = ("total", "completed", "in_progress", "pending", "blocked", "cancelled")

    assert [data[name] for name in counted] == [2, 1, 0, 1, 0, 0]
    assert data["by_category"] == {"content": 1, "bug_fix": 1}
    assert data["by_priority"] == {"high": 1, "medium": 1}
    assert (data["completion_rate"], data["average_completion_days"]) == (50.0, 0.0)


def test_files(http, furnished):
    """GET /api/v1/stats/files"""
    data = page(http, "/files")["data"]

    assert (data["average_size_mb"], data["downloads_per_file"], data["total_size_mb"]) == (1.0, 0.0, 1.0)
    assert data["storage_efficiency"] == {"small_files_percentage": 0.0, "large_files_percentage": 0.0}


def test_health(http, furnished, made):
    """GET /api/v1/stats/health"""
    alone = page(http, "/health")["data"]
    made("systems", name="Silent")
    both = page(http, "/health")["data"]

    assert (alone["total"], alone["healthy"], alone["overall_health"]) == (1, 1, "healthy")
    assert set(alone["systems"][0]) == {"id", "name", "type", "status", "health", "url", "last_checked"}
    assert alone["last_checked"] == alone["systems"][0]["last_checked"]
    assert (both["unknown"], both["overall_health"]) == (1, "mixed")


@pytest.mark.parametrize(
    ("count", "word"),
    [({}, "no_systems"), ({"healthy": 2}, "healthy"), ({"unhealthy": 1}, "unhealthy"),
     ({"healthy": 1, "degraded": 1}, "degraded"), ({"healthy": 1, "unhealthy": 1}, "mixed")],
)  # fmt: skip
def test_one_word_for_all(count, word):
    assert overall(count) == word


def test_analytics(http, furnished):
    """GET /api/v1/stats/analytics"""
    data = page(http, "/analytics", timeframe="1y")["data"]

    assert data["timeframe"] == "1y"
    assert {kind: set(charts) for kind, charts in data["charts"].items()} == {
        "systems": {"by_type", "by_status"},
        "ideas": {"by_status", "by_category", "by_priority"},
        "files": {"by_type", "size_distribution", "by_visibility"},
    }
    assert data["charts"]["systems"]["by_type"] == [{"label": "api", "value": 1}]


def test_search(http, furnished):
    """GET /api/v1/stats/search"""
    data = page(http, "/search", q=" service ")["data"]
    found = {kind: len(rows) for kind, rows in data["results"].items()}
    no_files = page(http, "/search", q="service", files="false", limit=1)["data"]

    assert (data["query"], data["total_results"]) == ("service", 4)
    assert found == {"systems": 1, "ideas": 1, "files": 1, "links": 1}
    assert "<mark>serviços</mark>" in data["results"]["systems"][0]["highlight"]
    assert "<b>" not in data["results"]["ideas"][0]["highlight"]
    assert no_files["results"]["files"] == []
    assert no_files["filters_applied"] == {
        "systems": True, "ideas": True, "files": False, "links": True, "limit": 1,
    }  # fmt: skip
    assert page(http, "/search", q="nothingofthat")["data"]["total_results"] == 0
    assert http.get("/api/v1/stats/search?q=a").status_code == 400


@pytest.mark.parametrize("text", ["a & b", "it's", '"quoted words"', "-- drop", "100%", "a:*b", "!(|", "\\", "É ção"])
def test_a_question_is_never_a_statement(http, text):
    assert http.get("/api/v1/stats/search", params={"q": text}).status_code in (200, 400)


def test_what_is_found_is_escaped():
    assert marked("\ue000x\ue001 <script>") == "<mark>x</mark> &lt;script&gt;"
    assert marked(None) == ""


def test_activity(http, furnished):
    """GET /api/v1/stats/activity"""
    data = page(http, "/activity", days=1)["data"]

    assert (data["total_activities"], data["period_days"]) == (7, 1)
    assert data["by_type"] == {"systems": 2, "ideas": 3, "files": 1, "links": 1}
    assert [entry["action"] for entry in data["activities"]][:3] == ["created", "created", "status_changed"]
    assert http.get("/api/v1/stats/activity?days=91").status_code == 400


def test_the_trail_says_who_what_and_from_where(http, furnished):
    asked = {"entity_type": "ideas", "entity_id": furnished["done"]["id"], "user_id": "bob"}
    entries = http.get("/api/v1/documentation/audit", params=asked).json()["data"]

    assert [entry["action"] for entry in entries] == ["status_changed"]
    assert entries[0]["ip_address"] == "127.0.0.1"
    assert entries[0]["user_agent"] == "testclient"
    assert entries[0]["changes"]["before"] == {"status": "backlog", "completed_at": None}
    assert entries[0]["changes"]["after"]["status"] == "done"


def test_a_write_that_fails_leaves_no_trail(http, furnished, database):
    before = database.execute("SELECT count(*) FROM documentation.documentation_audit_log").fetchone()
    http.post("/api/v1/systems", json={"name": "Gateway", "type": "api"})

    assert database.execute("SELECT count(*) FROM documentation.documentation_audit_log").fetchone() == before


def test_what_is_deleted_stays_in_the_trail(http, furnished):
    http.delete(f"/api/v1/systems/{furnished['system']['id']}")
    entry = http.get("/api/v1/documentation/audit", params={"action": "deleted"}).json()["data"][0]

    assert entry["changes"]["before"]["name"] == "Gateway"
    assert [len(entry["changes"]["detached"][kind]) for kind in ("ideas", "links", "files")] == [1, 0, 0]
    assert all(idea["system"] is None for idea in http.get("/api/v1/ideas").json()["data"])
