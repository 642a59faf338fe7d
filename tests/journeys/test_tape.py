"""A generated day whose plug is pulled at random. The next morning every trade is back without anybody's help, and the
ledger tells the story of each gap; what the broker's history does not give, B3's file gives; until then it is said.
"""

import contextlib
import datetime as dt
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import polars as pl
import psutil
import pytest

from launcher import instance
from sql.exchange import SAO_PAULO, sessions_until
from tests.journeys.running import Platform
from tests.realtime import capture_scenes as scenes
from tests.realtime.spooled import Back, ticks_of
from tests.sql.b3_made import file_of, zipped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SEED = 11
SPEED = 600  # a session in less than a minute
RATE = 1.0
MARKET = """\
seed {seed}
hours 09:00-18:25
symbol WINX99 F price 131250 tick 5 lot 1 rate {rate}
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate {rate}
depth-rate 0
daily-every 300
history-rate 0
"""
PLUG = """\
start {day} 09:00:00
anchor {anchor:%Y-%m-%dT%H:%M:%SZ}
speed {speed}
stop {day} 18:25:00
random market-drop every 2500..5000 for 200 lose 0..40
history-deny DEMO4
"""
SESSION_SECONDS = (18 * 60 + 25 - 9 * 60) * 60 / SPEED
HEAD_START = dt.timedelta(seconds=25)  # `up` is ready by then, or it begins late and the head is missing too
SYMBOLS = ("DEMO4", "WINX99")
SAID = ["ts", "symbol", "trade_id", "price", "quantity", "flags"]


@pytest.fixture(scope="module")
def day() -> dt.date:
    """The last session before today."""
    return sessions_until(dt.datetime.now(SAO_PAULO).date() - dt.timedelta(days=1), 1)[0]


@pytest.fixture(scope="module")
def truth(day, tmp_path_factory) -> pl.DataFrame:
    """Every trade of the day, as an undisturbed capture has them."""
    folder = tmp_path_factory.mktemp("truth")
    script = f"{MARKET.format(seed=SEED, rate=RATE)}start {day} 08:59:00\nstop {day} 18:26:00\nspeed max\n"
    (folder / "day.txt").write_text(script, encoding="utf-8")
    scenes.played(scenes.whole_day, folder)
    return told_alike(ticks_of(Back(folder / "spool"), day))


@pytest.fixture(scope="module")
def plugged(day, settings_in, tmp_path_factory) -> Iterator[Platform]:
    """A platform that captures the day, and is hurt at random moments until the market closes."""
    folder = tmp_path_factory.mktemp("tape")
    settings = settings_in(folder / "data")
    begins = dt.datetime.now(dt.UTC) + HEAD_START
    script = folder / "script.txt"
    plug = PLUG.format(day=day, anchor=begins, speed=SPEED)
    script.write_text(f"{MARKET.format(seed=SEED, rate=RATE)}{plug}", encoding="utf-8")
    environ = {
        **os.environ,
        **instance.environment(settings),
        "TRADINGSYSTEM_API_KEY": "a-key-for-the-journeys",
        "TRADINGSYSTEM_SIMULATOR_SCRIPT": str(script),
        "TRADINGSYSTEM_SYMBOLS": " ".join(SYMBOLS),
    }
    running = Platform(folder, environ, ["--no-dagster"])
    try:
        running.wait_ready()
        pull_the_plug(running, begins)
        yield running
    finally:
        running.stop()


def pull_the_plug(platform: Platform, begins: dt.datetime) -> None:
    """kill -9 of capture and of the relay at moments drawn by the seed, while the market is open."""
    chance = random.Random(SEED)
    closes = begins + dt.timedelta(seconds=SESSION_SECONDS)
    while (left := (closes - dt.datetime.now(dt.UTC)).total_seconds()) > 0:
        time.sleep(min(left, chance.uniform(2, 8)))  # the moment is what is drawn: there is nothing to await
        service = chance.choice(["order-manager", "order-manager", "data-capture"])
        pid = next(each["pid"] for each in platform.json("status", code=None)["services"] if each["name"] == service)
        if pid is not None and left > 0:
            with contextlib.suppress(psutil.NoSuchProcess):  # nobody noticed yet that it was killed
                psutil.Process(pid).kill()


