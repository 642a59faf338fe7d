"""`/api/v1/order-events`, `/api/v1/audit-logs`: what the journal of orders has told the stores, however long ago.

What is under way now stands with the realtime process (`/api/orders`); this is a second or so behind it.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import QueryParameter
from msgspec import Struct

from api.asked import NO_CURSOR, known, place_in, read_instant, text_of
from api.kernel.access import scoped
from api.kernel.errors import invalid, responses
from sql.contract import Table
from sql.order_history import Place, page
from sql.tables import AUDIT_LOGS, ORDER_EVENTS, AuditLog, OrderEvent
from sql.tape import Tape

MOST = 1_000
LAST_NUMBER = 2**63 - 1


class OrderEvents(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of records, the newest first; `nextCursor` is null at the end."""

    success: bool = True
    data: list[OrderEvent]
    next_cursor: str | None = None


class AuditLogs(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of audit lines, the newest first; `nextCursor` is null at the end."""

    success: bool = True
    data: list[AuditLog]
    next_cursor: str | None = None


ORDER = QueryParameter(name="orderId", description="One order.", examples=[Example(value="ORD-20261118-001")])
SYMBOL = QueryParameter(description="Exchange code, such as WINZ26.")
ACTOR = QueryParameter(description="A person's or key's name, a strategy, `broker`, `process`.")
ACTION = QueryParameter(description="As `eventType` of order events.")
FROM = QueryParameter(name="from", description="First instant: ISO 8601, UTC without a zone.")
TO = QueryParameter(name="to", description="End of the range, not part of it.")
LIMIT = QueryParameter(ge=1, le=MOST, description="Rows of a page.")
CURSOR = QueryParameter(description="`nextCursor` of the page before, unchanged; the other parameters as they were.")
EVENT = QueryParameter(name="eventType", description="As order.created, order.filled, kill-switch.activated.")


@get(
    "/api/v1/order-events",
    opt=scoped("orders:read"),
    tags=["order history"],
    summary="Records of the order journal",
    responses=responses(400, 401, 403, 429, 503),
    sync_to_thread=True,
)
def order_records(
    *,
    tape: NamedDependency[Tape],
    order: Annotated[str | None, ORDER] = None,
    symbol: Annotated[str | None, SYMBOL] = None,
    event_type: Annotated[str | None, EVENT] = None,
    since: Annotated[str | None, FROM] = None,
    until: Annotated[str | None, TO] = None,
    limit: Annotated[int, LIMIT] = 100,
    cursor: Annotated[str | None, CURSOR] = None,
) -> OrderEvents:
    """Each record once, with what the order was after it, who asked, and the record itself as `payload`."""
    equal = {"order_id": order, "symbol": symbol, "event_type": event_type}
    rows, further = _page(tape, ORDER_EVENTS, equal, Asked(since, until, limit, cursor))
    return OrderEvents(data=[OrderEvent(**row) for row in rows], next_cursor=further)


@get(
    "/api/v1/audit-logs",
    opt=scoped("orders:read"),
    tags=["order history"],
    summary="Who decided what about orders, limits and the switch",
    responses=responses(400, 401, 403, 429, 503),
    sync_to_thread=True,
)
def audit_logs(
    *,
    tape: NamedDependency[Tape],
    actor: Annotated[str | None, ACTOR] = None,
    action: Annotated[str | None, ACTION] = None,
    entity_id: Annotated[str | None, QueryParameter(name="entityId", description="An order, an account …")] = None,
    since: Annotated[str | None, FROM] = None,
    until: Annotated[str | None, TO] = None,
    limit: Annotated[int, LIMIT] = 100,
    cursor: Annotated[str | None, CURSOR] = None,
) -> AuditLogs:
    """Why, from what, to what stands in `details`; kept 365 days in warm, then in Parquet files."""
    equal = {"actor": actor, "action": action, "entity_id": entity_id}
    rows, further = _page(tape, AUDIT_LOGS, equal, Asked(since, until, limit, cursor))
    return AuditLogs(data=[AuditLog(**row) for row in rows], next_cursor=further)


class Asked(Struct, frozen=True):
    """Which page of which rows."""

    since: str | None
    until: str | None
    limit: int
    cursor: str | None


def _page(
    tape: Tape, table: Table, equal: Mapping[str, str | None], asked: Asked
) -> tuple[list[dict[str, Any]], str | None]:
    """A page, and the cursor of the next one; one row more is asked for, so that an end is known as one."""
    begin, end = read_instant("from", asked.since), read_instant("to", asked.until)
    before = _place_of(asked.cursor) if asked.cursor else None
    rows = page(tape.hot, tape.warm, table, equal, since=begin, until=end, before=before, limit=asked.limit + 1)
    last = rows[asked.limit - 1] if len(rows) > asked.limit else None
    return rows[: asked.limit], text_of(Place(last["ts"], last["number"])) if last else None


def _place_of(text: str) -> Place:
    place = place_in(text, Place)
    if not known(place.ts) or not 0 <= place.number <= LAST_NUMBER:
        raise invalid("cursor", NO_CURSOR)
    return place


ORDER_HISTORY = [order_records, audit_logs]
