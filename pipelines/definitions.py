"""What Dagster loads: assets, checks, schedules, and the stores of these settings. Loading opens no connection."""

from collections.abc import Callable
from functools import cache

import dagster as dg

from assets import archived, captured, direct, instance, market, retained, synced, tape
from config.settings import Settings, load
from pipelines import alerts, imports, outside, schedules, sensors, watch
from sql import stores

settings = load()


def made_when_used(make: Callable[[Settings], object]) -> dg.ResourceDefinition:
    """A store as a resource, one for the process: loading does not wait for its drivers, and a tick makes no other."""
    made = cache(lambda: make(settings))
    return dg.ResourceDefinition(lambda _: made())


defs = dg.Definitions(
    assets=[
        *captured.assets,
        *synced.assets,
        *archived.assets,
        *direct.assets,
        *retained.assets,
        *tape.assets,
        *market.assets,
        *instance.assets,
    ],
    asset_checks=[*synced.checks, *archived.checks, *direct.checks],
    jobs=[
        schedules.sync,
        schedules.archive,
        schedules.nightly,
        schedules.housekeeping,
        schedules.settlements,
        imports.import_files,
        imports.fetch_files,
    ],
    schedules=[
        schedules.sync_schedule,
        schedules.archive_schedule,
        schedules.nightly_schedule,
        schedules.housekeeping_schedule,
        schedules.settlements_schedule,
        imports.fetch_schedule,
    ],
    sensors=[
        sensors.first_pass,
        imports.drop_folder,
        alerts.run_failed,
        alerts.checks_failed,
        watch.hot_arrivals,
        watch.suspended_tables,
        watch.lost_runs,
    ],
    # By the names that assets and schedules ask for.
    resources={
        "hot": made_when_used(stores.hot),
        "warm": made_when_used(stores.warm),
        "cold": made_when_used(stores.cold),
        **outside.places(settings),
    },
    executor=dg.in_process_executor,  # runs are short: a process per step would cost more than the step
)
