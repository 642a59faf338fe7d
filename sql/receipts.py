"""Receipts: what each tier held of each table and UTC day when it was last written or verified.

Rows are always exact. The digest is empty from a change (`touch`) until somebody reads the day again. A receipt of warm
with zero rows says that the day was deleted; a day without a receipt is one that nobody wrote, or that retention took.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import astuple

from sql.buckets import Buckets, day_of, measures, total
from sql.tables import RECEIPTS, Receipt, Table, Tier
from sql.warm import Cursor, WarmStore

UNKNOWN = ""  # a digest that nobody computed since the day changed


def touch(cursor: Cursor, table: Table, changes: Mapping[dt.date, int]) -> None:
    """Warm's rows of these UTC days changed in number by so much (0: in values only). In the caller's transaction.

    Costs one statement, whatever the days' size. Each day that was written must be named, once per change.
    """
    if not changes:
        return
    cursor.execute(
        "INSERT INTO receipts (table_name, day, tier, rows, sums, digest, made_at) "
        "SELECT %s, day, 'warm', rows, '{}', '', clock_timestamp() "
        "FROM unnest(%s::date[], %s::bigint[]) AS changed (day, rows) ORDER BY day "
        "ON CONFLICT (table_name, day, tier) DO UPDATE SET rows = receipts.rows + excluded.rows, "
        "sums = excluded.sums, digest = excluded.digest, made_at = excluded.made_at",
        (table.name, list(changes), list(changes.values())),
    )


def of_days(table: Table, tier: Tier, buckets: Buckets, days: Iterable[dt.date]) -> list[Receipt]:
    """The receipts of `days`, a day without rows included."""
    made_at = dt.datetime.now(dt.UTC)
    found: list[Receipt] = []
    for day in sorted(set(days)):
        sums = total({hour: sums for hour, sums in buckets.items() if day_of(hour) == day}, table)
        found.append(receipt(table, tier, day, sums, made_at))
    return found


def receipt(
    table: Table,
    tier: Tier,
    day: dt.date,
    sums: Sequence[int],
    made_at: dt.datetime,
    *,
    file: str | None = None,
    file_sha256: str | None = None,
) -> Receipt:
    """A receipt from a fingerprint."""
    text = json.dumps(dict(zip(measures(table), sums, strict=True)))
    return Receipt(
        table_name=table.name,
        day=day,
        tier=tier,
        rows=sums[0],
        sums=text,
        digest=hashlib.blake2b(text.encode(), digest_size=32).hexdigest(),
        file=file,
        file_sha256=file_sha256,
        made_at=made_at,
    )


def stored(cursor: Cursor, table: Table, tier: Tier, day: dt.date) -> Receipt | None:
    """The receipt that is kept; None for a day without rows or one that never was written."""
    row = cursor.execute(
        f"SELECT {', '.join(RECEIPTS.names)} FROM receipts WHERE table_name = %s AND day = %s AND tier = %s",
        (table.name, day, tier),
    ).fetchone()
    return Receipt(**row) if row else None


def days(warm: WarmStore, table: Table, tier: Tier) -> list[dt.date]:
    """The UTC days of which a tier holds rows, in order."""
    statement = "SELECT day FROM receipts WHERE table_name = %s AND tier = %s AND rows > 0 ORDER BY day"
    return [row["day"] for row in warm.rows(statement, (table.name, tier))]


def store(cursor: Cursor, receipts: Iterable[Receipt]) -> None:
    """Keep the newest receipt of each (table, day, tier); one of zero rows removes it. In the caller's transaction."""
    names, key = RECEIPTS.names, RECEIPTS.key
    replaced = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    insert = (
        f"INSERT INTO receipts ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {replaced}"
    )
    for each in receipts:
        if each.rows:
            cursor.execute(insert, astuple(each))
        else:
            cursor.execute(
                "DELETE FROM receipts WHERE table_name = %s AND day = %s AND tier = %s",
                (each.table_name, each.day, each.tier),
            )
