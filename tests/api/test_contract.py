"""The rows of the original's contract, by method and path: each is served on its service's port and on the gateway.

A row is `METHOD PATH`, the statuses that the document names, the first of them that of success, and the members of its
answer. What lies behind a row is the matter of each service's own tests.
"""

import re
from typing import NamedTuple

import pytest
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from api.kernel.openapi import complete
from config.settings import ROOT
from tests.api.access.ports import applications

ID = "b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10"
GATEWAY = "api-gateway"
OWN = {"/", "/health", "/metrics", "/docs", "/ws"}  # the gateway has its own; the service's stand below its prefix
SERVED = {
    "workspace-api": """
        GET /api/items 200 500 success count data
        POST /api/items 201 400 500 success message data
        PUT /api/items/{id} 200 400 404 500 success message data
        DELETE /api/items/{id} 200 400 404 500 success message data
        GET /api/prds/{language} 200 400 404 success language count data
        GET /health 200 500 status timestamp service dbStrategy
        GET /metrics 200 500
        """,
    "documentation-api": """
        GET / 200
        GET /health 200 503 status service timestamp database
        GET /metrics 200
        GET /docs
        GET /spec/openapi.yaml 200
        GET /spec/asyncapi.yaml 200
        GET /metrics/dashboard 200 totalSearches averageDuration popularQueries
        GET /api/v1/systems 200 400 success data count filters
        POST /api/v1/systems 201 400 409 success data message
        GET /api/v1/systems/{id} 200 404 success data
        PUT /api/v1/systems/{id} 200 400 404 409 success data message
        DELETE /api/v1/systems/{id} 200 404 success message
        POST /api/v1/systems/{id}/health 200 404 success data message
        POST /api/v1/systems/health-check-all 200 success data
        GET /api/v1/systems/status/{status} 200 data count status
        GET /api/v1/systems/type/{type} 200 data count type
        GET /api/v1/systems/search 200 400 data count query
        GET /api/v1/systems/statistics 200 data
        GET /api/v1/ideas 200 400 success data count filters
        POST /api/v1/ideas 201 400 404 success data message
        GET /api/v1/ideas/{id} 200 404 success data
        PUT /api/v1/ideas/{id} 200 400 404 success data message
        DELETE /api/v1/ideas/{id} 200 404 success message
        GET /api/v1/ideas/kanban 200 success data
        GET /api/v1/links 200 success data count
        POST /api/v1/links 201 400 success data message
        GET /api/v1/links/{id} 200 404 success data
        PUT /api/v1/links/{id} 200 400 404 success data message
        DELETE /api/v1/links/{id} 200 404 success message
        POST /api/v1/files/upload 201 400 404 success data message
        POST /api/v1/files/upload-multiple 201 207 400 404 data errors
        GET /api/v1/files 200 400 success data count pagination
        GET /api/v1/files/{id} 200 404 success data
        GET /api/v1/files/{id}/download 200 404
        PUT /api/v1/files/{id} 200 400 404 success data
        DELETE /api/v1/files/{id} 200 404 success
        GET /api/v1/files/idea/{ideaId} 200 data count
        GET /api/v1/files/system/{systemId} 200 data count
        GET /api/v1/files/search 200 400 data
        GET /api/v1/files/statistics 200 data
        GET /api/v1/files/upload-info 200 data
        GET /api/v1/stats 200 data
        GET /api/v1/stats/dashboard 200 400 data timeframe
        GET /api/v1/stats/systems 200 data
        GET /api/v1/stats/ideas 200 data
        GET /api/v1/stats/files 200 data
        GET /api/v1/stats/health 200 data
        GET /api/v1/stats/analytics 200 400 data
        GET /api/v1/stats/search 200 400 data
        GET /api/v1/stats/activity 200 400 data
        GET /api/v1/search 200 400 500 total version results
        GET /api/v1/suggest 200 400 suggestions
        POST /api/v1/reindex 200 version indexed
        GET /api/v1/versions 200 base latest stable all
        POST /api/v1/versions 201 400 version type path specs
        GET /api/v1/versions/{v} 200 404 version path specs lastUpdated
        GET /api/v1/versions/{v}/status 200 404 openapi asyncapi lastUpdated version endpoints channels
        GET /api/v1/versions/{v}/spec/{source} 200 404
        GET /api/v1/versions/compare/{v1}/{v2} 200 404 v1 v2 changes
        GET /api/v1/docs/search 200 400 success total results query
        GET /api/v1/docs/facets 200 400 success facets
        GET /api/v1/docs/suggest 200 400 success suggestions
        POST /api/v1/docs/reindex 200 429 success indexed
        GET /api/v1/docs/stats 200 success stats
        GET /api/v1/docs/status 200
        GET /api/v1/docs/check 200
        GET /api/v1/docs/download 200
        GET /api/v1/docs/health/summary 200 data
        GET /api/v1/docs/health/metrics 200 data
        GET /api/v1/docs/health/issues 200 400 data
        GET /api/v1/docs/health/trends 200 data
        GET /api/v1/docs/health/latest-report 200 404 data
        POST /api/v1/docs/health/update-metrics 200 400
        POST /api/v1/docs/health/record-fix 200 400
        """,
    "tp-capital-signals": """
        GET / 200 status endpoints message
        GET /health 200 status questdb
        GET /metrics 200
        GET /signals 200 500 data
        DELETE /signals 200 400 500 status
        GET /logs 200 data
        GET /bots 200 data
        GET /channels 200 data source timestamp
        GET /config/channels 200 data timestamp
        GET /telegram/bots 200 500 data timestamp
        POST /telegram/bots 200 400 status id
        PUT /telegram/bots/{id} 200 400 404 status
        DELETE /telegram/bots/{id} 200 404 status
        GET /telegram/channels 200 500 data timestamp
        POST /telegram/channels 200 400 status id
        PUT /telegram/channels/{id} 200 400 404 status
        DELETE /telegram/channels/{id} 200 404 status
        GET /forwarded-messages 200 400 data
        POST /ingest 200 400 503 success messageId stored reason
        POST /webhook/telegram 200
        """,
    "b3-market-data": """
        GET / 200 status endpoints message
        GET /overview 200 data
        GET /snapshots 200 data
        GET /indicators 200 data
        GET /adjustments 200 400 503 data
        GET /vol-surface 200 400 503 data
        GET /indicators/daily 200 400 503 data
        GET /gamma-levels 200 data
        GET /dxy 200 data
        GET /health 200 status questdb tables
        GET /metrics 200
        WS /ws
        """,
    "firecrawl-proxy": """
        GET / 200 success data
        POST /api/v1/scrape 200 400 429 500 503 504 success data
        POST /api/v1/crawl 200 400 429 500 503 504 success data
        GET /api/v1/crawl/{id} 200 400 404 success data
        GET /health 200 success data
        GET /metrics 200
        """,
    "docs-hub": """
        GET /
        GET /health 200 status service
        GET /metrics 200
        """,
    "order-manager": """
        POST /api/v1/execute 202 400 403
        GET /api/v1/orders 200
        GET /api/v1/orders/{orderId} 200 404
        GET /api/v1/positions 200
        GET /api/v1/positions/{symbol} 200 404
        GET /api/v1/risk/limits 200
        POST /api/v1/risk/kill-switch 200
        GET /health 200 503
        GET /metrics 200
        """,
    GATEWAY: """
        GET /
        GET /docs
        GET /health 200 status
        GET /metrics 200
        GET /api/v1/signals/latest 200 400
        POST /api/v1/signals 201 400 id symbol direction confidence price reason timestamp
        GET /api/v1/metrics 200 totalTrades hitRate avgProfit maxDrawdown sharpeRatio
        """,
}
NOT_SERVED = {  # row -> (whose it would be, what docs/compatibility.md calls it)
    "POST /reload-channels": ("tp-capital-signals", "TP-Capital: `/reload-channels`"),
    "POST /sync-messages": ("tp-capital-signals", "`/sync-messages`"),
    "GET /telegram-channels": ("tp-capital-signals", "`/telegram-channels`"),
    "GET /api/health": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/systems": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/items": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/items/{id}/files": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/files/{id}": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/stats": ("documentation-api", "legacy paths of port 5175"),
    "GET /api/launcher/api/status": (GATEWAY, "`/api/launcher/*`"),
}
PREFIXES = {  # of the gateway -> (service, what it stands for)
    "/api/workspace": ("workspace-api", "/api"),
    "/api/library": ("workspace-api", "/api"),
    "/api/docs": ("documentation-api", "/api/v1"),
    "/api/tp-capital": ("tp-capital-signals", ""),
    "/api/b3": ("b3-market-data", ""),
    "/api/firecrawl": ("firecrawl-proxy", ""),
    "/hub": ("docs-hub", ""),
}
LIMITS = {  # service -> (requests of one address in a minute, bytes of a body)
    "workspace-api": (300, 1 << 20),
    "documentation-api": (200, 1 << 20),
    "tp-capital-signals": (120, 1 << 20),
    "b3-market-data": (120, 1 << 20),
    "firecrawl-proxy": (100, 2 << 20),
}


