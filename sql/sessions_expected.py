"""Which sessions should be on the tape and are not at all: the platform was off for a whole day. Pure."""

import datetime as dt
from collections.abc import Collection, Iterable

from sql.exchange import is_session, last_session

Pair = tuple[str, dt.date]


def lost_whole(known: Iterable[Pair], wanted: Collection[str], today: dt.date, since: dt.date) -> set[Pair]:
    """Sessions between the first of a symbol and its last one of which nothing is known.

    For a symbol that is `wanted` now they reach to yesterday, but not beyond its contract's last day. Nothing is
    expected before its first session (capture had not begun), on days without one, and before `since`.
    """
    sessions: dict[str, set[dt.date]] = {}
    for symbol, session in known:
        sessions.setdefault(symbol, set()).add(session)
    found: set[Pair] = set()
    for symbol, there in sessions.items():
        end = max([*there, *([today - dt.timedelta(days=1)] if symbol in wanted else [])])
        last = last_session(symbol)
        end = min(end, last) if last else end
        day = max(min(there), since)
        while day <= end:
            if day not in there and day < today and is_session(day):
                found.add((symbol, day))
            day += dt.timedelta(days=1)
    return found
