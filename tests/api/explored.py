"""Requests that schemathesis makes of an OpenAPI document, valid and broken ones, and what is wrong with answers."""

from collections import Counter
from collections.abc import Callable, Iterator

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from msgspec import Struct
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# What a document cannot say (`to` follows `from`, a name is free), and that unknown values are ignored, is not judged.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TIMEOUT_SECONDS = 60
FIRECRAWL = ("/api/v1/scrape", "/api/v1/crawl")  # the server behind these is not there in a test,
AWAY = frozenset({502, 503, 504})  # which they may say

Wanted = Callable[[str], bool]  # of a path
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


class Explored(Struct):
    """What became of the requests to one port."""

    requests: int
    statuses: Counter[int]
    wrong: dict[str, str]  # what -> the request that shows it, as a curl command
    server_errors: int = 0


def explore(
    url: str,
    examples: int,
    *,
    number: int = 1,
    headers: dict[str, str] | None = None,
    wanted: Wanted = lambda _: True,
) -> Explored:
    """Ask every operation at `url` whose path is `wanted` about `examples` times, half of them wrongly."""
    found = Explored(0, Counter(), {})
    document = schemathesis.openapi.from_url(f"{url}/docs/openapi.json", headers=headers)
    with requests.Session() as session:
        session.headers.update(headers or {})
        for operation in _operations(document, wanted):
            for mode in MODES:
                _ask(operation, mode, max(1, examples // len(MODES)), number, session, found)
    return found


def _operations(
    document: schemathesis.BaseSchema, wanted: Callable[[str], bool]
) -> Iterator[schemathesis.APIOperation]:
    for result in document.get_all_operations():
        operation = result.ok()
        if wanted(operation.path):
            yield operation


def _ask(
    operation: schemathesis.APIOperation,
    mode: schemathesis.GenerationMode,
    examples: int,
    number: int,
    session: requests.Session,
    found: Explored,
) -> None:
    away = AWAY if operation.path.startswith(FIRECRAWL) else frozenset()

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def every_case(case: schemathesis.Case) -> None:
        answer = case.call(session=session, timeout=TIMEOUT_SECONDS)
        found.requests += 1
        found.statuses[answer.status_code] += 1
        found.server_errors += answer.status_code >= 500 and answer.status_code not in away
        try:
            case.validate_response(answer, checks=CHECKS[1:] if answer.status_code in away else CHECKS)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                what = f"{operation.label} {answer.status_code}: {failure.title}"
                found.wrong.setdefault(what, f"{failure.message[:300]} | {case.as_curl_command()[:1000]}")

    try:
        every_case()
    except Unsatisfiable:
        if mode is schemathesis.GenerationMode.POSITIVE:
            raise  # an operation that takes nothing cannot be asked wrongly, but it can be asked
