"""Hot to warm as assets.

The open day's partition stands for "all that is new": a pass over it brings every late row of every day along, because
transaction numbers belong to the hot table and not to a day. Any other partition compares and mends its own day.
"""

import datetime as dt
from typing import TYPE_CHECKING

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
from assets.sessions import has_partition, open_day
from assets.stores import Hot, Warm
from sql.contract import Table
from sql.tables import SYNCED

if TYPE_CHECKING:
    from sql.sync import SyncResult


def synced(table: Table) -> dg.AssetsDefinition:
    """Asset that makes warm equal to hot for the days of a run; safe to run again, to kill and to start twice."""

    @dg.multi_asset(
        name=f"sync_{table.name}",
        specs=[spec_of(table, "warm", after="hot")],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def sync(context: dg.AssetExecutionContext, hot: Hot, warm: Warm) -> dg.MaterializeResult[None]:
        from sql.day_facts import of_warm

        days = days_of(context)
        for day in days:
            result = pass_over(table, day, hot, warm, today=open_day())
            others = [late for late in result.days if late not in days and has_partition(late)]
            for late, rows in warm.rows_of(table, others).items():
                metadata = {"dagster/row_count": rows}
                event = dg.AssetMaterialization(key_of(table, "warm"), metadata=metadata, partition=str(late))
                context.log_event(event)
            facts = seen(table, "warm", day, of_warm(table, day, warm), now=dt.datetime.now(dt.UTC))
            context.add_asset_metadata({**facts, **_metadata(result)}, partition_key=str(day))
        return dg.MaterializeResult(metadata=lineage_of(table, "hot"))

    return sync


def warm_check(table: Table) -> dg.AssetChecksDefinition:
    """Check that warm holds what hot holds; what comes after waits for it."""

    @dg.asset_check(
        asset=key_of(table, "warm"),
        name="rows_agree",
        description="Warm holds the rows of hot, value by value; on the open day, the rows of its own receipt.",
        blocking=True,
    )
    def rows_agree(context: dg.AssetCheckExecutionContext, hot: Hot, warm: Warm) -> dg.AssetCheckResult:
        from sql.agreement import warm_agrees

        days = checked_days(context, table, "warm", warm)
        return check_result({day: warm_agrees(table, day, hot, warm, today=open_day()) for day in days})

    return rows_agree


def pass_over(table: Table, day: dt.date, hot: Hot, warm: Warm, *, today: dt.date) -> "SyncResult":
    """One pass: over the whole table on the open day, over the day's hours otherwise or when nothing was new."""
    from sql.sync import sync_table

    if day == today:
        result = sync_table(table, hot, warm)
        if result.way != "nothing":
            return result
    return sync_table(table, hot, warm, day=day)


def _metadata(result: "SyncResult") -> dict[str, int | float | str | dg.MetadataValue]:
    newest = result.last_synced
    return {
        "rows_copied": result.rows_copied,
        "rows_deleted": result.rows_deleted,
        "buckets_compared": result.buckets_compared,
        "windows_written": result.windows_written,
        "days_written": len(result.days),
        "seconds": round(result.seconds, 3),
        **({"synced_until": dg.MetadataValue.timestamp(newest)} if newest else {}),
    }


assets = [synced(table) for table in SYNCED]
checks = [warm_check(table) for table in SYNCED]
