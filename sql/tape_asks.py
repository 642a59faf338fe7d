"""What was asked of history and how it ended: in the ledger by one transaction each, and in the gaps' stories."""

import datetime as dt
from collections.abc import Iterable

from sql import tape_ledger
from sql.gaps import Gap, Window
from sql.warm import WarmStore

LIVE = "(profitdll|simulator)"  # sources that have a history


def askable(warm: WarmStore, since: dt.date) -> list[Gap]:
    """Gaps that are not settled, of sessions from `since` on that a live source brought, or nobody."""
    rows = warm.rows(
        "SELECT g.* FROM tape_gaps g JOIN tape_sessions s USING (symbol, session) "
        "WHERE g.state IN ('missing', 'unfillable') AND g.session >= %s AND s.captured "
        f"AND (s.sources = '' OR s.sources ~ '{LIVE}') ORDER BY g.session DESC, g.id",
        (since,),
    )
    return [Gap(**row) for row in rows]


def still_missing(warm: WarmStore, window: Window) -> bool:
    """Whether any gap of a window is missing by now."""
    statement = "SELECT 1 AS one FROM tape_gaps WHERE id = ANY(%s) AND state = 'missing' LIMIT 1"
    return bool(warm.rows(statement, (list(window.gaps),)))


def sessions_of(warm: WarmStore, window: Window) -> set[dt.date]:
    """The sessions of a window's gaps."""
    rows = warm.rows("SELECT DISTINCT session FROM tape_gaps WHERE id = ANY(%s)", (list(window.gaps),))
    return {row["session"] for row in rows}


def asked(warm: WarmStore, window: Window, number: int, now: dt.datetime) -> None:
    """Request `number` is in flight."""
    words = f"history from {_clock(window.since)} to {_clock(window.until)}, request {number}"
    _change(warm, window, now, "asked = asked + 1, refused = false", told=("asked", words))


def answered(warm: WarmStore, window: Window, trades: int, new: int, now: dt.datetime) -> None:
    """The answer came whole."""
    _change(warm, window, now, told=("answered", f"{trades:,} trades, {new:,} of them new"))


def unanswered(warm: WarmStore, window: Window, why: str, now: dt.datetime) -> None:
    """The answer did not come, or not whole."""
    _change(warm, window, now, told=("unanswered", why))


def refused(warm: WarmStore, window: Window, why: str, now: dt.datetime) -> None:
    """The broker will not answer."""
    _change(warm, window, now, "asked = asked + 1, refused = true", told=("refused", why))


def exhausted(warm: WarmStore, window: Window, why: str, now: dt.datetime) -> None:
    """History has given all it has."""
    _change(warm, window, now, "exhausted = true", told=("exhausted", why))


def watched(warm: WarmStore, times: Iterable[tuple[int, dt.datetime, dt.datetime, bool]]) -> None:
    """Market data was up: run, since, until, and whether it ended then. Only so what was kept is made shorter."""
    with warm.connect() as connection:
        connection.cursor().executemany(
            "INSERT INTO tape_watched AS kept (run, since, until) VALUES (%s, %s, %s) ON CONFLICT (run, since) "
            "DO UPDATE SET until = excluded.until WHERE kept.until < excluded.until "
            "OR (%s AND kept.until <> excluded.until)",
            list(times),
        )


def _change(
    warm: WarmStore, window: Window, now: dt.datetime, assigned: str = "asked = asked", *, told: tuple[str, str]
) -> None:
    gaps = list(window.gaps)
    with warm.connect() as connection:
        cursor = connection.cursor()
        # In the order of their numbers: two that change the same gaps wait for each other and never in a circle.
        cursor.execute("SELECT id FROM tape_gaps WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (gaps,))
        cursor.execute(
            f"UPDATE tape_gaps SET {assigned}, last_asked = %s "
            "WHERE id = ANY(%s) AND state IN ('missing', 'unfillable') RETURNING id",
            (now, gaps),
        )
        for row in cursor.fetchall():
            tape_ledger.tell(cursor, row["id"], now, *told)


def _clock(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%d/%m %H:%M:%S UTC")
