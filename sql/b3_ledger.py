"""Which B3 files are on the tape, and whether a file is older than what is there. Times are UTC."""

import datetime as dt
import re
from collections.abc import Iterable

from msgspec import Struct

from sql.exchange import SAO_PAULO
from sql.warm import WarmStore

ALL = "*"
SNAPSHOT = re.compile(r"_([01]\d|2[0-3])([0-5]\d)(?:\.(?:txt|zip|csv))?$", re.IGNORECASE)


class Edition(Struct, frozen=True):
    """How much of a session a file shows. `scope` is an instrument or ALL; `as_of` is null for a final file."""

    session: dt.date
    scope: str
    final: bool
    as_of: dt.datetime | None


class Imported(Struct, frozen=True):
    """A file that is on the tape."""

    file: str
    final: bool
    as_of: dt.datetime


def edition_of(session: dt.date, scope: str, names: Iterable[str], now: dt.datetime) -> Edition:
    """What the names of a file and of the text inside say: `…_HHMM` is a snapshot of that minute in São Paulo.

    Without it the file is final, unless its session is still today's.
    """
    for name in names:
        if found := SNAPSHOT.search(name):
            clock = dt.time(int(found[1]), int(found[2]))
            return Edition(session, scope, False, dt.datetime.combine(session, clock, SAO_PAULO).astimezone(dt.UTC))
    if now.astimezone(SAO_PAULO).date() <= session:
        return Edition(session, scope, False, now)
    return Edition(session, scope, True, None)


def newer(warm: WarmStore, edition: Edition) -> Imported | None:
    """The file on the tape that shows more of the session than `edition` does, if there is one."""
    if edition.final:
        return None
    rows = warm.rows(
        "SELECT file, final, as_of FROM imports WHERE session = %s AND scope IN (%s, %s) "
        "AND (final OR as_of > %s) ORDER BY final DESC, as_of DESC LIMIT 1",
        (edition.session, edition.scope, ALL, edition.as_of),
    )
    return Imported(**rows[0]) if rows else None


def record(
    warm: WarmStore, editions: Iterable[Edition], *, sha256: str, file: str, lines: int, at: dt.datetime
) -> None:
    """Write down that a file is on the tape, all its sessions or none; importing it again changes nothing."""
    with warm.connect() as connection:
        connection.cursor().executemany(
            "INSERT INTO imports (session, scope, sha256, as_of, final, file, lines, imported_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(e.session, e.scope, sha256, e.as_of or at, e.final, file, lines, at) for e in editions],
        )


def is_imported(warm: WarmStore, sha256: str) -> bool:
    """Whether a file of exactly this content came to its end before."""
    return bool(warm.rows("SELECT 1 AS one FROM imports WHERE sha256 = %s LIMIT 1", (sha256,)))


def has_final(warm: WarmStore, session: dt.date, scope: str) -> bool:
    """Whether the whole session of an instrument (or ALL) is on the tape."""
    statement = "SELECT 1 AS one FROM imports WHERE session = %s AND scope IN (%s, %s) AND final LIMIT 1"
    return bool(warm.rows(statement, (session, scope, ALL)))


def unproven(warm: WarmStore, session: dt.date) -> list[str]:
    """The instruments of which the tape's ledger calls a captured session unproven and no final file is on the tape."""
    rows = warm.rows(
        "SELECT symbol FROM tape_sessions AS s WHERE session = %s AND state = 'unproven' AND captured AND NOT EXISTS "
        "(SELECT FROM imports AS i WHERE i.session = s.session AND i.scope IN (s.symbol, %s) AND i.final) "
        "ORDER BY symbol",
        (session, ALL),
    )
    return [row["symbol"] for row in rows]


def judged(warm: WarmStore, session: dt.date, symbols: Iterable[str]) -> list[str]:
    """Those of the instruments whose session the tape's ledger keeps."""
    rows = warm.rows(
        "SELECT symbol FROM tape_sessions WHERE session = %s AND symbol = ANY(%s) ORDER BY symbol",
        (session, list(symbols)),
    )
    return [row["symbol"] for row in rows]
