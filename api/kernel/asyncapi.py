"""`/docs/asyncapi.json` and `/docs/stream`: what a WebSocket tells, as AsyncAPI 3 and as a page to read.

Both are made from the Structs that the messages are encoded with, so they cannot say anything else.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get
from msgspec import Struct

from api.kernel.access import OPEN
from api.kernel.documentation import POLICY
from api.kernel.health import product_version
from sql.messages import Address

TEMPLATE = "#/components/schemas/{name}"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem } td, th { text-align: left; vertical-align: top;
border-bottom: 1px solid #d0d7de; padding: .25rem .75rem .25rem 0 } code { background: #f3f4f6; padding: 0 .2rem }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } code { background: #21262d } }
"""


def document(title: str, host: str, addresses: Sequence[Address], asked: type[Struct], query: type[Struct]) -> Any:
    """The AsyncAPI document. `asked` is what clients send, `query` what an address may carry."""
    told = list(dict.fromkeys(message for address in addresses for message in address.told))
    _, schemas = msgspec.json.schema_components([*told, asked, query], ref_template=TEMPLATE)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": product_version(),
            "description": "Market data as it comes. `sequence` is durable: go on with `from_sequence`.",
        },
        "defaultContentType": "application/json",
        "servers": {"here": {"host": host, "protocol": "ws"}},
        "channels": {_name(address): _channel(address, asked, query) for address in addresses},
        "operations": _operations(addresses, asked),
        "components": {
            "messages": {message.__name__: _message(message, schemas) for message in (*told, asked)},
            "schemas": schemas,
        },
    }


def stream_documentation(content: Mapping[str, Any]) -> list[Any]:
    """The handlers of a document and its page; open to all, they hold no data."""
    text, readable = msgspec.json.encode(content), page(content)

    @get("/docs/asyncapi.json", opt=OPEN, include_in_schema=False, sync_to_thread=False)
    def asyncapi() -> Response[bytes]:
        return Response(text, media_type="application/json")

    @get("/docs/stream", opt=OPEN, include_in_schema=False, sync_to_thread=False)
    def stream_page() -> Response[str]:
        return Response(readable, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    return [asyncapi, stream_page]


def page(content: Mapping[str, Any]) -> str:
    """The document as a page."""
    title, said = _text(content["info"]["title"]), _text(content["info"]["description"])
    schemas = content["components"]["schemas"]
    rows = "".join(
        f"<tr><td><code>{_text(channel['address'])}</code><td>{_text(channel['summary'])}<td>"
        + ", ".join(f'<a href="#{name}">{name}</a>' for name in channel["messages"])
        for channel in content["channels"].values()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f'<h1>{title}</h1><p>{said} <a href="/docs/asyncapi.json">asyncapi.json</a>'
        f"<table><tr><th>address<th>what<th>messages{rows}</table>"
        + "".join(_described(name, schema) for name, schema in schemas.items())
    )


def _described(name: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{_text(field)}</code>{'' if field in needed else ' (optional)'}"
        f"<td>{_text(_kind(kind))}<td>{_text(kind.get('description', ''))}"
        for field, kind in schema.get("properties", {}).items()
    )
    return f'<h2 id="{name}">{name}</h2><p>{_text(schema.get("description", ""))}<table>{rows}</table>'


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a value in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "any")


def _text(value: str) -> str:
    return html.escape(value)


def _name(address: Address) -> str:
    return address.path.strip("/").replace("/", "-")


def _channel(address: Address, asked: type[Struct], query: type[Struct]) -> dict[str, Any]:
    names = [message.__name__ for message in (*address.told, asked)]
    return {
        "address": address.path,
        "summary": address.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": {"$ref": TEMPLATE.format(name=query.__name__)}}},
    }


def _operations(addresses: Sequence[Address], asked: type[Struct]) -> dict[str, Any]:
    operations = {}
    for address in addresses:
        channel = f"#/channels/{_name(address)}"
        told = [{"$ref": f"{channel}/messages/{message.__name__}"} for message in address.told]
        said = [{"$ref": f"{channel}/messages/{asked.__name__}"}]
        operations[f"tell-{_name(address)}"] = {"action": "send", "channel": {"$ref": channel}, "messages": told}
        operations[f"ask-{_name(address)}"] = {"action": "receive", "channel": {"$ref": channel}, "messages": said}
    return operations


def _message(message: type[Struct], schemas: Mapping[str, Any]) -> dict[str, Any]:
    name = message.__name__
    return {
        "name": name,
        "summary": schemas[name].get("description", ""),
        "payload": {"$ref": TEMPLATE.format(name=name)},
    }
