"""`/api/v1/documentation/audit`: who changed what in this service. Nobody can change or remove an entry here."""

import datetime as dt
from typing import Annotated, Any, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api.documentation.answers import READS
from api.documentation.values import Offset, instant_in
from api.kernel.access import scoped
from sql.documentation import audit
from sql.pool import Pool

PATH = "/api/v1/documentation/audit"

Action = Literal["created", "updated", "status_changed", "deleted", "health_checked"]
Kind = Literal["systems", "ideas", "links", "files"]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=255)]


class Entry(Struct, frozen=True, kw_only=True):
    """One write. `changes` has the values `before` and `after` it, of what it changed."""

    id: int
    entity_type: str
    entity_id: str
    action: str
    user_id: str | None
    changes: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    created_at: dt.datetime


class EntryList(Struct, frozen=True, kw_only=True):
    """Entries, the newest first."""

    success: bool = True
    data: list[Entry]
    count: int


@get(PATH, tags=["audit"], summary="Who changed what", opt=scoped("documentation:admin"), responses=READS)
async def list_entries(
    *,
    documentation_pool: NamedDependency[Pool],
    entity_type: FromQuery[Kind | None] = None,
    entity_id: Text = None,
    action: FromQuery[Action | None] = None,
    user_id: Text = None,
    since: Annotated[str | None, QueryParameter(name="from", description="ISO 8601, part of the answer.")] = None,
    until: Annotated[str | None, QueryParameter(name="to", description="ISO 8601, not part of it.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    offset: Offset = 0,
) -> EntryList:
    """Entries are kept for a year."""
    filters = {
        "entity_type": entity_type,
        "entity_id": entity_id,
        "action": action,
        "user_id": user_id,
        "since": instant_in("from", since),
        "until": instant_in("to", until),
    }
    rows = await audit.entries(documentation_pool, filters, limit, offset)
    return EntryList(data=[Entry(**row) for row in rows], count=len(rows))


HANDLERS = (list_entries,)
