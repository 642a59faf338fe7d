"""What the OpenAPI document of every application says besides its handlers: errors, access, keys of writes, examples.

Handlers say what is theirs. What the kernel does for all of them is added here, from the same declarations it acts on.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from api.kernel.errors import Problem
from api.kernel.idempotency import BODY_BYTES, WRITES
from api.kernel.limits import SERVICE
from api.kernel.samples import sample

REFERENCE = "#/components/schemas/{name}"
EXAMPLE = "body_example"  # of a handler's `opt`: a body that can be sent as it stands
KEYED: list[dict[str, list[str]]] = [{"key": []}, {"bearer": []}]
OPTIONAL = [{}, *KEYED]  # on this machine, none is needed
ALWAYS = (403, 408, 500, 503)
IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request gets the same answer again, and has its effect once; for a day. "
    f"The body has at most {BODY_BYTES} bytes then.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
HEADERS = {
    "Correlation": ("Names the request in logs; one that was sent is kept", {"type": "string"}),
    "RetryAfter": ("Seconds to wait", {"type": "string", "pattern": "^[0-9]+$"}),
}

Document = dict[str, Any]


class CompleteDocument(JsonRenderPlugin):
    """`/docs/openapi.json`."""

    def render(self, request: Any, openapi_schema: Document) -> bytes:
        """The document, completed once."""
        if "x-complete" not in openapi_schema:
            complete(openapi_schema, request.app)
        return super().render(request, openapi_schema)


def complete(document: Document, app: Litestar) -> None:
    """Add to `document`, that of `app`, what its handlers do not say."""
    components: Document = document.setdefault("components", {})
    schemas: Document = components.setdefault("schemas", {})
    _, needed = msgspec.json.schema_components([Problem], ref_template=REFERENCE)
    for name, schema in needed.items():
        schemas.setdefault(name, schema)
    components["headers"] = {
        name: {"description": words, "schema": schema} for name, (words, schema) in HEADERS.items()
    }
    repeatable: frozenset[str] = getattr(app.state, "repeatable", frozenset())
    for operation, method, handler in operations(document, app):
        _secured(operation, handler.opt)
        _errors(operation, method, handler.opt)
        if method in WRITES and handler.opt.get(SERVICE) in repeatable:
            operation.setdefault("parameters", []).append(IDEMPOTENCY)
            for status in (409, 413, 422):
                operation["responses"].setdefault(str(status), _problem(status))
        for media in operation.get("requestBody", {}).get("content", {}).values():
            if EXAMPLE in handler.opt:
                media["example"] = handler.opt[EXAMPLE]
        _examples(operation, schemas)
    _named_alike(document, schemas)
    _one_form(document)
    document["x-complete"] = True


def _named_alike(document: Document, schemas: Document) -> None:
    """Where two structs have one name, both carry their module's: as one word, which is a class's name elsewhere."""
    renamed = {
        name: "".join(part[:1].upper() + part[1:] for part in name.split("_")) for name in schemas if "_" in name
    }
    for name, better in renamed.items():
        schemas[better] = schemas.pop(name) | {"title": better}
    references = {REFERENCE.format(name=name): REFERENCE.format(name=better) for name, better in renamed.items()}
    _referring(document, references)


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _referring(part: Any, references: Mapping[str, str]) -> None:
    if isinstance(part, dict):
        if part.get("$ref") in references:
            part["$ref"] = references[part["$ref"]]
        for inner in part.values():
            _referring(inner, references)
    elif isinstance(part, list):
        for inner in part:
            _referring(inner, references)


def _one_form(part: Any) -> None:
    """A whole number is a number: where both are forms of a value, it fits two of them, and `oneOf` forbids that."""
    if isinstance(part, dict):
        forms = part.get("oneOf")
        if isinstance(forms, list):
            told = [form for form in forms if form != {"type": "integer"} or {"type": "number"} not in forms]
            part["oneOf"] = [form for number, form in enumerate(told) if form not in told[:number]]
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _one_form(inner)


def operations(document: Document, app: Litestar) -> Iterator[tuple[Document, str, Any]]:
    """Every operation of the document with its method and its handler."""
    handlers = {
        (route.path_format or "/", method): handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
    }
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if handler := handlers.get((path, method.upper())):
                yield operation, method.upper(), handler


def _secured(operation: Document, opt: Mapping[str, Any]) -> None:
    if opt.get("access") == "open":
        operation["security"] = []
    else:
        operation["security"] = KEYED if opt.get("always") else OPTIONAL
    if scope := opt.get("scope"):
        operation["x-scope"] = scope


def _errors(operation: Document, method: str, opt: Mapping[str, Any]) -> None:
    statuses = list(ALWAYS)
    if opt.get("access") != "open":
        statuses.append(401)
    if opt.get("rate") != "free":
        statuses.append(429)
    if operation.get("parameters") or operation.get("requestBody") or method in WRITES:
        statuses.append(400)
    if operation.get("requestBody"):
        statuses += [413, 415] if method in WRITES else []
    answers: Document = operation.setdefault("responses", {})
    for status in statuses:
        if _is_litestars(answers.get(str(status), {})):
            answers[str(status)] = _problem(status)
        answers.setdefault(str(status), _problem(status))
    for name, answer in answers.items():
        headers = answer.setdefault("headers", {})
        headers["x-correlation-id"] = {"$ref": "#/components/headers/Correlation"}
        if name in ("429", "503"):
            headers["retry-after"] = {"$ref": "#/components/headers/RetryAfter"}
    operation["responses"] = dict(sorted(answers.items()))


def _is_litestars(answer: Document) -> bool:
    """The body of errors that litestar would answer, if the kernel did not."""
    return any(
        "status_code" in media.get("schema", {}).get("required", ()) for media in answer.get("content", {}).values()
    )


def _problem(status: int) -> Document:
    schema = {"schema": {"$ref": REFERENCE.format(name="Problem")}}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": schema, "application/problem+json": schema},
    }


def _examples(operation: Document, schemas: Mapping[str, Any]) -> None:
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for status, answer in operation["responses"].items() if status < "300"]
    for content in contents:
        for media_type, media in content.items():
            if "yaml" in media_type:
                media["schema"] = {"type": "object"}  # a schema speaks of what YAML says, not of its letters
            if "json" in media_type and "schema" in media and not ({"example", "examples"} & set(media)):
                media["example"] = sample(media["schema"], schemas)
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and not ({"example", "examples"} & set(parameter)):
            parameter["example"] = sample(parameter["schema"], schemas)
