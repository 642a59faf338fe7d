"""The end of the night: a day is proven in every tier, and only then what is old leaves hot and warm.

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
from sql.tables import MOVING

if TYPE_CHECKING:
    from sql.verify import Verdict

KEPT = "kept_as_promised"  # the check of retention
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
    """Asset that takes what is old out of hot and then out of warm, and compresses what warm keeps, by the contract."""
    key = dg.AssetKey([RETENTION, table.name])

    @dg.multi_asset(
        name=f"retain_{table.name}",
        specs=[_spec(table, key, proof_key(table), _promise(table))],
        # Not blocking: nothing follows. A day that stays is a day that some tier is not proven to hold.
        check_specs=[dg.AssetCheckSpec(KEPT, asset=key, description="No tier keeps a day longer than it should.")],
        pool=pool_of(table),
        retry_policy=RETRIES,
        backfill_policy=DAYS_A_RUN,
    )
    def keep(hot: Hot, warm: Warm, cold: Cold) -> Iterator[dg.MaterializeResult[None]]:
        from sql.evidence import Tiers
        from sql.retention import retain

        done = retain(table, Tiers(hot, warm, cold), today=open_day())
        notes = "; ".join(note for note in (done.hot.note, done.warm.note) if note)
        told = "; ".join(filter(None, (notes, done.compression_note)))
        tiers = {"hot": done.hot, "warm": done.warm}
        yield dg.MaterializeResult(
            metadata={
                **{f"{tier}_days_dropped": len(kept.dropped) for tier, kept in tiers.items()},
                **{f"{tier}_rows_dropped": kept.rows for tier, kept in tiers.items()},
                **{
                    f"{tier}_dropped": ", ".join(map(str, kept.dropped)) for tier, kept in tiers.items() if kept.dropped
                },
                "chunks_compressed": done.compressed,
                **({"note": told} if told else {}),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=KEPT,
                    passed=not notes,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=notes or "every tier keeps what its contract says and no more",
                )
            ],
        )

    return keep


def _promise(table: Table) -> str:
    if table.direct:
        return f"Hot keeps {table.hot_days} days; a day leaves it only against a file that is proven to hold it."
    compressed = table.compress_after_days
    says = f"Hot keeps {table.hot_days} days, warm {table.warm_days}"
    return f"{says} and compresses after {compressed}." if compressed is not None else f"{says}."


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
    *(retained(table) for table in MOVING),
]
