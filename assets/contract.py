"""What Dagster shows of a contract in each tier: key, kind, group, owner, columns with their stored types, verdicts."""

import datetime as dt
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from assets.sessions import day_of, trading_day
from assets.stores import Warm
from sql.columns import Column
from sql.contract import Table, Tier

if TYPE_CHECKING:
    from sql.agreement import Agreement

# Hot is shown by materializations that a sensor reports: freshness counts those and no observations.
FRESH = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(minutes=20), warn_window=dt.timedelta(minutes=10))
# A store that is restarted is back within a minute; a table that is locked by another pass is waited for elsewhere.
RETRIES = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
# A run of a backfill takes ten days: starting a run costs more than a small day, and between two of them the pass over
# the open day gets the table's pool. A check that fails holds up what follows for the days of its run.
DAYS_A_RUN = dg.BackfillPolicy.multi_run(max_partitions_per_run=10)
KINDS: dict[Tier, str] = {"hot": "questdb", "warm": "postgres", "cold": "parquet"}
WRITERS: dict[Tier, str] = {"warm": "sync.sync_table", "cold": "archive.archive_day"}
OWNERS = ["team:data"]


def key_of(table: Table, tier: Tier) -> dg.AssetKey:
    """`[tier, table]`."""
    return dg.AssetKey([tier, table.name])


def pool_of(table: Table) -> str:
    """The pool whose limit of one makes the passes on a table queue: config/dagster.yaml."""
    return f"table_{table.name}"


def spec_of(table: Table, tier: Tier, *, after: Tier | None = None) -> dg.AssetSpec:
    """The asset of `table` in `tier`, one partition a UTC day, made from the tier `after`."""
    return dg.AssetSpec(
        key_of(table, tier),
        deps=[key_of(table, after)] if after else [],
        description=f"{inspect.getdoc(table.row)} In the {tier} tier.",
        group_name=tier,
        kinds={KINDS[tier]},
        owners=OWNERS,
        partitions_def=trading_day,
        freshness_policy=FRESH if tier == "hot" and table.watched else None,
        tags={"tier": tier, "writer": _writer(table, tier)},
        metadata={
            "dagster/column_schema": dg.TableSchema([_column(table, column, tier) for column in table.columns]),
            "dagster/table_name": f"{tier}.{table.name}",
            "key": ", ".join(table.key),
            **(lineage_of(table, after) if after else {}),
        },
    )


def _writer(table: Table, tier: Tier) -> str:
    if tier == "hot":
        return table.writer
    return "sql.direct.archive_day" if table.direct else f"sql.{WRITERS[tier]}"


def lineage_of(table: Table, before: Tier) -> dict[str, dg.TableColumnLineage]:
    """Each column comes from the one of its name in the tier before; the interface asks the newest event for it."""
    source = key_of(table, before)
    deps = {name: [dg.TableColumnDep(asset_key=source, column_name=name)] for name in table.names}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[dt.date]:
    """The days of a run: one, or those of its range in a backfill."""
    return [day_of(partition) for partition in context.partition_keys]


def checked_days(context: dg.AssetCheckExecutionContext, table: Table, tier: Tier, warm: Warm) -> list[dt.date]:
    """The days of the run; a check that is run alone, without a partition, looks at every day that has a receipt."""
    from sql import receipts

    partitioned = context.has_partition_key or context.has_partition_key_range
    return days_of(context) if partitioned else receipts.days(warm, table, tier)


def check_result(found: Mapping[dt.date, "Agreement"]) -> dg.AssetCheckResult:
    """The verdict of `sql.agreement` on some days, as Dagster keeps it: under the name of the check, not of a day."""
    days = found.values()
    rows, before = sum(day.rows for day in days), sum(day.rows_before for day in days)
    reasons = [day.reason for day in days if not day.agree]
    named = " to ".join(dict.fromkeys(str(day) for day in (min(found), max(found)))) if found else "no day"
    return dg.AssetCheckResult(
        passed=not reasons,
        description="; ".join(reasons[:5]) or f"{named}: both tiers hold the same rows",
        metadata={"days": len(days), "rows": rows, "rows_before": before, "rows_behind": before - rows},
    )


def _column(table: Table, column: Column, tier: Tier) -> dg.TableColumn:
    kind = {"hot": column.kind.hot, "warm": column.kind.warm, "cold": column.kind.cold}[tier]
    words = [column.says, "part of the key" if column.name in table.key else ""]
    return dg.TableColumn(
        column.name,
        kind,
        description="; ".join(filter(None, words)) or None,
        constraints=dg.TableColumnConstraints(nullable=column.nullable),
    )
