"""The API documents of this process, their parts as a search knows them, and how two of them differ."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import anyio.to_thread
import msgspec
import yaml
from litestar import Litestar, Request

from api.kernel.asyncapi import document
from api.kernel.openapi import complete
from sql.messages import ADDRESSES, Ask, Options

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MADE = "openapi-made"  # in the state of an application
COMPARED = ("paths", "components", "channels")

Document = Mapping[str, Any]


async def live(request: Request[Any, Any, Any]) -> tuple[Document, Document]:
    """OpenAPI and AsyncAPI document of the gateway, or of this service when it runs alone. Not to be changed."""
    app: Litestar = request.app.state.get("front", request.app)
    if MADE not in app.state:  # in a thread: orders pass the same loop. It changes with the program alone.
        app.state[MADE] = await anyio.to_thread.run_sync(_openapi_of, app)
    host = request.headers.get("host", "127.0.0.1")
    return app.state[MADE], _stored(document("TradingSystem stream", host, ADDRESSES, Ask, Options))


async def as_yaml(found: Document) -> str:
    """A document as YAML, in its own order: made once, in a thread, as that takes a second."""
    return await anyio.to_thread.run_sync(_yaml_of, msgspec.json.encode(found))


def _openapi_of(app: Litestar) -> Document:
    openapi = app.openapi_schema.to_schema()
    if "x-complete" not in openapi:
        complete(openapi, app)
    return _stored(openapi)


def _stored(found: Any) -> Document:
    document: Document = msgspec.json.decode(msgspec.json.encode(found))
    return document


@lru_cache(maxsize=8)
def _yaml_of(made: bytes) -> str:
    found = msgspec.json.decode(made)
    return yaml.dump(found, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def entries_of(openapi: Document, asyncapi: Document) -> Iterator[dict[str, Any]]:
    """Every endpoint, schema, channel and message, as it is stored for the search."""
    for path, method, operation in operations(openapi):
        title = operation.get("summary") or operation.get("operationId") or path
        yield _entry("endpoint", "openapi", title, operation.get("description"), path=path, method=method.upper())
    for name, schema in _part(openapi, "components", "schemas").items():
        yield _entry("schema", "schema", name, _words(schema))
    for name, channel in asyncapi.get("channels", {}).items():
        yield _entry("channel", "asyncapi", name, channel.get("description"), path=channel.get("address"))
    for name, message in _part(asyncapi, "components", "messages").items():
        yield _entry("message", "asyncapi", message.get("title") or name, message.get("summary") or _words(message))


def operations(openapi: Document) -> Iterator[tuple[str, str, Document]]:
    """Path, method and what the document says of each operation."""
    for path, item in openapi.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def issues_of(openapi: Document, asyncapi: Document) -> tuple[list[str], list[str]]:
    """What is missing in each of the documents."""
    of_openapi = [] if str(openapi.get("openapi", "")).startswith("3.") else ["`openapi` is not 3.x"]
    of_openapi += [
        f"{method.upper()} {path} has no summary" for path, method, op in operations(openapi) if not op.get("summary")
    ]
    of_asyncapi = [] if str(asyncapi.get("asyncapi", "")).startswith("3.") else ["`asyncapi` is not 3.x"]
    of_asyncapi += [] if asyncapi.get("channels") else ["no channels"]
    return of_openapi, of_asyncapi


def examples_of(openapi: Document) -> dict[str, Any]:
    """Bodies that operations give as examples, by method and path."""
    found = {}
    for path, method, operation in operations(openapi):
        media = _part(operation, "requestBody", "content").get("application/json", {})
        if "example" in media:
            found[f"{method.upper()} {path}"] = media["example"]
        elif media.get("examples"):
            found[f"{method.upper()} {path}"] = next(iter(media["examples"].values())).get("value")
    return found


def changes(before: Document, after: Document) -> dict[str, dict[str, list[str]]]:
    """What was added, removed and modified among paths, components and channels; names in order."""
    return {part: _differences(_named(before, part), _named(after, part)) for part in COMPARED}


def _named(documents: Document, part: str) -> dict[str, Any]:
    if part == "paths":
        return {f"{method.upper()} {path}": operation for path, method, operation in operations(documents["openapi"])}
    if part == "channels":
        return dict(documents["asyncapi"].get("channels", {}))
    return {
        f"{kind}/{name}": value
        for source in ("openapi", "asyncapi")
        for kind, named in documents[source].get("components", {}).items()
        for name, value in named.items()
    }


def _differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "modified": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }


def _entry(kind: str, source: str, title: str, description: Any, **place: Any) -> dict[str, Any]:
    path, method = place.get("path"), place.get("method")
    return {
        "id": ":".join(filter(None, (kind, method, path or title))),
        "type": kind,
        "source": source,
        "title": title,
        "description": str(description or ""),
        "path": path,
        "method": method,
    }


def _words(schema: Document) -> str:
    names = ", ".join(schema.get("properties", {}))
    return " — ".join(filter(None, (str(schema.get("description") or ""), names)))


def _part(found: Document, *names: str) -> dict[str, Any]:
    for name in names:
        found = found.get(name) or {}
    return dict(found)


class _Plain(yaml.CSafeDumper):
    """Without anchors: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its interface
        return True
