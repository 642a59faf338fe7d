"""The stores of `tests.tape` for the tests of the data movements."""

from tests.book import book, tiers
from tests.tape import cold, hot, table, warm

__all__ = ["book", "cold", "hot", "table", "tiers", "warm"]
