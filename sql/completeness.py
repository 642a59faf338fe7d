"""Is the tape of a session whole? Surveys it, keeps its gaps in the ledger, and gives the verdict.

`judge(hot, warm, symbol, session)` and `judge_session(hot, warm, session)` may be called by anybody, at any time and
again: after an import (`filled_by="b3:FILE"`), each night, before a proof. Only the relay's keeper asks for trades.
"""

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from sql import tape_ledger
from sql.hot import HotStore
from sql.session_look import Cause, Judged, Look
from sql.session_proof import Held, Reference
from sql.tape_survey import Survey
from sql.warm import WarmStore


class _Seen(Struct, frozen=True):
    """A survey and what it found, by symbol."""

    survey: Survey
    held: dict[str, Held]
    references: dict[str, list[Reference]]


def judge(
    hot: HotStore,
    warm: WarmStore,
    symbol: str,
    session: dt.date,
    *,
    filled_by: str = "",
    cause: Cause = lambda _: "",
    now: dt.datetime | None = None,
) -> Judged:
    """Judge one session of one symbol, and keep it in the ledger. Repeatable; raises StoreError."""
    return judge_session(hot, warm, session, [symbol], filled_by=filled_by, cause=cause, now=now)[symbol]


def judge_session(
    hot: HotStore,
    warm: WarmStore,
    session: dt.date,
    symbols: Sequence[str] | None = None,
    *,
    filled_by: str = "",
    cause: Cause = lambda _: "",
    now: dt.datetime | None = None,
) -> dict[str, Judged]:
    """Judge all symbols of a session, or these, each in a transaction of its own. Repeatable; raises StoreError.

    A symbol that is named is judged though nothing of it is there. `filled_by`: who brought the rows that came since.
    """
    stood = tape_ledger.judged_at(warm, session)
    survey = Survey(hot, warm, session)
    seen = _Seen(survey, survey.held(symbols), survey.references(symbols))
    wanted = symbols if symbols is not None else sorted({*seen.held, *seen.references})
    found = {}
    with warm.connect() as connection:
        cursor = connection.cursor()
        for symbol in dict.fromkeys(wanted):
            tape_ledger.lock(cursor, symbol, session)
            before = tape_ledger.session_of(cursor, symbol, session)
            mine = seen
            if (before.judged_at if before else None) != stood.get(symbol):  # by somebody who saw more than we did
                anew = Survey(hot, warm, session)
                mine = _Seen(anew, anew.held([symbol]), anew.references([symbol]))
            look = Look(mine.survey, cursor, filled_by=filled_by, cause=cause, now=now or dt.datetime.now(dt.UTC))
            held = mine.held.get(symbol) or Held(symbol=symbol, session=session)
            found[symbol] = look.judged(held, mine.references.get(symbol, []))
            connection.commit()
    return found
