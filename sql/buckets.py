"""Fingerprints of hours: what two tiers must agree on, computed inside each store as integer sums only.

Every tier computes the same expressions, so equal tuples mean equal rows except for a collision of all sums at once.
Prices count as ten-thousandths; a sum of doubles depends on its order and erred by 1e-6.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sql.columns import Column
from sql.hot import HotStore, instant_literal
from sql.tables import Table
from sql.warm import Cursor

HOUR = dt.timedelta(hours=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PRIME = 2_147_483_647
Dialect = Literal["hot", "warm", "cold"]
Buckets = dict[dt.datetime, tuple[int, ...]]  # start of the hour, UTC -> rows and sums, as `measures` names them


def measures(table: Table) -> list[str]:
    """The names of a fingerprint's numbers, in order."""
    return ["rows", *(f"sum_{c.name}" for c in table.compared), "sum_mixed"]


def expressions(table: Table, dialect: Dialect) -> str:
    """The SELECT list that computes them."""
    values = [_value(column, dialect) for column in table.compared]
    # The square ties the columns of a row together: two rows that exchange a value change no plain sum.
    mixed = " + ".join(f"({value} % {PRIME}) * {31 + 2 * i}" for i, value in enumerate(values))
    mixed = f"(({mixed}) % {PRIME}) * (({mixed}) % {PRIME}) % {PRIME}"
    sums = ", ".join(f"coalesce(sum({value}), 0) AS m{i}" for i, value in enumerate([*values, mixed], start=1))
    return f"count(*) AS m0, {sums}"


def hot_buckets(
    hot: HotStore, table: Table, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Buckets:
    """Fingerprints of the hours with since <= time < until in QuestDB; all hours without bounds."""
    bounds = [f"{table.time} >= {instant_literal(since)}"] if since else []
    bounds += [f"{table.time} < {instant_literal(until)}"] if until else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    hour = f"timestamp_floor('h', {table.time})"
    found = hot.execute(f"SELECT {hour} AS hour, {expressions(table, 'hot')} FROM {table.name}{where} GROUP BY hour")
    return {dt.datetime.fromisoformat(hour): tuple(map(int, sums)) for hour, *sums in found["dataset"]}


def warm_buckets(
    cursor: Cursor, table: Table, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Buckets:
    """The same in PostgreSQL."""
    where = (
        f"WHERE ({table.time} >= %(since)s OR %(since)s IS NULL) AND ({table.time} < %(until)s OR %(until)s IS NULL)"
    )
    sums = expressions(table, "warm").replace("%", "%%")  # psycopg reads a single one as a parameter
    rows = cursor.execute(
        f"SELECT date_trunc('hour', {table.time}, 'UTC') AS hour, {sums} FROM {table.name} {where} GROUP BY 1",
        {"since": since or dt.datetime.min.replace(tzinfo=dt.UTC), "until": until or "infinity"},
    )
    return buckets_of(rows)


def buckets_of(rows: Iterable[Mapping[str, Any]]) -> Buckets:
    """Buckets from rows with `hour`, `m0`, `m1` …"""
    return {row["hour"]: tuple(int(v) for name, v in row.items() if name != "hour") for row in rows}


def total(buckets: Buckets, table: Table) -> tuple[int, ...]:
    """The fingerprint of several hours together."""
    return tuple(map(sum, zip(*buckets.values(), strict=True))) if buckets else (0,) * len(measures(table))


def day_of(hour: dt.datetime) -> dt.date:
    """The UTC day that an hour belongs to."""
    return hour.astimezone(dt.UTC).date()


def start_of(day: dt.date) -> dt.datetime:
    """The first instant of a UTC day."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _value(column: Column, dialect: Dialect) -> str:
    name, kind = column.name, column.kind.name
    long = {"hot": "cast({} as long)", "warm": "({})::bigint", "cold": "cast({} as bigint)"}[dialect]
    if kind == "instant":
        micros = {
            "hot": f"cast({name} as long)",
            "warm": f"(extract(epoch from {name}) * 1000000)::bigint",
            "cold": f"epoch_us({name})",
        }[dialect]
        return f"coalesce({micros} % 3600000000, 0)"
    if kind == "day":
        days = {
            "hot": f"(cast({name} as long) / 86400000)",
            "warm": f"({name} - date '1970-01-01')::bigint",
            "cold": f"cast({name} - date '1970-01-01' as bigint)",
        }[dialect]
        return f"coalesce({days}, 0)"
    if kind == "double":
        return f"coalesce({long.format(f'floor({name} * 10000 + 0.5)')}, 0)"
    if kind in ("symbol", "text"):
        # QuestDB's length of a null text is -1.
        return f"(case when {name} is null then 0 else {long.format(f'length({name})')} + 1 end)"
    # A null differs from 0: one is added to what is there.
    return f"(case when {name} is null then 0 else {long.format(name)} + 1 end)"
