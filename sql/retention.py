"""How long each tier keeps the days of a table, in the order of the tiers: out of hot, then out of warm."""

import datetime as dt

from msgspec import Struct

from sql import compression, hot_retention
from sql.compression import Kept
from sql.contract import Table
from sql.evidence import Tiers


class Retained(Struct, frozen=True, kw_only=True):
    """What one pass did to a table, or with `dry_run` would do. `compressed`: chunks of warm."""

    table: str
    hot: Kept
    warm: Kept
    compressed: int = 0
    compression_note: str = ""


def retain(table: Table, tiers: Tiers, *, today: dt.date, dry_run: bool = False) -> Retained:
    """Keep what the contract says. Safe to run again and to kill. `dry_run` proves the same days, changes nothing.

    Raises SuspendedError and StoreUnavailableError: a store that is away proves nothing.
    """
    emptied = hot_retention.retain(table, tiers, today=today, dry_run=dry_run)
    if table.direct:
        return Retained(table=table.name, hot=emptied, warm=Kept(table=table.name))
    compressed = Kept(table=table.name) if dry_run else compression.compress(table, tiers.warm, today=today)
    return Retained(
        table=table.name,
        hot=emptied,
        warm=compression.retain(table, tiers.warm, tiers.cold, today=today, dry_run=dry_run),
        compressed=compressed.compressed,
        compression_note=compressed.note,
    )
