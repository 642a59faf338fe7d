import os
from pathlib import Path

import pytest

from tests.realtime.profitdll.broker_fixtures import broker, library, simulated, simulated_for_module  # noqa: F401


@pytest.fixture(scope="session")
def market_library() -> Path:
    return Path(os.environ.get("LIB", "simulator/libProfitDLL64.so"))
