"""What the stores hold of the order journal, newest first, a page at a time: hot, and below its floor warm.

Hot is read first, then the floor, then warm: what retention drops meanwhile is seen in warm.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from sql.contract import Table
from sql.control import floor_of
from sql.hot import HotStore, instant_literal
from sql.warm import WarmStore


class Place(Struct, frozen=True, array_like=True):
    """The last row of a page: the next one begins before it."""

    ts: dt.datetime
    number: int


def page(
    hot: HotStore,
    warm: WarmStore,
    table: Table,
    equal: Mapping[str, str | None],
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    before: Place | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Rows whose columns have these values (None: any), since <= ts < until. Raises StoreError.

    The names in `equal` are columns of the contract; anything else is a mistake of the caller's.
    """
    wanted = {name: value for name, value in equal.items() if value is not None}
    unknown = wanted.keys() - set(table.names)
    assert not unknown, unknown
    conditions = [f"{name} = %s" for name in wanted]
    conditions += [f"ts >= {instant_literal(since)}"] if since else []
    conditions += [f"ts < {instant_literal(until)}"] if until else []
    if before is not None:
        at = instant_literal(before.ts)
        conditions.append(f"(ts < {at} OR (ts = {at} AND number < {before.number:d}))")
    values = list(wanted.values())
    rows = hot.rows(_statement(table, conditions, limit), values, reader=True)
    with warm.connect() as connection:
        floor = floor_of(connection.cursor(), table)
    if floor is None:
        return rows
    rows = [row for row in rows if row["ts"] >= floor]  # below it hot may have a few late ones; warm has all
    if len(rows) == limit or (since and since >= floor):
        return rows
    below = _statement(table, [*conditions, f"ts < {instant_literal(floor)}"], limit - len(rows))
    return rows + warm.rows(below, values)


def _statement(table: Table, conditions: Sequence[str], limit: int) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(table.names)} FROM {table.name}{where} ORDER BY ts DESC, number DESC LIMIT {limit:d}"
