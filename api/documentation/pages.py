"""What the pages of `/api/v1/stats` say, as Structs; `figures.py` makes their values."""

import datetime as dt
import uuid
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from api.documentation.files import File, FileFigures
from api.documentation.ideas import Idea
from api.documentation.links import Link
from api.documentation.systems import System, SystemFigures

Timeframe = Literal["7d", "30d", "90d", "1y"]
Health = Literal["healthy", "degraded", "unhealthy", "unknown"]
Counts = dict[str, int]


class Activity(Struct, frozen=True, kw_only=True):
    """Something that was done."""

    id: int
    type: str
    entity_id: str
    action: str
    user: str | None
    timestamp: dt.datetime


class Overview(Struct, frozen=True, kw_only=True):
    """The figures at the top."""

    total_systems: int
    active_systems: int
    total_ideas: int
    completed_ideas: int
    total_files: int
    total_storage_mb: float


class SystemsOverview(SystemFigures, frozen=True, kw_only=True):
    """Figures over systems."""

    online_count: int


class CreatedLately(Struct, frozen=True, kw_only=True):
    """New ideas."""

    created_last_7_days: int


class IdeaFigures(Struct, frozen=True, kw_only=True):
    """Figures over ideas; `completion_rate` in per cent."""

    total: int
    completed: int
    in_progress: int
    pending: int
    blocked: int
    cancelled: int
    by_category: Counts
    by_priority: Counts
    by_status: Counts
    completion_rate: float
    average_completion_days: float
    recent_activity: CreatedLately


class FilesOverview(FileFigures, frozen=True, kw_only=True):
    """Figures over files."""

    total_size_mb: float


class Shares(Struct, frozen=True, kw_only=True):
    """Small files are below 1 MB, large ones 10 MB and more."""

    small_files_percentage: float
    large_files_percentage: float


class FilePage(FilesOverview, frozen=True, kw_only=True):
    """Figures over files, with averages and shares."""

    average_size_mb: float
    downloads_per_file: float
    storage_efficiency: Shares


class Dashboard(Struct, frozen=True, kw_only=True):
    """Everything at once."""

    overview: Overview
    systems: SystemsOverview
    ideas: IdeaFigures
    files: FilesOverview
    recent_activity: list[Activity]


class ProbesOfDay(Struct, frozen=True, kw_only=True):
    """What probes found on one UTC day; times in milliseconds."""

    date: dt.date
    checks: int
    online: int
    avg_response_time: float | None


class SystemPage(SystemFigures, frozen=True, kw_only=True):
    """Figures over systems, and what probes found."""

    health_trend: list[ProbesOfDay]


class HealthOfSystem(Struct, frozen=True, kw_only=True):
    """One system."""

    id: uuid.UUID
    name: str
    type: str
    status: str
    health: Health
    url: str | None
    last_checked: dt.datetime | None


class HealthPage(Struct, frozen=True, kw_only=True):
    """How the systems feel."""

    total: int
    healthy: int
    degraded: int
    unhealthy: int
    unknown: int
    overall_health: Literal["no_systems", "healthy", "unhealthy", "degraded", "mixed"]
    last_checked: dt.datetime | None
    systems: list[HealthOfSystem]


class Point(Struct, frozen=True, kw_only=True):
    """One point of a chart."""

    label: str
    value: int


class Charts(Struct, frozen=True, kw_only=True):
    """Charts of systems, ideas and files, by name."""

    systems: dict[str, list[Point]]
    ideas: dict[str, list[Point]]
    files: dict[str, list[Point]]


class Analytics(Struct, frozen=True, kw_only=True):
    """Figures as charts."""

    timeframe: Timeframe
    charts: Charts


class FoundSystem(System, frozen=True, kw_only=True):
    """A system that was found."""

    score: float
    highlight: str


class FoundIdea(Idea, frozen=True, kw_only=True):
    """An idea that was found."""

    score: float
    highlight: str


class FoundFile(File, frozen=True, kw_only=True):
    """A file that was found."""

    score: float
    highlight: str


class FoundLink(Link, frozen=True, kw_only=True):
    """A link that was found."""

    score: float
    highlight: str


class Results(Struct, frozen=True, kw_only=True):
    """The best of each kind; `highlight` is HTML, what matches in <mark>."""

    systems: list[FoundSystem] = []
    ideas: list[FoundIdea] = []
    files: list[FoundFile] = []
    links: list[FoundLink] = []


class Searched(Struct, frozen=True, kw_only=True):
    """Where was searched."""

    systems: bool
    ideas: bool
    files: bool
    links: bool
    limit: int


class SearchPage(Struct, frozen=True, kw_only=True):
    """What was found; `total_results` are all, on no page."""

    query: str
    total_results: int
    results: Results
    filters_applied: Searched


class Activities(Struct, frozen=True, kw_only=True):
    """What happened lately."""

    total_activities: int
    activities: list[Activity]
    by_type: Counts
    period_days: int


class DashboardAnswer(Struct, frozen=True, kw_only=True):
    """Everything at once."""

    success: bool = True
    data: Dashboard
    timeframe: Timeframe | UnsetType = UNSET


class SystemPageAnswer(Struct, frozen=True, kw_only=True):
    """Figures over systems."""

    success: bool = True
    data: SystemPage


class IdeaPageAnswer(Struct, frozen=True, kw_only=True):
    """Figures over ideas."""

    success: bool = True
    data: IdeaFigures


class FilePageAnswer(Struct, frozen=True, kw_only=True):
    """Figures over files."""

    success: bool = True
    data: FilePage


class HealthPageAnswer(Struct, frozen=True, kw_only=True):
    """How the systems feel."""

    success: bool = True
    data: HealthPage


class AnalyticsAnswer(Struct, frozen=True, kw_only=True):
    """Figures as charts."""

    success: bool = True
    data: Analytics


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """What was found."""

    success: bool = True
    data: SearchPage


class ActivitiesAnswer(Struct, frozen=True, kw_only=True):
    """What happened lately."""

    success: bool = True
    data: Activities
