"""What the interface of Dagster sends, against a running platform: materialise, backfill, a check, a killed run."""

import contextlib
import datetime as dt
import json

import psutil
import psycopg
import pytest
from websockets.sync.client import connect

from config.settings import load
from tests.interface import Interface, wait
from tests.journeys.test_spine import HEADER, SUMS, urls

SYMBOL = "DOLZ26"
DAYS = ["2026-11-16", "2026-11-17"]
STEPS = """
query Steps($runId: ID!) { runOrError(runId: $runId) { ... on Run { stepStats { stepKey startTime endTime } } } }
"""
FRESHNESS = """
query Freshness($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) { ... on AssetNode {
  freshnessStatusInfo { freshnessStatus }
  assetMaterializations(limit: 1) { metadataEntries { label ... on FloatMetadataEntry { floatValue } } }
} } }
"""
LOST = "The process of this run is gone"


@pytest.fixture(scope="module")
def interface(platform):
    made = Interface(urls(platform)["dagster"])
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def days(platform):
    """Two days of trades in hot; the schedules run too, and change nothing of what is asserted."""
    for number, day in enumerate(DAYS):
        platform.run("import", "b3", str(file_of(platform.folder, day, 300 * (number + 1))))


@pytest.fixture
def warm(platform):
    settings = load(platform.environ, root=platform.folder)
    with psycopg.connect(settings.postgres.dsn("timescale", "tradingsystem"), autocommit=True) as connection:
        yield connection


def file_of(folder, day, trades):
    at = dt.datetime.fromisoformat(f"{day} 10:00")
    rows = [
        f"{day};{SYMBOL};0;5400,500;1;{at + n * dt.timedelta(seconds=2):%H%M%S}000;{10 * n};1;{day};3;8"
        for n in range(1, trades + 1)
    ]
    path = folder / f"{day}_{SYMBOL}.txt"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def counts(platform, tier):
    statement = f"SELECT session, count(*) AS n FROM ticks WHERE symbol = '{SYMBOL}' GROUP BY session ORDER BY session"
    return {str(row["session"])[:10]: row["n"] for row in platform.query(tier, statement)}


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_day_is_materialised_by_hand(platform, interface, days):
    run_id = interface.launch(DAYS[0], "warm", "cold")

    assert interface.ended(run_id) == "SUCCESS"
    assert interface.verdicts(run_id) == {"warm": True, "cold": True}
    assert counts(platform, "cold")[DAYS[0]] == 300

    (entries,) = [
        {entry["label"]: entry.get("intValue") for entry in event["metadataEntries"]}
        for event in interface.events(run_id, "metadataEntries")
        if event["assetKey"]["path"] == ["cold", "ticks"]
    ]
    wanted = {"dagster/row_count", "lag_seconds", "bytes", "compression_ratio", "rows_per_minute", "largest_symbols"}

    assert wanted <= set(entries)
    assert entries["dagster/row_count"] == 300


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_range_of_days_is_backfilled(platform, interface, days):
    backfill = interface.backfill(DAYS, "warm", "cold")

    # Its one run: the daemon looks at a backfill itself only every half minute.
    wait(lambda: interface.runs_of(backfill) == ["SUCCESS"], "the run of the backfill succeeds")

    assert interface.row_counts("cold", DAYS) == dict(zip(DAYS, [300, 600], strict=True))
    assert counts(platform, "hot") == counts(platform, "warm") == counts(platform, "cold")
    assert list(counts(platform, "cold").values()) == [300, 600]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_tampering_fails_the_check_and_a_repair_that_is_killed_is_run_again_exactly(platform, interface, days, warm):
    """Somebody holds the rows that the pass replaces, so that the kill finds it in the middle of its transaction."""
    day = DAYS[1]
    where = f"symbol = '{SYMBOL}' AND session = '{day}'"
    warm.execute(f"UPDATE ticks SET quantity = 99 WHERE {where} AND trade_id > 4000")
    tampered = interface.launch(day, checks=["warm"])

    assert interface.ended(tampered) == "FAILURE"
    assert interface.verdicts(tampered) == {"warm": False}

    with held(warm, where):
        killed = interface.launch(day, "warm")
        wait(lambda: blocked(warm), "the pass waits for the rows")
        process_of(platform, killed).kill()

        assert interface.ended(killed) == "FAILURE"

    again = interface.launch(day, "warm", "cold")

    assert interface.ended(again) == "SUCCESS"
    assert interface.verdicts(again) == {"warm": True, "cold": True}
    sums = [platform.query(tier, SUMS.format(symbol=SYMBOL)) for tier in ("hot", "warm", "cold")]
    assert sums[0] == sums[1] == sums[2]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_two_passes_on_a_table_queue_and_the_second_starts_when_the_first_is_done(platform, interface, days, warm):
    where = f"symbol = '{SYMBOL}' AND session = '{DAYS[1]}'"
    warm.execute(f"UPDATE ticks SET quantity = 98 WHERE {where} AND trade_id > 4000")
    with held(warm, where):
        first = interface.launch(DAYS[1], "warm")
        wait(lambda: blocked(warm), "the first pass waits for the rows")
        second = interface.launch(DAYS[0], "warm")
        wait(lambda: interface.status(second) == "QUEUED", "the second is in the queue")

    assert [interface.ended(run) for run in (first, second)] == ["SUCCESS", "SUCCESS"]
    assert pass_of(interface, second)["startTime"] >= pass_of(interface, first)["endTime"]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_run_that_died_with_its_code_server_is_noticed_and_can_be_done_again(platform, interface, days, warm):
    where = f"symbol = '{SYMBOL}' AND session = '{DAYS[1]}'"
    warm.execute(f"UPDATE ticks SET quantity = 97 WHERE {where} AND trade_id > 4000")
    with held(warm, where):
        lost = interface.launch(DAYS[1], "warm")
        wait(lambda: blocked(warm), "the pass waits for the rows")
        process = process_of(platform, lost)
        process.parent().kill()
        process.wait(60)  # the platform ends what its dead code server left; before that, the pass must not go on

    assert interface.ended(lost) == "FAILURE"
    assert any(LOST in event["message"] for event in interface.events(lost, "message"))

    again = interface.launch(DAYS[1], "warm")

    assert interface.ended(again) == "SUCCESS"
    assert interface.verdicts(again) == {"warm": True}