class Row(NamedTuple):
    service: str
    method: str
    path: str
    statuses: list[str]
    members: set[str]

    def __str__(self):
        return f"{self.service} {self.method} {self.path}"


def row_of(service, line):
    method, path, *rest = line.split()
    return Row(service, method, path, [w for w in rest if w.isdigit()], {w for w in rest if not w.isdigit()})


ROWS = [row_of(service, line) for service, text in SERVED.items() for line in text.strip().splitlines()]


class Served:
    """The process's ports and the realtime process's application; nothing is opened."""

    def __init__(self, settings):
        made = {name: (asked, app) for name, asked, app in applications(settings) if "/" not in name}
        self.settings, self.ports = settings, made[GATEWAY][0]
        self.apps = {name: app for name, (_, app) in made.items()}
        self._documents = {}

    def reached(self, method, path, service=GATEWAY):
        """(Whose, pattern) of the handler that a request on this service's port comes to; None when there is none."""
        path = re.sub(r"\{\w+\}", ID, path)
        app = self.apps[service]
        if service != "order-manager":
            server = ("127.0.0.1", self.settings.ports[service])
            app, scope = self.ports._chosen({"type": "http", "server": server, "path": path})
            path = scope["path"]
        try:
            _, handler, _, _, pattern = app.asgi_router.handle_routing(path, None if method == "WS" else method)
        except (NotFoundException, MethodNotAllowedException):
            return None
        return handler.opt.get("service"), re.sub(r"\{(\w+):\w+\}", r"{\1}", pattern)

    def operation(self, row, pattern):
        """What the service's document says of a row, and the members of its answer of success."""
        if row.service not in self._documents:
            self._documents[row.service] = self.apps[row.service].openapi_schema.to_schema()
            complete(self._documents[row.service], self.apps[row.service])
        document = self._documents[row.service]
        responses = document["paths"][pattern][row.method.lower()]["responses"]
        schema = responses[row.statuses[0]].get("content", {}).get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        return set(responses), set((document["components"]["schemas"][name] if name else schema).get("properties", ()))


