"""`/api/audit`: who did what to the workspace's items, from where, and when."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api.kernel.access import scoped
from api.kernel.errors import responses
from api.workspace.items import id_in
from sql import workspace
from sql.pool import Pool
from sql.workspace import Action, Deed

MAX_PAGE = 1_000


class DeedList(Struct, frozen=True, kw_only=True):
    """Lines of the audit log, the latest first."""

    success: bool = True
    count: int
    data: list[Deed]


@get(
    "/api/audit",
    tags=["workspace"],
    summary="What became of the items",
    opt=scoped("workspace:admin"),
    responses=responses(400, 401, 403, 429, 503),
)
async def list_audit(
    *,
    workspace_pool: NamedDependency[Pool],
    item: Annotated[str | None, QueryParameter(description="Id of an item, also of one that is gone.")] = None,
    action: FromQuery[Action | None] = None,
    created_by: Annotated[str | None, QueryParameter(name="createdBy", max_length=100)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=10_000_000)] = 0,
) -> DeedList:
    """`oldValues` and `newValues` hold the fields that differ, of a created or deleted item all."""
    found = await workspace.audit(
        workspace_pool,
        item_id=None if item is None else id_in(item),
        action=action,
        created_by=created_by,
        limit=limit,
        offset=offset,
    )
    return DeedList(count=len(found), data=found)
