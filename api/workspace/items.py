"""`/api/items`: the workspace's items, as the original's dashboards call them; filters, pages and ETags come on top."""

import uuid
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, HeaderParameter, JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from api.kernel.access import actor, address_of, scoped
from api.kernel.answers import Ready
from api.kernel.bodies import Body
from api.kernel.errors import invalid, responses
from api.kernel.etags import check_match, etag_of
from sql import workspace
from sql.pool import Pool
from sql.workspace import Agreed, Author, Category, Filter, Item, Priority, Status

MAX_PAGE = 1_000
MAX_ID = 200
NOT_BLANK = "Not blank; blanks around it are cut off."

Title = Annotated[
    str, Meta(pattern=r"\S", max_length=255, description=NOT_BLANK, examples=["Volume profile of the opening auction"])
]
Description = Annotated[
    str, Meta(pattern=r"\S", description=NOT_BLANK, examples=["Where the volume of the first five minutes stands."])
]
Tags = Annotated[list[str], Meta(examples=[["win", "opening"]])]
Id = Annotated[str, PathParameter(description="A UUID, or the id that an imported item had before.")]
Expected = Annotated[str | None, HeaderParameter(name="If-Match", description="The `ETag` of what was read: else 412.")]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100)]


class NewItem(Struct, frozen=True, kw_only=True):
    """What a new item is made of. Its status is always `new`."""

    title: Title
    description: Description
    category: Category
    priority: Priority
    tags: Tags = []


class Changes(Struct, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class Page(Struct, frozen=True, kw_only=True):
    """Which part of what fits."""

    total: int
    limit: int | None
    offset: int


class ItemList(Struct, frozen=True, kw_only=True):
    """Items, the newest first. `pagination` comes when a filter or a page was asked for."""

    success: bool = True
    count: int
    data: list[Item]
    pagination: Page | UnsetType = UNSET


class ItemAnswer(Struct, frozen=True, kw_only=True):
    """One item."""

    success: bool = True
    message: str | UnsetType = UNSET
    data: Item


@get(
    "/api/items",
    tags=["workspace"],
    summary="Items, the newest first",
    opt=scoped("workspace:read"),
    responses=responses(400, 401, 403, 429, 503),
)
async def list_items(
    *,
    workspace_pool: NamedDependency[Pool],
    category: FromQuery[Category | None] = None,
    priority: FromQuery[Priority | None] = None,
    status: FromQuery[Status | None] = None,
    tag: Text = None,
    created_by: Annotated[str | None, QueryParameter(name="createdBy", min_length=1, max_length=100)] = None,
    search: Text = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=MAX_PAGE)] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=10_000_000)] = 0,
) -> ItemList:
    """All of them when nothing is asked for. `search` looks for a part of title or description."""
    asked = Filter(
        category=category,
        priority=priority,
        status=status,
        tag=tag,
        created_by=created_by,
        search=search,
        limit=limit,
        offset=offset,
    )
    if asked == Filter():
        found = await workspace.items(workspace_pool)
        return ItemList(count=len(found), data=found)
    found, total = await workspace.items_that_fit(workspace_pool, asked)
    return ItemList(count=len(found), data=found, pagination=Page(total=total, limit=limit, offset=offset))


@get(
    "/api/items/{item_id:str}",
    tags=["workspace"],
    summary="One item",
    opt=scoped("workspace:read"),
    responses=responses(400, 401, 403, 404, 429, 503),
)
async def get_item(item_id: Id, workspace_pool: NamedDependency[Pool]) -> Response[ItemAnswer]:
    """The item of this id. Its `ETag` goes into `If-Match` of a change, which then changes what was read or nothing."""
    found = await workspace.item(workspace_pool, id_in(item_id))
    return tagged(ItemAnswer(data=existing(found, item_id)))


@post(
    "/api/items",
    tags=["workspace"],
    summary="Add an item",
    opt=scoped("workspace:write"),
    dto=Body[NewItem],
    responses=responses(400, 401, 403, 409, 422, 429, 503),
)
async def create_item(
    request: Request[Any, Any, Any], data: JSONBody[NewItem], workspace_pool: NamedDependency[Pool]
) -> Response[ItemAnswer]:
    """The item as it was made; `updatedAt` is null until it is read again."""
    made = await workspace.add(workspace_pool, trimmed(data), author_of(request))
    answer = ItemAnswer(message="Item created successfully", data=msgspec.structs.replace(made, updated_at=None))
    return Ready(answer, headers={"ETag": tag_of(made), "Location": f"/api/items/{made.id}"})


@put(
    "/api/items/{item_id:str}",
    tags=["workspace"],
    summary="Change an item",
    opt=scoped("workspace:write"),
    dto=Body[Changes],
    responses=responses(400, 401, 403, 404, 412, 422, 429, 503),
)
async def update_item(
    request: Request[Any, Any, Any],
    item_id: Id,
    data: JSONBody[Changes],
    workspace_pool: NamedDependency[Pool],
    expected: Expected = None,
) -> Response[ItemAnswer]:
    """The item as it is now. What the body leaves out stays, what it does not know is ignored."""
    found = await workspace.change(
        workspace_pool, id_in(item_id), trimmed(data), author_of(request), agreement(expected)
    )
    return tagged(ItemAnswer(message="Item updated successfully", data=existing(found, item_id)))


@delete(
    "/api/items/{item_id:str}",
    tags=["workspace"],
    summary="Delete an item",
    opt=scoped("workspace:delete"),
    status_code=200,
    responses=responses(400, 401, 403, 404, 412, 422, 429, 503),
)
async def delete_item(
    request: Request[Any, Any, Any], item_id: Id, workspace_pool: NamedDependency[Pool], expected: Expected = None
) -> ItemAnswer:
    """The item as it was. What became of it stays in the audit log."""
    gone = await workspace.remove(workspace_pool, id_in(item_id), author_of(request), agreement(expected))
    return ItemAnswer(message="Item deleted successfully", data=existing(gone, item_id))


def trimmed(sent: NewItem | Changes) -> dict[str, Any]:
    """The fields that were sent, texts without the blanks around them."""
    values = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    return values | {name: values[name].strip() for name in ("title", "description") if name in values}


def id_in(text: str) -> uuid.UUID:
    """The id in a path. Raises InvalidRequestError for none."""
    if not text.strip() or len(text) > MAX_ID:
        raise invalid("id", f"expected a UUID or an earlier id of at most {MAX_ID} characters")
    return workspace.id_of(text.strip())


def existing(found: Item | None, item_id: str) -> Item:
    """The item. Raises NotFoundException that names the id as the caller did."""
    if found is None:
        raise NotFoundException(f"Item {item_id} not found")
    return found


def tag_of(item: Item) -> str:
    """The `ETag` of an item: another one after each change."""
    return etag_of(item.id, item.updated_at)


def tagged(answer: ItemAnswer) -> Response[ItemAnswer]:
    """The answer with its item's `ETag`."""
    return Ready(answer, headers={"ETag": tag_of(answer.data)})


def agreement(expected: str | None) -> Agreed:
    """Raises 412 when the item is not what `If-Match` says."""
    return lambda held: check_match(expected, tag_of(held))


def author_of(request: Request[Any, Any, Any]) -> Author:
    """Who writes."""
    return Author(actor(request), address_of(request))
