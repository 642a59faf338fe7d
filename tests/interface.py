"""The webserver's GraphQL, asked as Dagster's pages ask it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx

SELECTOR = {"repositoryLocationName": "pipelines", "repositoryName": "__repository__"}
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
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
BACKFILL_STATUS = """
query Backfill($backfillId: String!) {
  partitionBackfillOrError(backfillId: $backfillId) { ... on PartitionBackfill { status } }
}
"""
STATUS = """
query Run($runId: ID!) { runOrError(runId: $runId) { ... on Run { status } } }
"""
RUNS = """
query Runs($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results { runId status } } } }
"""
EVENTS = """
query Events($runId: ID!) { runOrError(runId: $runId) { ... on Run { eventConnection { events {
  ... on MessageEvent { message }
  ... on AssetCheckEvaluationEvent { evaluation { assetKey { path } success } }
  ... on MaterializationEvent { assetKey { path } metadataEntries { label ... on IntMetadataEntry { intValue } } }
} } } } }
"""
MATERIALIZED = """
query Partitions($assetKey: AssetKeyInput!, $partitions: [String!]) { assetNodeOrError(assetKey: $assetKey) {
  ... on AssetNode { assetMaterializations(partitions: $partitions) {
    partition metadataEntries { label ... on IntMetadataEntry { intValue } }
} } } }
"""
INSTIGATORS = """
query Instigators($selector: RepositorySelector!) { repositoryOrError(repositorySelector: $selector) {
  ... on Repository { schedules { scheduleState { id } } sensors { sensorState { id } } }
} }
"""
STOP_SCHEDULE = "mutation Stop($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
STOP_SENSOR = "mutation Stop($id: String!) { stopSensor(id: $id) { __typename } }"


class Interface:
    """One webserver. `url`: where its pages are, without a slash at the end."""

    def __init__(self, url: str, **options: Any) -> None:
        self.client = httpx.Client(base_url=url, timeout=60, **options)

    def ask(self, query: str, **variables: Any) -> Any:
        """The one field that the query asks for."""
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        (found,) = answer["data"].values()
        return found

    def launch(self, day: str, *tiers: str, checks: Iterable[str] = ()) -> str:
        """The button "Materialize" of the ticks in some tiers, or only their checks, for a day; the run."""
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
        return str(found["run"]["runId"])

    def backfill(self, days: Iterable[str], *tiers: str) -> str:
        """The button "Launch backfill" of the ticks in some tiers; the backfill."""
        selection = [{"path": [tier, "ticks"]} for tier in tiers]
        found = self.ask(BACKFILL, backfillParams={"partitionNames": list(days), "assetSelection": selection})
        assert found["__typename"] == "LaunchBackfillSuccess", found
        return str(found["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        return str(self.ask(BACKFILL_STATUS, backfillId=backfill)["status"])

    def runs_of(self, backfill: str) -> list[str]:
        """The states of its runs."""
        tags = [{"key": "dagster/backfill", "value": backfill}]
        return [run["status"] for run in self.ask(RUNS, filter={"tags": tags})["results"]]

    def status(self, run_id: str) -> str:
        return str(self.ask(STATUS, runId=run_id)["status"])

    def ended(self, run_id: str) -> str:
        """How a run ended."""
        wait(lambda: self.status(run_id) in ENDED, f"run {run_id} ends")
        return self.status(run_id)

    def events(self, run_id: str, field: str) -> list[dict[str, Any]]:
        events = self.ask(EVENTS, runId=run_id)["eventConnection"]["events"]
        return [event for event in events if field in event]

    def verdicts(self, run_id: str) -> dict[str, bool]:
        """Tier -> whether its check holds."""
        found = [event["evaluation"] for event in self.events(run_id, "evaluation")]
        return {check["assetKey"]["path"][0]: check["success"] for check in found}

    def row_counts(self, tier: str, days: Iterable[str]) -> dict[str, int]:
        """What the newest materialization of each day says of its rows."""
        found = self.ask(MATERIALIZED, assetKey={"path": [tier, "ticks"]}, partitions=list(days))
        rows = {}
        for event in reversed(found["assetMaterializations"]):  # the newest first
            told = {entry["label"]: entry.get("intValue") for entry in event["metadataEntries"]}
            rows[event["partition"]] = told["dagster/row_count"]
        return rows

    def stop_what_runs_by_itself(self) -> None:
        """The switches of all schedules and sensors."""
        found = self.ask(INSTIGATORS, selector=SELECTOR)
        for each in found["schedules"]:
            assert self.ask(STOP_SCHEDULE, id=each["scheduleState"]["id"])["__typename"] == "ScheduleStateResult"
        for each in found["sensors"]:
            assert self.ask(STOP_SENSOR, id=each["sensorState"]["id"])["__typename"] == "StopSensorMutationResult"


def wait(holds: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Ask again until it holds: a lost run is noticed, and its pool freed, by daemons that look twice a minute."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.3)
