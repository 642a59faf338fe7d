"""The stores of `tests.tape` for the tests of the assets."""

from tests.tape import cold, hot, table, warm

__all__ = ["cold", "hot", "table", "warm"]
