"""A generated day that is played fast while the process is killed again and again: history has what was missed, and
with it the tape is what the exchange's own sums say."""

import datetime as dt
import sys
import time

import httpx
import numpy as np
import pytest

from realtime.records import DAILY_COUNTS, Kind
from tests.realtime.process import KEY, Realtime
from tests.realtime.spooled import Back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")

HISTORY = "/api/v1/capture/history"
SPEED = 300
OPENS, ENDS = (
    dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 19, 14, tzinfo=dt.UTC),
)  # 9:00 to 11:00
MIDNIGHT = int(dt.datetime(2026, 11, 19, tzinfo=dt.UTC).timestamp()) * 1000  # of the tape's clock
SCRIPT = f"""\
seed 11
start 2026-11-19 08:59:00
speed {SPEED}
stop 2026-11-19 11:00:00
hours 09:00-18:25
history-rate 0
symbol WINX99 F price 131250 tick 5 lot 1 rate 2
"""


def asked(running: Realtime, since: dt.datetime, until: dt.datetime) -> dict:
    """How one request ends."""
    body = {"symbol": "WINX99", "since": since.isoformat(), "until": until.isoformat()}
    answer = httpx.post(running.url + HISTORY, json=body, headers={"X-API-Key": KEY}, timeout=10)
    assert answer.status_code == 202, answer.text
    running.until(lambda _: running.get(HISTORY).json()["asking"] is None)
    return running.get(HISTORY).json()["ended"][0]


def test_history_completes_a_day_through_which_the_process_was_killed(settings_in, tmp_path):
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=4)
    script = f"anchor {begun:%Y-%m-%dT%H:%M:%SZ}\n{SCRIPT}"
    running = Realtime(settings_in(tmp_path / "data"), script, TRADINGSYSTEM_SYMBOLS="WINX99")
    over = begun + dt.timedelta(hours=2, minutes=2) / SPEED
    kills = 0
    while dt.datetime.now(dt.UTC) < over:
        with running:
            running.active()
            time.sleep(1.0)  # so long the tape runs each time, before the plug is pulled
            kills += 1
    with running:
        running.active()
        ended = asked(running, OPENS, ENDS)
        running.stop()
    back = Back(running.settings.spool_dir)
    trades = {kind: back.records[back.records["kind"] == kind] for kind in (Kind.TRADE, Kind.HISTORY_TRADE)}
    live = set(
        trades[Kind.TRADE]["number"][trades[Kind.TRADE]["time"] >= int(OPENS.timestamp() - 10_800) * 1000].tolist()
    )
    told = {int(row["number"]): int(row["quantity"]) for row in trades[Kind.HISTORY_TRADE]}
    # Before the opening the day before is told: a start that is quick enough hears it.
    of_the_day = back.records[(back.records["kind"] == Kind.DAILY_COUNTS) & (back.records["time"] >= MIDNIGHT)]
    counts = of_the_day.view(np.void).view(DAILY_COUNTS)

    assert kills >= 1
    assert ended["state"] == "complete"
    assert live < set(told), "something was missed, and nothing was invented"
    assert sorted(told) == list(range(10, 10 * len(told) + 1, 10))
    assert int(counts["trades"].max()) == int(counts["trades"][-1]) == len(told) > 10_000
    assert int(counts["quantity"][-1]) == sum(told.values())
