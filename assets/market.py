"""What the tape itself knows of B3's settlements, written beside what collectors' files bring.

Not partitioned: it says what the tape tells now. A run that finds nothing new writes nothing.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from assets.contract import OWNERS, RETRIES, key_of
from assets.stores import Hot
from sql.market_tables import SNAPSHOTS
from sql.tables import DAILY

MARKET = "market"  # the asset's group
KEY = dg.AssetKey([MARKET, "settlements"])
CHECK = "settled"


@dg.multi_asset(
    name="settle",
    specs=[
        dg.AssetSpec(
            KEY,
            deps=[key_of(DAILY, "hot")],
            description=f"Settlements of DI1, DDI and DOL out of our own daily sums, as rows of {SNAPSHOTS.name}.",
            group_name=MARKET,
            kinds={"questdb"},
            owners=OWNERS,
            metadata={"dagster/table_name": f"hot.{SNAPSHOTS.name}", "writer": SNAPSHOTS.writer},
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(CHECK, asset=KEY, description="Each of these contracts that the tape has is settled."),
    ],
    pool="settlements",
    retry_policy=RETRIES,
)
def settle(hot: Hot) -> Iterator[dg.MaterializeResult[None]]:
    from sql import market

    told = market.settle(hot, dt.datetime.now(dt.UTC))
    open_ones = [row["instrument"] for row in told.rows if row["price_settlement"] is None]
    words = f"{', '.join(open_ones)}: the exchange told no settlement in {market.TOLD_WITHIN.days} days"
    yield dg.MaterializeResult(
        metadata={
            "new_rows": told.stored,
            **{row["instrument"]: f"{row['contract_month']} at {row['price_settlement']}" for row in told.rows},
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=not open_ones,
                severity=dg.AssetCheckSeverity.WARN,
                description=words if open_ones else f"{len(told.rows)} instruments are settled",
            )
        ],
    )


assets = [settle]
