"""The Firecrawl proxy in front of a stand-in Firecrawl: what it lets through, and what it makes of the answers."""

import msgspec
import pytest
from litestar.testing import TestClient

from api.kernel.application import create_app
from api.kernel.fetch import Door
from api.kernel.health import Checks
from api.scrape import Firecrawl, firecrawl_proxy
from tests.api import firecrawl_server
from tests.api.refused_targets import LOOPBACK_WRITTEN, PRIVATE

PUBLIC = "93.184.215.14"


@pytest.fixture(scope="module")
def upstream():
    with firecrawl_server.running() as server:
        yield server


@pytest.fixture
def proxied(settings, upstream):
    """Makes a client of the proxy; names resolve to `addresses`."""
    clients = []

    def make(url=upstream.url, addresses=(PUBLIC,), most=None):
        async def resolve(host, port):
            return list(addresses)

        upstream.asked.clear()
        upstream.held.clear()
        chosen = msgspec.structs.replace(
            settings,
            firecrawl=msgspec.structs.replace(settings.firecrawl, base_url=url),
            limits=msgspec.structs.replace(settings.limits, firecrawl_proxy=most),
        )
        app = create_app(chosen, firecrawl_proxy(chosen, firecrawl=Firecrawl(chosen, door=Door(resolve=resolve))))
        client = TestClient(app, base_url="http://127.0.0.1:3600", raise_server_exceptions=False)
        clients.append(client.__enter__())
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def test_post_scrape_gives_the_page_without_firecrawls_envelope(proxied, upstream):
    answer = proxied().post("/api/v1/scrape", json={"url": "https://Example.com/page"})

    assert (answer.status_code, answer.json()) == (200, {"success": True, "data": firecrawl_server.PAGE})
    assert upstream.asked == [
        ("/v1/scrape", {"url": "https://example.com/page", "formats": ["markdown"], "onlyMainContent": True})
    ]


def test_what_was_asked_for_is_passed_on_and_nothing_else(proxied, upstream):
    options = {"formats": ["html", "screenshot@fullPage"], "waitFor": 5, "timeout": 1000, "excludeTags": ["nav"]}
    proxied().post(
        "/api/v1/scrape", json={"url": "http://example.com/", "unknown": 1, "onlyMainContent": False} | options
    )

    assert upstream.asked == [("/v1/scrape", {"url": "http://example.com/", "onlyMainContent": False} | options)]


def test_post_crawl_gives_the_id_and_get_crawl_its_pages(proxied, upstream):
    client = proxied()
    begun = client.post("/api/v1/crawl", json={"url": "https://example.com", "scrapeOptions": {"formats": ["links"]}})
    told = client.get("/api/v1/crawl/job-1?_t=1").json()

    assert begun.json()["data"] == {"id": "job-1", "url": "https://api.firecrawl/v1/crawl/job-1"}
    assert upstream.asked[0][1] == {
        "url": "https://example.com/",
        "limit": 10,
        "maxDepth": 2,
        "allowBackwardLinks": False,
        "allowExternalLinks": False,
        "scrapeOptions": {"formats": ["links"], "onlyMainContent": True},
    }
    assert told["success"]
    assert told["data"]["data"] == [firecrawl_server.PAGE]
    assert (told["data"]["status"], told["data"]["next"]) == ("completed", None)
    assert client.get("/api/v1/crawl/job-2").status_code == 404


WRONG = [
    ("scrape", {}, "url"),
    ("scrape", {"url": 7}, "url"),
    ("scrape", {"url": "example.com"}, "url"),
    ("scrape", {"url": "https://example.com/" + "a" * 2048}, "url"),
    ("scrape", {"url": "https://example.com", "formats": ["pdf"]}, "formats"),
    ("scrape", {"url": "https://example.com", "waitFor": 30_001}, "waitFor"),
    ("scrape", {"url": "https://example.com", "timeout": 999}, "timeout"),
    ("scrape", {"url": "https://example.com", "includeTags": [""]}, "includeTags"),
    ("crawl", {"url": "https://example.com", "limit": 0}, "limit"),
    ("crawl", {"url": "https://example.com", "maxDepth": 11}, "maxDepth"),
    ("crawl", {"url": "https://example.com", "scrapeOptions": {"waitFor": -1}}, "scrapeOptions"),
]


