"""How a run of all tests is dealt to its workers: whole files, those that share what is slow to start as one.

The longest begin first, so that the workers end together.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

PLATFORM = [f"tests/journeys/test_{name}.py" for name in ("dagster", "spine", "tape")]
FIRST = [*PLATFORM, "tests/sql/test_verify.py", "tests/journeys/test_first_line.py", "tests/faults/test_orders.py"]


class Lanes(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "journeys" if file in PLATFORM else file


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests of FIRST before all others, which keep their order."""
    ranks = {file: rank for rank, file in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))
