"""What the interface of Dagster sends, against a running platform: materialise, backfill, a check, a killed run."""

import datetime as dt
import time

import httpx
import psutil
import psycopg
import pytest

from config.settings import load
from tests.journeys.test_spine import HEADER, SUMS, urls

SYMBOL = "DOLZ26"
DAYS = ["2026-11-16", "2026-11-17"]
SELECTOR = {"repositoryLocationName": "pipelines", "repositoryName": "__repository__"}
LAUNCH = """
mutation LaunchPipelineExecution($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
BACKFILL = """
mutation LaunchPartitionBackfill($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query Run($runId: ID!) { runOrError(runId: $runId) { ... on Run { status } } }
"""
RUNS = """
query Runs($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results { status } } } }
"""
EVENTS = """
query Events($runId: ID!) { runOrError(runId: $runId) { ... on Run { eventConnection { events {
  ... on AssetCheckEvaluationEvent { evaluation { assetKey { path } success } }
  ... on MaterializationEvent { assetKey { path } metadataEntries { label ... on IntMetadataEntry { intValue } } }
} } } } }
"""


class Interface:
    """The webserver's GraphQL, asked as the pages ask it."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, timeout=60)

    def ask(self, query, **variables):
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        (found,) = answer["data"].values()
        return found

    def launch(self, day, *tiers, checks=()):
        """The button "Materialize" of some assets, for a day."""
        found = self.ask(
            LAUNCH,
            executionParams={
                "mode": "default",
                "runConfigData": "{}",
                "selector": {
                    **SELECTOR,
                    "jobName": "__ASSET_JOB",
                    "assetSelection": [{"path": [tier, "ticks"]} for tier in tiers],
                    "assetCheckSelection": [
                        {"assetKey": {"path": [tier, "ticks"]}, "name": "rows_agree"} for tier in (*tiers, *checks)
                    ],
                },
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
            },
        )
        assert found["__typename"] == "LaunchRunSuccess", found
        return found["run"]["runId"]

    def status(self, run_id):
        return self.ask(STATUS, runId=run_id)["status"]

    def ended(self, run_id):
        wait(lambda: self.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"), f"run {run_id} ends")
        return self.status(run_id)

    def events(self, run_id, field):
        events = self.ask(EVENTS, runId=run_id)["eventConnection"]["events"]
        return [event for event in events if field in event]

    def verdicts(self, run_id):
        found = [event["evaluation"] for event in self.events(run_id, "evaluation")]
        return {check["assetKey"]["path"][0]: check["success"] for check in found}


def wait(holds, what, seconds=180):  # a lost run is noticed, and its pool freed, by daemons that look twice a minute
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.3)


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
@pytest.mark.timeout(400)
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
@pytest.mark.timeout(400)
def test_a_range_of_days_is_backfilled(platform, interface, days):
    found = interface.ask(
        BACKFILL,
        backfillParams={
            "partitionNames": DAYS,
            "assetSelection": [{"path": [tier, "ticks"]} for tier in ("warm", "cold")],
        },
    )
    assert found["__typename"] == "LaunchBackfillSuccess", found
    backfill = found["backfillId"]

    tags = [{"key": "dagster/backfill", "value": backfill}]

    def statuses():  # of its runs: the daemon looks at a backfill itself only every half minute
        return [run["status"] for run in interface.ask(RUNS, filter={"tags": tags})["results"]]

    wait(lambda: statuses() == ["SUCCESS"] * len(DAYS), "the runs of the backfill succeed")

    assert counts(platform, "hot") == counts(platform, "warm") == counts(platform, "cold")
    assert list(counts(platform, "cold").values()) == [300, 600]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_tampering_fails_the_check_and_a_repair_that_is_killed_is_run_again_exactly(platform, interface, days, warm):
    """Somebody holds the rows that the pass replaces, so that the kill finds it in the middle of its transaction."""
    day = DAYS[1]
    where = f"symbol = '{SYMBOL}' AND session = '{day}'"
    warm.execute(f"UPDATE ticks SET quantity = 99 WHERE {where} AND trade_id > 4000")
    tampered = interface.launch(day, checks=["warm"])

    assert interface.ended(tampered) == "FAILURE"
    assert interface.verdicts(tampered) == {"warm": False}

    with warm.transaction():
        warm.execute(f"SELECT FROM ticks WHERE {where} FOR UPDATE")
        killed = interface.launch(day, "warm")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait(lambda: warm.execute(waiting).fetchone()[0] > 0, "the pass waits for the rows")
        process_of(platform, killed).kill()

        assert interface.ended(killed) == "FAILURE"

    again = interface.launch(day, "warm", "cold")

    assert interface.ended(again) == "SUCCESS"
    assert interface.verdicts(again) == {"warm": True, "cold": True}
    sums = [platform.query(tier, SUMS.format(symbol=SYMBOL)) for tier in ("hot", "warm", "cold")]
    assert sums[0] == sums[1] == sums[2]


def process_of(platform, run_id):
    with psycopg.connect(load(platform.environ, root=platform.folder).postgres.dsn("dagster", "dagster")) as storage:
        rows = storage.execute(
            "SELECT event FROM event_logs WHERE run_id = %s AND dagster_event_type = 'ENGINE_EVENT'", (run_id,)
        ).fetchall()
    family = {process.pid: process for process in psutil.Process(platform.process.pid).children(recursive=True)}
    return next(process for pid, process in family.items() if any(f"(pid: {pid})" in event for (event,) in rows))
