"""`/api/v1/stats`: figures for dashboards, one search over everything, and what happened lately."""

from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from msgspec import convert

from api.documentation import figures
from api.documentation.answers import READS
from api.documentation.figures import TIMEFRAMES, activity_of
from api.documentation.pages import (
    Activities,
    ActivitiesAnswer,
    Analytics,
    AnalyticsAnswer,
    Dashboard,
    DashboardAnswer,
    FilePage,
    FilePageAnswer,
    HealthPage,
    HealthPageAnswer,
    IdeaFigures,
    IdeaPageAnswer,
    SearchAnswer,
    SearchPage,
    SystemPage,
    SystemPageAnswer,
    Timeframe,
)
from api.documentation.values import Question, sought
from api.kernel.access import scoped
from sql.documentation import audit, entities, files, ideas, searching, systems
from sql.documentation.entities import Asked
from sql.documentation.tables import SYSTEMS
from sql.pool import Pool

PATH = "/api/v1/stats"
TAGS = ["stats"]
READ = scoped("documentation:read")
RECENT, MOST_ACTIVITIES = 20, 500
ACTIVE_KINDS = ("systems", "ideas", "files", "links")


@get([PATH, f"{PATH}/dashboard"], tags=TAGS, summary="Everything at once", opt=READ, responses=READS)
async def dashboard(
    documentation_pool: NamedDependency[Pool], timeframe: FromQuery[Timeframe] = "30d"
) -> DashboardAnswer:
    """`overview`, `systems`, `ideas`, `files`, and the newest twenty of the time frame as `recent_activity`."""
    lately = await _lately(documentation_pool, TIMEFRAMES[timeframe], RECENT)
    page = figures.dashboard(
        await systems.statistics(documentation_pool),
        await ideas.statistics(documentation_pool),
        await files.statistics(documentation_pool),
        lately,
    )
    return DashboardAnswer(data=convert(page, Dashboard), timeframe=timeframe)


@get(f"{PATH}/systems", tags=TAGS, summary="Figures over systems", opt=READ, responses=READS)
async def systems_page(documentation_pool: NamedDependency[Pool]) -> SystemPageAnswer:
    """As `/api/v1/systems/statistics`, and `health_trend`: what probes found on each of the last 30 days."""
    found = await systems.statistics(documentation_pool)
    return SystemPageAnswer(data=convert(found | {"health_trend": await systems.trend(documentation_pool)}, SystemPage))


@get(f"{PATH}/ideas", tags=TAGS, summary="Figures over ideas", opt=READ, responses=READS)
async def ideas_page(documentation_pool: NamedDependency[Pool]) -> IdeaPageAnswer:
    """Counts by status, category and priority, `completion_rate` in per cent, `average_completion_days`."""
    return IdeaPageAnswer(data=convert(await ideas.statistics(documentation_pool), IdeaFigures))


@get(f"{PATH}/files", tags=TAGS, summary="Figures over files", opt=READ, responses=READS)
async def files_page(documentation_pool: NamedDependency[Pool]) -> FilePageAnswer:
    """As `/api/v1/files/statistics`, with averages and shares."""
    return FilePageAnswer(data=convert(figures.file_page(await files.statistics(documentation_pool)), FilePage))


@get(f"{PATH}/health", tags=TAGS, summary="How the systems feel", opt=READ, responses=READS)
async def health_page(documentation_pool: NamedDependency[Pool]) -> HealthPageAnswer:
    """By what the last probe of each found, and `overall_health`: healthy, degraded, unhealthy, mixed, no_systems."""
    rows = await entities.listed(documentation_pool, SYSTEMS, Asked(order_by="name", direction="ASC"))
    return HealthPageAnswer(data=convert(figures.health_page(rows), HealthPage))


@get(f"{PATH}/analytics", tags=TAGS, summary="Figures as charts", opt=READ, responses=READS)
async def analytics(
    documentation_pool: NamedDependency[Pool], timeframe: FromQuery[Timeframe] = "30d"
) -> AnalyticsAnswer:
    """`charts` of systems, ideas and files, each a list of `label` and `value`."""
    charts = figures.charts(
        await systems.statistics(documentation_pool),
        await ideas.statistics(documentation_pool),
        await files.statistics(documentation_pool),
    )
    return AnalyticsAnswer(data=convert({"timeframe": timeframe, "charts": charts}, Analytics))


@get(f"{PATH}/search", tags=TAGS, summary="Search systems, ideas, links and files", opt=READ, responses=READS)
async def search_everything(
    *,
    question: Question,
    documentation_pool: NamedDependency[Pool],
    in_systems: Annotated[bool, QueryParameter(name="systems")] = True,
    in_ideas: Annotated[bool, QueryParameter(name="ideas")] = True,
    in_files: Annotated[bool, QueryParameter(name="files")] = True,
    in_links: Annotated[bool, QueryParameter(name="links")] = True,
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="Of each kind.")] = 20,
) -> SearchAnswer:
    """The best first, with `score` and `highlight` (HTML: what matches in `<mark>`). Portuguese and English words, with
    or without accents, or the beginnings of words; "quoted" words together, a word after `-` not."""
    wanted = {"systems": in_systems, "ideas": in_ideas, "files": in_files, "links": in_links}
    words, kinds = sought(question), [kind for kind, asked in wanted.items() if asked]
    results, total = await searching.search(documentation_pool, words, kinds, limit)
    return SearchAnswer(
        data=convert(
            {
                "query": words,
                "total_results": total,
                "results": {kind: results.get(kind, []) for kind in wanted},
                "filters_applied": {**wanted, "limit": limit},
            },
            SearchPage,
        )
    )


@get(f"{PATH}/activity", tags=TAGS, summary="What happened lately", opt=READ, responses=READS)
async def activity(
    documentation_pool: NamedDependency[Pool], days: Annotated[int, QueryParameter(ge=1, le=90)] = 7
) -> ActivitiesAnswer:
    """From the audit log: all are counted, the newest 500 told."""
    counts = await audit.activity(documentation_pool, days)
    return ActivitiesAnswer(
        data=convert(
            {
                "total_activities": sum(counts.values()),
                "activities": await _lately(documentation_pool, days, MOST_ACTIVITIES),
                "by_type": {kind: counts.get(kind, 0) for kind in ACTIVE_KINDS},
                "period_days": days,
            },
            Activities,
        )
    )


async def _lately(pool: Pool, days: int, limit: int) -> list[dict[str, Any]]:
    return [activity_of(entry) for entry in await audit.entries(pool, {"since": audit.days_ago(days)}, limit)]


HANDLERS = (
    dashboard,
    systems_page,
    ideas_page,
    files_page,
    health_page,
    analytics,
    search_everything,
    activity,
)
