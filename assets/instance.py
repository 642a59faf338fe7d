"""What Dagster itself keeps: old runs with their events and logs go, what the catalog shows stays.

Deleting a run deletes its materializations, and a partition that nobody materialized seems never made. A run that
made the newest version of a partition is therefore kept, however old.
"""

import datetime as dt
from collections.abc import Iterable

import dagster as dg

from assets.contract import OWNERS, RETRIES

KEY = dg.AssetKey(["dagster", "storage"])
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
PAGE = 200
SIZES = (
    "SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


class Keep(dg.Config):
    """How long finished runs are kept, and how many one pass looks at: a pass ends, and the next one goes on."""

    days: int = 30
    most: int = 20_000


@dg.asset(
    key=KEY,
    group_name="dagster",
    kinds={"postgres"},
    owners=OWNERS,
    pool="dagster_storage",
    retry_policy=RETRIES,
    description="Finished runs older than `days` are deleted with their events and logs, except those that made the "
    "newest version of a partition. Shows the size of the storage before and after.",
)
def storage(context: dg.AssetExecutionContext, config: Keep) -> dg.MaterializeResult[None]:
    """Make room in the instance's storage; safe to kill and to run again."""
    instance = context.instance
    before, runs_before = sizes(instance), instance.get_runs_count()
    deleted = kept = 0
    for run_id in old_runs(instance, dt.timedelta(days=config.days), config.most):
        if made_something_newest(instance, run_id):
            kept += 1
            continue
        delete(instance, run_id)
        deleted += 1
    after = sizes(instance)
    return dg.MaterializeResult(
        metadata={
            "runs_before": runs_before,
            "runs_after": instance.get_runs_count(),
            "runs_deleted": deleted,
            "old_runs_kept": kept,
            "bytes_before": sum(before.values()),
            "bytes_after": sum(after.values()),
            "sizes": dg.MetadataValue.md(_table(before, after)),
        }
    )


def old_runs(instance: dg.DagsterInstance, older_than: dt.timedelta, most: int) -> list[str]:
    """Finished runs that nobody touched since, the oldest first."""
    until = dt.datetime.now(dt.UTC) - older_than
    found: list[str] = []
    # All of them before the first is deleted: a page begins after a run that must still be there.
    while len(found) < most:
        records = instance.get_run_records(
            dg.RunsFilter(statuses=FINISHED, updated_before=until),
            limit=min(PAGE, most - len(found)),
            cursor=found[-1] if found else None,
            ascending=True,
        )
        if not records:
            break
        found += [record.dagster_run.run_id for record in records]
    return found


def made_something_newest(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the catalog shows a partition as this run left it."""
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    made = {(record.asset_key, record.partition_key) for record in found}
    return any(_newest(instance, key, partition) == run_id for key, partition in made if key)


def delete(instance: dg.DagsterInstance, run_id: str) -> None:
    """The run, its events, and what it printed."""
    # Logs first: killed in between, the run is found again, its logs would not be.
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


def sizes(instance: dg.DagsterInstance) -> dict[str, int]:
    """Bytes of each of the storage's tables with their indexes; empty where it is no PostgreSQL."""
    url = getattr(instance.run_storage, "postgres_url", None)
    if url is None:
        return {}
    from sql.warm import connection_to  # its driver is not loaded with the definitions

    with connection_to(url.replace("postgresql+psycopg2://", "postgresql://", 1)) as connection:
        return {row["name"]: int(row["bytes"]) for row in connection.execute(SIZES)}


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> str | None:
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0].run_id if records else None


def _table(before: dict[str, int], after: dict[str, int]) -> str:
    lines = (f"| {name} | {before.get(name, 0):,} | {size:,} |" for name, size in _largest(after.items()))
    return "\n".join(["| table | bytes before | bytes after |", "|---|--:|--:|", *lines])


def _largest(sizes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(sizes, key=lambda each: each[1], reverse=True)[:10]


assets = [storage]
