"""When B3's files come in: those laid into the drop folder at once, those of the configured symbols every night."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from assets.imported import DropFolder, NightlyFeed, fetch_b3, import_inbox
from assets.sessions import has_partition, trading_day
from assets.stores import Warm
from pipelines.schedules import unfinished
from sql.exchange import SAO_PAULO, sessions_until

LOOK_SECONDS = 15
PUBLISHED = dt.time(20, 0)  # São Paulo: then the files of the day's session should be there
FETCH_CRONS = ["15 20 * * *", "15 7 * * *"]  # in the morning what was late in the evening
SESSIONS = 3  # that are looked after: so many nights may a platform be off
KEPT_SESSIONS = 20  # whose files B3 keeps


@dg.job(description="Every B3 file of the drop folder onto the tape.")
def import_files() -> None:
    import_inbox()


@dg.job(partitions_def=trading_day, description="B3's files of a session for the configured symbols.")
def fetch_files() -> None:
    fetch_b3()


@dg.sensor(
    job_name="import_files",
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Imports B3 files that are laid into the drop folder; then they stand in done/ or refused/.",
)
def drop_folder(context: dg.SensorEvaluationContext, inbox: DropFolder) -> dg.RunRequest | dg.SkipReason:
    if reason := unfinished(context.instance, "import_files"):
        return dg.SkipReason(reason)
    waiting = inbox.waiting()
    if not waiting:
        return dg.SkipReason(f"no whole file waits in {inbox.folder}")
    # No run key: a file whose import failed or was killed still stands there and is asked for again.
    return dg.RunRequest(tags={"files": ", ".join(path.name for path in waiting)[:200]})


@dg.schedule(
    job=fetch_files,
    cron_schedule=FETCH_CRONS,
    execution_timezone="America/Sao_Paulo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The last sessions whose files are not on the tape, and captured ones that are not proven.",
)
def fetch_schedule(
    context: dg.ScheduleEvaluationContext, feed: NightlyFeed, warm: Warm
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    if not (feed.symbols or feed.fills):
        yield dg.SkipReason("TRADINGSYSTEM_B3_SYMBOLS names no symbol, and TRADINGSYSTEM_B3_FILL is not on")
        return
    at = context.scheduled_execution_time
    wanted = feed.missing(warm, published_sessions(at)) + feed.unproven(warm, published_sessions(at, KEPT_SESSIONS))
    missing = [day for day in sorted(set(wanted)) if has_partition(day)]
    for day in missing:
        yield dg.RunRequest(f"fetch {day} {at.isoformat()}", partition_key=day.isoformat())
    if not missing:
        yield dg.SkipReason(
            f"the last {SESSIONS} sessions of {', '.join(feed.symbols) or 'nothing'} are on the tape, none is unproven"
        )


def published_sessions(at: dt.datetime, count: int = SESSIONS) -> list[dt.date]:
    """The last sessions whose files should be there at an instant, in order."""
    local = at.astimezone(SAO_PAULO)
    last = local.date() if local.time() >= PUBLISHED else local.date() - dt.timedelta(days=1)
    return sessions_until(last, count)
