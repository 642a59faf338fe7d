"""`tradingsystem verify` and `retain`, as an operator and a scheduler call them."""

import datetime as dt
import json

import pytest

from sql import stores
from sql.tables import TICKS
from tests.tape import ticks


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(300)
def test_retain_proves_first_and_takes_old_days_out_of_hot(tradingsystem, engines):
    hot = stores.hot(engines)
    old = dt.datetime.now(dt.UTC).replace(hour=12) - dt.timedelta(days=TICKS.hot_days + 3)
    hot.insert(TICKS, ticks(30, since=old, first_id=4_000_000))
    hot.wait_applied(TICKS)
    early = tradingsystem("retain", "ticks", "--json")
    for command in ("sync", "archive"):
        assert tradingsystem(command, "ticks").returncode == 0
    dry = tradingsystem("retain", "ticks", "--dry-run")
    there = hot.count(TICKS, old, old + dt.timedelta(hours=1))
    done = tradingsystem("retain", "ticks", "--json")
    left = hot.count(TICKS, old, old + dt.timedelta(hours=1))
    proven = tradingsystem("verify", "ticks", "--day", old.date())
    hot.close()
    (told,) = json.loads(done.stdout)["tables"]

    assert (early.returncode, dry.returncode, done.returncode, proven.returncode) == (1, 0, 0, 0), done.stderr
    assert "never synchronised" in early.stdout or "no file is proven" in early.stdout
    assert f"ticks: {old.date()} would leave hot" in dry.stdout
    assert (there, left) == (30, 0)
    assert str(old.date()) in told["hot"]["dropped"]
    assert told["hot"]["rows"] >= 30


@pytest.mark.parametrize("arguments", [["nonsense"], ["--day", "yesterday"], ["--mend"]])
def test_wrong_usage_ends_with_two(tradingsystem, arguments):
    assert tradingsystem("verify", *arguments).returncode == 2
