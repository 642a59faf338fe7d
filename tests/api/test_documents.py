"""The OpenAPI documents of every port: nothing is left out, and their examples are ones."""

import jsonschema_rs
import msgspec
import pytest

from api.gateway import ID
from api.kernel.openapi import complete, operations
from api.kernel.samples import sample
from tests.api.access.ports import applications


@pytest.fixture(scope="module")
def documents(settings_in, tmp_path_factory):
    """Service -> (document, application) of every port, those of the realtime process and the relay too."""
    keys = {"TRADINGSYSTEM_API_KEY": "the-admin-key", "TRADINGSYSTEM_JOURNAL_KEY": "j" * 40}
    settings = settings_in(tmp_path_factory.mktemp("documents") / "data", **keys)
    found = {}
    for name, _, app in applications(settings):
        if "/" not in name:
            document = app.openapi_schema.to_schema()
            complete(document, app)
            found[name] = document, app
    return found


def every(documents):
    for name, (document, app) in documents.items():
        for operation, method, handler in operations(document, app):
            yield f"{name} {method} {'|'.join(sorted(handler.paths))}", operation, method, handler


def test_every_operation_says_what_it_does(documents):
    lacking = [
        f"{where}: {field}"
        for where, operation, _, _ in every(documents)
        for field in ("summary", "description", "tags", "operationId")
        if not operation.get(field)
    ]

    assert lacking == []
    for name, (document, app) in documents.items():
        ids = [operation["operationId"] for operation, _, _ in operations(document, app)]
        assert len(ids) == len(set(ids)) > 0, name
        assert document["openapi"].startswith("3.1"), name


def test_every_operation_says_how_it_fails_and_who_may_call(documents):
    for where, operation, method, handler in every(documents):
        answers = set(operation["responses"])

        assert {"403", "500", "503"} <= answers, where
        assert ("401" in answers) is (handler.opt.get("access") != "open") or "401" in answers, where
        assert operation["security"] == [] if handler.opt.get("access") == "open" else operation["security"], where
        assert ({} in operation["security"]) is not bool(handler.opt.get("always")) or not operation["security"], where
        if method != "GET" and operation.get("requestBody"):
            assert {"400", "413"} <= answers, where


def test_writes_of_services_say_that_they_take_a_key(documents):
    elsewhere = {ID, "order-manager", "order-manager of files", "data-capture", "data-capture of a replay"}
    for where, operation, method, handler in every(documents):
        if handler.opt.get("service") in elsewhere:
            continue
        named = {parameter["name"] for parameter in operation.get("parameters", [])}

        assert ("Idempotency-Key" in named) is (method != "GET"), where


def test_examples_fit_their_schemas(documents):
    checked = 0
    for where, operation, _, _ in every(documents):
        components = next(d["components"] for n, (d, _) in documents.items() if where.startswith(f"{n} "))
        for media in contents(operation):
            if "example" in media:
                jsonschema_rs.validate({**media["schema"], "components": components}, media["example"])
                checked += 1

    assert checked > 100


def contents(operation):
    for content in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from content.get("content", {}).values()


class Leaf(msgspec.Struct):
    name: str
    count: int | None


def test_a_sample_fits_references_choices_and_bounds():
    (schema,), schemas = msgspec.json.schema_components([Leaf], ref_template="#/components/schemas/{name}")

    assert sample(schema, schemas) == {"name": "text", "count": 1}
    assert sample({"type": "array", "items": schema, "minItems": 2}, schemas) == [{"name": "text", "count": 1}] * 2
    assert sample({"oneOf": [{"type": "null"}, {"type": "integer"}], "minimum": 1000}, {}) == 1000
    assert sample({"type": "string", "minLength": 6, "maxLength": 7}, {}) == "textte"
    assert sample({"type": ["string", "null"], "format": "date"}, {}) == "2026-11-19"
    assert sample({"enum": ["a", "b"]}, {}) == "a"
