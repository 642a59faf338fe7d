"""What the API does is what its OpenAPI document says, for requests that schemathesis invents."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

PATHS = (
    "/health",
    "/metrics",
    "/api/v1/ticks",
    "/api/v1/candles",
    "/api/v1/catalog",
    "/api/v1/live",
    "/api/v1/tape/sessions",
    "/api/v1/tape/gaps",
)


@pytest.fixture(scope="module")
def document(url):
    return schemathesis.openapi.from_url(f"{url}/docs/openapi.json")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_one_that_the_document_foresees(document, path):
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=document[path]["GET"].as_strategy())
    def every_case(case):
        # A document cannot say that `to` follows `from`, nor that 30 February is no day.
        case.call_and_validate(timeout=30, excluded_checks=[positive_data_acceptance])

    every_case()


def test_the_document_describes_what_there_is(url):
    document = httpx.get(f"{url}/docs/openapi.json").json()

    assert set(PATHS) <= set(document["paths"])
    ticks = document["paths"]["/api/v1/ticks"]["get"]
    assert {parameter["name"] for parameter in ticks["parameters"]} == {
        "symbol", "from", "to", "limit", "cursor", "format"
    }  # fmt: skip
    assert {"200", "206", "400", "401", "416", "429", "503"} <= set(ticks["responses"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
    assert document["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
