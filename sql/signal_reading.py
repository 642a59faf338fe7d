"""Questions about signals and posts, over the connections of a role that may only select.

Times come as QuestDB prints them: ISO 8601, UTC, six digits. What was deleted is left out.
"""

import datetime as dt
from typing import Any

from msgspec import Struct

from sql.pool import Pool

ENTRY = (
    "ts::varchar AS ts, channel, signal_type, asset, buy_min, buy_max, target_1, target_2, target_final, stop, "
    "raw_message, source, ingested_at::varchar AS ingested_at"
)
LIVE = "tp_capital_signals WHERE deleted_at IS NULL"


class Filter(Struct, frozen=True, kw_only=True):
    """Which signals, the newest first; null is any."""

    channel: str | None = None
    signal_type: str | None = None
    search: str | None = None  # a part of asset or text, in capitals or not
    since: dt.datetime | None = None
    until: dt.datetime | None = None  # part of the range
    limit: int = 100
    offset: int = 0

    def statement(self) -> tuple[str, list[Any]]:
        """The SELECT and its values."""
        # Ordered inside, where `ts` is still the column that the table is sorted by.
        search = self.search.lower() if self.search else None
        asked: dict[str, list[Any]] = {
            "channel = %s": [self.channel],
            "signal_type = %s": [self.signal_type],
            "(strpos(lower(asset), %s) > 0 OR strpos(lower(raw_message), %s) > 0)": [search, search],
            "ts >= %s": [self.since],
            "ts <= %s": [self.until],
        }
        chosen = {clause: values for clause, values in asked.items() if values[0] is not None}
        where = "".join(f" AND {clause}" for clause in chosen)
        page = f"ORDER BY ts DESC LIMIT {self.offset}, {self.offset + self.limit}"
        return (
            f"SELECT {ENTRY} FROM (SELECT * FROM {LIVE}{where} {page})",
            [value for values in chosen.values() for value in values],
        )


class SignalEntry(Struct, frozen=True):
    """One signal. Times are ISO 8601, UTC; `ingested_at` names the row when it is to be deleted."""

    ts: str
    channel: str
    signal_type: str
    asset: str
    buy_min: float | None
    buy_max: float | None
    target_1: float | None
    target_2: float | None
    target_final: float | None
    stop: float | None
    raw_message: str
    source: str
    ingested_at: str


class Counted(Struct, frozen=True, kw_only=True):
    """One channel's signals."""

    channel: str
    signal_count: int
    last_signal: str


class SeenPost(Struct, frozen=True, kw_only=True):
    """A text of a channel and what became of it."""

    ts: str
    channel: str
    chat_id: int
    post_id: int
    revision: int
    text: str
    parser: str
    outcome: str
    reason: str | None
    received_at: str


class Removed(Struct, frozen=True, kw_only=True):
    """A signal that was deleted, and who did it."""

    ts: str
    channel: str
    asset: str
    raw_message: str
    ingested_at: str
    deleted_at: str
    deleted_by: str
    deleted_from: str


async def signals(pool: Pool, asked: Filter) -> list[SignalEntry]:
    """The signals that fit."""
    return await pool.rows_of(SignalEntry, *asked.statement())


async def channels(pool: Pool) -> list[Counted]:
    """Each channel that has signals, the one with most first."""
    rows = await pool.rows(
        f"SELECT channel, count() AS signal_count, max(ts)::varchar AS last_signal FROM {LIVE} "
        "GROUP BY channel ORDER BY signal_count DESC, channel"
    )
    return [Counted(**row) for row in rows]


async def choices(pool: Pool) -> tuple[list[str], list[str]]:
    """The channels and the types that occur, in order."""
    rows = await pool.rows(f"SELECT DISTINCT channel, signal_type FROM {LIVE}")
    return sorted({row["channel"] for row in rows}), sorted({row["signal_type"] for row in rows})


async def posts(
    pool: Pool,
    *,
    outcome: str | None = None,
    chat: int | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: int,
    offset: int = 0,
) -> list[SeenPost]:
    """What channels said, the newest first; `since` and `until` are inclusive."""
    asked = {"outcome = %s": outcome, "chat_id = %s": chat, "ts >= %s": since, "ts <= %s": until}
    chosen = {clause: value for clause, value in asked.items() if value is not None}
    where, values = f" WHERE {' AND '.join(chosen)}" if chosen else "", list(chosen.values())
    rows = await pool.rows(
        "SELECT ts::varchar AS ts, channel, chat_id, post_id, revision, text, parser, outcome, reason, "
        f"received_at::varchar AS received_at FROM (SELECT * FROM tp_capital_posts{where} "
        f"ORDER BY ts DESC LIMIT {offset}, {offset + limit})",
        values,
    )
    return [SeenPost(**row) for row in rows]


async def outcomes(pool: Pool) -> dict[str, int]:
    """How many posts had each outcome; those refused by their reason, as `refused:no_stop`."""
    rows = await pool.rows("SELECT outcome, reason, count() AS posts FROM tp_capital_posts GROUP BY outcome, reason")
    return {row["outcome"] + (f":{row['reason']}" if row["reason"] else ""): row["posts"] for row in rows}


async def removed(pool: Pool, limit: int, offset: int) -> list[Removed]:
    """The archive of deletions, the newest first."""
    rows = await pool.rows(
        "SELECT ts::varchar AS ts, channel, asset, raw_message, ingested_at::varchar AS ingested_at, "
        "deleted_at::varchar AS deleted_at, deleted_by, deleted_from FROM "
        f"(SELECT * FROM tp_capital_signals_deleted ORDER BY deleted_at DESC LIMIT {offset}, {offset + limit})"
    )
    return [Removed(**row) for row in rows]


async def newest(pool: Pool) -> dt.datetime | None:
    """When the newest signal was posted."""
    row = await pool.one(f"SELECT max(ts) AS ts FROM {LIVE}")
    return row["ts"].replace(tzinfo=dt.UTC) if row and row["ts"] else None
