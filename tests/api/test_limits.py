import asyncio

from litestar import Litestar, get
from litestar.testing import TestClient

from api.kernel.limits import RateLimit, Windows
from config.settings import Allowance
from tests.api.service import client


def test_the_standard_headers_count_down_and_then_429(with_access):
    with client(with_access(rate_limit_max=2)) as caller:
        first, second, third = (caller.get("/api/items/1") for _ in range(3))

    assert [a.headers["ratelimit-remaining"] for a in (first, second)] == ["1", "0"]
    assert first.headers["ratelimit-limit"] == "2"
    assert third.status_code == 429
    assert 1 <= int(third.headers["retry-after"]) <= 60
    assert "RATE_LIMIT_MAX" in third.json()["error"]
    assert not [name for name in third.headers if name.startswith("x-ratelimit")]


def test_health_metrics_pages_and_polled_answers_are_not_counted(with_access):
    with client(with_access(rate_limit_max=1)) as caller:
        for path in ("/health", "/metrics", "/docs", "/api/free"):
            for _ in range(3):
                assert caller.get(path).status_code < 400, path


def test_a_window_ends():
    @get("/api/x")
    async def x() -> None:
        await asyncio.sleep(0)

    now = [0.0]
    app = Litestar([x], middleware=[RateLimit("x", {"x": Allowance(1, 1000, "MAX")}, Windows(lambda: now[0]))])
    with TestClient(app) as caller:
        statuses = [caller.get("/api/x").status_code, caller.get("/api/x").status_code]
        now[0] = 1.0
        statuses.append(caller.get("/api/x").status_code)

    assert statuses == [200, 429, 200]


def test_a_service_may_have_its_own_limit(settings):
    with client(settings, rate_limit=300) as caller:
        answer = caller.get("/api/items/1")

    assert answer.headers["ratelimit-limit"] == "300"
