"""What is looked at all the time: how fresh the hot tables are, whether they apply what they take, runs that died."""

import datetime as dt
import json

import dagster as dg

from assets.captured import Arrival, arrival_of
from assets.stores import Hot
from pipelines.alerts import AlertError, Told
from sql.tables import MOVING

FRESH_SECONDS = 60
SUSPENDED_SECONDS = 60
LOST_SECONDS = 30


@dg.sensor(
    minimum_interval_seconds=FRESH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Shows the newest row of each hot table while it is as fresh as the exchange's hours ask for.",
)
def hot_arrivals(context: dg.SensorEvaluationContext, hot: Hot) -> dg.SensorResult:
    now = dt.datetime.now(dt.UTC)
    shown: dict[str, float] = json.loads(context.cursor or "{}")
    events, late = [], []
    for table in MOVING:
        arrival = arrival_of(table, hot, now)
        if not arrival.fresh:
            late.append(f"{table.name}: {arrival.words}")
        elif now.timestamp() - shown.get(table.name, 0) >= Arrival.SHOWN_EVERY:
            shown[table.name] = now.timestamp()
            events.append(arrival.event())
    reason = "; ".join(late) or "every hot table was shown a moment ago"
    return dg.SensorResult(asset_events=events, cursor=json.dumps(shown), skip_reason=None if events else reason)


@dg.sensor(
    minimum_interval_seconds=SUSPENDED_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of hot tables that take rows and apply none, and lets each try again once.",
)
def suspended_tables(context: dg.SensorEvaluationContext, hot: Hot, alerts: Told) -> dg.SensorResult:
    """RESUME WAL goes on at the transaction that failed and skips nothing, so it is safe: after a disk that was full
    it is all that is needed. Where that transaction fails again, somebody has to look; no other is ever tried for it.
    """
    tried: dict[str, int] = json.loads(context.cursor or "{}")
    found: list[str] = []
    for table in MOVING:
        state = hot.wal(table)
        if not state.suspended:
            tried.pop(table.name, None)
            continue
        again = tried.get(table.name) == state.applied
        remedy = f"mend its disk, then `ALTER TABLE {table.name} RESUME WAL`" if again else "it was told to go on"
        words = f"hot.{table.name} is suspended at transaction {state.applied} of {state.taken}: {remedy}"
        if not again:
            hot.execute(f"ALTER TABLE {table.name} RESUME WAL")
            tried[table.name] = state.applied
        try:
            told = alerts.send(f"TradingSystem: hot.{table.name} {'stays' if again else 'was'} suspended", words)
        except AlertError as error:  # what was tried must be remembered all the same, and the other tables looked at
            told = str(error)
        context.log.warning(f"{words} ({told})")
        found.append(words)
    reason = "; ".join(found) or "every hot table applies what it takes"
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(tried))


@dg.sensor(
    minimum_interval_seconds=LOST_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process is gone with its code server, so that they do not hold up the next ones.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    lost = end_lost(context.instance)
    return dg.SkipReason(f"ended {', '.join(lost)}" if lost else "every run has its process")


def end_lost(instance: dg.DagsterInstance) -> list[str]:
    """Report as failed the runs of this machine whose process is gone; their ids."""
    lost = [run for run in _local_runs(instance) if _is_lost(instance, run.run_id)]
    for run in lost:
        instance.report_run_failed(run, "The process of this run is gone. What it did can be done again.")
    return [run.run_id for run in lost]


def _local_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs in progress on this machine: those that a code server started as its children."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    return [run for run in instance.get_runs(filters) if ".dagster/grpc_info" in run.tags]


def _is_lost(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process that said it executes the run is gone; a run that did not say so yet has one."""
    import psutil

    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is None or not str(pid.value).isdigit():
            continue
        try:
            return psutil.Process(int(str(pid.value))).create_time() > entry.timestamp + 1
        except psutil.NoSuchProcess:
            return True
    return False
