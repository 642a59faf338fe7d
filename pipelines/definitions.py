"""What Dagster loads: assets, checks, schedules, and the stores of these settings. Loading opens no connection."""

import dagster as dg

from assets import archived, captured, retained, synced
from config.settings import Settings, load
from pipelines import alerts, imports, outside, schedules, sensors, watch
from sql.cold import ColdStore
from sql.hot import HotStore
from sql.warm import WarmStore


def stores(settings: Settings) -> dict[str, HotStore | WarmStore | ColdStore]:
    """The tiers by the names that assets and schedules ask for; each connects when it is first used."""
    quest, postgres = settings.questdb, settings.postgres
    return {
        "hot": HotStore(
            quest.url,
            quest.pg_dsn(),
            auth=(quest.user, quest.password) if quest.external and quest.password else None,
        ),
        "warm": WarmStore(postgres.dsn("timescale", "tradingsystem")),
        "cold": ColdStore(settings.cold_dir),
    }


settings = load()
defs = dg.Definitions(
    assets=[*captured.assets, *synced.assets, *archived.assets, *retained.assets],
    asset_checks=[*synced.checks, *archived.checks],
    jobs=[schedules.sync, schedules.archive, schedules.nightly, imports.import_files, imports.fetch_files],
    schedules=[
        schedules.sync_schedule,
        schedules.archive_schedule,
        schedules.nightly_schedule,
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
    resources={**stores(settings), **outside.places(settings)},
    executor=dg.in_process_executor,  # runs are short: a process per step would cost more than the step
)
