"""What only ideas have: the board, when one is done, and how they are doing altogether."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sql.documentation.tables import IDEAS, PRIORITY
from sql.pool import Pool, Row
from sql.queries import statement

STATUSES = ("backlog", "todo", "in_progress", "review", "done")
PENDING, GOING = ("backlog", "todo"), ("in_progress", "review")


def settled(before: Mapping[str, Any], change: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    """`change` with what follows from it: an idea that comes to `done` is completed now, one that leaves it is not."""
    status = change.get("status", before.get("status"))
    if status == before.get("status"):
        return dict(change)
    return {**change, "completed_at": now if status == "done" else None}


async def board(pool: Pool) -> dict[str, list[Row]]:
    """The ideas of each status, the most urgent and then the oldest first; every status is there."""
    columns: dict[str, list[Row]] = {status: [] for status in STATUSES}
    order = f"ORDER BY {PRIORITY} DESC, it.created_at, it.id"
    for row in await pool.rows(f"SELECT {IDEAS.read} FROM {IDEAS.source} {order}"):
        columns[row["status"]].append(row)
    return columns


async def statistics(pool: Pool) -> dict[str, Any]:
    """Figures over all ideas."""
    return folded(await pool.rows(statement("documentation", "count_ideas")))


def folded(rows: list[Row]) -> dict[str, Any]:
    """Counts by status, category and priority, from counts of each combination; no status says blocked or cancelled."""
    by: dict[str, Counter[str]] = {name: Counter() for name in ("status", "category", "priority")}
    for row in rows:
        for name, counter in by.items():
            counter[row[name]] += int(row["ideas"])
    total, done = sum(by["status"].values()), by["status"]["done"]
    timed = sum(int(row["completed"]) for row in rows)
    return {
        "total": total,
        "completed": done,
        "in_progress": sum(by["status"][status] for status in GOING),
        "pending": sum(by["status"][status] for status in PENDING),
        "blocked": 0,
        "cancelled": 0,
        "by_category": dict(by["category"]),
        "by_priority": dict(by["priority"]),
        "by_status": {status: by["status"][status] for status in STATUSES},
        "completion_rate": round(100 * done / total, 1) if total else 0,
        "average_completion_days": round(sum(row["days"] for row in rows) / timed, 2) if timed else 0,
        "recent_activity": {"created_last_7_days": sum(int(row["created_last_7_days"]) for row in rows)},
    }
