"""What evidence proves: pure rules over one day. Which tier is right, what differs, and what cannot be proven.

Hot is right where it is complete. Below its floor warm is, when a receipt speaks of it, and else the file that warm
was written to. Where nothing testifies for any side, nothing is mended.
"""

import datetime as dt
from typing import Literal, TypeGuard

from msgspec import Struct

from sql.contract import Tier
from sql.digest import Content
from sql.evidence import Evidence
from sql.receipts import UNKNOWN, speaks_of
from sql.tables import Receipt

NO_COPY = "no tier holds a copy that is proven good: restore it from a backup"
Kind = Literal["rows", "lag", "file", "receipt", "orphan"]


class Difference(Struct, frozen=True, kw_only=True):
    """Something that does not hold. `symbol` is `*` where all are meant, `count` is in rows; `remedy` is a command."""

    table: str
    day: dt.date
    tier: Tier
    symbol: str = "*"
    count: int
    kind: Kind
    reason: str
    remedy: str


def source_of(e: Evidence) -> Tier | None:
    """The tier whose rows warm should hold; `warm` when warm is right, None when nobody knows."""
    if e.hot is not None:
        return "warm" if e.hot == e.warm or hot_lost(e) else "hot"
    if _gone(e):
        return "warm"  # retention took the day: the file stands alone
    told = [receipt for receipt in (e.warm_receipt, e.hot_receipt) if _knows(receipt)]
    if any(speaks_of(receipt, e.warm) for receipt in told) or (whole_file(e) and e.cold == e.warm):
        return "warm"
    if whole_file(e) and e.cold is not None and any(speaks_of(receipt, e.cold) for receipt in told):
        return "cold"
    if e.warm_receipt is not None and not told and speaks_of(e.warm_receipt, e.warm):
        return "warm"
    return None


def hot_lost(e: Evidence) -> bool:
    """Hot lost rows without a transaction: they are not what was proven, and warm still is."""
    if e.behind or e.hot is None or e.hot == e.warm:
        return False
    proven = [receipt for receipt in (e.hot_receipt, e.warm_receipt) if _knows(receipt)]
    return len(proven) == 2 and all(speaks_of(receipt, e.warm) for receipt in proven)


def whole_file(e: Evidence) -> bool:
    """Whether the file is, byte by byte, the one that was written."""
    return e.cold is not None and e.cold_receipt is not None and not e.file_fault


def found_in(e: Evidence) -> list[Difference]:
    """Every difference of the day, not yet by symbol."""
    return [*_in_warm(e), *_in_hot(e), *_in_cold(e)]


def unproven(e: Evidence) -> str:
    """Why the day's completeness cannot be proven though nothing differs; empty when it is."""
    if e.hot is not None:
        return ""
    kept = _kept(e)
    if kept is not None and _knows(e.hot_receipt) and speaks_of(e.hot_receipt, kept):
        return ""
    if _gone(e):
        return "below the floor of hot, and gone from warm: only the file testifies for itself"
    return "below the floor of hot, and never proven while hot held it: only warm and the file testify"


def mend(e: Evidence) -> str:
    """The command that mends the day."""
    return f"tradingsystem verify {e.name} --day {e.day} --repair"


def _in_warm(e: Evidence) -> list[Difference]:
    source = source_of(e)
    holds = _gone(e) or (e.warm_receipt is not None and speaks_of(e.warm_receipt, e.warm))
    receipt_rows = e.warm_receipt.rows if e.warm_receipt else 0
    if source == "warm":
        if holds:
            return []
        reason = f"the receipt of warm says {receipt_rows} rows, there are {e.warm.rows}: not what the other tiers say"
        return [_of(e, "warm", abs(receipt_rows - e.warm.rows), "receipt", reason, mend(e))]
    if source is None:
        reason = f"warm holds {e.warm.rows} rows, its receipt speaks of {receipt_rows} others"
        return [_of(e, "warm", abs(receipt_rows - e.warm.rows), "rows", reason, NO_COPY)]
    right = e.hot if source == "hot" else e.cold
    rows = right.rows if right else 0
    if e.behind and holds:
        reason = f"hot holds {rows} rows, warm {e.warm.rows}: transactions of hot were not brought over yet"
        return [_of(e, "warm", abs(rows - e.warm.rows), "lag", reason, f"tradingsystem sync {e.name}")]
    reason = f"{source} holds {rows} rows, warm {e.warm.rows}: warm was altered"
    return [_of(e, "warm", abs(rows - e.warm.rows), "rows", reason, mend(e))]


def _in_hot(e: Evidence) -> list[Difference]:
    if hot_lost(e) and e.hot is not None:
        reason = (
            f"hot holds {e.hot.rows} rows, {e.warm.rows} were proven and are in warm: hot changed by no transaction"
        )
        remedy = "bring the rows back into hot (tradingsystem import, or a backup); warm is left as it is"
        return [_of(e, "hot", abs(e.hot.rows - e.warm.rows), "rows", reason, remedy)]
    right = e.hot if e.hot is not None else _kept(e)
    if (
        e.behind
        or right is None
        or not _knows(e.hot_receipt)
        or speaks_of(e.hot_receipt, right)
        or source_of(e) != "warm"
    ):
        return []
    rows = e.hot_receipt.rows if e.hot_receipt else 0
    reason = f"the receipt of hot says {rows} rows of other content than the {right.rows} there are"
    return [_of(e, "hot", abs(rows - right.rows), "receipt", reason, mend(e))]


def _in_cold(e: Evidence) -> list[Difference]:
    lines = [_of(e, "cold", 0, "orphan", f"{path}: nobody here wrote this file", mend(e)) for path in e.orphans]
    in_warm = not _gone(e)
    if e.file_fault:
        rows = e.cold_receipt.rows if e.cold_receipt else (e.cold.rows if e.cold else 0)
        stray = e.cold_receipt is None
        remedy = mend(e) if in_warm or stray else NO_COPY
        return [*lines, _of(e, "cold", rows, "orphan" if stray else "file", e.file_fault, remedy)]
    rows = e.cold.rows if e.cold else 0
    if in_warm and source_of(e) == "warm" and (e.cold != e.warm if e.cold else e.warm.rows):
        reason = f"warm holds {e.warm.rows} rows, the file {rows if e.cold else 'is not written yet'}"
        lines.append(_of(e, "cold", abs(rows - e.warm.rows), "lag", reason, f"tradingsystem archive {e.name}"))
    return lines


def _of(e: Evidence, tier: Tier, count: int, kind: Kind, reason: str, remedy: str) -> Difference:  # noqa: PLR0917
    return Difference(table=e.name, day=e.day, tier=tier, count=count, kind=kind, reason=reason, remedy=remedy)


def _knows(receipt: Receipt | None) -> TypeGuard[Receipt]:
    return receipt is not None and receipt.digest != UNKNOWN


def _gone(e: Evidence) -> bool:
    """Whether warm does not claim to hold the day: retention took it, or it never was there."""
    return e.warm_receipt is None and not e.warm.rows


def _kept(e: Evidence) -> Content | None:
    """What is left of a day that hot does not hold."""
    return e.cold if _gone(e) else e.warm
