"""The proof: every tier is read again, day by day, and held against the others and against the receipts.

Sealed days (before today, UTC) are proven; the open day still moves and its differences are lag. Streams: memory does
not grow with a day. Reads only, except for the receipts of what it proved, and what `repair` mends.
"""

import datetime as dt
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from sql import day_rows, direct_proof, receipts
from sql.contract import Table, Tier
from sql.digest import Content
from sql.errors import DamagedError
from sql.evidence import Evidence, Tiers, days_of, gather, symbol_differences
from sql.judgement import Difference, found_in, source_of, unproven
from sql.mending import catch_up, mended, seal
from sql.tables import TICKS
from sql.tape_verdict import Sessions, sessions_of


class TierDay(Struct, frozen=True, kw_only=True):
    """What one tier holds of a day. The digest of the open day is not computed."""

    rows: int
    digest: str | None = None


class DayReport(Struct, frozen=True, kw_only=True):
    """One day. A tier is null where it holds nothing or is not complete; `lag_rows`: rows of hot not yet in warm."""

    table: str
    day: dt.date
    sealed: bool
    hot: TierDay | None
    warm: TierDay | None
    cold: TierDay | None
    lag_rows: int = 0
    proven: bool = False
    unproven: str = ""
    repaired: list[str] = []


class Verdict(Struct, frozen=True, kw_only=True):
    """`holds`: no difference on a sealed day, and with `strict` nothing there that is not proven.

    `sessions`: whether hot took all that the exchange sent, by the ledger of gaps; null where ticks were not asked for.
    """

    holds: bool
    strict: bool
    days: list[DayReport]
    differences: list[Difference]
    repaired: list[str]
    sessions: Sessions | None = None


def verify(
    tables: Iterable[Table],
    tiers: Tiers,
    *,
    today: dt.date,
    day: dt.date | None = None,
    strict: bool = False,
    repair: bool = False,
    planned: Callable[[Table, list[dt.date]], Callable[[], None]] = lambda _table, _days: lambda: None,
) -> Verdict:
    """Prove all days of `tables`, or one; with `repair` mend first and prove what was mended again.

    `planned` is told the days of each table and gives what is called after each. Raises StoreUnavailableError and
    SuspendedError: a tier that is away proves nothing.
    """
    reports: list[DayReport] = []
    found: list[Difference] = []
    repaired: list[str] = []
    sessions: Sessions | None = None
    for table in tables:
        repaired += catch_up(table, tiers) if repair and not table.direct else []
        days = [each for each in days_of(table, tiers) if day is None or each == day]
        advance = planned(table, days)
        for each in days:
            report, differences = _judged(table, each, tiers, today, repair=repair)
            reports.append(report)
            found += differences
            repaired += [f"{table.name} {each}: {line}" for line in report.repaired]
            advance()
        if table.name == TICKS.name:
            sessions = sessions_of(tiers, days if day is None else [day], whole=day is None)
    doubtful = any(report.unproven for report in reports) or (sessions is not None and bool(sessions.unproven))
    holds = not found and not (strict and doubtful)
    return Verdict(holds=holds, strict=strict, days=reports, differences=found, repaired=repaired, sessions=sessions)


def _judged(
    table: Table, day: dt.date, tiers: Tiers, today: dt.date, *, repair: bool
) -> tuple[DayReport, list[Difference]]:
    if day >= today:
        return _open(table, day, tiers)
    return _direct(table, day, tiers, today, repair) if table.direct else _sealed(table, day, tiers, repair)


