"""The end of the night: a day is proven in every tier, and only then what is old is compressed or leaves warm.

Both stand for the night of their partition. The proof reads the three tiers again; retention looks at the whole table,
and takes only days whose file is proven to hold them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets.contract import DAYS_A_RUN, OWNERS, RETRIES, days_of, key_of, pool_of
from assets.sessions import open_day, trading_day
from assets.stores import Cold, Hot, Warm
from sql.contract import Table
from sql.tables import DIRECT, MOVING, SYNCED

if TYPE_CHECKING:
    from sql.verify import Verdict

PROOF, RETENTION = "proof", "retention"  # the assets' groups, and where a tier stands in the keys of others


def proof_key(table: Table) -> dg.AssetKey:
    """`[proof, table]`."""
    return dg.AssetKey([PROOF, table.name])


def proven(table: Table) -> dg.AssetsDefinition:
    """Asset that holds the tiers against each other for the days of a run; what differs fails its blocking check."""
    key = proof_key(table)

    @dg.multi_asset(
        name=f"prove_{table.name}",
        specs=[
            _spec(table, key, key_of(table, "cold"), "All tiers hold the same rows of the day, read again from each.")
        ],
        check_specs=[dg.AssetCheckSpec("tiers_agree", asset=key, blocking=True)],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def prove(
        context: dg.AssetExecutionContext, hot: Hot, warm: Warm, cold: Cold
    ) -> Iterator[dg.MaterializeResult[None]]:
        from sql.evidence import Tiers
        from sql.verify import verify

        lines: list[str] = []
        for day in days_of(context):
            verdict = verify([table], Tiers(hot, warm, cold), today=open_day(), day=day)
            path = cold.path(table, day)
            file = {"file": dg.MetadataValue.path(path)} if path.is_file() else {}
            context.add_asset_metadata({**_proof(table, verdict), **file}, partition_key=str(day))
            lines += [f"{day} {each.tier} {each.symbol}: {each.reason}; {each.remedy}" for each in verdict.differences]
        yield dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(
                    check_name="tiers_agree",
                    passed=not lines,
                    description="; ".join(lines[:5]) or "every tier holds the same rows",
                    metadata={"differences": len(lines)},
                )
            ],
        )

    return prove


def retained(table: Table) -> dg.AssetsDefinition:
    """Asset that compresses old days of `table` in warm and takes the oldest away, as its contract says."""
    key = dg.AssetKey([RETENTION, table.name])
    says = f"Warm keeps {table.warm_days} days" + (
        f" and compresses after {table.compress_after_days}." if table.compress_after_days is not None else "."
    )

    @dg.multi_asset(
        name=f"retain_{table.name}",
        specs=[_spec(table, key, proof_key(table), says)],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def keep(warm: Warm, cold: Cold) -> dg.MaterializeResult[None]:
        from sql.compression import compress, retain

        compressed = compress(table, warm, today=open_day())
        dropped = retain(table, warm, cold, today=open_day())
        notes = "; ".join(filter(None, (compressed.note, dropped.note)))
        return dg.MaterializeResult(
            metadata={
                "chunks_compressed": compressed.compressed,
                "days_dropped": len(dropped.dropped),
                **({"dropped": ", ".join(map(str, dropped.dropped))} if dropped.dropped else {}),
                **({"note": notes} if notes else {}),
            }
        )

    return keep


def emptied(table: Table) -> dg.AssetsDefinition:
    """Asset that takes old days of a table without warm out of hot, as its contract says."""

    @dg.multi_asset(
        name=f"retain_{table.name}",
        specs=[
            _spec(
                table,
                dg.AssetKey([RETENTION, table.name]),
                proof_key(table),
                f"Hot keeps {table.hot_days} days; a day leaves it only against a file that is proven to hold it.",
            )
        ],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def keep(hot: Hot, warm: Warm, cold: Cold) -> dg.MaterializeResult[None]:
        from sql.hot_retention import retain

        kept = retain(table, hot, warm, cold, today=open_day())
        return dg.MaterializeResult(
            metadata={
                "days_dropped": len(kept.dropped),
                **({"dropped": ", ".join(map(str, kept.dropped))} if kept.dropped else {}),
                **({"note": kept.note} if kept.note else {}),
            }
        )

    return keep


def _proof(table: Table, verdict: "Verdict") -> dict[str, int | str | bool]:
    report = verdict.days[0] if verdict.days else None
    unproven = report.unproven if report else "no tier holds a row of the day"
    rows = {tier: held.rows for tier in table.tiers if report and (held := getattr(report, tier))}
    return {
        "proven": bool(report and report.proven),
        **{f"rows_{tier}": count for tier, count in rows.items()},
        **({"unproven": unproven} if unproven else {}),
    }


def _spec(table: Table, key: dg.AssetKey, after: dg.AssetKey, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=[after],
        description=f"{description} Table {table.name}.",
        group_name=key.path[0],
        kinds={"postgres", "parquet"},
        owners=OWNERS,
        partitions_def=trading_day,
    )


assets = [
    *(proven(table) for table in MOVING),
    *(retained(table) for table in SYNCED),
    *(emptied(table) for table in DIRECT),
]
