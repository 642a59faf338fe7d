"""`Idempotency-Key` on the writes of a service, with PostgreSQL behind it."""

import asyncio
import threading
import uuid

import msgspec
import psycopg
import pytest
from litestar import Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.testing import TestClient

from api.kernel.application import Service, create_app
from api.kernel.idempotency import answers_of
from sql.errors import UncertainError
from tests.api.workspace.conftest import from_this_machine

done: list[str] = []
gate = threading.Event()
begun = threading.Event()


@post("/api/things")
async def make(data: JSONBody[dict[str, str]]) -> Response[dict[str, str | int]]:
    done.append(data["name"])
    if data["name"] == "broken":
        raise RuntimeError
    if data["name"] == "cut":
        raise UncertainError
    if data["name"] == "slow":
        begun.set()
        while not gate.is_set():
            await asyncio.sleep(0.01)
    headers = {"ETag": '"1"', "Cache-Control": "no-store" if data["name"] == "secret" else "no-cache"}
    return Response({"made": data["name"], "count": len(done)}, headers=headers, status_code=201)


@delete("/api/things/{name:str}", status_code=200)
async def remove(name: FromPath[str]) -> dict[str, int]:
    done.append(name)
    return {"count": len(done)}


@get("/api/things")
async def things() -> dict[str, int]:
    return {"count": len(done)}


@pytest.fixture(scope="module")
def ready(engines):
    access = msgspec.structs.replace(engines.access, api_key="k" * 40, rate_limit_max=1_000_000)
    return msgspec.structs.replace(engines, access=access)


@pytest.fixture
def http(ready):
    done.clear()
    gate.clear()
    begun.clear()
    with client_of(ready) as client:
        yield client


def client_of(settings, **values):
    answers = answers_of(settings)
    service = Service(
        id="workspace-api", title="T", description="t", handlers=[make, remove, things], pools=[answers.pool], **values
    )
    app = create_app(settings, service, answers=answers)
    return TestClient(app, base_url="http://127.0.0.1:3200", raise_server_exceptions=False)


def keyed(key=None):
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def test_a_repeated_write_has_its_effect_once_and_its_answer_again(http):
    headers = keyed()
    first, again = (http.post("/api/things", json={"name": "a"}, headers=headers) for _ in range(2))

    assert done == ["a"]
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert again.headers["etag"] == first.headers["etag"] == '"1"'
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-correlation-id"] != first.headers["x-correlation-id"]


def test_without_a_key_every_write_has_its_effect(http):
    for _ in range(2):
        http.post("/api/things", json={"name": "a"})

    assert done == ["a", "a"]


def test_the_key_of_another_request_is_422_and_of_another_caller_is_not_the_same(http):
    headers = keyed()
    http.post("/api/things", json={"name": "a"}, headers=headers)
    other = http.post("/api/things", json={"name": "b"}, headers=headers)
    elsewhere = http.delete("/api/things/a", headers=headers)
    holder = http.post("/api/things", json={"name": "b"}, headers={**headers, "X-API-Key": "k" * 40})

    assert other.status_code == elsewhere.status_code == 422
    assert "another request" in other.json()["error"]
    assert holder.status_code == 201
    assert done == ["a", "b"]


def test_people_of_this_machine_who_say_who_they_are_have_keys_of_their_own(ready):
    done.clear()
    headers = keyed()
    caller = client_of(ready)
    caller.app.asgi_handler = from_this_machine(caller.app.asgi_handler)
    with caller:
        for who in ("ana", "rui", "ana", ""):
            caller.post("/api/things", json={"name": who}, headers={**headers, "x-user-id": who})

    assert done == ["ana", "rui", ""]


def test_an_answer_of_4xx_is_kept_and_one_of_5xx_is_not(http):
    bad, broken = keyed(), keyed()
    statuses = [http.post("/api/things", content=b"{", headers=bad).status_code for _ in range(2)]
    failed = [http.post("/api/things", json={"name": "broken"}, headers=broken).status_code for _ in range(2)]

    assert statuses == [400, 400]
    assert failed == [500, 500]
    assert done == ["broken", "broken"]


