"""What only systems have: the result of a probe, and how they are doing altogether."""

import datetime as dt
import uuid
from collections import Counter
from typing import Any, Literal

from msgspec import Struct

from sql.documentation import audit
from sql.documentation.audit import Who
from sql.pool import Pool, Row
from sql.queries import statement

ACTIVE, INACTIVE, DEGRADED = frozenset({"online"}), frozenset({"offline"}), frozenset({"degraded", "error"})
TREND_DAYS = 30

UPDATE = """UPDATE documentation.documentation_systems
    SET status = %(status)s, response_time_ms = %(response_time_ms)s, last_checked = %(last_checked)s
    WHERE id = %(key)s"""


class Probed(Struct, frozen=True, kw_only=True):
    """What a probe of a system found. `response_time_ms` is null where nothing answered."""

    status: Literal["online", "offline", "error", "unknown"]
    message: str
    response_time_ms: int | None
    last_checked: dt.datetime


async def record(pool: Pool, key: uuid.UUID, probed: Probed, who: Who) -> bool:
    """Store what a probe found; False when the system is gone. A probe is no edit: `updated_at` stays."""
    async with pool.transaction() as connection:
        found = await connection.execute(
            "SELECT status, response_time_ms FROM documentation.documentation_systems WHERE id = %s FOR UPDATE", (key,)
        )
        before = await found.fetchone()
        if before is None:
            return False
        after = {"status": probed.status, "response_time_ms": probed.response_time_ms}
        await connection.execute(UPDATE, after | {"key": key, "last_checked": probed.last_checked})
        await audit.record(
            connection, who, "systems", key, action="health_checked", changes={"before": before, "after": after}
        )
    return True


async def statistics(pool: Pool) -> dict[str, Any]:
    """Figures over all systems."""
    return folded(await pool.rows(statement("documentation", "count_systems")))


def folded(rows: list[Row]) -> dict[str, Any]:
    """Counts by status, type and owner, from counts of each combination of them. Planned systems count as unknown."""
    by: dict[str, Counter[str]] = {name: Counter() for name in ("status", "type", "owner")}
    for row in rows:
        for name, counter in by.items():
            counter[row[name]] += int(row["systems"])
    of = {word: sum(by["status"][status] for status in statuses) for word, statuses in _GROUPS.items()}
    timed = sum(int(row["timed"]) for row in rows)
    total = sum(by["status"].values())
    return {
        "total": total,
        **of,
        "unknown": total - sum(of.values()),
        "by_type": dict(by["type"]),
        "by_owner": dict(by["owner"]),
        "by_status": dict(by["status"]),
        "avg_response_time": round(sum(int(row["response_ms"]) for row in rows) / timed, 1) if timed else 0,
    }


_GROUPS = {"active": ACTIVE, "inactive": INACTIVE, "degraded": DEGRADED}


async def trend(pool: Pool, days: int = TREND_DAYS) -> list[Row]:
    """What probes found on each UTC day of the last so many."""
    return await pool.rows(statement("documentation", "select_health_trend"), {"age": dt.timedelta(days=days)})