@pytest.fixture(scope="module")
def served(settings_in, tmp_path_factory):
    keys = {"TRADINGSYSTEM_API_KEY": "the-admin-key", "TRADINGSYSTEM_JOURNAL_KEY": "j" * 40}
    return Served(settings_in(tmp_path_factory.mktemp("contract") / "data", **keys))


def nameless(path):
    return re.sub(r"\{\w+\}", "{}", path)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_is_served_on_its_port_and_on_the_gateway(served, row):
    found = served.reached(row.method, row.path, row.service)
    assert found is not None
    assert nameless(found[1]) == nameless(row.path)
    if row.service == "order-manager" and row.path not in OWN:
        assert served.reached(row.method, row.path)[1] in (row.path, re.sub(r"/[^/]+$", "/{rest}", row.path))
    elif row.service not in {GATEWAY, "order-manager"}:
        if row.path not in OWN:
            assert served.reached(row.method, row.path) == found
        for prefix, (service, root) in PREFIXES.items():
            if service == row.service and row.path.startswith(root):
                assert served.reached(row.method, prefix + row.path.removeprefix(root)) == found, prefix
    if row.statuses:
        statuses, members = served.operation(row, found[1])
        assert set(row.statuses) <= statuses
        assert row.members <= members


@pytest.mark.parametrize("line", NOT_SERVED)
def test_what_is_not_served_is_said(served, line):
    service, words = NOT_SERVED[line]

    assert served.reached(*line.split(), service) is None
    assert words in (ROOT / "docs" / "compatibility.md").read_text("utf-8")


@pytest.mark.parametrize("service", LIMITS)
def test_limits_are_the_originals(served, service):
    requests, size = LIMITS[service]
    allowed = served.settings.allowance(service)

    assert (allowed.requests, allowed.window_ms) == (requests, 60_000)
    assert served.apps[service].request_max_body_size == size
