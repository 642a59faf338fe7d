"""A seeded share of the order loop's faults; `tradingsystem bench faults --suite orders` plays the full count."""

import pytest

from tests.faults.orders import run


@pytest.mark.parametrize("seed", [1, 2])
def test_after_every_fault_everything_agrees_and_nothing_is_doubled(tmp_path, seed):
    wrong, counts = run(tmp_path, seed, 40)

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert counts["faults"] == counts["looks"] == 40
    assert sum(count for name, count in counts.items() if name.startswith("kills_")) > 5
