"""A short run of `tests.faults.sync_machine`; the long one is started by hand."""

import secrets

from tests.faults import sync_machine
from tests.faults.diary import Diary, to_stderr


def test_whatever_happens_a_pass_leaves_in_warm_what_hot_holds(hot, warm):
    diary = Diary(secrets.randbelow(2**32), to_stderr)
    sync_machine.run((hot, warm), diary, tapes=15, steps=10)

    assert diary.done.total() >= 60
    assert len(diary.done) >= 8
