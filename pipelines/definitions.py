"""What Dagster loads: assets, checks, schedules, and the stores of these settings. Loading opens no connection."""

import dagster as dg

from assets import archived, captured, synced
from config.settings import Settings, load
from pipelines import schedules, sensors
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


defs = dg.Definitions(
    assets=[*captured.assets, *synced.assets, *archived.assets],
    asset_checks=[*synced.checks, *archived.checks],
    jobs=[schedules.sync, schedules.archive],
    schedules=[schedules.sync_schedule, schedules.archive_schedule],
    sensors=[sensors.first_pass],
    resources=stores(load()),
    executor=dg.in_process_executor,  # runs are short: a process per step would cost more than the step
)
