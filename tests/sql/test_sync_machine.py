"""A short run of `tests.faults.sync_machine`; the long one is started by hand."""

from tests.faults import sync_machine


def test_whatever_happens_a_pass_leaves_in_warm_what_hot_holds(hot, warm):
    done = sync_machine.run((hot, warm), examples=6, steps=12)

    assert done.total() >= 40
