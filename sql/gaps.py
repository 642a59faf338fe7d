"""Gaps of one session: found from numbers, followed until they are filled, shown vacant, or known to be unfillable.

A gap keeps the range in which it was found. What is still missing of it is counted anew each time, so that any part of
this may be killed and repeated. Pure.
"""

import bisect
import datetime as dt
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from sql.exchange import SAO_PAULO
from sql.numbering import Hole

Kind = Literal["head", "inner", "tail"]
State = Literal["missing", "filled", "vacant", "unfillable"]
MARGIN = dt.timedelta(seconds=1)
NEAR = dt.timedelta(seconds=60)  # windows so near are one request
FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(seconds=20), dt.timedelta(hours=1)
RETRY = dt.timedelta(hours=6)  # of what was refused, or exhausted while trades are still missing
HISTORY_DAYS = 30
A_FILE = "b3"  # a file whose import has not said its name yet
MOST_GAPS = 2_000  # of a session: beyond it what is left of the numbers is one gap


class Gap(Struct, frozen=True, kw_only=True):
    """One gap as the ledger has it. `ids` 0: how many are missing is not known, only that something may be."""

    symbol: str
    session: dt.date
    kind: Kind
    first_id: int | None
    last_id: int | None
    ids: int
    ids_left: int
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    found_at: dt.datetime
    cause: str = ""
    asked: int = 0
    last_asked: dt.datetime | None = None
    exhausted: bool = False
    refused: bool = False
    state: State = "missing"
    filled_at: dt.datetime | None = None
    filled_by: str | None = None
    note: str = ""
    id: int | None = None

    @property
    def unsettled(self) -> bool:
        """Whether what is missing of it is missing from the session."""
        return self.state in ("missing", "unfillable")


class Finding(Struct, frozen=True, kw_only=True):
    """A gap that nobody knew: its numbers, and the trades beside it."""

    kind: Kind
    first_id: int | None
    last_id: int | None
    ids: int
    before: int | None = None
    after: int | None = None


class Window(Struct, frozen=True, kw_only=True):
    """What to ask history for: since <= time < until, whole seconds, and the gaps that lie in it."""

    symbol: str
    since: dt.datetime
    until: dt.datetime
    gaps: tuple[int, ...]


def left_of(known: Sequence[Gap], holes: Sequence[Hole]) -> list[int]:
    """How many numbers of each known gap are not there. Gaps without numbers keep what they say."""
    ordered = sorted(holes, key=lambda hole: hole.first)
    ends = [hole.last for hole in ordered]
    found = []
    for gap in known:
        if gap.first_id is None or gap.last_id is None:
            found.append(gap.ids_left)
            continue
        left = 0
        for hole in ordered[bisect.bisect_left(ends, gap.first_id) :]:
            if hole.first > gap.last_id:
                break
            left += hole.within(gap.first_id, gap.last_id)
        found.append(left)
    return found


def unknown_of(known: Sequence[Gap], groups: Iterable[tuple[Hole, ...]], head: Hole | None) -> list[Finding]:
    """What lies outside of every known gap, in order: at most MOST_GAPS of them."""
    covered = sorted((g.first_id, g.last_id) for g in known if g.first_id is not None and g.last_id is not None)
    found: list[Finding] = []
    for kind, group in [("head", (head,))] * (head is not None) + [("inner", group) for group in groups]:
        parts = [part for hole in group if hole for part in _outside(hole, covered)]
        if parts:
            found.append(_finding("head" if kind == "head" else "inner", parts))
    room = max(1, MOST_GAPS - len(known))
    if len(found) > room:
        rest = found[room - 1 :]
        joined = replace(rest[0], last_id=rest[-1].last_id, ids=sum(f.ids for f in rest), after=rest[-1].after)
        found = [*found[: room - 1], joined]
    return found


def settled(
    gap: Gap, *, left: int, deficit: int | None, shown: bool, came: bool, filled_by: str, now: dt.datetime
) -> Gap:
    """The gap after a look: `left` numbers are not there; `came`: of a gap without numbers, trades did come.

    `deficit`: trades that the exchange counts beyond ours, None when it did not say; `shown`: a final file with the
    same sums has nothing else, so what is left are numbers that were never used.
    """
    lost_again = left > gap.ids_left and gap.state in ("filled", "vacant")
    exhausted = (gap.exhausted or shown) and not lost_again
    ids = max(gap.ids, left)
    state: State
    if (ids and not left) or (not ids and came):
        state = "filled"
    elif exhausted and not deficit:
        state = "filled" if left < ids else "vacant"
    elif exhausted or gap.refused:
        state = "unfillable"
    else:
        state = "missing"
    back = state == "filled" and gap.state != "filled"
    named = back or (state == "filled" and gap.filled_by == A_FILE)
    return replace(
        gap,
        ids=ids,
        ids_left=left,
        exhausted=exhausted,
        state=state,
        filled_at=now if back else gap.filled_at if state == "filled" else None,
        filled_by=filled_by if named else gap.filled_by if state == "filled" else None,
        note=_note(state, left, ids, exhausted=exhausted, refused=gap.refused, deficit=deficit),
    )


