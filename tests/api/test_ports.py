"""One process, several services: each on its port, all of them on the gateway."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import uvicorn
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.gateway import PREFIXES
from api.kernel.access import OPEN
from api.kernel.application import Service
from api.kernel.ports import Ports, prefix_of, process
from api.kernel.server import configured, listening
from tests.api import patient

IDS = ("api-gateway", "workspace-api", "tp-capital-signals")


@get("/api/items/{number:str}", tags=["items"], summary="One item")
async def item(number: FromPath[str], part: NamedDependency[str], request: Request[Any, Any, Any]) -> dict[str, str]:
    """An item."""
    return {"number": number, "part": part, "prefix": prefix_of(request.scope)}


@post("/api/items", tags=["items"], summary="A new item")
async def create(part: NamedDependency[str]) -> dict[str, str]:
    """A new item."""
    return {"part": part}


@get("/signals", tags=["signals"], summary="Signals")
async def signals(part: NamedDependency[str]) -> dict[str, str]:
    """Signals."""
    return {"part": part}


@get("/", opt=OPEN, include_in_schema=False)
async def signals_root() -> dict[str, str]:
    return {"status": "ok"}


@get("/health", opt=OPEN, include_in_schema=False)
async def signals_health() -> dict[str, bool]:
    return {"questdb": False}


@get("/", opt=OPEN, include_in_schema=False)
async def front() -> dict[str, str]:
    return {"front": "page"}


class Scene:
    """Addresses of a running process, and what its lifespans did."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.lived: list[str] = []


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    from config import settings as configuration
    from config.settings import ROOT

    made = configuration.load({"TRADINGSYSTEM_API_KEY": "the-admin-key"}, root=ROOT / "no-such-folder")
    made = msgspec.structs.replace(made, ports={**made.ports, **dict.fromkeys(IDS, 0)})
    sockets = listening(made, list(IDS))
    ports = {name: bound.getsockname()[1] for name, bound in zip(IDS, sockets, strict=True)}
    made = msgspec.structs.replace(made, ports={**made.ports, **ports})
    there = Scene({name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
    with served(process_of(made, there), sockets):
        yield there


def process_of(settings: Any, scene: Scene) -> Ports:
    @contextlib.asynccontextmanager
    async def living(_: Any):
        scene.lived.append("begun")
        yield
        scene.lived.append("ended")

    workspace = Service(
        id="workspace-api", title="W", description="w", handlers=[item, create], parts={"part": "workspace"},
        lifespans=[living], rate_limit=20, tags={"items": "Items"},
    )  # fmt: skip
    capital = Service(
        id="tp-capital-signals", title="T", description="t", handlers=[signals], own=[signals_root, signals_health],
        parts={"part": "capital"}, rate_limit=3, counted="/",
    )  # fmt: skip
    gateway = Service(id="api-gateway", title="G", description="g", handlers=[front])
    return process(settings, gateway, [workspace, capital], PREFIXES)


@contextlib.contextmanager
def served(app: Ports, sockets: list[socket.socket]) -> Iterator[None]:
    server = uvicorn.Server(configured(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def got(url: str, **values: Any) -> Any:
    answer = patient.get(url, **values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_port_answers_for_its_own_service_alone(scene):
    workspace, capital = scene.urls["workspace-api"], scene.urls["tp-capital-signals"]

    assert got(f"{workspace}/api/items/7") == {"number": "7", "part": "workspace", "prefix": ""}
    assert patient.get(f"{workspace}/signals").status_code == 404
    assert patient.get(f"{capital}/api/items/7").status_code == 404
    assert got(f"{capital}/") == {"status": "ok"}


def test_every_port_has_health_metrics_and_documentation_of_its_own(scene):
    for name, title in (("api-gateway", "G"), ("workspace-api", "W"), ("tp-capital-signals", "T")):
        url = scene.urls[name]
        document = got(f"{url}/docs/openapi.json")

        assert document["info"]["title"] == title
        assert "swagger" in patient.get(f"{url}/docs").text
        assert "process_" in patient.get(f"{url}/metrics").text
    assert got(f"{scene.urls['workspace-api']}/health")["service"] == "workspace-api"
    assert got(f"{scene.urls['tp-capital-signals']}/health") == {"questdb": False}  # its own


def test_the_gateway_has_the_paths_of_all_and_documents_them(scene):
    gateway = scene.urls["api-gateway"]
    paths = got(f"{gateway}/docs/openapi.json")["paths"]

    assert got(f"{gateway}/api/items/7") == {"number": "7", "part": "workspace", "prefix": ""}
    assert got(f"{gateway}/") == {"front": "page"}
    assert {"/api/items", "/api/items/{number}", "/signals"} <= set(paths)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/workspace/items/b%20c?_t=1", {"number": "b c", "part": "workspace", "prefix": "/api/workspace"}),
        ("/api/library/items/7", {"number": "7", "part": "workspace", "prefix": "/api/library"}),
        ("/api/tp-capital", {"status": "ok"}),
        ("/api/tp-capital/", {"status": "ok"}),
        ("/api/tp-capital/health", {"questdb": False}),
    ],
)
def test_a_prefix_leads_to_the_paths_of_a_service(scene, path, expected):
    assert got(f"{scene.urls['api-gateway']}{path}") == expected


def test_a_prefix_is_known_on_the_gateway_only_and_never_by_half(scene):
    assert patient.get(f"{scene.urls['workspace-api']}/api/workspace/items/7").status_code == 404
    assert patient.get(f"{scene.urls['api-gateway']}/api/workspaces/items/7").status_code == 404
    assert patient.get(f"{scene.urls['api-gateway']}/api/b3/overview").status_code == 404  # nobody serves it here


def test_a_service_has_one_limit_whichever_way_it_is_asked(scene):
    capital, gateway = scene.urls["tp-capital-signals"], scene.urls["api-gateway"]
    ways = [f"{capital}/signals", f"{gateway}/signals", f"{gateway}/api/tp-capital/signals", f"{capital}/signals"]
    for way in ways:
        last = patient.get(way)
    other = patient.get(f"{gateway}/api/items/7")

    assert last.status_code == 429
    assert last.headers["ratelimit-limit"] == "3"
    assert "TP_CAPITAL_RATE_LIMIT_MAX" in last.json()["error"]
    assert other.headers["ratelimit-limit"] == "20"
    assert patient.get(f"{capital}/health").status_code == 200


def test_requests_count_as_those_of_the_service_that_answered(scene):
    gateway = scene.urls["api-gateway"]
    patient.get(f"{gateway}/api/items/7")
    text = patient.get(f"{gateway}/metrics").text

    assert 'route="/api/items/{number}",service="workspace-api",status="200"' in text
    assert 'route="/metrics",service="api-gateway"' in patient.get(f"{gateway}/metrics").text


def test_every_application_begins_and_ends_once(settings):
    there = Scene({})
    app = process_of(settings, there)
    told: list[str] = []
    asked = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        return {"type": next(asked)}

    async def send(message: Any) -> None:
        told.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))

    assert there.lived == ["begun", "ended"]
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