def test_hot_shows_that_it_is_fresh_and_by_how_much(platform, interface):
    key = {"path": ["hot", "ticks"]}

    def shown():
        found = interface.ask(FRESHNESS, assetKey=key)
        status = found["freshnessStatusInfo"]["freshnessStatus"]
        entries = [entry for event in found["assetMaterializations"] for entry in event["metadataEntries"]]
        return status, {entry["label"]: entry.get("floatValue") for entry in entries}

    wait(lambda: shown()[0] == "HEALTHY" and "lag_seconds" in shown()[1], "hot is fresh")

    assert shown()[1]["lag_seconds"] < 300


def test_the_pages_are_behind_the_gateway_too_with_their_events(platform, interface):
    gateway = f"{urls(platform)['api-gateway']}/dagster"
    behind = Interface(gateway)
    page = behind.client.get("/assets")
    subscription = "subscription { locationStateChangeEvents { event { eventType } } }"
    with connect(f"{gateway.replace('http', 'ws', 1)}/graphql", subprotocols=["graphql-ws"], proxy=None) as events:
        events.send(json.dumps({"type": "connection_init"}))
        answer = json.loads(events.recv(timeout=20))
        events.send(json.dumps({"id": "1", "type": "start", "payload": {"query": subscription}}))
    version = behind.ask("{ version }")
    behind.client.close()

    assert '"pathPrefix": "/dagster"' in page.text
    assert answer["type"] == "connection_ack"
    assert version == interface.ask("{ version }")


@contextlib.contextmanager
def held(warm, where):
    """A transaction that holds rows, so that a pass that replaces them waits for it."""
    with warm.transaction():
        warm.execute(f"SELECT FROM ticks WHERE {where} FOR UPDATE")
        yield


def blocked(warm):
    """Whether somebody waits for this connection: Dagster's storage, with locks of its own, is in the same cluster."""
    statement = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return warm.execute(statement).fetchone()[0] > 0


def pass_of(interface, run_id):
    (step,) = [step for step in interface.ask(STEPS, runId=run_id)["stepStats"] if step["stepKey"] == "sync_ticks"]
    return step


def process_of(platform, run_id):
    with psycopg.connect(load(platform.environ, root=platform.folder).postgres.dsn("dagster", "dagster")) as storage:
        rows = storage.execute(
            "SELECT event FROM event_logs WHERE run_id = %s AND dagster_event_type = 'ENGINE_EVENT'", (run_id,)
        ).fetchall()
    family = {process.pid: process for process in psutil.Process(platform.process.pid).children(recursive=True)}
    return next(process for pid, process in family.items() if any(f"(pid: {pid})" in event for (event,) in rows))
