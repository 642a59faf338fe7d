"""`tradingsystem replay` where engines run: the session comes from hot, and its answer is one line or one object."""

import datetime as dt
import json
import sys

import pytest

from sql import stores
from sql.tables import TICKS
from tests.realtime.test_tapes import day

SESSION = dt.date(2026, 9, 3)


@pytest.fixture
def stored(engines):
    """A session of 3,000 trades in hot alone."""
    shift = dt.date(2026, 11, 19) - SESSION
    rows = day(3000)
    rows = rows.with_columns(ts=rows["ts"] - shift, session=rows["session"] - shift).select(TICKS.names)
    hot = stores.hot(engines)
    hot.insert(TICKS, rows.with_columns(session=rows["session"]).cast(dict(TICKS.polars)))
    hot.wait_applied(TICKS)
    yield
    hot.execute(f"ALTER TABLE ticks DROP PARTITION LIST '{SESSION}'")
    hot.wait_applied(TICKS)
    hot.close()


@pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")
@pytest.mark.usefixtures("stored")
def test_a_session_of_the_hot_tier_is_replayed_and_proven(tradingsystem, engines):
    spooled = list(engines.spool_dir.glob("*"))
    whole = tradingsystem("replay", "--day", SESSION, "--json")
    part = tradingsystem("replay", "--day", SESSION, "--symbols", "WINZ26", "--from", "09:00:10", "--to", "09:00:20")
    answer = json.loads(whole.stdout)

    assert (whole.returncode, part.returncode) == (0, 0), whole.stderr + part.stderr
    assert answer["tiers"] == ["hot"]
    assert answer["proof"]["stored"] == answer["proof"]["replayed"]
    assert answer["proof"]["stored"]["trades"] == 3000
    assert "stored     60 trades, 0 cancelled" in part.stdout
    assert part.stdout.endswith("proven     every trade as it is stored\n")
    assert not any((engines.data_dir / "replay").iterdir())
    assert list(engines.spool_dir.glob("*")) == spooled


def test_a_session_that_no_tier_has_is_refused_in_one_line(tradingsystem):
    done = tradingsystem("replay", "--day", "2001-01-02")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "tradingsystem: session 2001-01-02: no tier has a trade of it that was asked for"
    )
    assert done.stdout == ""
