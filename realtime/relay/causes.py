"""What the relay's notes say of a gap, in words; and when the feed was listened to. Pure.

Notes carry the host's clock, and so do the receptions of the trades beside a gap: exchange times play no part.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from realtime.relay.state import Note
from sql.exchange import SAO_PAULO
from sql.session_look import Where

AROUND = dt.timedelta(seconds=2)
MOST = 4  # words of one gap
UNHEARD = ("ring", "loss", "hole")  # something was told and is not in the spool
MARGIN = dt.timedelta(seconds=30)  # what capture noted a moment ago may not have been read yet
UP, LOST, START, STOP = "market data up", "market data lost", "start", "stop"


class Listened(Struct, frozen=True, kw_only=True):
    """Market data was up from `since` on; `until` None: so far. `torn`: nobody said when it ended."""

    run: int
    since: dt.datetime
    until: dt.datetime | None
    torn: bool = False


def cause_of(where: Where, notes: Iterable[Note]) -> str:
    """What happened between the trades beside a gap; empty when nothing is known."""
    since = where.received_before or (where.received_after - dt.timedelta(days=1) if where.received_after else None)
    until = where.received_after or (where.received_before + dt.timedelta(days=1) if where.received_before else None)
    told: dict[str, None] = {}
    for note in sorted(notes, key=lambda note: note.at):
        lost = _numbers_of(note, where)
        near = since is not None and until is not None and since - AROUND <= note.at <= until + AROUND
        if lost or near:
            told |= dict.fromkeys(filter(None, [lost or _words(note)]))
    words = list(told)
    if where.received_before is None and words:
        words = words[-MOST:]  # before the first trade: what stands next to it
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return "; ".join(words[:MOST]) + more


def listened(notes: Iterable[Note]) -> list[Listened]:
    """The times in which market data was up and nothing of it was lost, by the notes of capture, in order.

    A loss ends such a time at the frame before it, where all was there, and begins a new one.
    """
    found: list[Listened] = []
    since: tuple[int, dt.datetime] | None = None
    told = [note for note in notes if note.kind in ("mark", *UNHEARD)]
    for note in sorted(told, key=lambda note: (note.run, note.at)):
        reason, lost = note.detail.get("reason"), note.kind in UNHEARD
        begins = reason == UP and not lost
        if since and (lost or note.run != since[0] or reason in (LOST, STOP, START)):
            found.append(_ended(*since, note))
            begins = begins or (lost and note.run == since[0])
            since = None
        if begins:
            since = (note.run, note.at)
    if since:
        found.append(Listened(run=since[0], since=since[1], until=None))
    return found


def heard_until(each: Listened, now: dt.datetime, *, live: bool, behind: dt.datetime | None) -> dt.datetime:
    """Until when market data certainly was up. `live`: it is now; `behind`: what came from then on was not read yet."""
    if each.until is not None:
        return each.until
    if each.torn or not live:
        return each.since
    return max(each.since, min(now - MARGIN, behind or now))


def _ended(run: int, since: dt.datetime, note: Note) -> Listened:
    if note.kind in UNHEARD:
        after = note.detail.get("after")
        until = dt.datetime.fromisoformat(after) if after else since
        return Listened(run=run, since=since, until=max(since, until))
    torn = note.run != run or note.detail.get("reason") == START
    return Listened(run=run, since=since, until=None if torn else note.at, torn=torn)


def _words(note: Note) -> str:
    detail, at = note.detail, _clock(note.at)
    if note.kind == "mark":
        return _mark(note.run, detail, at)
    if note.kind == "ring":
        return f"the ring was full: {detail['last_seq'] - detail['first_seq'] + 1:,} records, {at}"
    if note.kind == "loss":
        return f"the spool took nothing ({detail.get('reason', 'full')}), {at}"
    if note.kind in ("damage", "hole"):
        return f"a part of the spool cannot be read, {at}"
    if note.kind in ("unnamed", "refused"):
        return f"{detail.get('records', 0):,} records that are no trades, {at}"
    return ""


def _mark(run: int, detail: dict[str, Any], at: str) -> str:
    reason = detail.get("reason")
    if reason == START:
        left = detail.get("left")
        if not left:
            return f"capture began, run {run}, {at}"
        how = "was ended" if left.get("clean") else "ended without a word (killed)"
        return f"run {left.get('run')} {how}, run {run} began {at}"
    if reason in (UP, LOST):
        return f"{reason} {at}"
    return f"the spool's torn end was cut, {at}" if reason == "tail_cut" else ""


def _numbers_of(note: Note, where: Where) -> str:
    """A loss that names the numbers of this gap."""
    if note.kind != "loss" or where.first_id is None:
        return ""
    for trades in _trades(note.detail):
        last = where.last_id if where.last_id is not None else trades["last"]
        if trades["ticker"] == where.symbol and trades["first"] <= last and trades["last"] >= where.first_id:
            why = note.detail.get("reason", "full")
            return f"the spool took {trades['count']:,} trades of it not ({why}), {_clock(note.at)}"
    return ""


def _trades(detail: dict[str, Any]) -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = detail.get("trades", ())
    return found


def _clock(at: dt.datetime) -> str:
    return at.astimezone(SAO_PAULO).strftime("%d/%m %H:%M:%S")
