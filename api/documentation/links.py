"""`/api/v1/links`: addresses worth keeping, with or without the system they belong to."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from api.documentation.answers import CHANGES, DELETES, READS, Done, Page, echoed, something
from api.documentation.clashes import clashes_told
from api.documentation.ideas import SystemOfIdea
from api.documentation.states import as_seen
from api.documentation.values import Heading, Key, Offset, Search, Tag, existing, given, key_in, web_address, who_asks
from api.kernel.access import scoped
from api.kernel.bodies import Body
from sql.documentation import entities
from sql.documentation.tables import LINKS
from sql.pool import Pool

PATH = "/api/v1/links"
TAGS = ["links"]

Order = Literal["created_at", "updated_at", "title"]
Url = Annotated[
    str,
    Meta(
        pattern=r"\S",
        max_length=2048,
        description="http or https.",
        examples=["https://docs.example.com/"],
        extra_json_schema={"format": "uri"},
    ),
]


class Link(Struct, frozen=True, kw_only=True):
    """One link."""

    id: uuid.UUID
    title: str
    url: str
    description: str | None
    system_id: uuid.UUID | None
    system: SystemOfIdea | None
    tags: list[str]
    metadata: dict[str, Any] | None
    created_by: str
    created_at: dt.datetime
    updated_at: dt.datetime


class LinkDetails(Struct, frozen=True, kw_only=True):
    """What may be said of a link and need not be."""

    description: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    system_id: uuid.UUID | UnsetType | None = UNSET
    tags: list[Tag] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class NewLink(LinkDetails, frozen=True, kw_only=True):
    """A link to keep."""

    title: Heading
    url: Url


class LinkChanges(LinkDetails, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    title: Heading | UnsetType = UNSET
    url: Url | UnsetType = UNSET


class LinkAnswer(Struct, frozen=True, kw_only=True):
    """One link."""

    success: bool = True
    data: Link
    message: str | UnsetType = UNSET


class LinkList(Struct, frozen=True, kw_only=True):
    """Links. `count` are in this answer, `total` fit."""

    success: bool = True
    data: list[Link]
    count: int
    total: int
    filters: dict[str, Any]


@get(PATH, tags=TAGS, summary="Links", opt=scoped("documentation:read"), responses=READS)
async def list_links(
    *,
    documentation_pool: NamedDependency[Pool],
    system_id: FromQuery[uuid.UUID | None] = None,
    tag: Annotated[str | None, QueryParameter(min_length=1, max_length=50)] = None,
    search: Search = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50,
    offset: Offset = 0,
    order_by: FromQuery[Order] = "created_at",
    order_direction: FromQuery[Literal["ASC", "DESC", "asc", "desc"]] = "DESC",
) -> LinkList:
    """The newest first."""
    filters = {"system_id": system_id, "tag": tag}
    page = Page(limit=limit, offset=offset, order_by=order_by, order_direction=order_direction)
    asked = page.asked(filters, search)
    rows = await entities.listed(documentation_pool, LINKS, asked)
    total = await entities.counted(documentation_pool, LINKS, asked)
    return LinkList(
        data=[link_of(row) for row in rows], count=len(rows), total=total, filters=echoed(filters, search, page)
    )


@post(PATH, tags=TAGS, summary="Keep a link", opt=scoped("documentation:write"), dto=Body[NewLink], responses=CHANGES)
async def create_link(
    request: Request[Any, Any, Any], data: JSONBody[NewLink], documentation_pool: NamedDependency[Pool]
) -> LinkAnswer:
    """The link as it was kept. 404 when no system has the `system_id`."""
    values = {"tags": []} | given(data, url=web_address)
    with clashes_told():
        row = await entities.added(documentation_pool, LINKS, values, who_asks(request))
    return LinkAnswer(data=link_of(row), message="Link created successfully")


@get(f"{PATH}/{{link_id:str}}", tags=TAGS, summary="One link", opt=scoped("documentation:read"), responses=READS)
async def get_link(link_id: Key, documentation_pool: NamedDependency[Pool]) -> LinkAnswer:
    """The link of this id."""
    row = await entities.found(documentation_pool, LINKS, key_in(link_id))
    return LinkAnswer(data=link_of(existing(row, "Link", link_id)))


@put(
    f"{PATH}/{{link_id:str}}",
    tags=TAGS,
    summary="Change a link",
    opt=scoped("documentation:write"),
    dto=Body[LinkChanges],
    responses=CHANGES,
)
async def update_link(
    request: Request[Any, Any, Any],
    link_id: Key,
    data: JSONBody[LinkChanges],
    documentation_pool: NamedDependency[Pool],
) -> LinkAnswer:
    """The link as it is now."""
    values = something(given(data, url=web_address))
    with clashes_told():
        row = await entities.changed(
            documentation_pool,
            LINKS,
            key_in(link_id),
            change=lambda _: values,
            who=who_asks(request),
            check=as_seen(request),
        )
    return LinkAnswer(data=link_of(existing(row, "Link", link_id)), message="Link updated successfully")


@delete(
    f"{PATH}/{{link_id:str}}",
    tags=TAGS,
    summary="Remove a link",
    opt=scoped("documentation:delete"),
    status_code=200,
    responses=DELETES,
)
async def delete_link(request: Request[Any, Any, Any], link_id: Key, documentation_pool: NamedDependency[Pool]) -> Done:
    """The audit log keeps what it was."""
    row = await entities.removed(
        documentation_pool, LINKS, key_in(link_id), who=who_asks(request), check=as_seen(request)
    )
    existing(row, "Link", link_id)
    return Done(message="Link deleted successfully")


def link_of(row: dict[str, Any]) -> Link:
    """A link as the interface tells it."""
    system = row["system"]
    return Link(**row | {"system": SystemOfIdea(**system) if system else None})


HANDLERS = (list_links, create_link, get_link, update_link, delete_link)
