"""The one place where an exception becomes a status. Bodies carry `success: false`, `error` and RFC 9457's members.

InvalidRequestError   400, the caller's values; `errors` names each of them
sql.errors            503 for a store that is away, 409 for a constraint, 400 for a value that it cannot hold, 500
                      for the rest: their words go to the log, not to the caller
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType, to_builtins

from sql.errors import ConflictError, StoreUnavailableError, SuspendedError, UncertainError, UnfitValueError

RETRY_AFTER_SECONDS = 5
PROBLEM = "application/problem+json"
INTERNAL = "Internal server error"
UNCERTAIN = "uncertain"  # in a request's state: what it asked for may have been done, though its answer is an error
NO_BODY = "'data'"  # all that litestar says when a body was expected and none came
MISSING = re.compile(r"^Missing required \w+ parameter '([^']+)'")

logger = structlog.get_logger("api.errors")


class FieldError(Struct, frozen=True):
    """One value of a request that was not understood."""

    field: str
    message: str


class Problem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """Body of every error."""

    success: bool = False
    error: str
    message: str
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    correlation_id: str | None
    errors: list[FieldError] | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET  # seconds, beside the header


class InvalidRequestError(Exception):
    """The caller's values cannot be used; `errors` has one entry for each of them."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = list(errors)


class UpstreamError(Exception):
    """A service behind us did not do what was asked of it: its status, or 502, 503, 504 of our own, with words for the
    caller. Nothing of our own inside may stand in the words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def invalid(field: str, message: str) -> InvalidRequestError:
    """The error for one value of a request."""
    return InvalidRequestError(FieldError(field, message))


def problem_of(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to `request` for `error`. An unforeseen error is logged and tells the caller nothing but its id."""
    status, detail, errors, headers = _verdict(request, error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unhandled_error", method=request.method, path=request.url.path, exc_info=error)
    elif isinstance(error, StoreUnavailableError | SuspendedError):
        logger.warning("store_unavailable", path=request.url.path, reason=str(error))
        if isinstance(error, UncertainError):
            request.scope["state"][UNCERTAIN] = True
    body = Problem(
        error=detail,
        message=detail,
        title=_title(status),
        status=status,
        detail=detail,
        instance=request.url.path,
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
        errors=errors or UNSET,
        retry_after=int(headers["Retry-After"]) if "Retry-After" in headers else UNSET,
    )
    media_type = PROBLEM if PROBLEM in request.headers.get("accept", "") else "application/json"
    return Response(to_builtins(body), status_code=status, media_type=media_type, headers=headers)


def responses(*statuses: int) -> dict[int, ResponseSpec]:
    """What a handler's OpenAPI entry says about these error statuses."""
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=HTTPStatus(status).phrase)
        for status in statuses
    }


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {Exception: problem_of}

STORE_ERRORS: dict[type[Exception], tuple[int, str]] = {
    StoreUnavailableError: (503, "a data store does not answer; try again shortly"),
    SuspendedError: (503, "a data store takes rows but does not show them; see the log of this service"),
    ConflictError: (409, "this clashes with what is stored already"),
    UnfitValueError: (400, "a value cannot be stored: it is too long, out of range, or holds a NUL"),
}

Verdict = tuple[int, str, list[FieldError], dict[str, str]]


def _verdict(request: Request[Any, Any, Any], error: Exception) -> Verdict:
    for kind, (status, words) in STORE_ERRORS.items():
        if isinstance(error, kind):
            return status, words, [], {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    match error:
        case InvalidRequestError():
            return 400, str(error), error.errors, {}
        case UpstreamError():
            retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else {}
            return error.status if 400 <= error.status < 600 else 502, error.detail, [], retry
        case ValidationException():
            errors = _fields(request, error)
            return 400, "; ".join(f"{e.field}: {e.message}" for e in errors) or error.detail, errors, {}
        case HTTPException() if error.status_code < 500 or error.status_code == 503:
            return error.status_code, _detail(request, error), [], dict(error.headers or {})
    return 500, INTERNAL, [], {}


def _fields(request: Request[Any, Any, Any], error: ValidationException) -> list[FieldError]:
    if missing := MISSING.search(error.detail):
        return [FieldError(missing[1], "is needed")]
    entries = [entry for entry in error.extra if isinstance(entry, dict)] if isinstance(error.extra, list) else []
    if [entry for entry in entries if entry.get("message") == NO_BODY]:
        return [FieldError("body", "is needed, in JSON")]
    return [FieldError(_sent_as(request, str(e.get("key", "body"))), str(e.get("message", ""))) for e in entries]


def _sent_as(request: Request[Any, Any, Any], argument: str) -> str:
    """The name that the caller knows a handler's argument by."""
    known = request.route_handler.parsed_fn_signature.parameters.get(argument)
    definition = known.kwarg_definition if known else None
    return getattr(definition, "name", None) or argument


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a server behind us may have words of its own, such as 520
        return "Error"


def _detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    if error.detail and error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == 404:
        return f"{request.method} {request.url.path} does not exist here"
    if error.status_code == 405:
        return f"{request.url.path} does not take {request.method}"
    return HTTPStatus(error.status_code).phrase
