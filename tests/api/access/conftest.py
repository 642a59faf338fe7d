"""Keys and people on real PostgreSQL: the gateway's handlers of access, and some that ask for scopes."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from argon2 import PasswordHasher
from litestar import Litestar, delete, get, post
from litestar.testing import TestClient

from api.access.passwords import Passwords
from api.access.service import access
from api.kernel.access import scoped
from api.kernel.application import create_app
from api.kernel.directory import Directory, directory_of
from config.settings import Settings
from sql.access import DATABASE

ADMIN_KEY = "the-admin-key"
ADMIN = {"x-api-key": ADMIN_KEY}
PASSWORD = "a winter in Santos"
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@get("/api/things", opt=scoped("things:read"))
async def look() -> dict[str, bool]:
    return {"seen": True}


@post("/api/things", opt=scoped("things:write"), status_code=200)
async def change() -> dict[str, bool]:
    return {"changed": True}


@post("/api/orders", opt=scoped("orders:write", always=True), status_code=200)
async def order() -> dict[str, bool]:
    return {"sent": True}


@delete("/api/orders", opt=scoped("orders:delete", always=True), status_code=200)
async def cancel() -> dict[str, bool]:
    return {"cancelled": True}


@post("/api/limits", opt=scoped("risk:admin", always=True), status_code=200)
async def limit() -> dict[str, bool]:
    return {"set": True}


@get("/api/forgotten")
async def forgotten() -> dict[str, bool]:
    return {"seen": True}


ASKING = [look, change, order, cancel, limit, forgotten]


@pytest.fixture(scope="session")
def access_settings(engines: Settings) -> Settings:
    return msgspec.structs.replace(engines, access=msgspec.structs.replace(engines.access, api_key=ADMIN_KEY))


def watchful(settings: Settings) -> Directory:
    """A directory that believes nothing for longer than one request."""
    seconds = itertools.count(step=10)
    return directory_of(settings, clock=lambda: next(seconds))


@pytest.fixture(scope="session")
def application(access_settings: Settings) -> Litestar:
    service = access(access_settings, passwords=QUICK)
    service = msgspec.structs.replace(service, handlers=[*service.handlers, *ASKING], rate_limit=1_000_000)
    return create_app(access_settings, service, directory=watchful(access_settings))


@pytest.fixture(scope="session")
def portal(application: Litestar) -> Iterator[TestClient[Any]]:
    with TestClient(application, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def http(portal: TestClient[Any]) -> TestClient[Any]:
    """A client without the cookies of the test before."""
    portal.cookies.clear()
    return portal


names = itertools.count(1)


@pytest.fixture
def key(http: TestClient[Any]) -> Callable[..., dict[str, Any]]:
    """Makes a key; its answer, with `header` to send."""

    def make(*scopes: str, **values: Any) -> dict[str, Any]:
        body = {"name": f"key {next(names)}", "scopes": list(scopes), **values}
        answer = http.post("/api/v1/access/keys", json=body, headers=ADMIN)
        assert answer.status_code == 201, answer.text
        return {**answer.json(), "header": {"x-api-key": answer.json()["key"]}}

    return make


@pytest.fixture
def person(http: TestClient[Any]) -> Callable[..., str]:
    """Makes a person who logs in with PASSWORD; the name."""

    def make(role: str = "operator") -> str:
        body = {"name": f"person-{next(names)}", "role": role, "password": PASSWORD}
        answer = http.post("/api/v1/access/people", json=body, headers=ADMIN)
        assert answer.status_code == 201, answer.text
        return str(body["name"])

    return make


@pytest.fixture
def login(http: TestClient[Any], person: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Logs somebody in; the answer, with `header` to send."""

    def make(role: str = "operator", name: str | None = None, **values: Any) -> dict[str, Any]:
        name = name or person(role)
        answer = http.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD, **values})
        assert answer.status_code == 200, answer.text
        return {**answer.json(), "header": {"authorization": f"Bearer {answer.json().get('accessToken')}"}}

    return make


@pytest.fixture
def database(access_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """The administrator's connection to the register."""
    with psycopg.connect(access_settings.postgres.admin_dsn(DATABASE), autocommit=True) as connection:
        yield connection
