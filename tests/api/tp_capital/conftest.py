"""The signals' service on a real QuestDB, in this process, with or without bots."""

import asyncio
import contextlib

import msgspec
import pytest
from litestar.testing import TestClient

from api.kernel.application import create_app
from api.tp_capital.service import tp_capital
from config.tp_capital import TpCapital
from sql import stores
from sql.signal_tables import TP_CAPITAL
from tests.api.tp_capital.bot_api import BotApi

KEY = "the-admin-key"
TOKEN, FORWARDER = "7700000001:" + "A" * 35, "7700000002:" + "B" * 35


@pytest.fixture(scope="session")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture(scope="session")
def emptied(hot):
    """Empties every table of TP-Capital."""

    def empty():
        for table in TP_CAPITAL:
            hot.execute(f"TRUNCATE TABLE {table.name}")
        for table in TP_CAPITAL:
            hot.wait_applied(table)

    return empty


@pytest.fixture
def empty(emptied):
    emptied()


@pytest.fixture(scope="session")
def served(engines):
    """Serves with settings of TP-Capital as given."""

    @contextlib.contextmanager
    def serve(engines=engines, **values):
        access = msgspec.structs.replace(engines.access, api_key=KEY, rate_limit_max=1_000_000)
        chosen = TpCapital(token_key="a-token-key-for-these-tests", **values)
        settings = msgspec.structs.replace(engines, access=access, tp_capital=chosen)
        waits = []

        async def pause(seconds):
            waits.append(seconds)
            await asyncio.sleep(0.01)

        app = create_app(settings, tp_capital(settings, pause=pause))
        app.asgi_handler = from_this_machine(app.asgi_handler)
        with TestClient(app, base_url="http://127.0.0.1:4005", raise_server_exceptions=False) as client:
            client.waits = waits
            yield client

    return serve


@pytest.fixture(scope="module")
def http(served):
    with served() as client:
        yield client


@pytest.fixture
def telegram():
    with BotApi() as api:
        yield api


def from_this_machine(handler):
    """The test client says that it comes from `testclient`, which is no address."""

    async def handle(scope, receive, send):
        await handler({**scope, "client": ("127.0.0.1", 50_000)}, receive, send)

    return handle
