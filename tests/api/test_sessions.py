import datetime as dt
import time

import pytest

from sql import completeness
from tests.api import patient
from tests.api.conftest import DAY


@pytest.fixture(scope="module", autouse=True)
def judged(tape):
    """The first day's sessions are judged; trades of WINZ26 are every third number, nobody says how many there were."""
    now = dt.datetime.combine(DAY + dt.timedelta(days=2), dt.time(12), dt.UTC)
    yield completeness.judge_session(tape.hot, tape.warm, DAY, now=now)
    with tape.warm.connect() as connection:
        connection.execute("DELETE FROM tape_sessions")


def test_sessions_are_told_with_state_and_reason(url):
    answer = patient.get(f"{url}/api/v1/tape/sessions", params={"symbol": "WINZ26", "from": str(DAY)})

    (session,) = answer.json()["data"]
    assert (session["state"], session["session"], session["trades"]) == ("unproven", str(DAY), 980)
    assert "no sums of the exchange" in session["reason"]


@pytest.mark.parametrize("path", ["sessions", "gaps"])
@pytest.mark.parametrize(
    "query", ["symbol=%20", "from=yesterday", "limit=0", "state=lost", "from=2026-11-18&to=2026-11-17"]
)
def test_what_cannot_be_asked_is_refused(url, path, query):
    assert patient.get(f"{url}/api/v1/tape/{path}?{query}").status_code == 400


def test_gaps_are_told_with_their_story(tape, url):
    from sql import tape_ledger
    from sql.gaps import Gap

    now = dt.datetime.now(dt.UTC)
    with tape.warm.connect() as connection:
        cursor = connection.cursor()
        gap = Gap(symbol="PETR4", session=DAY, kind="inner", first_id=10, last_id=20, ids=2, ids_left=2, found_at=now)
        number = tape_ledger.add_gap(cursor, gap)
        tape_ledger.tell(cursor, number, now, "found", "2 missing, numbers 10 to 20: run 3 ended")
    (told,) = patient.get(f"{url}/api/v1/tape/gaps", params={"state": "missing", "symbol": "PETR4"}).json()["data"]

    assert (told["kind"], told["first_id"], told["ids_left"]) == ("inner", 10, 2)
    assert [word["event"] for word in told["story"]] == ["found"]


def catalog_since(url, moment):
    """The catalog made after that moment: the gateway keeps one for some seconds, and other tests ask for it too."""
    for _ in range(200):
        told = patient.get(f"{url}/api/v1/catalog").json()["data"]
        if dt.datetime.fromisoformat(told["made_at"]) > moment:
            return told
        time.sleep(0.05)
    raise AssertionError(told["made_at"])


def pulse_with_sessions(url):
    """The pulse once it has read the ledger that the fixture wrote: it keeps what it read before for some seconds."""
    for _ in range(200):
        told = patient.get(f"{url}/api/v1/live").json()["data"]
        if told["sessions"]:
            return told
        time.sleep(0.1)
    raise AssertionError(told["sessions"])


def test_the_catalog_and_the_pulse_tell_of_sessions(url):
    sessions = catalog_since(url, dt.datetime.now(dt.UTC))["sessions"]
    pulse = pulse_with_sessions(url)

    assert {(row["symbol"], row["state"]) for row in sessions} >= {("WINZ26", "unproven")}
    assert {row["symbol"] for row in pulse["sessions"]} == {"WINZ26", "WDOZ26", "PETR4"}
    assert isinstance(pulse["gaps"], list)
