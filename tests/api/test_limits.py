import asyncio

from litestar import Litestar, get
from litestar.testing import TestClient

from api.kernel import callers
from api.kernel.directory import Directory, made_key
from api.kernel.limits import RateLimit, Windows
from api.kernel.tokens import Tokens
from config.settings import Allowance
from tests.api.access.memory import Register
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


def test_keys_that_nobody_knows_are_looked_up_so_many_times_and_known_ones_go_on(with_access, tmp_path):
    register = Register()
    good = register.add_key("mine", {"*:read"})
    directory = Directory(register, Tokens(tmp_path))  # type: ignore[arg-type]
    with client(with_access(rate_limit_max=3), directory=directory, rate_limit=1000) as caller:

        def status(key):
            return caller.get("/api/items/1", headers={"x-api-key": key}).status_code

        known, strange = status(good), [status(made_key()[1]) for _ in range(4)]

        assert (known, strange, status(good), status("of no form")) == (200, [401, 401, 429, 429], 200, 401)


def test_the_gateway_says_for_whom_it_asks_and_nobody_else_can(with_access):
    def status(**headers):
        return caller.get("/api/items/1", headers=headers).status_code

    def told(address, key="k" * 40, **values):
        return callers.telling(key, address, **values)

    with client(with_access(rate_limit_max=1, api_key="k" * 40), address="127.0.0.1") as caller:

        def status(**headers):
            return caller.get(
                "/api/items/1", headers={name.replace("_", "-"): v for name, v in headers.items()}
            ).status_code

        def told(address, key="k" * 40, **values):
            return callers.telling(key, address, **values)

        forged = [told("10.0.0.8", key="j" * 40), told("10.0.0.8", now=1.0), {"x-caller": "1 10.0.0.8 x"}, told("name")]

        assert status() == 200
        assert [status(**told(address)) for address in ("10.0.0.7", "fe80::1", "10.0.0.7")] == [200, 200, 429]
        assert [status(**each) for each in forged] == [429] * 4
    with client(with_access(rate_limit_max=1, api_key="k" * 40), address="10.0.0.9") as caller:
        assert [status(**told(address)) for address in ("10.0.0.7", "10.0.0.8")] == [200, 429]
