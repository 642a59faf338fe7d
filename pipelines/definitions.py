"""What Dagster loads: assets, checks, schedules, and the stores of these settings. Loading opens no connection."""

import dagster as dg

from assets import archived, captured, synced
from config.settings import load
from pipelines import schedules, sensors
from sql import stores

settings = load()
defs = dg.Definitions(
    assets=[*captured.assets, *synced.assets, *archived.assets],
    asset_checks=[*synced.checks, *archived.checks],
    jobs=[schedules.sync, schedules.archive],
    schedules=[schedules.sync_schedule, schedules.archive_schedule],
    sensors=[sensors.first_pass],
    # By the names that assets and schedules ask for; each connects when it is first used.
    resources={"hot": stores.hot(settings), "warm": stores.warm(settings), "cold": stores.cold(settings)},
    executor=dg.in_process_executor,  # runs are short: a process per step would cost more than the step
)
