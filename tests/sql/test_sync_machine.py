"""A short run of `tests.faults.sync_machine`; the long one is started by hand."""

from tests.faults import sync_machine


def test_whatever_happens_a_pass_leaves_in_warm_what_hot_holds(hot, warm):
    done = sync_machine.run((hot, warm), examples=15, steps=10)

    assert done.total() >= 60
    assert len(done) >= 8
