"""The stores of `tests.tape` for the tests of the data movements."""

import pytest

from tests.book import book, tiers
from tests.tape import cold, hot, table, warm

__all__ = ["book", "cold", "hot", "table", "tiers", "warm"]


@pytest.fixture
def hot_is_complete(warm):
    """Hot answers for every session of the ticks, wherever other tests of this process have put its floor."""
    with warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = NULL WHERE stream = 'ticks'")
