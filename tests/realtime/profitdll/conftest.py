"""Fixtures of both halves: the library, built once, and logins that end with the test."""

import pytest

from realtime.profitdll.simulator.build import built
from tests.realtime.profitdll.broker_fixtures import broker, library, simulated, simulated_for_module  # noqa: F401
from tests.realtime.profitdll.market_client import Market, build_flags
from tests.realtime.profitdll.pumped import DOWNLOADS


@pytest.fixture(scope="session")
def market_library(session_folder):
    return built(session_folder.parent / "profitdll-simulator", downloads=DOWNLOADS, flags=build_flags())


@pytest.fixture
def market(market_library, tmp_path):
    made = []

    def login(*script, **given):
        made.append(Market(market_library, tmp_path, *script, **given))
        return made[-1]

    yield login
    for client in made:
        client.close()
