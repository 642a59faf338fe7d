"""The keeper's health: it says when it fails for long, and when it does not come back."""

import pytest

from realtime.relay.kept import Kept, trouble_of


@pytest.mark.parametrize(
    ("kept", "trouble"),
    [
        (Kept(), None),
        (Kept(alive_at=1101.0), None),
        (Kept(alive_at=1090.0), "gaps are not looked after: the last look began 910 s ago and does not end"),
        (Kept(alive_at=1999.0, failing_since=1701.0, last_error="away"), None),
        (Kept(alive_at=1999.0, failing_since=1690.0, last_error="away"), "gaps are not looked after: away"),
    ],
)
def test_a_keeper_that_fails_or_hangs_for_long_is_told(kept, trouble):
    assert trouble_of(kept, 2000.0) == trouble
