import datetime as dt

import pytest

from sql import tape_ledger
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


def test_a_session_that_was_lost_whole_is_judged_however_many_the_ledger_has(hot, warm, cold, monkeypatch):
    scene = Scene(hot, warm)
    with warm.connect() as connection:
        for symbol in ("A_WHOLE_LOSS", scene.symbol):
            connection.execute(
                "INSERT INTO tape_sessions (symbol, session, state, reason, captured, rows, trades, quantity, "
                "turnover, missing, sources, judged_at) VALUES (%s, %s, 'open', '', true, 0, 0, 0, 0, 0, '', %s)",
                (symbol, YESTERDAY, NOON),
            )
    default = {**tape_ledger.sessions.__kwdefaults__, "limit": 1}
    monkeypatch.setattr(tape_ledger.sessions, "__kwdefaults__", default)
    found = sessions_of(Tiers(hot, warm, cold), [NOON.date()], whole=False)
    with warm.connect() as connection:
        connection.execute("DELETE FROM tape_sessions WHERE symbol = 'A_WHOLE_LOSS'")

    assert {"A_WHOLE_LOSS", scene.symbol} <= {each.symbol for each in found.unproven}
