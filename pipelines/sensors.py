"""What does not wait for the clock: the very first pass of each table, so that a new platform shows data at once."""

from collections.abc import Iterator

import dagster as dg

from assets.contract import key_of
from assets.sessions import open_day
from assets.stores import Cold, Hot, Warm
from pipelines import schedules
from sql.tables import SYNCED

LOOK_SECONDS = 15


@dg.sensor(
    jobs=[schedules.sync, schedules.archive],
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Syncs and archives a table that never was; from then on the schedules do.",
)
def first_pass(hot: Hot, warm: Warm, cold: Cold) -> Iterator[dg.RunRequest | dg.SkipReason]:
    from sql.archive import stale_days

    day = open_day()
    asked = False
    with warm.connect() as connection:
        cursor = connection.cursor()
        for table in SYNCED:
            synced = cursor.execute("SELECT 1 FROM sync_control WHERE stream = %s", (table.name,)).fetchone()
            if synced is None and (state := hot.wal(table)).applied:
                key, job, target = f"first {table.name} {state.incarnation}", "sync", key_of(table, "warm")
            elif synced is not None and not cold.days(table) and day in stale_days(cursor, table, cold):
                key, job, target = f"first file of {table.name} {day}", "archive", key_of(table, "cold")
            else:
                continue
            asked = True
            yield dg.RunRequest(key, job_name=job, partition_key=day.isoformat(), asset_selection=[target])
    if not asked:
        yield dg.SkipReason("every table with rows has been synced and archived before")
