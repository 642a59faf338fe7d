"""`/api/v1/docs/health`: how good the pages are, by what was wrong with them when they were read."""

from collections import Counter as Counts
from typing import Annotated, Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct
from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from api.documentation.answers import READS, Done
from api.documentation.library import READ, WRITE
from api.hub.pages import ISSUES, IssueKind, grade_of
from api.kernel.bodies import Body
from api.kernel.errors import invalid, responses
from config.settings import Settings
from sql.documentation import pages
from sql.pool import Pool, Row

PATH = "/api/v1/docs/health"
TAGS = ["pages"]
WRITES = responses(400, 401, 403, 413, 422, 429, 503)


class Answer(Struct, frozen=True, kw_only=True):
    """The members of `data` are described at each path."""

    success: bool = True
    data: dict[str, Any]


class Measured(Struct, frozen=True, kw_only=True):
    """Figures that an audit from elsewhere found."""

    frontmatter: dict[str, float]
    links: dict[str, float]
    duplicates: dict[str, float]


class Fix(Struct, frozen=True, kw_only=True):
    """Something that was mended."""

    issue_type: IssueKind


class Gauges:
    """What Prometheus is told about the pages."""

    def __init__(self, settings: Settings) -> None:
        self.prometheus_url = settings.prometheus_url
        self.told = Gauge(
            "tradingsystem_docs_audit", "Figures that an audit from elsewhere told", ["part", "figure"], registry=None
        )
        self.fixed = Counter("tradingsystem_docs_fixes_total", "Mended, by kind", ["issue_type"], registry=None)

    @property
    def collectors(self) -> list[Collector]:
        """All of them."""
        return [self.told, self.fixed]


@get(f"{PATH}/summary", tags=TAGS, summary="How good the pages are", opt=READ, responses=READS)
async def health_summary(documentation_pool: NamedDependency[Pool]) -> Answer:
    """Zeros and `hasData: false` when they were never read."""
    last = await pages.last_review(documentation_pool)
    score = float(last["score"]) if last else 0.0
    grade, status = grade_of(score)
    return Answer(
        data={
            "healthScore": score,
            "grade": grade,
            "status": status,
            "lastAuditDate": last["reviewed_at"] if last else None,
            "totalFiles": last["pages"] if last else 0,
            "issuesSummary": counted(last),
            "hasData": last is not None,
        }
    )


@get(f"{PATH}/metrics", tags=TAGS, summary="The same as plain figures", opt=READ, responses=READS)
async def health_metrics(documentation_pool: NamedDependency[Pool]) -> Answer:
    """The score, its grade, and how many pages and issues there are."""
    last = await pages.last_review(documentation_pool)
    score = float(last["score"]) if last else 0.0
    grade, status = grade_of(score)
    figures = {f"{kind}_issues": count for kind, count in counted(last).items()}
    total = {"health_score": score, "total_files": last["pages"] if last else 0}
    return Answer(data={**total, **figures, "grade": grade, "status": status})


@get(f"{PATH}/issues", tags=TAGS, summary="What is wrong with which page", opt=READ, responses=READS)
async def health_issues(
    documentation_pool: NamedDependency[Pool],
    kind: Annotated[str, QueryParameter(name="type", description="frontmatter, links, duplicates or outdated")],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
) -> Answer:
    """In the order of paths."""
    if kind not in ISSUES:
        raise invalid("type", f"expected one of {', '.join(ISSUES)}; found {kind[:40]!r}")
    last = await pages.last_review(documentation_pool)
    found = [issue for issue in (last["issues"] if last else []) if issue["type"] == kind]
    shown = [{"path": issue["path"], "message": issue["message"]} for issue in found[:limit]]
    return Answer(data={"type": kind, "total": len(found), "showing": len(shown), "issues": shown})


@get(f"{PATH}/trends", tags=TAGS, summary="How that went", opt=READ, responses=READS)
async def health_trends(
    documentation_pool: NamedDependency[Pool],
    gauges: NamedDependency[Gauges],
    days: Annotated[int, QueryParameter(ge=1, le=365)] = 30,
) -> Answer:
    """One point for each reading of the pages."""
    found = await pages.reviews(documentation_pool, days)
    points: dict[str, list[dict[str, Any]]] = {"health_score": [], "broken_links": [], "outdated_docs": []}
    for row in found:
        counts = counted(row)
        figures = (row["score"], counts["links"], counts["outdated"])
        for name, value in zip(points, figures, strict=True):
            points[name].append({"timestamp": row["reviewed_at"], "value": value})
    return Answer(data={"days": days, **points, "prometheus_url": gauges.prometheus_url, "has_data": bool(found)})


@get(f"{PATH}/latest-report", tags=TAGS, summary="The newest reading", opt=READ, responses=READS)
async def latest_report(documentation_pool: NamedDependency[Pool]) -> Answer:
    """404 when the pages were never read. The report is `/api/v1/docs/health/issues`: there is no file."""
    last = await pages.last_review(documentation_pool)
    if last is None:
        raise NotFoundException("the pages were never read: POST /api/v1/docs/reindex")
    return Answer(
        data={
            "reportDate": last["reviewed_at"],
            "reportPath": f"{PATH}/issues",
            "reportFile": None,
            "healthScore": last["score"],
            "issueCount": len(last["issues"]),
        }
    )


@post(
    f"{PATH}/update-metrics",
    status_code=200,
    tags=TAGS,
    summary="Take figures of an audit from elsewhere",
    opt=WRITE,
    dto=Body[Measured],
    responses=WRITES,
)
async def update_metrics(data: JSONBody[Measured], gauges: NamedDependency[Gauges]) -> Done:
    """They are told to Prometheus as `tradingsystem_docs_audit`; at most 50 of each part."""
    parts = {"frontmatter": data.frontmatter, "links": data.links, "duplicates": data.duplicates}
    for part, figures in parts.items():
        if len(figures) > 50 or any(len(figure) > 60 for figure in figures):
            raise invalid(part, "expected at most 50 figures with names of at most 60 characters")
    gauges.told.clear()  # those of this audit alone, so that there are never many
    for part, figures in parts.items():
        for figure, value in figures.items():
            gauges.told.labels(part, figure).set(value)
    return Done(message="Metrics updated")


@post(
    f"{PATH}/record-fix",
    status_code=200,
    tags=TAGS,
    summary="Count something that was mended",
    opt=WRITE,
    dto=Body[Fix],
    responses=WRITES,
)
async def record_fix(data: JSONBody[Fix], gauges: NamedDependency[Gauges]) -> Done:
    """As `tradingsystem_docs_fixes_total`."""
    gauges.fixed.labels(data.issue_type).inc()
    return Done(message=f"Fix of {data.issue_type} recorded")


def counted(review: Row | None) -> dict[str, int]:
    """How many issues of each kind there are."""
    counts = Counts(issue["type"] for issue in (review["issues"] if review else []))
    return {kind: counts[kind] for kind in ISSUES}


HANDLERS = (
    health_summary,
    health_metrics,
    health_issues,
    health_trends,
    latest_report,
    update_metrics,
    record_fix,
)
