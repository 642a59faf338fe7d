"""A platform of its own for the journeys, with other ports."""

import os
from collections.abc import Callable, Iterator

import pytest

from config.settings import Settings
from launcher import instance
from tests.journeys.running import Platform


@pytest.fixture(scope="package")
def platform(settings_in: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A demo platform with everything, ready; one for all journeys, because starting it takes longest."""
    folder = tmp_path_factory.mktemp("journey")
    settings = settings_in(folder / "data")
    environ = {
        **os.environ,
        **instance.environment(settings),
        "TRADINGSYSTEM_API_KEY": "a-key-for-the-journeys",
        "TRADINGSYSTEM_JOURNAL_KEY": "a-journal-key-for-these-tests-alone",
        "TP_CAPITAL_TOKEN_KEY": "a-token-key-for-these-tests-alone",
    }
    running = Platform(folder, environ, [])
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
