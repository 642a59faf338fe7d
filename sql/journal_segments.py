"""Files of the order journal that are not written any more: what they held, and since when all tiers are proven to."""

import datetime as dt

from msgspec import Struct

from sql.tables import OF_ORDERS, ORDER_EVENTS
from sql.warm import WarmStore


class Segment(Struct, frozen=True, kw_only=True):
    """One file, by its first and last record; `mac` is the hash of the last."""

    first_number: int
    last_number: int
    mac: str
    first_at: dt.datetime
    last_at: dt.datetime


COLUMNS = ", ".join(Segment.__struct_fields__)


def keep(warm: WarmStore, journal: str, segment: Segment, shipped_at: dt.datetime) -> None:
    """Remember a file whose records hot has; repeatable. Raises StoreError."""
    with warm.connect() as connection:
        connection.execute(
            f"INSERT INTO journal_segments (journal, {COLUMNS}, shipped_at) VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (journal, first_number) DO NOTHING",
            (
                journal,
                segment.first_number,
                segment.last_number,
                segment.mac,
                segment.first_at,
                segment.last_at,
                shipped_at,
            ),
        )


def prove(warm: WarmStore, journal: str, now: dt.datetime) -> int:
    """Say of each file that warm and cold are proven to hold its records since now; of how many. Raises StoreError.

    That is: warm has as many rows as there are records, and the receipts of both tiers agree on every day of them.
    """
    rows = warm.rows(
        f"SELECT {COLUMNS} FROM journal_segments WHERE journal = %s AND proven_at IS NULL ORDER BY first_number",
        (journal,),
    )
    found = [each for row in rows if _holds(warm, journal, each := Segment(**row))]
    with warm.connect() as connection:
        for each in found:
            connection.execute(
                "UPDATE journal_segments SET proven_at = %s WHERE journal = %s AND first_number = %s",
                (now, journal, each.first_number),
            )
    return len(found)


def due(warm: WarmStore, journal: str, proven_before: dt.datetime) -> list[Segment]:
    """The oldest files that are still kept, up to the first that has not been proven for long enough."""
    rows = warm.rows(
        f"SELECT {COLUMNS}, coalesce(proven_at < %s, false) AS due FROM journal_segments "
        "WHERE journal = %s AND removed_at IS NULL ORDER BY first_number",
        (proven_before, journal),
    )
    found = []
    for row in rows:
        if not row.pop("due"):
            break
        found.append(Segment(**row))
    return found


def removed(warm: WarmStore, journal: str, segment: Segment, now: dt.datetime) -> None:
    """The file is away. Raises StoreError."""
    with warm.connect() as connection:
        connection.execute(
            "UPDATE journal_segments SET removed_at = %s WHERE journal = %s AND first_number = %s",
            (now, journal, segment.first_number),
        )


def _holds(warm: WarmStore, journal: str, segment: Segment) -> bool:
    (counted,) = warm.rows(
        "SELECT count(*) AS rows, count(DISTINCT number) AS numbers, "
        "count(DISTINCT (ts AT TIME ZONE 'UTC')::date) AS days FROM order_events "
        "WHERE journal = %s AND number BETWEEN %s AND %s AND ts BETWEEN %s AND %s",
        (journal, segment.first_number, segment.last_number, segment.first_at, segment.last_at),
    )
    records = segment.last_number - segment.first_number + 1
    if (counted["rows"], counted["numbers"]) != (records, records):
        return False
    days = (segment.first_at.astimezone(dt.UTC).date(), segment.last_at.astimezone(dt.UTC).date())
    receipts = warm.rows(
        "SELECT w.table_name = %s AS events, w.digest <> '' AND c.digest IS NOT DISTINCT FROM w.digest AS agree "
        "FROM receipts w LEFT JOIN receipts c ON c.table_name = w.table_name AND c.day = w.day AND c.tier = 'cold' "
        "WHERE w.tier = 'warm' AND w.rows > 0 AND w.table_name = ANY(%s) AND w.day BETWEEN %s AND %s",
        (ORDER_EVENTS.name, [table.name for table in OF_ORDERS], *days),
    )
    return all(each["agree"] for each in receipts) and sum(each["events"] for each in receipts) >= counted["days"]