def test_the_key_of_a_write_that_may_have_been_done_is_not_tried_again(http):
    headers = keyed()
    statuses = [http.post("/api/things", json={"name": "cut"}, headers=headers).status_code for _ in range(2)]

    assert statuses == [503, 409]
    assert done == ["cut"]


def test_a_caller_who_leaves_amid_the_body_takes_no_key(ready):
    app, headers = client_of(ready).app, keyed()

    async def leave():
        parts = iter([{"type": "http.request", "body": b'{"name"', "more_body": True}, {"type": "http.disconnect"}])
        named = [(b"host", b"127.0.0.1"), (b"idempotency-key", headers["Idempotency-Key"].encode())]
        scope = {"type": "http", "method": "POST", "path": "/api/things", "raw_path": b"/api/things", "headers": named}
        scope |= {"query_string": b"", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3200)}

        async def come():
            return next(parts)

        async def go(_):
            pass

        async with app.lifespan():
            await app(scope, come, go)

    asyncio.run(leave())

    assert stored(ready, headers) is None


def test_an_answer_with_a_secret_is_not_stored(http, ready):
    headers = keyed()
    http.post("/api/things", json={"name": "secret"}, headers=headers)

    assert stored(ready, headers) is None


def test_two_at_once_have_one_effect(http):
    headers, answers = keyed(), []
    first = threading.Thread(
        target=lambda: answers.append(http.post("/api/things", json={"name": "slow"}, headers=headers))
    )
    first.start()
    assert begun.wait(20)
    second = http.post("/api/things", json={"name": "slow"}, headers=headers)
    gate.set()
    first.join(20)
    third = http.post("/api/things", json={"name": "slow"}, headers=headers)

    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert third.content == answers[0].content
    assert done == ["slow"]


def test_the_key_of_a_process_that_died_is_not_tried_again_and_is_free_after_a_day(http, ready):
    headers = keyed()
    http.post("/api/things", json={"name": "a"}, headers=headers)
    change(ready, headers, "SET status = NULL, headers = NULL, body = NULL")
    cut_off = http.post("/api/things", json={"name": "a"}, headers=headers)
    change(ready, headers, "SET claimed_at = now() - interval '25 hours'")
    later = http.post("/api/things", json={"name": "a"}, headers=headers)

    assert cut_off.status_code == 409
    assert later.status_code == 201
    assert done == ["a", "a"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
def test_a_key_of_another_shape_is_400(http, key):
    answer = http.post("/api/things", json={"name": "a"}, headers=keyed(key) if key else {"Idempotency-Key": ""})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert done == []


def test_reads_take_no_key_and_large_bodies_are_refused(http):
    assert http.get("/api/things", headers=keyed("two words")).status_code == 200
    assert http.post("/api/things", content=b"x" * ((2 << 20) + 1), headers=keyed()).status_code == 413


def test_without_postgres_a_write_with_a_key_is_503_and_has_no_effect(settings):
    done.clear()
    with client_of(settings) as client:
        answer = client.post("/api/things", json={"name": "a"}, headers=keyed())

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert done == []


def test_a_service_whose_writes_are_remembered_elsewhere_is_left_alone(settings):
    done.clear()
    with client_of(settings, repeatable=False) as client:
        assert client.post("/api/things", json={"name": "a"}, headers=keyed()).status_code == 201


def stored(settings, headers):
    with psycopg.connect(settings.postgres.admin_dsn("frontend_apps")) as connection:
        where = "SELECT status FROM kernel.answers WHERE key = %s"
        return connection.execute(where, (headers["Idempotency-Key"],)).fetchone()


def change(settings, headers, how):
    with psycopg.connect(settings.postgres.admin_dsn("frontend_apps")) as connection:
        changed = connection.execute(f"UPDATE kernel.answers {how} WHERE key = %s", (headers["Idempotency-Key"],))
        assert changed.rowcount == 1
