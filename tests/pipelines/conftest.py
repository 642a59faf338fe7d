"""The stores of `tests.tape` for the tests of the schedules and definitions."""

from tests.tape import cold, hot, table, warm

__all__ = ["cold", "hot", "table", "warm"]
