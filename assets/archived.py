"""Warm to cold as assets: the Parquet file of each UTC day."""

import datetime as dt
from pathlib import Path

import dagster as dg

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
from assets.stores import Cold, Warm
from sql.contract import Table
from sql.tables import SYNCED


def archived(table: Table) -> dg.AssetsDefinition:
    """Asset that writes the files of the days of a run; safe to run again, a file appears whole or not at all."""

    @dg.multi_asset(
        name=f"archive_{table.name}",
        specs=[spec_of(table, "cold", after="warm")],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def archive(context: dg.AssetExecutionContext, warm: Warm, cold: Cold) -> dg.MaterializeResult[None]:
        from sql.archive import archive_day
        from sql.day_facts import of_cold

        for day in days_of(context):
            result = archive_day(table, day, warm, cold)
            facts = seen(table, "cold", day, of_cold(table, day, cold), now=dt.datetime.now(dt.UTC))
            told = {**facts, "written": result.written, **file_facts(cold.path(table, day))}
            context.add_asset_metadata(told, partition_key=str(day))
        return dg.MaterializeResult(metadata=lineage_of(table, "warm"))

    return archive


def cold_check(table: Table) -> dg.AssetChecksDefinition:
    """Check that the file holds what warm holds; what comes after waits for it."""

    @dg.asset_check(
        asset=key_of(table, "cold"),
        name="rows_agree",
        description="The file holds the rows of warm, value by value; on the open day, the rows of its own receipt.",
        blocking=True,
    )
    def rows_agree(context: dg.AssetCheckExecutionContext, warm: Warm, cold: Cold) -> dg.AssetCheckResult:
        from sql.agreement import cold_agrees

        days = checked_days(context, table, "cold", warm)
        return check_result({day: cold_agrees(table, day, warm, cold, today=open_day()) for day in days})

    return rows_agree


def file_facts(path: Path) -> dict[str, dg.MetadataValue]:
    """Where the file stands and how well it is compressed; nothing where there is none."""
    from sql.day_facts import compression_ratio

    if not path.is_file():
        return {}
    ratio = compression_ratio(path)
    ratios = {"compression_ratio": dg.MetadataValue.float(ratio)} if ratio is not None else {}
    return {"file": dg.MetadataValue.path(path), **ratios}


assets = [archived(table) for table in SYNCED]
checks = [cold_check(table) for table in SYNCED]
