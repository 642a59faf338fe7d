"""Hot to cold as assets, for tables without warm: the Parquet file of each UTC day that is over."""

import datetime as dt

import dagster as dg

from assets.archived import file_facts
from assets.contract import (
    DAYS_A_RUN,
    RETRIES,
    check_result,
    checked_days,
    days_of,
    key_of,
    lineage_of,
    pool_of,
    spec_of,
)
from assets.pictures import seen
from assets.sessions import open_day
from assets.stores import Cold, Hot, Warm
from sql.contract import Table
from sql.tables import DIRECT


def archived(table: Table) -> dg.AssetsDefinition:
    """Asset that writes the files of the days of a run; the open day has none yet. Safe to run again and to kill."""

    @dg.multi_asset(
        name=f"archive_{table.name}",
        specs=[spec_of(table, "cold", after="hot")],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def archive(context: dg.AssetExecutionContext, hot: Hot, warm: Warm, cold: Cold) -> dg.MaterializeResult[None]:
        from sql.day_facts import of_cold
        from sql.direct import archive_day

        for day in days_of(context):
            result = archive_day(table, day, hot, warm, cold, today=open_day())
            facts = seen(table, "cold", day, of_cold(table, day, cold), now=dt.datetime.now(dt.UTC))
            told = {**facts, "written": result.written, **file_facts(cold.path(table, day))}
            context.add_asset_metadata(told, partition_key=str(day))
        return dg.MaterializeResult(metadata=lineage_of(table, "hot"))

    return archive


def cold_check(table: Table) -> dg.AssetChecksDefinition:
    """Check that the file holds what hot holds; what comes after waits for it."""

    @dg.asset_check(
        asset=key_of(table, "cold"),
        name="rows_agree",
        description="The file holds the rows of hot, value by value; below hot's floor, those of its receipts.",
        blocking=True,
    )
    def rows_agree(context: dg.AssetCheckExecutionContext, hot: Hot, warm: Warm, cold: Cold) -> dg.AssetCheckResult:
        from sql.direct_proof import agreement
        from sql.evidence import Tiers

        days = checked_days(context, table, "cold", warm)
        tiers = Tiers(hot, warm, cold)
        return check_result({day: agreement(table, day, tiers, today=open_day()) for day in days})

    return rows_agree


assets = [archived(table) for table in DIRECT]
checks = [cold_check(table) for table in DIRECT]
