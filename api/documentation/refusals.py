"""400 as this service tells it: `details` beside `errors`, each with the value that was sent."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import ValidationException
from litestar.utils.scope.state import ScopeState

from api.kernel.bodies import BROKEN
from api.kernel.errors import InvalidRequestError, problem_of

SHOWN = 200  # characters of a text; what is longer, and what is no plain value, is not sent back


def detailed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The kernel's answer, with `details`."""
    answer = problem_of(request, error)
    sent = _sent(request)
    answer.content["details"] = [
        entry | {"value": _shown(sent.get(entry["field"]))} for entry in answer.content.get("errors", [])
    ]
    return answer


REFUSALS: Any = {InvalidRequestError: detailed, ValidationException: detailed}


def _sent(request: Request[Any, Any, Any]) -> dict[str, Any]:
    sent = {**request.path_params, **request.query_params.dict()}
    state = ScopeState.from_scope(request.scope)
    if isinstance(state.form, dict):
        return sent | state.form
    try:
        body = msgspec.json.decode(state.body) if isinstance(state.body, bytes) else {}
    except BROKEN:
        body = {}
    return sent | body if isinstance(body, dict) else sent


def _shown(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:  # of a query
        value = value[0]
    if isinstance(value, str):
        return value[:SHOWN]
    return value if isinstance(value, int | float | bool) else None
