"""What hot holds of the order journal, newest first, a page at a time."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sql.contract import Table
from sql.hot import HotStore, instant_literal


class Place(Struct, frozen=True, array_like=True):
    """The last row of a page: the next one begins before it."""

    ts: dt.datetime
    number: int


def page(
    hot: HotStore,
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
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(table.names)
    statement = f"SELECT {columns} FROM {table.name}{where} ORDER BY ts DESC, number DESC LIMIT {limit:d}"
    return hot.rows(statement, list(wanted.values()), reader=True)
