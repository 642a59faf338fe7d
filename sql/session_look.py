"""One look at one session: what is there, what is missing of it, and whether it is proven. Kept in one transaction.

Numbers are read only where sums do not show that none is left out. Killed anywhere, the next look finds the same.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sql import tape_ledger
from sql.gaps import A_FILE, Finding, Gap, Kind, left_of, missing_in, settled, unexplained_of, unknown_of
from sql.numbering import Numbering, gaps_of, head_of, numbering_of, whole
from sql.session_proof import LIVE, Held, Proof, Reference, captured, is_over, proof_of
from sql.tape_ledger import SessionRow
from sql.tape_survey import Neighbour, Survey
from sql.warm import Cursor

GRACE = dt.timedelta(seconds=3)  # numbers beside the newest trade may still be under way
NOT_OURS = "from before the first day of its capture: a repeat of its last trade is all that is known of it"
AFTER_ONLY = "only its after-market is there, which the next session's file brought: its own file was not read"
WORDS = {
    "filled": "all of it is there",
    "vacant": "these numbers were never used",
    "unfillable": "history does not give it",
    "missing": "trades of it are missing again",
}


class Where(Struct, frozen=True, kw_only=True):
    """A gap to be explained: its numbers, and when the host received the trades beside it."""

    symbol: str
    session: dt.date
    first_id: int | None
    last_id: int | None
    received_before: dt.datetime | None
    received_after: dt.datetime | None


class Judged(Struct, frozen=True, kw_only=True):
    """A session as it was just judged."""

    held: Held
    proof: Proof
    captured: bool
    step: int | None
    gaps: tuple[Gap, ...]

    @property
    def missing(self) -> int:
        """Numbers that are missing."""
        return missing_in(self.gaps)


Cause = Callable[[Where], str]


class Look:
    """One look at one session, inside the transaction that keeps what it finds."""

    def __init__(self, survey: Survey, cursor: Cursor, *, filled_by: str, cause: Cause, now: dt.datetime) -> None:
        self._survey = survey
        self._cursor = cursor
        self._filled_by = filled_by
        self._cause = cause
        self._now = now

    def judged(self, held: Held, references: list[Reference]) -> Judged:
        before = tape_ledger.session_of(self._cursor, held.symbol, held.session)
        foreign = self._foreign(held, references)
        if foreign:
            proof = Proof(state="unproven", reason=foreign, reference=None, deficit=None)
            return self._kept(Judged(held=held, proof=proof, captured=False, step=None, gaps=()))
        over = is_over(held, self._now)
        known = tape_ledger.gaps_of(self._cursor, held.symbol, held.session)
        first = proof_of(held, references, missing=0, over=over)
        step = before.step if before else None
        if before is None or not self._unchanged(held, before, known):
            step = self._number(held, known)
            known = tape_ledger.gaps_of(self._cursor, held.symbol, held.session)
        gaps = [self._settled(gap, gap.ids_left, held, first) for gap in known]
        if over:
            gaps = self._open_ends(held, gaps, first)
        proof = proof_of(held, references, missing=missing_in(gaps), over=over)
        return self._kept(Judged(held=held, proof=proof, captured=True, step=step, gaps=tuple(gaps)))

    def _foreign(self, held: Held, references: list[Reference]) -> str:
        """Why the session is not ours to prove; empty when it is."""
        if not captured(held, first_of_symbol=tape_ledger.is_first(self._cursor, held.symbol, held.session)):
            return NOT_OURS
        if held.sources != ("b3",) or references or tape_ledger.was_live(self._cursor, held.symbol, held.session):
            return ""
        return AFTER_ONLY if self._survey.only_after_market(held.symbol) else ""

    def _unchanged(self, held: Held, before: SessionRow, known: Sequence[Gap]) -> bool:
        """Whether the numbers need not be read: they are those of the last look, or none is left out."""
        if held.first_id is None or held.last_id is None:
            return not known
        same = (held.told.trades, held.first_id, held.last_id) == (before.rows, before.first_id, before.last_id)
        quiet = held.last_received is None or before.judged_at - held.last_received >= GRACE
        settled_all = not any(gap.ids and gap.unsettled for gap in known)
        if same and quiet and settled_all:
            return True
        no_hole = whole(held.own_numbers, held.last_id - held.first_id, before.step)
        return no_hole and held.first_id == before.step and not any(gap.ids for gap in known)

    def _number(self, held: Held, known: list[Gap]) -> int | None:
        """Read the numbers; count anew what is left of each gap, and keep those that nobody knew. The step."""
        ids = self._survey.ids(held.symbol) if held.first_id is not None else None
        numbers = (
            numbering_of(ids) if ids is not None else Numbering(count=0, first=None, last=None, step=None, holes=())
        )
        head = head_of(numbers) if LIVE.intersection(held.sources) else None
        holes = [*numbers.holes, *([head] if head else [])]
        # Numbers that follow no step (any more) have no holes that could be seen: nothing came back for that.
        lefts = left_of(known, holes) if numbers.step is not None else [gap.ids_left for gap in known]
        for gap, left in zip(known, lefts, strict=True):
            self._count(gap, left)
        findings = unknown_of(known, gaps_of(numbers.holes, ids) if ids is not None else [], head)
        beside = self._survey.neighbours(held.symbol, _beside(findings)) if findings else {}
        for finding in findings:
            late = beside.get(finding.after or -1)
            if late is None or self._now - late.received_at >= GRACE:
                self._found(held, finding, beside)
        return numbers.step

    def _count(self, gap: Gap, left: int) -> None:
        """What is left of a gap by now; where it grew, what was settled is not settled any more."""
        if left == gap.ids_left:
            return
        lost = left > gap.ids_left and not gap.unsettled
        after = replace(gap, ids_left=left, ids=max(gap.ids, left), exhausted=gap.exhausted and not lost)
        tape_ledger.save_gap(self._cursor, gap, after)
        assert gap.id is not None
        if left < gap.ids_left:
            by = f" by {self._filled_by}" if self._filled_by else ""
            self._tell(gap.id, "back", f"{gap.ids_left - left:,} trades came back{by}, {left:,} numbers are left")
        else:
            self._tell(gap.id, "missing", f"{left - gap.ids_left:,} numbers more are missing")

    def _settled(self, gap: Gap, left: int, held: Held, proof: Proof) -> Gap:
        came = not gap.ids and _came(gap, held)
        filling = gap.state != "filled" and (came or not left or gap.exhausted)
        by = self._who(gap) if filling or gap.filled_by == A_FILE else ""
        shown = proof.by_file or (not gap.ids and proof.state == "proven")  # equal sums: nothing was traded there
        after = settled(gap, left=left, deficit=proof.deficit, shown=shown, came=came, filled_by=by, now=self._now)
        after = _renumbered(gap, after, held, proof)
        tape_ledger.save_gap(self._cursor, gap, after)
        if after.state != gap.state and gap.id is not None:
            words = after.note or WORDS[after.state]
            self._tell(gap.id, after.state, f"{words} ({after.filled_by})" if after.state == "filled" else words)
        return after

    def _open_ends(self, held: Held, gaps: list[Gap], proof: Proof) -> list[Gap]:
        """A session that is over: what may be missing where no number shows it."""
        unexplained = unexplained_of(proof.deficit, gaps)
        equal = proof.state == "proven"
        live = not held.sources or LIVE.intersection(held.sources)
        ends = [gap for gap in gaps if gap.last_id is None]
        made = [gap for gap in gaps if gap.last_id is not None]
        made += [self._end(gap, unexplained, held, proof) for gap in ends]
        if live and not equal and not held.told.trades and not ends:
            made.append(self._add(held, "head", None, None, unexplained or 0, since=None, until=None))
        elif (
            live and not equal and not any(gap.kind == "tail" for gap in ends) and unexplained != 0 and held.told.trades
        ):
            first = (held.last_id + 1) if held.last_id is not None else None
            made.append(self._add(held, "tail", first, None, unexplained or 0, since=held.last_ts, until=None))
        return made

    def _end(self, gap: Gap, unexplained: int | None, held: Held, proof: Proof) -> Gap:
        """An open end again: how many trades the exchange counts that no number explains."""
        if unexplained is None:
            return gap
        after = gap
        if unexplained != gap.ids_left or (unexplained and not gap.ids):
            after = replace(gap, ids=max(gap.ids, unexplained), ids_left=unexplained)
        if unexplained and gap.exhausted and gap.since is not None:
            # Nothing after the last trade, and still fewer than the exchange counts: they are anywhere in the session.
            after = replace(after, since=None, exhausted=False, asked=0, last_asked=None)
            self._tell_of(
                gap, "wider", f"{unexplained:,} trades are missing and no number tells where: the whole session"
            )
        tape_ledger.save_gap(self._cursor, gap, after)
        return self._settled(after, after.ids_left, held, proof)

    def _found(self, held: Held, finding: Finding, beside: Mapping[int, Neighbour]) -> None:
        before = beside.get(finding.before) if finding.before is not None else None
        after = beside.get(finding.after) if finding.after is not None else None
        where = Where(
            symbol=held.symbol,
            session=held.session,
            first_id=finding.first_id,
            last_id=finding.last_id,
            received_before=before.received_at if before else None,
            received_after=after.received_at if after else None,
        )
        times = [each.ts for each in (before, after) if each]
        since = min(times) if before else None
        until = max(times) if after else None
        numbers = (finding.first_id, finding.last_id)
        self._add(held, finding.kind, *numbers, finding.ids, since=since, until=until, where=where)

    def _add(
        self,
        held: Held,
        kind: Kind,
        first_id: int | None,
        last_id: int | None,
        ids: int,
        *,
        since: dt.datetime | None,
        until: dt.datetime | None,
        where: Where | None = None,
    ) -> Gap:
        where = where or Where(
            symbol=held.symbol,
            session=held.session,
            first_id=first_id,
            last_id=last_id,
            received_before=held.last_received,
            received_after=None,
        )
        gap = Gap(
            symbol=held.symbol,
            session=held.session,
            kind=kind,
            first_id=first_id,
            last_id=last_id,
            ids=ids,
            ids_left=ids,
            since=since,
            until=until,
            found_at=self._now,
            cause=self._cause(where),
        )
        number = tape_ledger.add_gap(self._cursor, gap)
        words = f"{_range(gap)}: {gap.cause or 'nothing is known that happened there'}"
        self._tell(number, "found", words)
        return replace(gap, id=number)

    def _who(self, gap: Gap) -> str:
        if self._filled_by or gap.first_id is None:
            return self._filled_by or "history"
        sources = (
            self._survey.sources_between(gap.symbol, gap.first_id, gap.last_id or gap.first_id) if gap.ids else set()
        )
        return A_FILE if sources == {"b3"} else "history"

    def _kept(self, judged: Judged) -> Judged:
        tape_ledger.save_session(
            self._cursor,
            judged.held,
            judged.proof,
            step=judged.step,
            missing=judged.missing,
            captured=judged.captured,
            now=self._now,
        )
        return judged

    def _tell_of(self, gap: Gap, event: str, words: str) -> None:
        if gap.id is not None:
            self._tell(gap.id, event, words)

    def _tell(self, gap: int, event: str, words: str) -> None:
        tape_ledger.tell(self._cursor, gap, self._now, event, words)


def _beside(findings: Iterable[Finding]) -> list[int]:
    return [number for each in findings for number in (each.before, each.after) if number is not None]


def _renumbered(before: Gap, after: Gap, held: Held, proof: Proof) -> Gap:
    """A final file with numbers of its own may have brought the trades of a gap: its sums say that none is missing."""
    if after.state != "vacant" or not proof.by_file or proof.reference is None or held.own_numbers == held.told.trades:
        return after
    note = f"{after.ids_left:,} numbers: back under the file's own, or never used"
    filled_at = before.filled_at or after.found_at
    return replace(after, state="filled", filled_by=proof.reference.source, filled_at=filled_at, note=note)


def _came(gap: Gap, held: Held) -> bool:
    """Whether trades came where a gap without numbers was seen."""
    if gap.kind == "head":
        return held.told.trades > 0
    return gap.first_id is not None and held.last_id is not None and held.last_id >= gap.first_id


def _range(gap: Gap) -> str:
    numbers = f"numbers {gap.first_id} to {gap.last_id}" if gap.last_id is not None else ""
    where = numbers or ("the whole session" if gap.first_id is None else f"what may follow {gap.first_id - 1}")
    return f"{gap.ids:,} missing, {where}" if gap.ids else f"{where} may be missing"
