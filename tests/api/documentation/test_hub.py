"""The Hub and the search over its pages: what is read of them, what is wrong with them, how they look."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from litestar.testing import TestClient

from api.documentation.service import documentation
from api.hub import pages
from api.hub.service import docs_hub
from api.kernel.application import Service
from api.kernel.ports import Place, process
from config.settings import ROOT
from tests.api.workspace.conftest import from_this_machine

TODAY = dt.date(2026, 11, 28)
FRONT = "---\ntitle: {title}\ndomain: {domain}\ntype: {kind}\ntags: [{tags}]\n---\n"


def page(title, text, domain="backend", kind="guide", tags=""):
    return FRONT.format(title=title, domain=domain, kind=kind, tags=tags) + text


HOW = "# How it fits\n\nSee [the gaps](tape.md#gaps), [a guide](guides/one.md).\n"
TAPE = """# The tape

## Gaps

As ordens são confirmadas; <script>alert(1)</script> tested & trusted.

```
secretword
```
"""
GUIDE = "# One guide\n\n[back](../tape.md) [out](../../README.md) [gone](none.md) [no](../tape.md#x)\n"
OLD = page("The tape", "# Old\n\nOld words.\n", domain="ops", kind="runbook")
WRITTEN = {
    "how-it-fits.md": page("How it fits", HOW, kind="overview"),
    "tape.md": page("The tape", TAPE, tags="ticks, gaps"),
    "guides/one.md": page("One guide", GUIDE, tags="gaps"),
    "loose.md": "# Loose\n\nWithout front matter: negociações.\n",
    "old.md": OLD.replace("type:", "updated: 2024-01-01\ntype:"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for name, text in WRITTEN.items():
        path = root / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def together(engines, folder):
    """Both services behind one front, as the process has them; `http://127.0.0.1:PORT` chooses."""
    access = msgspec.structs.replace(engines.access, rate_limit_max=1_000_000)
    settings = msgspec.structs.replace(engines, access=access, root=folder)
    services = [documentation(settings), docs_hub(settings)]
    front = Service(id="api-gateway", title="Front", description="Of both.", handlers=[])
    ports = process(settings, front, services, {"/hub": Place("docs-hub")})
    apps = dict(ports.apps)
    for app in apps.values():
        app.asgi_handler = from_this_machine(app.asgi_handler)
    with (
        TestClient(apps[settings.ports["documentation-api"]], base_url="http://127.0.0.1:3400") as documents,
        TestClient(apps[settings.ports["docs-hub"]], base_url="http://127.0.0.1:3004") as hub,
    ):
        assert documents.post("/api/v1/docs/reindex").status_code == 200
        yield documents, hub


def test_a_search_of_the_hub_is_counted_and_its_pages_are_not(together):
    _, hub = together

    assert hub.get("/search", params={"q": "gaps"}).headers["ratelimit-limit"] == "1000000"
    assert "ratelimit-limit" not in hub.get("/tape").headers


def found(documents, **params):
    answer = documents.get("/api/v1/docs/search", params=params)
    assert answer.status_code == 200, answer.text
    return [row["path"] for row in answer.json()["results"]]


def test_get_docs_search_knows_both_languages_and_every_filter(together):
    documents, _ = together

    assert found(documents, q="ordens confirmada") == ["tape.md"]
    assert found(documents, q="trust test") == ["tape.md"]
    assert found(documents, q="confirmacao") == []
    assert set(found(documents, tags="gaps")) == {"tape.md", "guides/one.md"}
    assert found(documents, tags="gaps,ticks") == ["tape.md"]
    assert found(documents, domain="ops") == ["old.md"]
    assert found(documents, type="overview", status="active", q="fits") == ["how-it-fits.md"]
    assert found(documents, q="negociações") == []  # no front matter: the search does not know it
    assert found(documents, q="secretword") == []  # code is not searched
    assert len(found(documents, limit=2)) == 2
    (row,) = documents.get("/api/v1/docs/search", params={"q": "trusted"}).json()["results"]
    assert "<script" not in row["highlight"]
    assert "<mark>" in row["highlight"]
    assert row["score"] > 0


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("search", {"q": "a"}),
        ("search", {"q": "a" * 201}),
        ("search", {"domain": "moon"}),
        ("search", {"limit": 0}),
        ("search", {"tags": ",".join("abcdefghijk")}),
        ("suggest", {}),
        ("suggest", {"q": "ab", "limit": 11}),
        ("health/issues", {"type": "typos"}),
        ("health/trends", {"days": 0}),
    ],
)
def test_wrong_questions_are_400_with_their_names(together, path, params):
    answer = together[0].get(f"/api/v1/docs/{path}", params=params)

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_get_docs_facets_suggest_and_stats(together):
    documents, _ = together
    facets = documents.get("/api/v1/docs/facets").json()["facets"]
    suggested = documents.get("/api/v1/docs/suggest", params={"q": "tape"}).json()["suggestions"]
    stats = documents.get("/api/v1/docs/stats").json()["stats"]

    assert facets["domains"] == [{"value": "backend", "count": 3}, {"value": "ops", "count": 1}]
    assert facets["tags"][0] == {"value": "gaps", "count": 2}
    assert {entry["path"] for entry in suggested} == {"tape.md", "old.md"}
    assert (stats["totalFiles"], stats["totalDomains"], stats["cacheValid"]) == (4, 2, True)


def test_a_second_reading_within_a_minute_is_429(together):
    answer = together[0].post("/api/v1/docs/reindex")

    assert (answer.status_code, answer.json()["success"]) == (429, False)
    assert answer.json()["retryAfter"] > 0


def test_what_is_wrong_with_the_pages_is_told(together):
    documents, _ = together
    summary = documents.get("/api/v1/docs/health/summary").json()["data"]
    links = documents.get("/api/v1/docs/health/issues", params={"type": "links"}).json()["data"]["issues"]

    assert summary["issuesSummary"] == {"frontmatter": 1, "links": 2, "duplicates": 2, "outdated": 1}
    assert (summary["totalFiles"], summary["hasData"], summary["grade"]) == (5, True, "F")
    assert {one["path"] for one in links} == {"guides/one.md"}
    assert {one["message"] for one in links} == {
        "none.md leads to no page",
        "../tape.md#x: that page has no such heading",
    }
    assert documents.get("/api/v1/docs/health/latest-report").json()["data"]["issueCount"] == 6
    assert (
        documents.get("/api/v1/docs/health/trends").json()["data"]["health_score"][-1]["value"]
        == summary["healthScore"]
    )
    assert documents.get("/api/v1/docs/health/metrics").json()["data"]["links_issues"] == 2


def test_post_docs_health_figures_and_fixes_reach_prometheus(together):
    documents, _ = together
    body = {"frontmatter": {"missing": 3}, "links": {"broken": 1}, "duplicates": {}}

    assert documents.post("/api/v1/docs/health/update-metrics", json=body).status_code == 200
    assert documents.post("/api/v1/docs/health/record-fix", json={"issue_type": "links"}).status_code == 200
    assert documents.post("/api/v1/docs/health/record-fix", json={"issue_type": "typos"}).status_code == 400
    assert documents.post("/api/v1/docs/health/update-metrics", json={"links": {}}).status_code == 400
    told = documents.get("/metrics").text
    assert 'tradingsystem_docs_audit{figure="missing",part="frontmatter"} 3.0' in told
    assert 'tradingsystem_docs_fixes_total{issue_type="links"} 1.0' in told


def test_the_hub_shows_pages_with_links_between_them_and_no_script_of_theirs(together):
    _, hub = together
    first, tape = hub.get("/"), hub.get("/tape")

    assert 'href="/tape#gaps"' in first.text
    assert 'href="/guides/one"' in first.text
    assert "&lt;script&gt;" in tape.text
    assert "<script" not in tape.text
    assert "default-src 'none'" in tape.headers["content-security-policy"]
    assert hub.get("/tape.md").status_code == 200
    assert hub.get("/guides/one").status_code == 200
    assert hub.get("/nothing").status_code == 404
    assert "No such page" in hub.get("/nothing").text
    for outside in ("/../README", "/..%2fREADME", "/guides/../../README"):
        assert hub.get(outside).status_code in (400, 404)
    assert hub.get("/hub.css").headers["content-type"].startswith("text/css")


def test_the_hub_is_searched(together):
    _, hub = together
    answer = hub.get("/search", params={"q": "ordens\0 -<b>"})

    assert "1 page for" in answer.text
    assert "<mark>ordens</mark>" in answer.text
    assert "&lt;b&gt;" in answer.text
    assert "<b>" not in answer.text


def test_our_own_pages_have_what_the_search_needs_and_no_link_between_them_is_broken():
    found = pages.read(ROOT / "docs")

    assert len(found) > 20
    assert [str(issue) for issue in pages.issues_of(found, TODAY) if issue.type != "outdated"] == []
    assert not Path(found[0].path).is_absolute()
