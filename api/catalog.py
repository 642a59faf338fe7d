"""What the platform holds: the contracts, and what each tier has of the tape. Nothing is invented for a tier away."""

import datetime as dt
import threading
import time

import msgspec
from msgspec import Struct

from sql import tape_ledger
from sql.contract import Table
from sql.coverage import Coverage
from sql.errors import StoreError
from sql.queries import statement
from sql.tables import TABLES
from sql.tape import Tape

FRESH_SECONDS = 5.0
SESSIONS = 200  # of symbols, the newest
LATE_SECONDS = 600.0  # twice the slowest schedule: until then, rows that are still to come are the normal lag


class ColumnEntry(Struct, frozen=True, kw_only=True):
    """One column: its type in Arrow and Parquet, in QuestDB (hot) and in PostgreSQL (warm); null: not there."""

    name: str
    arrow: str
    hot: str | None
    warm: str | None
    nullable: bool


class TableEntry(Struct, frozen=True, kw_only=True):
    """One contract."""

    name: str
    description: str
    key: list[str]
    time: str | None
    tiers: list[str]
    hot_days: int | None  # null where hot keeps it as long as nobody takes it away
    columns: list[ColumnEntry]


class TierEntry(Struct, frozen=True, kw_only=True):
    """What one tier holds of the tape. Null is "not known": a tier that is away tells nothing.

    `lag_rows`: rows of the tier before that are not here yet; `lag_seconds`: age of the last synchronisation.
    """

    tier: str
    state: str  # ok, behind, suspended, away
    detail: str
    rows: int | None = None
    days: int | None = None
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    first_ts: dt.datetime | None = None
    last_ts: dt.datetime | None = None
    bytes: int | None = None
    lag_rows: int | None = None
    lag_seconds: float | None = None


class SymbolEntry(Struct, frozen=True, kw_only=True):
    """Rows of a symbol in hot."""

    symbol: str
    rows: int
    first_ts: dt.datetime
    last_ts: dt.datetime


class SessionEntry(Struct, frozen=True, kw_only=True):
    """Whether a symbol's session is whole: proven, unproven with the reason, or open."""

    symbol: str
    session: dt.date
    state: str
    reason: str
    trades: int
    missing: int


class Catalog(Struct, frozen=True, kw_only=True):
    """`symbols` is null while hot is away, `sessions` (the newest ones) while warm is. Made at `made_at`, UTC; kept for
    five seconds."""

    made_at: dt.datetime
    tables: list[TableEntry]
    tiers: list[TierEntry]
    symbols: list[SymbolEntry] | None
    sessions: list[SessionEntry] | None