def test_wrong_values_are_named_as_the_originals_clients_read_them(proxied, upstream):
    client = proxied()
    for path, body, field in WRONG:
        answer = client.post(f"/api/v1/{path}", json=body)
        told = answer.json()
        assert (answer.status_code, told["success"], told["error"]) == (400, False, "Validation failed"), body
        (detail,) = told["details"]
        assert detail["path"].startswith(field), told
        assert (detail["type"], detail["location"]) == ("field", "body")
    assert client.get("/api/v1/crawl/a.b").json()["details"][0]["location"] == "params"
    assert upstream.asked == []


def test_a_body_may_have_two_megabytes(proxied, upstream):
    """POST /api/v1/scrape"""
    client, page = proxied(), {"url": "https://example.com"}
    statuses = [
        client.post("/api/v1/scrape", json=page | {"more": "x" * size}).status_code for size in (2_000_000, 2 << 20)
    ]

    assert statuses == [200, 413]


def test_inner_addresses_never_reach_firecrawl(proxied, upstream):
    client = proxied(addresses=[PUBLIC, "10.0.0.7"], most=1000)
    for host in (*LOOPBACK_WRITTEN, *PRIVATE, "a-name-that-leads-inside.example.com"):
        for path in ("scrape", "crawl"):
            answer = client.post(f"/api/v1/{path}", json={"url": f"http://{host}/"})
            assert answer.status_code == 400, host
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("trick", "status", "words"),
    [
        ("payment", 402, "no credits left"),
        ("broken", 500, "An unexpected error occurred"),
        ("silent", 429, "status 429"),
        ("520", 520, "status 520"),
        ("302", 502, "status 302"),
        ("garbage", 502, "something else than a JSON object"),
        ("list", 502, "something else than a JSON object"),
    ],
)
def test_what_firecrawl_refuses_keeps_its_status_and_words(proxied, trick, status, words):
    answer = proxied().post("/api/v1/scrape", json={"url": f"https://example.com/{trick}"})

    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.json()["success"] is False


def test_a_firecrawl_that_is_slow_is_504_and_one_that_is_away_503(proxied, monkeypatch):
    monkeypatch.setattr("api.scrape.MARGIN_SECONDS", -0.9)
    slow = proxied().post("/api/v1/scrape", json={"url": "https://example.com/slow", "timeout": 1000})
    away = proxied("http://127.0.0.1:9").post("/api/v1/scrape", json={"url": "https://example.com/"})

    assert (slow.status_code, away.status_code) == (504, 503)
    assert away.headers["retry-after"]


def test_health_is_200_and_says_whether_firecrawl_is_reached(proxied, upstream, monkeypatch):
    monkeypatch.setattr("api.scrape.READINESS_SECONDS", 30.0)  # it is there, however slow
    monkeypatch.setitem(Checks.__init__.__kwdefaults__, "timeout_seconds", 30.0)
    there, away = proxied().get("/health"), proxied("http://me:word@127.0.0.1:9").get("/health")

    assert there.json()["data"].items() >= {"service": "firecrawl-proxy", "status": "ok"}.items()
    assert there.json()["data"]["firecrawl"] == {"reachable": True, "baseUrl": upstream.url}
    assert away.status_code == 200
    assert away.json()["data"]["firecrawl"] == {"reachable": False, "baseUrl": "http://127.0.0.1:9"}


def test_the_hundred_and_first_request_of_a_minute_is_429_with_the_seconds_to_wait(proxied):
    client = proxied(most=3)
    answers = [client.get("/api/v1/crawl/job-1") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["retryAfter"] == int(answers[-1].headers["retry-after"]) > 0
    assert client.get("/health").status_code == 200


def test_figures_are_told(proxied):
    client = proxied()
    client.post("/api/v1/scrape", json={"url": "https://example.com/"})
    client.post("/api/v1/scrape", json={"url": "https://example.com/broken"})
    client.get("/api/v1/crawl/job-1")
    text = client.get("/metrics").text

    assert 'tradingsystem_firecrawl_scrape_total{service="firecrawl-proxy",status="success"} 1.0' in text
    assert 'tradingsystem_firecrawl_scrape_total{service="firecrawl-proxy",status="error"} 1.0' in text
    assert 'crawl_status_checks_total{crawl_status="completed",service="firecrawl-proxy"} 1.0' in text
