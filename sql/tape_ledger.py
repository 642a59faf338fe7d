"""The ledger's rows in PostgreSQL: sessions, gaps, and the story of each gap, which only grows.

One transaction changes what belongs together; whoever judges a session holds its lock until then.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from sql.gaps import Gap
from sql.session_proof import LIVE, Held, Proof, State
from sql.warm import Cursor, WarmStore

LOCK_CLASS = 7742


class SessionRow(Struct, frozen=True, kw_only=True):
    """A session as the ledger has it."""

    symbol: str
    session: dt.date
    state: State
    reason: str
    captured: bool
    rows: int
    trades: int
    quantity: int
    turnover: Any
    first_id: int | None
    last_id: int | None
    first_ts: dt.datetime | None
    last_ts: dt.datetime | None
    step: int | None
    missing: int
    sources: str
    reference_source: str | None
    reference_trades: int | None
    reference_quantity: int | None
    reference_volume: Any
    reference_at: dt.datetime | None
    judged_at: dt.datetime


class Told(Struct, frozen=True):
    """One word of a gap's story."""

    at: dt.datetime
    event: str
    words: str


def lock(cursor: Cursor, symbol: str, session: dt.date) -> None:
    """Be the only one who judges this session, until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK_CLASS, f"{symbol} {session}"))


def session_of(cursor: Cursor, symbol: str, session: dt.date) -> SessionRow | None:
    """What was judged last."""
    statement = "SELECT * FROM tape_sessions WHERE symbol = %s AND session = %s"
    row = cursor.execute(statement, (symbol, session)).fetchone()
    return SessionRow(**row) if row else None


def judged_at(warm: WarmStore, session: dt.date) -> dict[str, dt.datetime]:
    """When each symbol of a session was judged last."""
    rows = warm.rows("SELECT symbol, judged_at FROM tape_sessions WHERE session = %s", (session,))
    return {row["symbol"]: row["judged_at"] for row in rows}


def gaps_of(cursor: Cursor, symbol: str, session: dt.date) -> list[Gap]:
    """The gaps of a session to be changed, in the order in which they were found.

    Locked in that order, as `tape_asks` does: two that change the same gaps wait for each other and never in a circle.
    """
    statement = "SELECT * FROM tape_gaps WHERE symbol = %s AND session = %s ORDER BY id FOR UPDATE"
    return [Gap(**row) for row in cursor.execute(statement, (symbol, session)).fetchall()]


def is_first(cursor: Cursor, symbol: str, session: dt.date) -> bool:
    """Whether no earlier session of the symbol is known that was captured."""
    statement = "SELECT 1 FROM tape_sessions WHERE symbol = %s AND session < %s AND captured LIMIT 1"
    return cursor.execute(statement, (symbol, session)).fetchone() is None


def was_live(cursor: Cursor, symbol: str, session: dt.date) -> bool:
    """Whether an earlier session of the symbol is known that came from the feed, or should have."""
    statement = (
        "SELECT 1 FROM tape_sessions WHERE symbol = %s AND session < %s AND captured "
        "AND (sources = '' OR string_to_array(sources, ' ') && %s) LIMIT 1"
    )
    return cursor.execute(statement, (symbol, session, sorted(LIVE))).fetchone() is not None


def save_session(
    cursor: Cursor, held: Held, proof: Proof, *, step: int | None, missing: int, captured: bool, now: dt.datetime
) -> None:
    """The verdict on a session, in the place of the one before."""
    reference = proof.reference
    volume = None if reference is None else reference.volume if reference.turnover is None else reference.turnover
    values = {
        "symbol": held.symbol,
        "session": held.session,
        "state": proof.state,
        "reason": proof.reason,
        "captured": captured,
        "rows": held.told.trades,
        "trades": held.sums.trades,
        "quantity": held.sums.quantity,
        "turnover": held.turnover,
        "first_id": held.first_id,
        "last_id": held.last_id,
        "first_ts": held.first_ts,
        "last_ts": held.last_ts,
        "step": step,
        "missing": missing,
        "sources": " ".join(held.sources),
        "reference_source": reference.source if reference else None,
        "reference_trades": reference.trades if reference else None,
        "reference_quantity": reference.quantity if reference else None,
        "reference_volume": volume,
        "reference_at": reference.at if reference else None,
        "judged_at": now,
    }
    assigned = ", ".join(f"{name} = excluded.{name}" for name in values if name not in ("symbol", "session"))
    cursor.execute(
        f"INSERT INTO tape_sessions ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))}) "
        f"ON CONFLICT (symbol, session) DO UPDATE SET {assigned}",
        list(values.values()),
    )


def add_gap(cursor: Cursor, gap: Gap) -> int:
    """A gap that was found; its number."""
    names = [name for name in gap.__struct_fields__ if name != "id"]
    row = cursor.execute(
        f"INSERT INTO tape_gaps ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) RETURNING id",
        [getattr(gap, name) for name in names],
    ).fetchone()
    assert row is not None
    return int(row["id"])


def save_gap(cursor: Cursor, before: Gap, after: Gap) -> None:
    """What changed of a gap."""
    changed = [name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    if changed:
        assigned = ", ".join(f"{name} = %s" for name in changed)
        values = [getattr(after, name) for name in changed]
        cursor.execute(f"UPDATE tape_gaps SET {assigned} WHERE id = %s", [*values, before.id])


def tell(cursor: Cursor, gap: int, at: dt.datetime, event: str, words: str) -> None:
    """One more word of a gap's story."""
    cursor.execute(
        "INSERT INTO tape_gap_story (gap, at, event, words) VALUES (%s, %s, %s, %s)", (gap, at, event, words)
    )