class CatalogKeeper:
    """The catalog, asked of the stores at most every five seconds however many want it."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._lock = threading.Lock()
        self._made: Catalog | None = None
        self._at = float("-inf")

    def current(self) -> Catalog:
        """The catalog, at most five seconds old."""
        with self._lock:
            if self._made is None or time.monotonic() - self._at > FRESH_SECONDS:
                self._made = Catalog(
                    made_at=dt.datetime.now(dt.UTC),
                    tables=[entry_of(table) for table in TABLES.values()],
                    tiers=[self._bounded(tier) for tier in tiers_of(self._tape.coverage(), dt.datetime.now(dt.UTC))],
                    symbols=self._symbols(),
                    sessions=self._sessions(),
                )
                self._at = time.monotonic()
            return self._made

    def _bounded(self, tier: TierEntry) -> TierEntry:
        if tier.tier == "hot" or not tier.days:
            return tier
        try:
            if tier.tier == "warm":
                found = self._tape.warm.rows(statement("warm", "select_bounds"), reader=True)
            else:
                found = self._tape.cold.query(statement("cold", "select_bounds"), (tier.first_day, tier.last_day))
        except StoreError:
            return tier
        return msgspec.structs.replace(tier, **found[0])

    def _symbols(self) -> list[SymbolEntry] | None:
        try:
            rows = self._tape.hot.rows(statement("hot", "select_symbols"), reader=True)
        except StoreError:
            return None
        return [SymbolEntry(**row) for row in rows]

    def _sessions(self) -> list[SessionEntry] | None:
        try:
            rows = tape_ledger.sessions(self._tape.warm, limit=SESSIONS, reader=True)
        except StoreError:
            return None
        names = SessionEntry.__struct_fields__
        return [SessionEntry(**{name: getattr(row, name) for name in names}) for row in rows if row.captured]


def entry_of(table: Table) -> TableEntry:
    """A contract as the catalog shows it."""
    columns = [
        ColumnEntry(
            name=c.name,
            arrow=c.kind.cold,
            hot=c.kind.hot if "hot" in table.tiers else None,
            warm=c.kind.warm if "warm" in table.tiers else None,
            nullable=c.nullable,
        )
        for c in table.columns
    ]
    return TableEntry(
        name=table.name,
        description=(table.row.__doc__ or "").strip().splitlines()[0],
        key=list(table.key),
        time=table.time,
        tiers=list(table.tiers),
        hot_days=table.hot_days if table.direct else None,
        columns=columns,
    )


def tiers_of(found: Coverage, now: dt.datetime) -> list[TierEntry]:
    """The three tiers in words and numbers."""
    return [_hot(found), _warm(found, now), _cold(found, now.date())]


def _hot(found: Coverage) -> TierEntry:
    hot = found.hot
    if hot is None:
        return TierEntry(tier="hot", state="away", detail=found.away.get("hot", "does not answer"))
    state, detail = "ok", "shows all it took"
    if hot.suspended:
        state, detail = "suspended", "takes rows and does not show them"
    elif hot.pending:
        state, detail = "behind", f"{hot.pending:,} rows taken, not yet shown"
    return TierEntry(
        tier="hot",
        state=state,
        detail=detail,
        rows=sum(hot.rows.values()),
        days=len(hot.rows),
        first_day=min(hot.rows, default=None),
        last_day=max(hot.rows, default=None),
        first_ts=hot.first_ts,
        last_ts=hot.last_ts,
        bytes=hot.bytes,
        lag_rows=hot.pending,
    )


def _warm(found: Coverage, now: dt.datetime) -> TierEntry:
    warm = found.warm
    if warm is None:
        return TierEntry(tier="warm", state="away", detail=found.away.get("warm", "does not answer"))
    age = round((now - warm.synced_at).total_seconds(), 1) if warm.synced_at else None
    missing = missing_rows(found.hot.rows, warm.rows) if found.hot else None
    late = age is None or age > LATE_SECONDS
    state, detail = "behind" if late and missing else "ok", "has every row of hot"
    if missing is None:
        detail = "hot is away, so the lag is not known"
    elif missing:
        detail = f"{missing:,} rows to come" + ("; never synchronised" if age is None else "")
    return TierEntry(
        tier="warm",
        state=state,
        detail=detail,
        rows=sum(warm.rows.values()),
        days=len(warm.rows),
        first_day=min(warm.rows, default=None),
        last_day=max(warm.rows, default=None),
        lag_rows=missing,
        lag_seconds=age,
    )


def _cold(found: Coverage, today: dt.date) -> TierEntry:
    receipts = found.warm.cold_rows if found.warm else None
    closed = {day: rows for day, rows in found.warm.rows.items() if day < today} if found.warm else None
    missing = missing_rows(closed, receipts) if closed is not None and receipts is not None else None
    state, detail = "ok", "has every closed day of warm"
    if receipts is None:
        detail = "files are there; rows and lag are not known while warm is away"
    elif missing:
        state, detail = "behind", f"{missing:,} rows of closed days to come"
    return TierEntry(
        tier="cold",
        state=state,
        detail=detail,
        rows=sum(receipts.values()) if receipts is not None else None,
        days=len(found.cold),
        first_day=min(found.cold, default=None),
        last_day=max(found.cold, default=None),
        bytes=found.cold_bytes,
        lag_rows=missing,
    )


def missing_rows(ahead: dict[dt.date, int], behind: dict[dt.date, int]) -> int:
    """Rows that the tier ahead has and the one behind has not, day by day: what retention took away is no lag."""
    return sum(max(0, rows - behind.get(day, 0)) for day, rows in ahead.items())
