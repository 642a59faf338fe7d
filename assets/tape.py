"""Is the tape whole? The sessions of a UTC day, judged after the day was proven in every tier.

The relay's keeper fills what is missing by itself; this says how it stands, where people look in the morning.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets.contract import DAYS_A_RUN, OWNERS, RETRIES, days_of
from assets.retained import proof_key
from assets.sessions import trading_day
from assets.stores import Cold, Hot, Warm
from sql.tables import TICKS

if TYPE_CHECKING:
    from sql.tape_verdict import Sessions

TAPE = "tape"  # the asset's group
KEY = dg.AssetKey([TAPE, "sessions"])
CHECK = "complete"


@dg.multi_asset(
    name="judge_sessions",
    specs=[
        dg.AssetSpec(
            KEY,
            deps=[proof_key(TICKS)],
            description="Every symbol's session of the day: proven, open, or unproven with the reason and its gaps.",
            group_name=TAPE,
            kinds={"postgres"},
            owners=OWNERS,
            partitions_def=trading_day,
        )
    ],
    check_specs=[
        # Not blocking: a session that waits for B3's file must not keep old days in warm.
        dg.AssetCheckSpec(CHECK, asset=KEY, description="Every captured session that is over is proven."),
    ],
    pool="tape_sessions",
    retry_policy=RETRIES,
    backfill_policy=DAYS_A_RUN,
)
def judge_sessions(
    context: dg.AssetExecutionContext, hot: Hot, warm: Warm, cold: Cold
) -> Iterator[dg.MaterializeResult[None]]:
    from sql.evidence import Tiers
    from sql.tape_verdict import Sessions, sessions_of

    whole = Sessions()
    for day in days_of(context):
        found = sessions_of(Tiers(hot, warm, cold), [day], whole=False)
        context.add_asset_metadata(_metadata(day, found), partition_key=str(day))
        whole += found
    yield dg.MaterializeResult(check_results=[_result(whole)])


def _metadata(day: dt.date, found: "Sessions") -> dict[str, int | str | dg.MetadataValue]:
    lines = [
        f"| {each.symbol} | {each.session} | {each.trades:,} | {each.missing:,} | {each.reason} |"
        for each in found.unproven
    ]
    head = ["| symbol | session | trades | missing | why it is not proven |", "|---|---|--:|--:|---|"]
    return {
        "proven": found.proven,
        "unproven": len(found.unproven),
        "open": found.open,
        **({"sessions": dg.MetadataValue.md("\n".join([*head, *lines[:50]]))} if lines else {}),
        "query": f"python3 tradingsystem query --tier warm \"SELECT * FROM tape_sessions WHERE session = '{day}'\"",
    }


def _result(found: "Sessions") -> dg.AssetCheckResult:
    words = [f"{each.session} {each.symbol}: {each.reason}" for each in found.unproven]
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=not words,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(words[:5]) or f"{found.proven} sessions are proven, {found.open} are open",
        metadata={"proven": found.proven, "unproven": len(words), "open": found.open},
    )


assets = [judge_sessions]
