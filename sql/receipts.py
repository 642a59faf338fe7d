"""Receipts: what each tier held of each table and UTC day when it was last written or verified.

Rows are always exact. The digest is empty from a change (`touch`) until somebody reads the day again. A receipt of warm
with zero rows says that the day was deleted; a day without a receipt is one that nobody wrote, or that retention took.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from msgspec.structs import astuple

from sql.contract import Table, Tier
from sql.digest import Content
from sql.tables import RECEIPTS, Receipt
from sql.warm import Cursor, WarmStore

UNKNOWN = ""  # a digest that nobody computed since the day changed


def touch(cursor: Cursor, table: Table, changes: Mapping[dt.date, int]) -> None:
    """Warm's rows of these UTC days changed in number by so much (0: in values only). In the caller's transaction.

    Costs two statements, whatever the days' size. Each day that was written must be named, once per change.
    """
    if not changes:
        return
    cursor.execute(
        "INSERT INTO receipts (table_name, day, tier, rows, sums, digest, made_at) "
        "SELECT %s, day, 'warm', rows, '{}', '', clock_timestamp() "
        "FROM unnest(%s::date[], %s::bigint[]) AS changed (day, rows) "
        # A day that nobody wrote and that has no rows was not deleted: no receipt may say so.
        "WHERE rows > 0 OR EXISTS (SELECT FROM receipts AS kept WHERE kept.table_name = %s "
        "AND kept.day = changed.day AND kept.tier = 'warm') ORDER BY day "
        "ON CONFLICT (table_name, day, tier) DO UPDATE SET rows = receipts.rows + excluded.rows, "
        "sums = excluded.sums, digest = excluded.digest, made_at = excluded.made_at",
        (table.name, list(changes), list(changes.values()), table.name),
    )
    cursor.execute(  # what hot held when it was last verified is not what it holds now
        "UPDATE receipts SET digest = '' WHERE table_name = %s AND day = ANY(%s) AND tier = 'hot' AND digest <> ''",
        (table.name, list(changes)),
    )


def of_content(
    table: Table, tier: Tier, day: dt.date, content: Content, *, file: str | None = None, sha256: str | None = None
) -> Receipt:
    """The receipt of rows that were just read."""
    return Receipt(
        table_name=table.name,
        day=day,
        tier=tier,
        rows=content.rows,
        sums=content.sums_text,
        digest=content.digest,
        file=file,
        file_sha256=sha256,
        made_at=dt.datetime.now(dt.UTC),
    )


def speaks_of(receipt: Receipt, content: Content) -> bool:
    """Whether a receipt says of these rows all that it says; one without a digest says only how many they are."""
    if receipt.digest == UNKNOWN or receipt.rows != content.rows:
        return receipt.rows == content.rows
    return (receipt.digest, receipt.sums) == (content.digest, content.sums_text)


def stored(cursor: Cursor, table: Table, tier: Tier, day: dt.date) -> Receipt | None:
    """The receipt that is kept; None for a day that nobody wrote."""
    return versioned(cursor, table, tier, day)[0]


def versioned(cursor: Cursor, table: Table, tier: Tier, day: dt.date) -> tuple[Receipt | None, str | None]:
    """The receipt that is kept and its version, which every change replaces."""
    row = cursor.execute(
        f"SELECT {', '.join(RECEIPTS.names)}, xmin::text AS version FROM receipts "
        "WHERE table_name = %s AND day = %s AND tier = %s",
        (table.name, day, tier),
    ).fetchone()
    if not row:
        return None, None
    version = str(row.pop("version"))
    return Receipt(**row), version


def days(warm: WarmStore, table: Table, tier: Tier) -> list[dt.date]:
    """The UTC days of which a tier holds rows, in order."""
    statement = "SELECT day FROM receipts WHERE table_name = %s AND tier = %s AND rows > 0 ORDER BY day"
    return [row["day"] for row in warm.rows(statement, (table.name, tier))]


def store(cursor: Cursor, receipts: Iterable[Receipt]) -> None:
    """Keep the newest receipt of each (table, day, tier). In the caller's transaction."""
    names, key = RECEIPTS.names, RECEIPTS.key
    replaced = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    insert = (
        f"INSERT INTO receipts ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {replaced}"
    )
    for each in receipts:
        cursor.execute(insert, astuple(each))


def store_unchanged(cursor: Cursor, receipt: Receipt, version: str | None) -> bool:
    """`store`, unless the kept one was replaced since it had `version`. Whether it was stored."""
    found = cursor.execute(
        "SELECT xmin::text AS version FROM receipts WHERE table_name = %s AND day = %s AND tier = %s FOR UPDATE",
        (receipt.table_name, receipt.day, receipt.tier),
    ).fetchone()
    if (found["version"] if found else None) != version:
        return False
    store(cursor, [receipt])
    return True


def doubt(cursor: Cursor, table: Table, tier: Tier, day: dt.date) -> None:
    """Say that what a tier holds of a day is about to change: until the next reading its digest is not known."""
    cursor.execute(
        "UPDATE receipts SET digest = '' WHERE table_name = %s AND day = %s AND tier = %s", (table.name, day, tier)
    )


def forget(cursor: Cursor, table: Table, tier: Tier, day: dt.date) -> None:
    """Remove the receipt of a day that the tier does not hold any more."""
    cursor.execute("DELETE FROM receipts WHERE table_name = %s AND day = %s AND tier = %s", (table.name, day, tier))
