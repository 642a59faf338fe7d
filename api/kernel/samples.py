"""One value for a JSON schema: what an OpenAPI document shows where nobody wrote an example.

The smallest that says something: all the fields of an object, one entry of a list, the first of several forms.
"""

from collections.abc import Mapping
from typing import Any

DEPTH = 20
FORMATS = {
    "uuid": "3f1f6d0e-6b0e-4c55-9a3b-0c8e4b3a2f10",
    "date-time": "2026-11-19T13:00:00Z",
    "date": "2026-11-19",
    "time": "13:00:00",
    "uri": "https://example.com/",
    "email": "someone@example.com",
}
WORD = "text"

Schema = Mapping[str, Any]


def sample(schema: Schema, schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that fits `schema`; its references lead to `schemas`. Patterns are met by an `example` of the schema."""
    if "$ref" in schema:
        return sample(schemas[str(schema["$ref"]).rpartition("/")[2]], schemas, depth + 1)
    for name in ("const", "example", "default"):
        if schema.get(name) is not None:
            return schema[name]
    for name in ("examples", "enum"):
        if schema.get(name):
            return _first(schema[name])
    for name in ("oneOf", "anyOf", "allOf"):
        if schema.get(name):
            forms = [form for form in schema[name] if form.get("type") != "null"]
            around = {key: value for key, value in schema.items() if key != name}
            return sample({**around, **forms[0]}, schemas, depth) if forms else None
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), None)
    return _of_kind(kind or ("object" if "properties" in schema else None), schema, schemas, depth)


def _of_kind(kind: str | None, schema: Schema, schemas: Mapping[str, Any], depth: int) -> Any:
    match kind:
        case "object" if depth <= DEPTH:
            found: Any = {
                name: sample(inner, schemas, depth + 1) for name, inner in schema.get("properties", {}).items()
            }
        case "array" if depth <= DEPTH:
            inner = schema.get("items") or next(iter(schema.get("prefixItems", ())), None)
            found = [sample(inner, schemas, depth + 1)] * max(1, schema.get("minItems", 1)) if inner else []
        case "string":
            found = _text(schema)
        case "integer" | "number":
            found = _number(schema)
        case "boolean":
            found = True
        case _:
            found = {"object": {}, "array": []}.get(kind or "")
    return found


def _text(schema: Schema) -> str:
    word = FORMATS.get(schema.get("format", ""), WORD)
    least, most = int(schema.get("minLength", 1)), schema.get("maxLength")
    return (word * max(1, least))[: max(len(word), least)][:most]


def _number(schema: Schema) -> float:
    whole = schema.get("type") == "integer" or "integer" in schema.get("type", ())
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", float("inf")))
    found = min(max(1 if whole else 1.5, least), most)
    return int(found) if whole else float(found)


def _first(values: Any) -> Any:
    found = next(iter(values.values() if isinstance(values, Mapping) else values))
    return found["value"] if isinstance(found, Mapping) and "value" in found else found