def unexplained_of(deficit: int | None, gaps: Iterable[Gap]) -> int | None:
    """How many of the trades that the exchange counts beyond ours lie in no gap of known numbers.

    Where those have more numbers than trades are missing, some were never used: ours are then what history was not
    asked for to the end. One request in vain is better than none.
    """
    if deficit is None:
        return None
    numbered = [gap for gap in gaps if gap.first_id is not None and gap.last_id is not None]
    sure = sum(gap.ids_left for gap in numbered)
    if sure > deficit:
        sure = sum(gap.ids_left for gap in numbered if not gap.exhausted)
    return max(0, deficit - sure)


def missing_in(gaps: Iterable[Gap]) -> int:
    """Numbers that are missing from the session."""
    return sum(gap.ids_left for gap in gaps if gap.unsettled)


def due_at(gap: Gap) -> dt.datetime | None:
    """When history may be asked for a gap; None: there is no use in it."""
    if not gap.unsettled:
        return None
    if gap.last_asked is None:
        return gap.found_at
    if gap.state == "unfillable":
        return gap.last_asked + RETRY
    pause: dt.timedelta = FIRST_PAUSE * 2 ** min(gap.asked, 10)
    return gap.last_asked + min(LONGEST_PAUSE, pause)


def windows(gaps: Iterable[Gap], now: dt.datetime) -> list[Window]:
    """What to ask for now: gaps that are due, each with a margin, those near to each other in one request."""
    asked = sorted(
        (window for gap in gaps if (due := due_at(gap)) and due <= now and (window := _window(gap, now))),
        key=lambda window: (window.symbol, window.since),
    )
    merged: list[Window] = []
    for window in asked:
        last = merged[-1] if merged else None
        if last and last.symbol == window.symbol and window.since - last.until <= NEAR and _one_day(last, window):
            until = max(last.until, window.until)
            merged[-1] = replace(last, until=until, gaps=(*last.gaps, *window.gaps))
        else:
            merged.append(window)
    return merged


def session_window(session: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """The session's whole date in São Paulo."""
    begin = dt.datetime.combine(session, dt.time(), SAO_PAULO).astimezone(dt.UTC)
    return begin, begin + dt.timedelta(days=1)


def _window(gap: Gap, now: dt.datetime) -> Window | None:
    begin, end = session_window(gap.session)
    if gap.id is None or begin < now - dt.timedelta(days=HISTORY_DAYS):
        return None
    since = _second(gap.since) - MARGIN if gap.since else begin
    until = _second(gap.until) + 2 * MARGIN if gap.until else end
    until = min(until, _second(now) + MARGIN) if until > now and begin <= now else until
    return Window(symbol=gap.symbol, since=since, until=max(until, since + MARGIN), gaps=(gap.id,))


def _one_day(first: Window, second: Window) -> bool:
    return second.until - first.since <= dt.timedelta(days=2)


def _second(at: dt.datetime) -> dt.datetime:
    return at.replace(microsecond=0)


def _outside(hole: Hole, covered: Sequence[tuple[int, int]]) -> list[Hole]:
    """The parts of a hole that no range covers."""
    parts, low = [], hole.first
    for first, last in covered[bisect.bisect_left(covered, hole.first, key=itemgetter(1)) :]:
        if first > hole.last:
            break
        parts.append((low, first - 1))
        low = last + 1
    parts.append((low, hole.last))
    cut = []
    for begin, end in parts:
        count = hole.within(begin, end)
        if count:
            first = hole.first + -(-(begin - hole.first) // hole.step) * hole.step
            cut.append(replace(hole, first=first, last=first + (count - 1) * hole.step, ids=count))
    return cut


def _finding(kind: Kind, parts: Sequence[Hole]) -> Finding:
    return Finding(
        kind=kind,
        first_id=parts[0].first,
        last_id=parts[-1].last,
        ids=sum(part.ids for part in parts),
        before=parts[0].before,
        after=parts[-1].after,
    )


def _note(state: State, left: int, ids: int, *, exhausted: bool, refused: bool, deficit: int | None) -> str:
    if state == "filled" and left:
        return f"{left} of {ids} numbers were never used"
    if state == "vacant":
        return f"{left} numbers were never used" if ids else "nothing was traded there"
    if state == "unfillable" and exhausted:
        return f"history does not have it, the exchange counts {deficit or 0} trades more"
    return "history is refused" if state == "unfillable" and refused else ""
