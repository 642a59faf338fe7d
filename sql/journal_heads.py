"""The head of the order journal in warm: what a journal had reached stays known where its own disk is not asked."""

import datetime as dt

from msgspec import Struct

from sql.warm import WarmStore


class Kept(Struct, frozen=True):
    """The last record that warm was told of, and its hash."""

    number: int
    mac: str
    at: dt.datetime


def keep(warm: WarmStore, journal: str, number: int, mac: str, at: dt.datetime) -> Kept:
    """Tell a head and give what is kept then: another one where a later record was seen. Raises StoreError."""
    with warm.connect() as connection:
        connection.execute(
            "INSERT INTO journal_heads (journal, number, mac, at) VALUES (%s, %s, %s, %s) ON CONFLICT (journal) "
            "DO UPDATE SET number = excluded.number, mac = excluded.mac, at = excluded.at "
            "WHERE journal_heads.number < excluded.number",
            (journal, number, mac, at),
        )
    found = known(warm, journal)
    return found or Kept(number, mac, at)


def known(warm: WarmStore, journal: str) -> Kept | None:
    """What is kept of a journal; None: nobody told of it. Raises StoreError."""
    rows = warm.rows("SELECT number, mac, at FROM journal_heads WHERE journal = %s", (journal,))
    return Kept(**rows[0]) if rows else None
