"""What the API does is what its OpenAPI document says, for requests that schemathesis invents.

The seeded share of `tradingsystem bench generated`, which asks every port 50,000 times in all.
"""

import pytest

from tests.api import patient
from tests.api.conftest import KEY
from tests.api.explored import explore

TAPE = (
    "/api/v1/ticks",
    "/api/v1/candles",
    "/api/v1/catalog",
    "/api/v1/live",
    "/api/v1/tape/sessions",
    "/api/v1/tape/gaps",
)


@pytest.mark.parametrize(
    ("wanted", "examples"),
    [(lambda path: path in TAPE, 20), (lambda path: path not in TAPE, 4)],
    ids=["tape", "services"],
)
def test_every_answer_is_one_that_the_document_foresees(url, wanted, examples):
    found = explore(url, examples, headers={"X-API-Key": KEY}, wanted=wanted)

    assert found.wrong == {}
    assert found.server_errors == 0
    assert found.requests > 50
    assert found.statuses[200] > 0


def test_the_document_describes_what_there_is(url):
    document = patient.get(f"{url}/docs/openapi.json").json()

    assert {"/health", "/metrics", *TAPE} <= set(document["paths"])
    ticks = document["paths"]["/api/v1/ticks"]["get"]
    assert {parameter["name"] for parameter in ticks["parameters"]} == {
        "symbol", "from", "to", "limit", "cursor", "format"
    }  # fmt: skip
    assert {"200", "206", "400", "401", "416", "429", "503"} <= set(ticks["responses"])
    assert document["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
