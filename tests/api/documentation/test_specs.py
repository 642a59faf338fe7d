"""The API documents: searched, kept as versions, compared, downloaded."""

import io
import zipfile

import pytest
import yaml

from api.documentation.spec_parts import changes
from sql.documentation.specs import following


@pytest.fixture
def no_versions(database):
    database.execute("TRUNCATE documentation.documentation_spec_versions")


def test_get_search_finds_endpoints_schemas_channels_and_messages(http):
    def found(**params):
        answer = http.get("/api/v1/search", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    told = found(q="kanban")
    assert told["version"]
    assert ("endpoint", "GET", "/api/v1/ideas/kanban") in {
        (row["type"], row["method"], row["path"]) for row in told["results"]
    }
    assert {row["type"] for row in found(q="trades", source="asyncapi", limit=100)["results"]} <= {"channel", "message"}
    assert found(q="trades", type="channel")["total"] > 0
    assert all(row["source"] == "schema" for row in found(q="problem", type="schema")["results"])
    assert len(found(q="systems", limit=1)["results"]) == 1
    assert found(q="systems", limit=1)["total"] > 1


def test_get_search_takes_dashes_without_end(http):
    """PostgreSQL's reader of searches has room for 32 of them."""
    answers = [http.get(path, params={"q": "- -" * 60 + "a"}) for path in ("/api/v1/search", "/api/v1/stats/search")]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_body_nested_without_end_is_400(http):
    answer = http.post("/api/v1/versions", content=b'{"a":' * 100_000, headers={"content-type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize("params", [{}, {"q": " "}, {"q": "a", "type": "moon"}, {"q": "a", "limit": 101}])
def test_get_search_without_words_is_400(http, params):
    answer = http.get("/api/v1/search", params=params)

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_get_suggest_gives_each_text_once(http):
    texts = [
        row["text"]
        for row in http.get("/api/v1/suggest", params={"q": "/api/v1/sys", "limit": 10}).json()["suggestions"]
    ]

    assert texts[0].startswith("/api/v1/sys")
    assert len(texts) == len(set(texts)) > 1


def test_searches_are_counted(http):
    before = http.get("/metrics/dashboard").json()["totalSearches"]
    for _ in range(2):
        http.get("/api/v1/search", params={"q": "Most-Wanted"})
    told = http.get("/metrics/dashboard", params={"range": "1h"}).json()

    assert told["totalSearches"] == before + 2
    assert {"query": "most-wanted", "count": 2} in told["popularQueries"]
    assert told["averageDuration"] > 0
    assert http.get("/metrics/dashboard", params={"range": "2y"}).status_code == 400


def test_versions_are_kept_under_following_numbers(http, no_versions):
    assert http.get("/api/v1/versions").json()["latest"] == "base"
    assert http.get("/api/v1/versions/latest").status_code == 200
    made = [
        http.post("/api/v1/versions", json={"type": step}).json()["version"] for step in ("minor", "patch", "major")
    ]
    made.append(http.post("/api/v1/versions", json={}).json()["version"])
    told = http.get("/api/v1/versions").json()

    assert made == ["0.1.0", "0.1.1", "1.0.0", "1.1.0"]
    assert [row["version"] for row in told["all"]] == made
    assert (told["latest"], told["stable"]) == ("1.1.0", "1.0.0")
    assert http.get("/api/v1/versions/stable").json()["version"] == "1.0.0"
    assert http.get("/api/v1/versions/9.9.9").status_code == 404
    assert http.post("/api/v1/versions", json={"type": "huge"}).status_code == 400
    status = http.get("/api/v1/versions/0.1.0/status").json()
    assert (status["openapi"], status["asyncapi"]) == ("healthy", "healthy")
    assert status["endpoints"] > 50
    compared = http.get("/api/v1/versions/compare/0.1.0/current").json()
    assert compared["changes"]["paths"] == {"added": [], "removed": [], "modified": []}


def test_documents_are_yaml(http, no_versions):
    number = http.post("/api/v1/versions", json={}).json()["version"]
    for address in (
        "/spec/openapi.yaml",
        "/api/v1/versions/base/spec/openapi",
        f"/api/v1/versions/{number}/spec/openapi",
    ):
        answer = http.get(address)
        assert answer.headers["content-type"].startswith("application/yaml")
        assert yaml.safe_load(answer.text)["paths"]["/api/v1/systems"]
    assert "channels" in yaml.safe_load(http.get("/spec/asyncapi.yaml").text)
    assert http.get(f"/api/v1/versions/{number}/spec/other").status_code == 400


def test_get_docs_status_check_and_download(http):
    status = http.get("/api/v1/docs/status").json()
    archive = zipfile.ZipFile(io.BytesIO(http.get("/api/v1/docs/download").content))

    assert status["status"] == "ok", status["issues"]
    assert status["openapi"]["endpoints"] > 50
    assert http.get("/api/v1/docs/check").json()["status"] == "ok"
    assert {"openapi.yaml", "asyncapi.yaml", "examples.json"} <= set(archive.namelist())
    assert any(name.startswith("schemas/") for name in archive.namelist())


def test_get_root_names_the_paths(http):
    told = http.get("/").json()

    assert (told["success"], told["service"]) == (True, "documentation-api")
    assert set(told["endpoints"]["api"]) == {"systems", "ideas", "files", "stats", "search", "suggest"}


def test_changes_are_told_by_name():
    def documents(paths, schemas):
        return {"openapi": {"paths": paths, "components": {"schemas": schemas}}, "asyncapi": {"channels": {"a": 1}}}

    before = documents({"/a": {"get": {"summary": "x"}}, "/b": {"get": {}}}, {"A": 1})
    after = documents({"/a": {"get": {"summary": "y"}, "post": {}}}, {"A": 1, "B": 2})

    told = changes(before, after)
    assert told["paths"] == {"added": ["POST /a"], "removed": ["GET /b"], "modified": ["GET /a"]}
    assert told["components"] == {"added": ["schemas/B"], "removed": [], "modified": []}


@pytest.mark.parametrize(("step", "number"), [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.4")])
def test_a_number_follows(step, number):
    assert following("1.2.3", step) == number