def _direct(
    table: Table, day: dt.date, tiers: Tiers, today: dt.date, repair: bool
) -> tuple[DayReport, list[Difference]]:
    evidence = direct_proof.gather(table, day, tiers)
    done: list[str] = []
    if direct_proof.found_in(evidence):  # rows that came between two readings look like a difference
        evidence = direct_proof.gather(table, day, tiers)
    if repair:
        evidence, done = direct_proof.mended(evidence, tiers, today)
    found = direct_proof.found_in(evidence)
    reason = "" if found else direct_proof.unproven(evidence)
    report = DayReport(
        table=table.name,
        day=day,
        sealed=True,
        hot=_held(evidence.hot),
        warm=None,
        cold=_held(evidence.cold),
        proven=not found and not reason,
        unproven=reason,
        repaired=done,
    )
    return report, found


def _sealed(table: Table, day: dt.date, tiers: Tiers, repair: bool) -> tuple[DayReport, list[Difference]]:
    evidence = gather(table, day, tiers)
    # A pass of the sync between two readings looks like a difference.
    if found_in(evidence) and _moved(evidence, tiers):
        evidence = gather(table, day, tiers)
    done: list[str] = []
    if repair:
        evidence, done = mended(evidence, tiers)
    found = [line for each in found_in(evidence) for line in _by_symbol(each, evidence, tiers)]
    if not any(each.tier != "cold" for each in found):
        seal(evidence, tiers)
    reason = "" if found else unproven(evidence)
    report = DayReport(
        table=table.name,
        day=day,
        sealed=True,
        hot=_held(evidence.hot),
        warm=_held(evidence.warm),
        cold=_held(evidence.cold),
        proven=not found and not reason,
        unproven=reason,
        repaired=done,
    )
    return report, found


def _moved(e: Evidence, tiers: Tiers) -> bool:
    with tiers.warm.connect() as connection:
        return receipts.versioned(connection.cursor(), e.table, "warm", e.day)[1] != e.warm_version


def _open(table: Table, day: dt.date, tiers: Tiers) -> tuple[DayReport, list[Difference]]:
    rows = day_rows.days_of_hot(tiers.hot, table).get(day, 0)
    with tiers.warm.connect() as connection:
        cursor = connection.cursor()
        in_warm, in_cold = (receipts.stored(cursor, table, tier, day) for tier in ("warm", "cold"))
    report = DayReport(
        table=table.name,
        day=day,
        sealed=False,
        hot=TierDay(rows=rows),
        warm=TierDay(rows=in_warm.rows) if in_warm else None,
        cold=TierDay(rows=in_cold.rows) if in_cold else None,
        lag_rows=0 if table.direct else max(0, rows - (in_warm.rows if in_warm else 0)),  # it has no file yet
    )
    return report, []


def _by_symbol(each: Difference, e: Evidence, tiers: Tiers) -> list[Difference]:
    """The difference again for each symbol, where two tiers can be laid beside each other."""
    expected: Tier | None = source_of(e) if each.tier == "warm" else "warm"
    here = {"hot": e.hot is not None, "warm": True, "cold": e.cold is not None, None: False}
    if each.kind not in ("rows", "lag") or not here[expected] or not here[each.tier] or expected == each.tier:
        return [each]
    try:
        counts = _counts(e, tiers, expected, each.tier) if expected else {}
    except DamagedError:
        return [each]
    return [
        replace(each, symbol=symbol, count=sum(kinds.values()), reason=f"{each.reason} ({_words(kinds)})")
        for symbol, kinds in sorted(counts.items())
    ] or [each]


def _counts(e: Evidence, tiers: Tiers, expected: Tier, found: Tier) -> dict[str, dict[str, int]]:
    with day_rows.of_warm(tiers.warm, e.table, e.day) as held:
        streams = {"warm": held.frames}
        if "hot" in (expected, found):
            streams["hot"] = day_rows.of_hot(tiers.hot, e.table, e.day, tiers.work_dir)
        if "cold" in (expected, found):
            streams["cold"] = day_rows.of_file(tiers.cold.path(e.table, e.day), e.table)
        return symbol_differences(streams[expected], streams[found], e.table)


def _words(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _held(content: Content | None) -> TierDay | None:
    return TierDay(rows=content.rows, digest=content.digest) if content is not None else None
