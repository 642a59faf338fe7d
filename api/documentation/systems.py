"""`/api/v1/systems`: the registry of systems, and whether they answer."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from api.documentation.answers import CHANGES, DELETES, READS, Done, Page, echoed, something
from api.documentation.clashes import clashes_told
from api.documentation.states import as_seen
from api.documentation.values import (
    Address,
    Heading,
    Key,
    Limit,
    Offset,
    Question,
    Search,
    Tag,
    existing,
    given,
    key_in,
    sought,
    web_address,
    who_asks,
)
from api.kernel.access import scoped
from api.kernel.bodies import Body
from sql.documentation import entities, systems
from sql.documentation.entities import MOST, Asked
from sql.documentation.tables import SYSTEMS
from sql.pool import Pool, Row

PATH = "/api/v1/systems"
TAGS = ["systems"]

Kind = Literal["api", "webapp", "docs", "tool"]
State = Literal["online", "offline", "error", "unknown"]
AnyState = Literal["online", "offline", "error", "unknown", "degraded", "planned"]
AnyKind = Literal["api", "webapp", "docs", "tool", "unknown"]
Order = Literal["created_at", "updated_at", "name", "title", "priority", "status"]
Text = Annotated[str, Meta(max_length=100)]


class System(Struct, frozen=True, kw_only=True):
    """One system. `degraded`, `planned` and the type `unknown` come from imports alone."""

    id: uuid.UUID
    name: str
    description: str | None
    type: AnyKind
    url: str | None
    status: AnyState
    last_checked: dt.datetime | None
    response_time_ms: int | None
    version: str | None
    owner: str | None
    tags: list[str]
    metadata: dict[str, Any] | None
    icon: str | None
    color: str | None
    host: str | None
    port: int | None
    endpoint_count: int | None
    channel_count: int | None
    created_by: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class SystemDetails(Struct, frozen=True, kw_only=True):
    """What may be said of a system and need not be."""

    description: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    url: Address | UnsetType | None = UNSET
    owner: Text | UnsetType | None = UNSET
    tags: list[Tag] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    version: Text | UnsetType | None = UNSET
    icon: Text | UnsetType | None = UNSET
    color: Text | UnsetType | None = UNSET
    host: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    port: Annotated[int, Meta(ge=1, le=65535)] | UnsetType | None = UNSET


class NewSystem(SystemDetails, frozen=True, kw_only=True):
    """A system to register. Its status is `unknown` until it was probed or told."""

    name: Heading
    type: Kind


class SystemChanges(SystemDetails, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    name: Heading | UnsetType = UNSET
    type: Kind | UnsetType = UNSET
    status: State | UnsetType = UNSET


class SystemAnswer(Struct, frozen=True, kw_only=True):
    """One system."""

    success: bool = True
    data: System
    message: str | UnsetType = UNSET


class SystemList(Struct, frozen=True, kw_only=True):
    """Systems. `count` are in this answer, `total` fit."""

    success: bool = True
    data: list[System]
    count: int
    total: int | UnsetType = UNSET
    filters: dict[str, Any] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    query: str | UnsetType = UNSET


class SystemFigures(Struct, frozen=True, kw_only=True):
    """Figures over all systems. Times in milliseconds."""

    total: int
    active: int
    inactive: int
    degraded: int
    unknown: int
    by_type: dict[str, int]
    by_owner: dict[str, int]
    by_status: dict[str, int]
    avg_response_time: float


class SystemFiguresAnswer(Struct, frozen=True, kw_only=True):
    """Figures over all systems."""

    success: bool = True
    data: SystemFigures


@get(PATH, tags=TAGS, summary="Systems", opt=scoped("documentation:read"), responses=READS)
async def list_systems(
    *,
    documentation_pool: NamedDependency[Pool],
    status: FromQuery[AnyState | None] = None,
    type: Annotated[AnyKind | None, QueryParameter()] = None,  # noqa: A002 - its name in the query
    owner: Annotated[str | None, QueryParameter(min_length=1, max_length=100)] = None,
    search: Search = None,
    limit: Limit = None,
    offset: Offset = 0,
    order_by: FromQuery[Order] = "created_at",
    order_direction: FromQuery[Literal["ASC", "DESC", "asc", "desc"]] = "DESC",
) -> SystemList:
    """The newest first, all of them when no limit is asked for."""
    filters = {"status": status, "type": type, "owner": owner}
    page = Page(limit=limit or MOST, offset=offset, order_by=order_by, order_direction=order_direction)
    asked = page.asked(filters, search)
    rows = await entities.listed(documentation_pool, SYSTEMS, asked)
    total = await entities.counted(documentation_pool, SYSTEMS, asked)
    return SystemList(data=_systems(rows), count=len(rows), total=total, filters=echoed(filters, search, page))


@post(
    PATH,
    tags=TAGS,
    summary="Register a system",
    opt=scoped("documentation:write"),
    dto=Body[NewSystem],
    responses=CHANGES,
)
async def create_system(
    request: Request[Any, Any, Any], data: JSONBody[NewSystem], documentation_pool: NamedDependency[Pool]
) -> SystemAnswer:
    """The system as it was registered."""
    values = {"status": "unknown", "tags": []} | given(data, url=web_address)
    with clashes_told():
        row = await entities.added(documentation_pool, SYSTEMS, values, who_asks(request))
    return SystemAnswer(data=System(**row), message="System created successfully")


@get(f"{PATH}/{{system_id:str}}", tags=TAGS, summary="One system", opt=scoped("documentation:read"), responses=READS)
async def get_system(system_id: Key, documentation_pool: NamedDependency[Pool]) -> SystemAnswer:
    """The system of this id."""
    row = await entities.found(documentation_pool, SYSTEMS, key_in(system_id))
    return SystemAnswer(data=System(**existing(row, "System", system_id)))


@put(
    f"{PATH}/{{system_id:str}}",
    tags=TAGS,
    summary="Change a system",
    opt=scoped("documentation:write"),
    dto=Body[SystemChanges],
    responses=CHANGES,
)
async def update_system(
    request: Request[Any, Any, Any],
    system_id: Key,
    data: JSONBody[SystemChanges],
    documentation_pool: NamedDependency[Pool],
) -> SystemAnswer:
    """The system as it is now. 400 when the body has no field that can be changed."""
    values = something(given(data, url=web_address))
    with clashes_told():
        row = await entities.changed(
            documentation_pool,
            SYSTEMS,
            key_in(system_id),
            change=lambda _: values,
            who=who_asks(request),
            check=as_seen(request),
        )
    return SystemAnswer(data=System(**existing(row, "System", system_id)), message="System updated successfully")


@delete(
    f"{PATH}/{{system_id:str}}",
    tags=TAGS,
    summary="Remove a system",
    opt=scoped("documentation:delete"),
    status_code=200,
    responses=DELETES,
)
async def delete_system(
    request: Request[Any, Any, Any], system_id: Key, documentation_pool: NamedDependency[Pool]
) -> Done:
    """Its ideas, links and files stay, without a system; the audit log keeps what it was."""
    row = await entities.removed(
        documentation_pool, SYSTEMS, key_in(system_id), who=who_asks(request), check=as_seen(request)
    )
    existing(row, "System", system_id)
    return Done(message="System deleted successfully")


@get(
    f"{PATH}/status/{{status:str}}",
    tags=TAGS,
    summary="Systems of a status",
    opt=scoped("documentation:read"),
    responses=READS,
)
async def systems_of_status(status: FromPath[AnyState], documentation_pool: NamedDependency[Pool]) -> SystemList:
    """The newest first."""
    rows = await entities.listed(documentation_pool, SYSTEMS, Asked(filters={"status": status}))
    return SystemList(data=_systems(rows), count=len(rows), status=status)


@get(
    f"{PATH}/type/{{kind:str}}", tags=TAGS, summary="Systems of a type", opt=scoped("documentation:read"),
    responses=READS,
)  # fmt: skip
async def systems_of_type(kind: FromPath[AnyKind], documentation_pool: NamedDependency[Pool]) -> SystemList:
    """The newest first."""
    rows = await entities.listed(documentation_pool, SYSTEMS, Asked(filters={"type": kind}))
    return SystemList(data=_systems(rows), count=len(rows), type=kind)


@get(f"{PATH}/search", tags=TAGS, summary="Search systems", opt=scoped("documentation:read"), responses=READS)
async def search_systems(question: Question, documentation_pool: NamedDependency[Pool]) -> SystemList:
    """Words in Portuguese or English, or a part of one, in name, description, owner and tags."""
    words = sought(question)
    rows = await entities.listed(documentation_pool, SYSTEMS, Asked(search=words))
    return SystemList(data=_systems(rows), count=len(rows), query=words)


@get(
    f"{PATH}/statistics",
    tags=TAGS,
    summary="Figures over all systems",
    opt=scoped("documentation:read"),
    responses=READS,
)
async def system_statistics(documentation_pool: NamedDependency[Pool]) -> SystemFiguresAnswer:
    """Active are those online, inactive those offline, degraded those degraded or with an error."""
    return SystemFiguresAnswer(data=SystemFigures(**await systems.statistics(documentation_pool)))


def _systems(rows: list[Row]) -> list[System]:
    return [System(**row) for row in rows]


HANDLERS = (
    list_systems,
    create_system,
    get_system,
    update_system,
    delete_system,
    systems_of_status,
    systems_of_type,
    search_systems,
    system_statistics,
)
