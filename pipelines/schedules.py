"""When data moves on. A tick asks two small questions first, so that an idle platform makes no runs, and it waits for
the run before it instead of queueing another.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from assets.contract import key_of
from assets.instance import KEY as DAGSTER_STORAGE
from assets.market import KEY as SETTLEMENTS
from assets.sessions import FIRST_DAY
from assets.stores import Cold, Hot, Warm
from sql.exchange import is_session
from sql.tables import DIRECT, SYNCED

SYNC_CRONS = [  # the exchange trades from 9:00 to 18:25, the after-market some minutes longer
    "*/2 9-18 * * 1-5",
    "*/5 0-8,19-23 * * 1-5",
    "*/5 * * * 0,6",
]
ARCHIVE_CRON = "*/5 * * * *"
SETTLEMENTS_CRON = "*/15 16-20 * * 1-5"
NIGHTLY_CRON = "0 1 * * *"  # UTC: the day ended an hour ago, at nine in the evening in São Paulo
DAYS_A_TICK = 4  # archive runs that one tick may ask for; the newest days first
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
    dg.DagsterRunStatus.SUSPENDED,
]
GIVEN_UP_AFTER = dt.timedelta(minutes=30)  # a run whose process was killed says STARTED until its time limit

FIRST = {"dagster/priority": "1"}  # before the runs of a backfill, which all wait in the queue from its beginning

sync = dg.define_asset_job(
    "sync", dg.AssetSelection.groups("warm"), description="Hot to warm, one exact pass.", tags=FIRST
)
archive = dg.define_asset_job(
    "archive", dg.AssetSelection.groups("cold"), description="Warm to Parquet files.", tags=FIRST
)
nightly = dg.define_asset_job(
    "nightly",
    dg.AssetSelection.groups("warm", "cold", "proof", "retention", "tape"),
    description="A day that is over: sync, archive, prove, judge, retain, each behind the checks of the one before.",
    tags={"dagster/priority": "-1"},  # behind the passes over the open day
)

settlements = dg.define_asset_job(
    "settlements", dg.AssetSelection.assets(SETTLEMENTS), description="Settlements that our own daily sums tell."
)
settlements_schedule = dg.ScheduleDefinition(
    job=settlements,
    cron_schedule=SETTLEMENTS_CRON,
    execution_timezone="America/Sao_Paulo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="From the afternoon of a weekday on, every quarter of an hour: each market settles at its own time.",
)

housekeeping = dg.define_asset_job(
    "housekeeping",
    dg.AssetSelection.assets(DAGSTER_STORAGE),
    description="Old runs of Dagster make room.",
    tags={"dagster/priority": "-2"},
)
housekeeping_schedule = dg.ScheduleDefinition(
    job=housekeeping,
    cron_schedule="30 6 * * *",  # half past three in São Paulo: nothing else is due
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, after what the night has to move.",
)


@dg.schedule(
    job=sync,
    cron_schedule=SYNC_CRONS,
    execution_timezone="America/Sao_Paulo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 2 minutes in market hours, every 5 otherwise; late rows of older days come along.",
)
def sync_schedule(context: dg.ScheduleEvaluationContext, hot: Hot, warm: Warm) -> dg.RunRequest | dg.SkipReason:
    from sql.control import in_step

    if reason := unfinished(context.instance, "sync"):
        return dg.SkipReason(reason)
    behind = [table for table in SYNCED if not in_step(table, hot, warm)]
    if not behind:
        return dg.SkipReason("warm has seen every transaction of hot")
    return dg.RunRequest(
        partition_key=day_of_tick(context).isoformat(), asset_selection=[key_of(table, "warm") for table in behind]
    )


@dg.schedule(
    job=archive,
    cron_schedule=ARCHIVE_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The files of days that changed; the open day's too, to be written again, but for tables without warm.",
)
def archive_schedule(
    context: dg.ScheduleEvaluationContext, hot: Hot, warm: Warm, cold: Cold
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    if reason := unfinished(context.instance, "archive"):
        yield dg.SkipReason(reason)
        return
    stale = _stale(hot, warm, cold, day_of_tick(context))
    if not stale:
        yield dg.SkipReason("every file holds what warm held when it was last written")
    for day in sorted(stale, reverse=True)[:DAYS_A_TICK]:
        # Dagster wants a key where a tick asks for several runs, and drops one it has seen: a tick tried twice.
        key = f"archive {day} {context.scheduled_execution_time.isoformat()}"
        yield dg.RunRequest(run_key=key, partition_key=day.isoformat(), asset_selection=stale[day])


@dg.schedule(
    job=nightly,
    cron_schedule=NIGHTLY_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night the UTC day that ended; nights that were missed are a backfill of this job.",
)
def nightly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    day = day_of_tick(context) - dt.timedelta(days=1)
    return dg.RunRequest(
        f"nightly {day}", partition_key=day.isoformat(), tags={"session": "yes" if is_session(day) else "no"}
    )


def _stale(hot: Hot, warm: Warm, cold: Cold, today: dt.date) -> dict[dt.date, list[dg.AssetKey]]:
    """The files to write, by day."""
    from sql import direct
    from sql.archive import stale_days

    found: dict[dt.date, list[dg.AssetKey]] = {}
    with warm.connect() as connection:
        days = {table: stale_days(connection.cursor(), table, cold) for table in SYNCED}
    days |= {table: direct.stale_days(table, hot, warm, cold, today=today) for table in DIRECT}
    for table, each in days.items():
        for day in each:
            if FIRST_DAY <= day <= today:
                found.setdefault(day, []).append(key_of(table, "cold"))
    return found


def day_of_tick(context: dg.ScheduleEvaluationContext) -> dt.date:
    """The UTC day that was open at the tick: Dagster knows no later partition, however late it evaluates the tick."""
    return context.scheduled_execution_time.astimezone(dt.UTC).date()


def unfinished(instance: dg.DagsterInstance, job: str) -> str:
    """Why a tick waits: the run of `job` that is queued or in progress; empty when there is none."""
    since = dt.datetime.now(dt.UTC) - GIVEN_UP_AFTER
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED, created_after=since), limit=1)
    return f"run {runs[0].run_id} of {job} is not finished ({runs[0].status.value})" if runs else ""
