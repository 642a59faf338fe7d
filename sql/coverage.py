"""Which tier holds which days of the tape, and which tier answers for a range. A tier that is away is said to be away.

Days are UTC days. Hot answers for what it is complete for, because it is never behind; older days come from warm,
then from cold.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from sql.cold import ColdStore
from sql.contract import Tier
from sql.errors import StatementError, StoreUnavailableError
from sql.hot import HotStore
from sql.queries import statement
from sql.tables import TICKS
from sql.warm import WarmStore

DAY = dt.timedelta(days=1)


class Part(Struct, frozen=True):
    """A stretch of a range, since <= ts < until, that one tier answers for."""

    tier: Tier
    since: dt.datetime
    until: dt.datetime


class HotDays(Struct, frozen=True, kw_only=True):
    """What hot shows now. `txn`: last transaction shown; `pending`: rows taken and not yet shown."""

    rows: dict[dt.date, int]
    bytes: int
    first_ts: dt.datetime | None
    last_ts: dt.datetime | None
    txn: int
    pending: int
    suspended: bool


class WarmDays(Struct, frozen=True, kw_only=True):
    """What warm and cold held when they were last written, from the receipts."""

    rows: dict[dt.date, int]
    cold_rows: dict[dt.date, int]
    digests: dict[dt.date, str]  # of cold days that are as warm has them
    synced_at: dt.datetime | None
    synced_txn: int | None
    hot_from: dt.datetime | None


class Coverage(Struct, frozen=True, kw_only=True):
    """All tiers at one moment. `None` means away, and `away` says why."""

    hot: HotDays | None
    warm: WarmDays | None
    cold: frozenset[dt.date]
    cold_bytes: int
    away: Mapping[str, str]

    def tier_of(self, day: dt.date, today: dt.date) -> Tier:
        """The tier that answers for a UTC day. Raises StoreUnavailableError when the one that should is away."""
        if self.hot and self.hot.rows.get(day) and self._complete_in_hot(day):
            return "hot"
        if self.warm and day in self.warm.rows and (self.hot or day < today):
            return "warm"
        if day in self.cold:
            return "cold"
        if self.hot is None:
            raise StoreUnavailableError(f"{day} is in no other tier, and hot is away: {self.away.get('hot')}")
        return "hot"

    def sealed(self, day: dt.date) -> str | None:
        """Digest of the cold file of a day when no tier holds anything newer for it, else None."""
        if self.warm is None or day not in self.cold or day not in self.warm.digests:
            return None
        untouched = self.hot and (self.hot.txn == self.warm.synced_txn or day not in self.hot.rows)
        return self.warm.digests[day] if untouched else None

    def parts(self, since: dt.datetime, until: dt.datetime, today: dt.date) -> list[Part]:
        """The range cut into stretches, oldest first. Days nobody knows go with their predecessor, new days to hot."""
        known = sorted(day for day in self._days() if start_of(day) < until and start_of(day) + DAY > since)
        cuts: list[tuple[dt.datetime, Tier]] = [(start_of(day), self.tier_of(day, today)) for day in known]
        after = start_of(known[-1]) + DAY if known else since
        if after < until:
            cuts.append((after, self.tier_of(max(after.date(), today), today)))
        parts: list[Part] = []
        for index, (start, tier) in enumerate(cuts):
            begin = since if index == 0 else start
            end = cuts[index + 1][0] if index + 1 < len(cuts) else until
            if parts and parts[-1].tier == tier:
                begin = parts.pop().since
            parts.append(Part(tier, begin, min(end, until)))
        return parts

    def last_day(self) -> dt.date | None:
        """The newest UTC day that any tier has."""
        return max(self._days(), default=None)

    def _complete_in_hot(self, day: dt.date) -> bool:
        floor = self.warm.hot_from if self.warm else None
        return floor is None or start_of(day) >= floor or (self.warm is not None and day not in self.warm.rows)

    def _days(self) -> set[dt.date]:
        return set(self.hot.rows if self.hot else ()) | set(self.warm.rows if self.warm else ()) | self.cold


def coverage(hot: HotStore, warm: WarmStore, cold: ColdStore) -> Coverage:
    """Ask all tiers. Cheap: metadata of hot, receipts in warm, file names of cold."""
    away: dict[str, str] = {}
    days = cold.days(TICKS)
    return Coverage(
        hot=_or_away("hot", away, lambda: _hot_days(hot)),
        warm=_or_away("warm", away, lambda: _warm_days(warm)),
        cold=frozenset(days),
        cold_bytes=sum(path.stat().st_size for day in days if (path := cold.path(TICKS, day)).exists()),
        away=away,
    )


def start_of(day: dt.date) -> dt.datetime:
    """The first instant of a UTC day."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _or_away(tier: str, away: dict[str, str], ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except StoreUnavailableError:
        away[tier] = "does not answer"
    except StatementError as error:
        away[tier] = "has no tables yet; run `tradingsystem migrate`" if _no_table(error) else "refused to answer"
    return None


def _no_table(error: StatementError) -> bool:
    return "does not exist" in str(error)


def _hot_days(hot: HotStore) -> HotDays:
    state = hot.rows(statement("hot", "select_transaction"), reader=True)
    if not state:
        raise StatementError("QuestDB: table ticks does not exist")
    partitions = hot.rows(statement("hot", "select_partitions"), reader=True)
    return HotDays(
        rows={dt.date.fromisoformat(row["day"][:10]): row["rows"] for row in partitions},
        bytes=sum(row["bytes"] for row in partitions),
        first_ts=min((row["first_ts"] for row in partitions), default=None),
        last_ts=max((row["last_ts"] for row in partitions), default=None),
        txn=state[0]["txn"],
        pending=state[0]["pending"],
        suspended=state[0]["suspended"],
    )


def _warm_days(warm: WarmStore) -> WarmDays:
    receipts = warm.rows(statement("warm", "select_receipts"), reader=True)
    control = next(iter(warm.rows(statement("warm", "select_control"), reader=True)), {})
    return WarmDays(
        rows={row["day"]: row["warm"] for row in receipts if row["warm"]},
        cold_rows={row["day"]: row["cold"] for row in receipts if row["cold"]},
        digests={row["day"]: row["digest"] for row in receipts if row["agree"]},
        synced_at=control.get("updated_at"),
        synced_txn=control.get("hot_txn"),
        hot_from=control.get("hot_from"),
    )
