"""The typed client that our own document generates, against the running process."""

import importlib
import sys
import uuid

import pytest

from api.gateway import ID
from api.served import documents
from config import settings as configuration
from config.settings import ROOT
from launcher import client as clients
from launcher.errors import UsageError


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The generated package; the writer raises when anything of the document is left out of it."""
    folder = tmp_path_factory.mktemp("client") / "written_client"
    settings = configuration.load({"TRADINGSYSTEM_API_KEY": "k"}, root=ROOT / "no-such-folder")
    clients.write(documents(settings)[ID], folder)
    sys.path.insert(0, str(folder.parent))
    yield importlib.import_module("written_client")
    sys.path.remove(str(folder.parent))


@pytest.fixture
def call(package, url):
    """Calls an operation: `call("workspace.api_items_list_items", …)`, the whole typed response."""
    client = package.Client(base_url=url, raise_on_unexpected_status=True)

    def made(name, **values):
        return importlib.import_module(f"written_client.api.{name}").sync_detailed(client=client, **values)

    with client:
        yield made


def model(name):
    return getattr(importlib.import_module("written_client.models"), name)


def test_an_item_lives_and_ends_in_types(call):
    new = model("NewItem")(title="Typed", description="made by the client", category="dashboard", priority="low")
    key = str(uuid.uuid4())
    made, again = (call("workspace.api_items_create_item", body=new, idempotency_key=key) for _ in range(2))
    item = made.parsed.data
    listed = call("workspace.api_items_list_items").parsed
    changed = call(
        "workspace.api_items_item_id_update_item",
        item_id=item.id,
        body=model("Changes").from_dict({"priority": "high"}),
    )
    gone = call("workspace.api_items_item_id_delete_item", item_id=item.id)
    missing = call("workspace.api_items_item_id_get_item", item_id=item.id)

    assert (made.status_code, item.title, item.status) == (201, "Typed", "new")
    assert again.parsed == made.parsed
    assert [found.id for found in listed.data].count(item.id) == 1
    assert changed.parsed.data.priority == "high"
    assert gone.status_code == 200
    assert isinstance(missing.parsed, model("Problem"))
    assert (missing.status_code, missing.parsed.status) == (404, 404)


def test_the_catalog_and_the_tape_come_in_types(call):
    services = call("services.api_v1_services_catalog_of_services").parsed.data
    ticks = call("tape.api_v1_ticks_ticks", limit=3, symbol="WINZ26").parsed

    assert {entry.id: entry.state for entry in services}["workspace-api"] == "up"
    assert {tick.symbol for tick in ticks.data} == {"WINZ26"}


def test_a_value_that_does_not_fit_is_a_typed_problem(call):
    answer = call("tape.api_v1_candles_candles", symbol="WINZ26", interval="7m")

    assert answer.parsed.status == 400
    assert answer.parsed.errors[0].field == "interval"


def test_a_package_that_is_there_is_not_written_over(package, tmp_path):
    with pytest.raises(UsageError, match="exists already"):
        clients.write({}, tmp_path)
