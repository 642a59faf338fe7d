"""The service over real HTTP: on its own port, at the same paths of the gateway, and below its prefix."""

import threading
import uuid

import httpx
import msgspec
import pytest
import structlog

from api.documentation.kinds import MAX_FILE_BYTES
from api.documentation.service import documentation
from api.gateway import PREFIXES
from api.kernel.application import Service
from api.kernel.ports import process
from api.kernel.server import listening
from tests.api import patient
from tests.api.test_ports import served

IDS = ("api-gateway", "documentation-api")


@pytest.fixture(scope="module")
def urls(engines):
    """Addresses of a gateway and of the service, in one process."""
    access = msgspec.structs.replace(engines.access, api_key="the-admin-key", rate_limit_max=1_000_000)
    made = msgspec.structs.replace(engines, access=access, ports={**engines.ports, **dict.fromkeys(IDS, 0)})
    sockets = listening(made, IDS)
    ports = {name: bound.getsockname()[1] for name, bound in zip(IDS, sockets, strict=True)}
    made = msgspec.structs.replace(made, ports={**made.ports, **ports})
    front = Service(id="api-gateway", title="G", description="g", handlers=[])
    with served(process(made, front, [documentation(made)], PREFIXES), sockets):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


def test_one_thing_under_three_addresses(urls):
    gateway, own = urls["api-gateway"], urls["documentation-api"]
    sent = {"name": f"System {uuid.uuid4()}", "type": "api"}
    made = patient.post(f"{gateway}/api/v1/systems", json=sent, headers={"x-user-id": "ana"}).json()["data"]

    for root in (f"{own}/api/v1", f"{gateway}/api/v1", f"{gateway}/api/docs"):
        assert patient.get(f"{root}/systems/{made['id']}").json()["data"] == made
    assert patient.get(f"{own}/health").json()["service"] == "documentation-api"


def test_a_write_with_a_key_happens_once(urls):
    sent = {"title": f"Idea {uuid.uuid4()}", "category": "content"}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (
        patient.post(f"{urls[name]}/api/v1/ideas", json=sent, headers=headers) for name in ("api-gateway",) * 2
    )
    found = patient.get(f"{urls['documentation-api']}/api/v1/ideas", params={"search": sent["title"]}).json()

    assert (first.status_code, again.json()["data"]) == (201, first.json()["data"])
    assert found["total"] == 1


def test_many_large_files_at_once(urls):
    contents = [bytes([number]) * MAX_FILE_BYTES for number in range(4)]
    wrong = []

    def through(content):
        sent = {"file": ("all.zip", content, "application/zip")}
        answer = patient.post(f"{urls['api-gateway']}/api/v1/files/upload", files=sent)
        address = f"{urls['api-gateway']}/api/docs/files/{answer.json()['data']['id']}/download"
        if patient.get(address).content != content:
            wrong.append(content[:1])

    threads = [threading.Thread(target=through, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert wrong == []


def test_a_file_that_goes_while_it_is_read_is_no_whole_answer(urls):
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])  # the usual traceback takes seconds
    sent = {"file": ("gone.zip", bytes(MAX_FILE_BYTES), "application/zip")}
    path = f"{urls['documentation-api']}/api/v1/files"
    key = patient.post(f"{path}/upload", files=sent).json()["data"]["id"]

    with httpx.stream("GET", f"{path}/{key}/download", timeout=60) as answer:
        parts = answer.iter_raw(1 << 10)
        next(parts)
        removed = patient.delete(f"{path}/{key}")
        with pytest.raises(httpx.RemoteProtocolError):
            list(parts)

    assert removed.status_code == 200
