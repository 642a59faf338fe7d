"""What the pages of `/api/v1/stats` show, made of the figures over systems, ideas and files. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sql.documentation.systems import ACTIVE, DEGRADED, INACTIVE

MEGABYTE = 1 << 20
TIMEFRAMES = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}

Figures = Mapping[str, Any]


def dashboard(systems: Figures, ideas: Figures, files: Figures, recent: list[dict[str, Any]]) -> dict[str, Any]:
    """The page that shows everything at once."""
    return {
        "overview": {
            "total_systems": systems["total"],
            "active_systems": systems["active"],
            "total_ideas": ideas["total"],
            "completed_ideas": ideas["completed"],
            "total_files": files["total"],
            "total_storage_mb": megabytes(files["total_size"]),
        },
        "systems": {**systems, "online_count": systems["active"]},
        "ideas": dict(ideas),
        "files": {**files, "total_size_mb": megabytes(files["total_size"])},
        "recent_activity": recent,
    }


def file_page(files: Figures) -> dict[str, Any]:
    """Figures over files with their averages and shares."""
    total, sizes = files["total"], files["size_distribution"]
    return {
        **files,
        "total_size_mb": megabytes(files["total_size"]),
        "average_size_mb": megabytes(files["total_size"] / total) if total else 0,
        "downloads_per_file": round(files["total_downloads"] / total, 2) if total else 0,
        "storage_efficiency": {
            "small_files_percentage": _share(sizes["small"], total),
            "large_files_percentage": _share(sizes["large"] + sizes["xlarge"], total),
        },
    }


def health_page(systems: list[dict[str, Any]]) -> dict[str, Any]:
    """How each system feels, and all of them together."""
    feels = [health_of(system["status"]) for system in systems]
    count = Counter(feels)
    checked = [system["last_checked"] for system in systems if system["last_checked"] is not None]
    names = ("id", "name", "type", "status", "url", "last_checked")
    return {
        "total": len(systems),
        **{word: count[word] for word in ("healthy", "degraded", "unhealthy", "unknown")},
        "overall_health": overall(count),
        "last_checked": max(checked, default=None),
        "systems": [
            {name: system[name] for name in names} | {"health": health}
            for system, health in zip(systems, feels, strict=True)
        ],
    }


def health_of(status: str) -> str:
    """What a status says of health."""
    if status in ACTIVE:
        return "healthy"
    if status in INACTIVE:
        return "unhealthy"
    return "degraded" if status in DEGRADED else "unknown"


def overall(count: Mapping[str, int]) -> str:
    """One word for all: that of all systems when they agree, `degraded` when none is worse, otherwise `mixed`."""
    there = {word for word, number in count.items() if number}
    if not there:
        return "no_systems"
    if there == {"healthy"}:
        return "healthy"
    if there == {"unhealthy"}:
        return "unhealthy"
    return "degraded" if "degraded" in there and "unhealthy" not in there else "mixed"


def charts(systems: Figures, ideas: Figures, files: Figures) -> dict[str, Any]:
    """The same figures as points of charts."""
    visibility = {name: entry["count"] for name, entry in files["by_visibility"].items()}
    return {
        "systems": {name: points(systems[name]) for name in ("by_type", "by_status")},
        "ideas": {name: points(ideas[name]) for name in ("by_status", "by_category", "by_priority")},
        "files": {
            "by_type": points(files["by_mime_type"]),
            "size_distribution": points(files["size_distribution"]),
            "by_visibility": points(visibility),
        },
    }


def points(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Counts as points, in their order."""
    return [{"label": label, "value": value} for label, value in counts.items()]


def activity_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the audit log as news: what was done to what, by whom; not from where, nor with which program."""
    return {
        "id": entry["id"],
        "type": entry["entity_type"],
        "entity_id": entry["entity_id"],
        "action": entry["action"],
        "user": entry["user_id"],
        "timestamp": entry["created_at"],
    }


def megabytes(size: float) -> float:
    """Bytes as megabytes, two digits."""
    return round(size / MEGABYTE, 2)


def _share(part: int, total: int) -> float:
    return round(100 * part / total, 1) if total else 0
