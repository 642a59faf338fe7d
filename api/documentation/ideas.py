"""`/api/v1/ideas`: ideas, the systems they are about, and the board they move over."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from api.documentation.answers import CHANGES, DELETES, READS, Done, Page, echoed, something
from api.documentation.clashes import clashes_told
from api.documentation.states import as_seen
from api.documentation.values import Heading, Key, Offset, Search, Tag, existing, given, instant, key_in, who_asks
from api.kernel.access import scoped
from api.kernel.bodies import Body
from sql.documentation import entities, ideas
from sql.documentation.tables import IDEAS
from sql.pool import Pool

PATH = "/api/v1/ideas"
TAGS = ["ideas"]

Category = Literal["new_feature", "improvement", "bug_fix", "content", "structure"]
AnyCategory = Literal["new_feature", "improvement", "bug_fix", "content", "structure", "uncategorized"]
Priority = Literal["low", "medium", "high", "urgent"]
Status = Literal["backlog", "todo", "in_progress", "review", "done"]
Order = Literal["created_at", "updated_at", "name", "title", "priority", "status"]


class SystemOfIdea(Struct, frozen=True, kw_only=True):
    """The system that something is about, in short."""

    id: uuid.UUID
    name: str
    type: str
    status: str
    url: str | None


class Idea(Struct, frozen=True, kw_only=True):
    """One idea. `uncategorized` comes from imports alone."""

    id: uuid.UUID
    title: str
    description: str | None
    category: AnyCategory
    priority: Priority
    status: Status
    assigned_to: str | None
    system_id: uuid.UUID | None
    system: SystemOfIdea | None
    tags: list[str]
    estimated_hours: int | None
    actual_hours: int | None
    due_date: dt.datetime | None
    completed_at: dt.datetime | None
    created_by: str
    created_at: dt.datetime
    updated_at: dt.datetime


class IdeaDetails(Struct, frozen=True, kw_only=True):
    """What may be said of an idea and need not be."""

    description: Annotated[str, Meta(max_length=2000)] | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    assigned_to: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET
    system_id: uuid.UUID | UnsetType | None = UNSET
    tags: list[Tag] | UnsetType | None = UNSET
    estimated_hours: Annotated[int, Meta(ge=1, le=1000)] | UnsetType | None = UNSET
    actual_hours: Annotated[int, Meta(ge=0, le=10_000)] | UnsetType | None = UNSET
    due_date: Annotated[str, Meta(description="ISO 8601.", examples=["2026-12-31"])] | UnsetType | None = UNSET


class NewIdea(IdeaDetails, frozen=True, kw_only=True):
    """An idea to add."""

    title: Heading
    category: Category


class IdeaChanges(IdeaDetails, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    title: Heading | UnsetType = UNSET
    category: Category | UnsetType = UNSET


class IdeaAnswer(Struct, frozen=True, kw_only=True):
    """One idea."""

    success: bool = True
    data: Idea
    message: str | UnsetType = UNSET


class IdeaList(Struct, frozen=True, kw_only=True):
    """Ideas. `count` are in this answer, `total` fit."""

    success: bool = True
    data: list[Idea]
    count: int
    total: int
    filters: dict[str, Any]


class Board(Struct, frozen=True, kw_only=True):
    """Ideas by status, the most urgent first."""

    backlog: list[Idea]
    todo: list[Idea]
    in_progress: list[Idea]
    review: list[Idea]
    done: list[Idea]


class BoardAnswer(Struct, frozen=True, kw_only=True):
    """The board."""

    success: bool = True
    data: Board


@get(PATH, tags=TAGS, summary="Ideas", opt=scoped("documentation:read"), responses=READS)
async def list_ideas(
    *,
    documentation_pool: NamedDependency[Pool],
    status: FromQuery[Status | None] = None,
    category: FromQuery[AnyCategory | None] = None,
    priority: FromQuery[Priority | None] = None,
    assigned_to: Annotated[str | None, QueryParameter(min_length=1, max_length=100)] = None,
    system_id: FromQuery[uuid.UUID | None] = None,
    search: Search = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
    offset: Offset = 0,
    order_by: FromQuery[Order] = "created_at",
    order_direction: FromQuery[Literal["ASC", "DESC", "asc", "desc"]] = "DESC",
) -> IdeaList:
    """The newest first."""
    filters = {
        "status": status,
        "category": category,
        "priority": priority,
        "assigned_to": assigned_to,
        "system_id": system_id,
    }
    page = Page(limit=limit, offset=offset, order_by=order_by, order_direction=order_direction)
    asked = page.asked(filters, search)
    rows = await entities.listed(documentation_pool, IDEAS, asked)
    total = await entities.counted(documentation_pool, IDEAS, asked)
    return IdeaList(
        data=[idea_of(row) for row in rows], count=len(rows), total=total, filters=echoed(filters, search, page)
    )


@post(PATH, tags=TAGS, summary="Add an idea", opt=scoped("documentation:write"), dto=Body[NewIdea], responses=CHANGES)
async def create_idea(
    request: Request[Any, Any, Any], data: JSONBody[NewIdea], documentation_pool: NamedDependency[Pool]
) -> IdeaAnswer:
    """The idea as it was added. 404 when no system has the `system_id`."""
    values = {"status": "backlog", "priority": "medium", "tags": []} | given(data, due_date=instant)
    values = ideas.settled({}, values, dt.datetime.now(dt.UTC))
    with clashes_told():
        row = await entities.added(documentation_pool, IDEAS, values, who_asks(request))
    return IdeaAnswer(data=idea_of(row), message="Idea created successfully")


@get(f"{PATH}/{{idea_id:str}}", tags=TAGS, summary="One idea", opt=scoped("documentation:read"), responses=READS)
async def get_idea(idea_id: Key, documentation_pool: NamedDependency[Pool]) -> IdeaAnswer:
    """The idea of this id, with its system."""
    row = await entities.found(documentation_pool, IDEAS, key_in(idea_id))
    return IdeaAnswer(data=idea_of(existing(row, "Idea", idea_id)))


@put(
    f"{PATH}/{{idea_id:str}}",
    tags=TAGS,
    summary="Change an idea",
    opt=scoped("documentation:write"),
    dto=Body[IdeaChanges],
    responses=CHANGES,
)
async def update_idea(
    request: Request[Any, Any, Any],
    idea_id: Key,
    data: JSONBody[IdeaChanges],
    documentation_pool: NamedDependency[Pool],
) -> IdeaAnswer:
    """The idea as it is now. Moved to `done` it gets its `completed_at`, moved away it loses it."""
    values, now = something(given(data, due_date=instant)), dt.datetime.now(dt.UTC)
    with clashes_told():
        row = await entities.changed(
            documentation_pool,
            IDEAS,
            key_in(idea_id),
            change=lambda before: ideas.settled(before, values, now),
            who=who_asks(request),
            check=as_seen(request),
        )
    return IdeaAnswer(data=idea_of(existing(row, "Idea", idea_id)), message="Idea updated successfully")


@delete(
    f"{PATH}/{{idea_id:str}}",
    tags=TAGS,
    summary="Remove an idea",
    opt=scoped("documentation:delete"),
    status_code=200,
    responses=DELETES,
)
async def delete_idea(request: Request[Any, Any, Any], idea_id: Key, documentation_pool: NamedDependency[Pool]) -> Done:
    """Its files stay, without an idea; the audit log keeps what it was."""
    row = await entities.removed(
        documentation_pool, IDEAS, key_in(idea_id), who=who_asks(request), check=as_seen(request)
    )
    existing(row, "Idea", idea_id)
    return Done(message="Idea deleted successfully")


@get(f"{PATH}/kanban", tags=TAGS, summary="The board", opt=scoped("documentation:read"), responses=READS)
async def kanban(documentation_pool: NamedDependency[Pool]) -> BoardAnswer:
    """Ideas by status, each column by priority, then by age; every status is there."""
    columns = await ideas.board(documentation_pool)
    return BoardAnswer(data=Board(**{status: [idea_of(row) for row in rows] for status, rows in columns.items()}))


def idea_of(row: dict[str, Any]) -> Idea:
    """An idea as the interface tells it."""
    system = row["system"]
    return Idea(**row | {"system": SystemOfIdea(**system) if system else None})


HANDLERS = (list_ideas, create_idea, get_idea, update_idea, delete_idea, kanban)
