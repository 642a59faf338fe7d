"""Which sessions of the tape are proven, judged anew for those who answer for them: `verify`, the nightly asset."""

import datetime as dt
from collections.abc import Iterable

from msgspec import Struct

from sql import tape_ledger
from sql.completeness import judge_session
from sql.evidence import Tiers
from sql.gaps import Gap
from sql.hot import HotStore
from sql.session_look import Judged
from sql.session_proof import over_at
from sql.tape_survey import sessions_of_day, tier_of
from sql.warm import WarmStore

MOST_SYMBOLS = 100_000  # of a session
MOST_GAPS = 20  # that a report names; the ledger has all


class SessionGap(Struct, frozen=True, kw_only=True):
    """A gap of a session that is not proven. Times are those of the exchange."""

    kind: str
    state: str
    first_id: int | None
    last_id: int | None
    missing: int
    since: dt.datetime | None
    until: dt.datetime | None
    cause: str
    note: str


class SessionReport(Struct, frozen=True, kw_only=True):
    """A session that is over and not proven, with the reason and the first of its gaps."""

    symbol: str
    session: dt.date
    reason: str
    trades: int
    missing: int
    gaps: list[SessionGap]


class Sessions(Struct, frozen=True, kw_only=True):
    """The captured sessions by state; each that is over and not proven by name."""

    proven: int = 0
    open: int = 0
    unproven: list[SessionReport] = []

    def __add__(self, other: "Sessions") -> "Sessions":
        return Sessions(
            proven=self.proven + other.proven,
            open=self.open + other.open,
            unproven=[*self.unproven, *other.unproven],
        )


def sessions_of(tiers: Tiers, days: Iterable[dt.date], *, whole: bool) -> Sessions:
    """Judge the sessions that have rows on these UTC days or these dates in the ledger (`whole`: all that it has).

    One that only warm still holds is not judged again: what was found while hot held it stands. Raises StoreError.
    """
    kept = tape_ledger.session_dates(tiers.warm)
    wanted = {session for day in days for session in sessions_of_day(tiers.hot, tiers.warm, day)}
    wanted |= kept if whole else kept & set(days)
    found = Sessions()
    for session in sorted(wanted):
        found += _one(tiers.hot, tiers.warm, session, known=session in kept)
    return found


def _one(hot: HotStore, warm: WarmStore, session: dt.date, *, known: bool) -> Sessions:
    if tier_of(warm, session) == "hot" or not known:
        judged = judge_session(hot, warm, session)
        lost = sorted({row.symbol for row in _kept_of(warm, session)} - set(judged))
        judged |= judge_session(hot, warm, session, lost) if lost else {}
        ours = {symbol: each for symbol, each in judged.items() if each.captured}
        states = [each.proof.state for each in ours.values()]
        bad = [_report(each) for each in ours.values() if each.proof.state == "unproven" or _arriving(each)]
    else:
        rows = [row for row in _kept_of(warm, session) if row.captured]
        states = [row.state for row in rows]
        bad = [_kept(warm, row) for row in rows if row.state == "unproven"]
    proven = states.count("proven")
    return Sessions(proven=proven, open=len(states) - proven - len(bad), unproven=bad)


def _kept_of(warm: WarmStore, session: dt.date) -> list[tape_ledger.SessionRow]:
    """All that the ledger has of a session."""
    return tape_ledger.sessions(warm, since=session, until=session, limit=MOST_SYMBOLS)


def _arriving(judged: Judged) -> bool:
    """Whether a session that ended is open only because its rows still come: nobody may take that for a yes."""
    held = judged.held
    return judged.proof.state == "open" and dt.datetime.now(dt.UTC) >= over_at(held.session, held.sources)


def _report(judged: Judged) -> SessionReport:
    held = judged.held
    return SessionReport(
        symbol=held.symbol,
        session=held.session,
        reason=f"rows of it arrived a moment ago, {judged.proof.reason}" if _arriving(judged) else judged.proof.reason,
        trades=held.sums.trades,
        missing=judged.missing,
        gaps=_gaps(judged.gaps),
    )


def _kept(warm: WarmStore, row: tape_ledger.SessionRow) -> SessionReport:
    gaps = tape_ledger.gaps(warm, symbol=row.symbol, since=row.session, until=row.session)
    return SessionReport(
        symbol=row.symbol,
        session=row.session,
        reason=row.reason,
        trades=row.trades,
        missing=row.missing,
        gaps=_gaps(gaps),
    )


def _gaps(gaps: Iterable[Gap]) -> list[SessionGap]:
    return [
        SessionGap(
            kind=gap.kind,
            state=gap.state,
            first_id=gap.first_id,
            last_id=gap.last_id,
            missing=gap.ids_left,
            since=gap.since,
            until=gap.until,
            cause=gap.cause,
            note=gap.note,
        )
        for gap in gaps
        if gap.unsettled
    ][:MOST_GAPS]
