"""The workspace's service on real PostgreSQL, in this process."""

import msgspec
import psycopg
import pytest
from litestar.testing import TestClient

from api.kernel.application import create_app
from api.kernel.idempotency import answers_of
from api.workspace.service import workspace

KEY = "the-admin-key"


@pytest.fixture(scope="session")
def workspace_settings(engines, tmp_path_factory):
    papers = tmp_path_factory.mktemp("papers")
    access = msgspec.structs.replace(engines.access, api_key=KEY, rate_limit_max=1_000_000)
    return msgspec.structs.replace(engines, access=access, papers_dir=papers)


@pytest.fixture(scope="session")
def http(workspace_settings):
    answers = answers_of(workspace_settings)
    app = create_app(workspace_settings, workspace(workspace_settings), answers=answers)
    app.on_shutdown.append(answers.pool.close)
    app.asgi_handler = from_this_machine(app.asgi_handler)
    with TestClient(app, base_url="http://127.0.0.1:3200", raise_server_exceptions=False) as client:
        yield client


def from_this_machine(handler):
    """The test client says that it comes from `testclient`, which is no address."""

    async def handle(scope, receive, send):
        await handler({**scope, "client": ("127.0.0.1", 50_000)}, receive, send)

    return handle


@pytest.fixture
def database(engines):
    """The administrator's connection to the services' database."""
    with psycopg.connect(engines.postgres.admin_dsn("frontend_apps"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty(database):
    database.execute("DELETE FROM workspace.workspace_items")
