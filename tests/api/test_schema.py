"""What the API does is what its OpenAPI document says, for requests that schemathesis invents.

The seeded share of `tradingsystem bench generated`, which asks every port 50,000 times in all.
"""

import httpx
import pytest

from tests.api.conftest import KEY
from tests.api.explored import explore

AWAY = frozenset({502, 503, 504})  # Firecrawl is not there
TAPE = (
    "/api/v1/ticks",
    "/api/v1/candles",
    "/api/v1/catalog",
    "/api/v1/live",
    "/api/v1/tape/sessions",
    "/api/v1/tape/gaps",
)


def firecrawl(path: str) -> bool:
    return path.startswith(("/api/v1/scrape", "/api/v1/crawl"))


@pytest.mark.parametrize(
    ("wanted", "examples", "away"),
    [
        (lambda path: path in TAPE, 20, frozenset()),
        (lambda path: path not in TAPE and not firecrawl(path), 4, frozenset()),
        (firecrawl, 6, AWAY),
    ],
    ids=["tape", "services", "firecrawl"],
)
def test_every_answer_is_one_that_the_document_foresees(url, wanted, examples, away):
    found = explore(url, examples, headers={"X-API-Key": KEY}, wanted=wanted, away=away)

    assert found.wrong == {}
    assert found.server_errors == 0
    assert found.requests > 10
    assert away or found.statuses[200] > 0


def test_the_document_describes_what_there_is(url):
    document = httpx.get(f"{url}/docs/openapi.json").json()

    assert {"/health", "/metrics", *TAPE} <= set(document["paths"])
    ticks = document["paths"]["/api/v1/ticks"]["get"]
    assert {parameter["name"] for parameter in ticks["parameters"]} == {
        "symbol", "from", "to", "limit", "cursor", "format"
    }  # fmt: skip
    assert {"200", "206", "400", "401", "416", "429", "503"} <= set(ticks["responses"])
    assert document["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