def told(platform: Platform, what: str, day: dt.date) -> list[dict[str, Any]]:
    """What the gateway says of the tape's sessions or gaps of the day."""
    status = platform.json("status", code=None)
    base = next(each["url"] for each in status["services"] if each["name"] == "api-gateway")
    try:
        answer = httpx.get(f"{base}/api/v1/tape/{what}", params={"from": str(day), "to": str(day)}, timeout=30)
    except httpx.TransportError:
        return []
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def until_judged(platform: Platform, day: dt.date, wanted: dict[str, str], seconds: float = 120) -> None:
    """Until the ledger says `wanted` of each symbol; the judge is another process, so there is no event to await."""
    deadline = time.monotonic() + seconds
    while (found := told(platform, "sessions", day)) is not None:
        if {each["symbol"]: each["state"] for each in found} == wanted:
            return
        assert time.monotonic() < deadline, f"after {seconds} s: {found}; gaps: {told(platform, 'gaps', day)}"
        time.sleep(1)


def stored(platform: Platform, day: dt.date) -> pl.DataFrame:
    """What hot holds of the session, in the order of `truth`."""
    rows = platform.query("hot", f"SELECT {', '.join(SAID)} FROM ticks WHERE session = '{day}'")
    frame = pl.DataFrame(rows, infer_schema_length=None)
    at = pl.col("ts").str.to_datetime(time_zone="UTC", time_unit="us")
    return told_alike(frame.with_columns(at, pl.col("flags").cast(pl.Int32)))


def told_alike(ticks: pl.DataFrame) -> pl.DataFrame:
    """In one order, and without the last bits of a price, which a file's decimals do not have."""
    return ticks.select(SAID).with_columns(pl.col("price").round(6)).sort("symbol", "trade_id")


def test_what_history_gives_is_back_and_what_it_does_not_give_is_said(plugged, day, truth):
    until_judged(plugged, day, {"WINX99": "proven", "DEMO4": "unproven"})
    plugged.run("sync")
    plugged.run("archive")
    found = stored(plugged, day)
    whole = truth.filter(pl.col("symbol") == "WINX99")

    assert whole.height > 20_000
    assert found.filter(pl.col("symbol") == "WINX99").equals(whole)
    assert found.filter(pl.col("symbol") == "DEMO4").join(truth, on=SAID, how="anti").is_empty()
    assert found.filter(pl.col("symbol") == "DEMO4").height < truth.filter(pl.col("symbol") == "DEMO4").height
    verdict = plugged.json("verify", "--strict", code=1)
    assert not verdict["holds"]
    assert "DEMO4" in str(verdict)


def test_the_ledger_tells_the_story_of_each_gap(plugged, day):
    gaps = told(plugged, "gaps", day)
    back = [gap for gap in gaps if gap["symbol"] == "WINX99"]

    assert len(back) >= 3
    assert [gap for gap in back if gap["state"] not in ("filled", "vacant")] == []
    assert all(gap["cause"] and gap["found_at"] and gap["filled_at"] for gap in back if gap["state"] == "filled")
    assert {gap["filled_by"] for gap in back if gap["state"] == "filled"} == {"history"}
    for gap in back:
        events = [word["event"] for word in gap["story"]]
        assert events[0] == "found"
        # A relay that is killed between storing an answer and telling of it finds the trades back when it starts again.
        assert gap["state"] == "vacant" or {"asked", "filled"} <= set(events)
        assert gap["state"] == "vacant" or {"answered", "back"} & set(events)
    assert any(gap["state"] in ("missing", "unfillable") for gap in gaps if gap["symbol"] == "DEMO4")


def test_b3_s_file_gives_the_rest_and_then_the_morning_s_proof_holds(plugged, day, truth):
    trades = file_of(truth.filter(pl.col("symbol") == "DEMO4"))
    path = zipped(plugged.folder / f"{day}_DEMO4.zip", trades, f"{day:%d-%m-%Y}_NEGOCIOSAVISTA_DEMO4.txt")
    plugged.run("import", "b3", str(path))
    until_judged(plugged, day, {"WINX99": "proven", "DEMO4": "proven"})
    plugged.run("sync")
    plugged.run("archive")

    assert stored(plugged, day).equals(truth)
    assert plugged.json("verify", "--strict")["holds"]
    late = [gap for gap in told(plugged, "gaps", day) if gap["symbol"] == "DEMO4" and gap["state"] == "filled"]
    assert {gap["filled_by"] for gap in late} == {f"b3:{path.name}"}
