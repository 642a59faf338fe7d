"""`tradingsystem verify`, as an operator and a scheduler call it."""

import json

import pytest

from sql import stores
from sql.tables import TICKS
from tests.tape import ticks


def test_verify_proves_finds_and_mends(tradingsystem, engines):
    hot, warm = stores.hot(engines), stores.warm(engines)
    frame = ticks(30)
    day = frame["ts"][0].date()
    hot.insert(TICKS, frame)
    hot.wait_applied(TICKS)
    hot.close()
    for command in ("sync", "archive"):
        assert tradingsystem(command).returncode == 0
    good = tradingsystem("verify", "ticks", "--json")
    with warm.connect() as connection:
        connection.execute("DELETE FROM ticks WHERE symbol = 'WDOZ26' AND session = %s", (day,))
    bad = tradingsystem("verify", "--json", "--day", day)
    told = tradingsystem("verify", "--day", day)
    mended = tradingsystem("verify", "--repair", "--json")
    strict, named = tradingsystem("verify", "--json", "--strict"), tradingsystem("verify", "--strict")
    found = json.loads(bad.stdout)["differences"]

    assert (good.returncode, bad.returncode, told.returncode, mended.returncode) == (0, 1, 1, 0), mended.stderr
    assert json.loads(good.stdout)["holds"] is True
    assert {"table", "day", "hot", "warm", "cold"} <= json.loads(good.stdout)["days"][0].keys()
    assert [(d["tier"], d["day"], d["symbol"], d["count"]) for d in found] == [("warm", str(day), "WDOZ26", 10)]
    assert f"mend it with: tradingsystem verify ticks --day {day} --repair" in told.stdout
    assert "read" in told.stderr
    # Nobody said how many trades these sessions had: their tiers agree, their completeness is not proven.
    assert (strict.returncode, named.returncode) == (1, 1)
    assert {row["symbol"] for row in json.loads(strict.stdout)["sessions"]["unproven"]} >= {"WDOZ26", "PETR4"}
    assert f"unproven  session {day} of WDOZ26, 10 trades: no sums of the exchange" in named.stdout
    assert "sessions are over and not proven; --strict names them" in told.stdout
    assert "sessions that are not proven" in strict.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["--day", "yesterday"], ["--mend"]])
def test_wrong_usage_ends_with_two(tradingsystem, arguments):
    assert tradingsystem("verify", *arguments).returncode == 2