def story_of(warm: WarmStore, gaps: Iterable[int], *, reader: bool = False) -> dict[int, list[Told]]:
    """The stories of gaps, each in order."""
    found: dict[int, list[Told]] = {}
    statement = "SELECT gap, at, event, words FROM tape_gap_story WHERE gap = ANY(%s) ORDER BY id"
    for row in warm.rows(statement, (list(gaps),), reader=reader):
        found.setdefault(row["gap"], []).append(Told(row["at"], row["event"], row["words"]))
    return found


def sessions(
    warm: WarmStore,
    *,
    symbol: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    state: str | None = None,
    limit: int = 1_000,
    reader: bool = False,
) -> list[SessionRow]:
    """Sessions with since <= session <= until, the newest first."""
    where, params = _where({"symbol": symbol, "state": state}, since, until)
    text = f"SELECT * FROM tape_sessions{where} ORDER BY session DESC, symbol LIMIT %s"
    return [SessionRow(**row) for row in warm.rows(text, (*params, limit), reader=reader)]


def gaps(
    warm: WarmStore,
    *,
    symbol: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    state: str | None = None,
    limit: int = 1_000,
    reader: bool = False,
) -> list[Gap]:
    """Gaps of sessions with since <= session <= until, the newest first."""
    where, params = _where({"symbol": symbol, "state": state}, since, until)
    text = f"SELECT * FROM tape_gaps{where} ORDER BY session DESC, symbol, id LIMIT %s"
    return [Gap(**row) for row in warm.rows(text, (*params, limit), reader=reader)]


def known_sessions(warm: WarmStore, since: dt.date, *, of: str) -> dict[tuple[str, dt.date], str]:
    """The state of every captured session from a date on that sources like `of` brought, or nobody."""
    found = warm.rows(
        "SELECT symbol, session, state FROM tape_sessions "
        "WHERE session >= %s AND captured AND (sources = '' OR sources ~ %s)",
        (since, of),
    )
    return {(row["symbol"], row["session"]): row["state"] for row in found}


def session_dates(warm: WarmStore) -> set[dt.date]:
    """The dates of all sessions that the ledger knows."""
    return {row["session"] for row in warm.rows("SELECT DISTINCT session FROM tape_sessions")}


def counts(warm: WarmStore) -> tuple[dict[str, int], dict[str, int]]:
    """How many gaps and how many captured sessions there are in each state."""
    of_gaps = warm.rows("SELECT state, count(*) AS count FROM tape_gaps GROUP BY state")
    of_sessions = warm.rows("SELECT state, count(*) AS count FROM tape_sessions WHERE captured GROUP BY state")
    return {row["state"]: row["count"] for row in of_gaps}, {row["state"]: row["count"] for row in of_sessions}


def _where(equal: dict[str, str | None], since: dt.date | None, until: dt.date | None) -> tuple[str, Sequence[Any]]:
    chosen: list[tuple[str, Any]] = [(f"{name} = %s", value) for name, value in equal.items() if value is not None]
    chosen += [("session >= %s", since)] if since else []
    chosen += [("session <= %s", until)] if until else []
    text = f" WHERE {' AND '.join(text for text, _ in chosen)}" if chosen else ""
    return text, [value for _, value in chosen]
