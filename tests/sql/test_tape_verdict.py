import datetime as dt

import pytest

from sql.evidence import Tiers
from sql.exchange import SAO_PAULO
from sql.tape_verdict import sessions_of
from tests.sql.test_completeness import Scene

YESTERDAY = dt.datetime.now(SAO_PAULO).date() - dt.timedelta(days=1)
NOON = dt.datetime.combine(YESTERDAY, dt.time(12), SAO_PAULO).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("received", "words"), [(NOON, "no sums of the exchange"), (None, "rows of it arrived a moment ago")]
)
def test_a_session_that_ended_is_never_taken_for_proven_because_its_rows_still_come(hot, warm, cold, received, words):
    scene = Scene(hot, warm)
    scene.store(scene.every, session=YESTERDAY, base=NOON, received=received or dt.datetime.now(dt.UTC))
    found = sessions_of(Tiers(hot, warm, cold), [NOON.date()], whole=False)
    (mine,) = [each for each in found.unproven if each.symbol == scene.symbol]

    assert words in mine.reason
    assert mine.trades == 100
