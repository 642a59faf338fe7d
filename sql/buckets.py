"""Fingerprints of hours: what two tiers must agree on, computed inside each store as integer sums only.

Every tier computes the same expressions, so equal tuples mean equal rows except for a collision of all sums at once.
Prices count as ten-thousandths; a sum of doubles depends on its order and erred by 1e-6. Sums wrap at 64 bits.
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
BIG_DOUBLE = 900_000_000_000_000  # beyond it ten-thousandths do not fit 64 bits
TOO_BIG = -2
NULL = -1  # contracts have no negative numbers
Dialect = Literal["hot", "warm", "cold"]
Buckets = dict[dt.datetime, tuple[int, ...]]  # start of the hour, UTC -> rows and sums, as `measures` names them


def measures(table: Table) -> list[str]:
    """The names of a fingerprint's numbers, in order."""
    return ["rows", *(f"sum_{name}" for name in _values(table, "hot")), "sum_mixed"]


def select(table: Table, dialect: Dialect, where: str = "") -> str:
    """The statement that computes the fingerprint of each hour: columns `hour`, `m0`, `m1` …"""
    values = list(_values(table, dialect).values())
    hour = {
        "hot": "timestamp_floor('h', {})",
        "warm": "date_trunc('hour', {}, 'UTC')",
        "cold": "date_trunc('hour', {})",
    }
    columns = ", ".join(f"{value} AS v{i}" for i, value in enumerate(values))
    # One number for the whole row; its square ties the values together, so that two rows that exchange a value,
    # which changes no plain sum, are seen.
    mixed = " + ".join(f"(v{i} % {PRIME}) * {_factor(i)}" for i in range(len(values)))
    sums = ", ".join(f"coalesce(sum(v{i}), 0) AS m{i + 1}" for i in range(len(values)))
    fence = " OFFSET 0" if dialect == "warm" else ""  # PostgreSQL would compute each value again at each use
    inner = f"SELECT {hour[dialect].format(table.time)} AS hour, {columns} FROM {table.name}{where}{fence}"
    inner = f"SELECT *, ({mixed}) % {PRIME} AS mixed FROM ({inner}) AS each_row{fence}"
    square = f"coalesce(sum(mixed * mixed % {PRIME}), 0) AS m{len(values) + 1}"
    return f"SELECT hour, count(*) AS m0, {sums}, {square} FROM ({inner}) AS each_row GROUP BY hour"


def hot_buckets(
    hot: HotStore, table: Table, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Buckets:
    """Fingerprints of the hours with since <= time < until in QuestDB; all hours without bounds."""
    bounds = [f"{table.time} >= {instant_literal(since)}"] if since else []
    bounds += [f"{table.time} < {instant_literal(until)}"] if until else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    found = hot.execute(select(table, "hot", where))
    return {dt.datetime.fromisoformat(hour): tuple(map(_wrapped, sums)) for hour, *sums in found["dataset"]}


def warm_buckets(
    cursor: Cursor, table: Table, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Buckets:
    """The same in PostgreSQL."""
    where = f" WHERE {table.time} >= %(since)s AND {table.time} < %(until)s"
    # psycopg reads a single % as a parameter
    statement = select(table, "warm", "{where}").replace("%", "%%").replace("{where}", where)
    rows = cursor.execute(statement, {"since": since or "-infinity", "until": until or "infinity"})
    return buckets_of(rows)


def buckets_of(rows: Iterable[Mapping[str, Any]]) -> Buckets:
    """Buckets from rows with `hour`, `m0`, `m1` …"""
    return {row["hour"]: tuple(_wrapped(v) for name, v in row.items() if name != "hour") for row in rows}


def total(buckets: Buckets, table: Table) -> tuple[int, ...]:
    """The fingerprint of several hours together."""
    return tuple(map(sum, zip(*buckets.values(), strict=True))) if buckets else (0,) * len(measures(table))


def day_of(hour: dt.datetime) -> dt.date:
    """The UTC day that an hour belongs to."""
    return hour.astimezone(dt.UTC).date()


def start_of(day: dt.date) -> dt.datetime:
    """The first instant of a UTC day."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _values(table: Table, dialect: Dialect) -> dict[str, str]:
    """Name -> integer expression: one for each column that is a number, one for all texts together."""
    found = {c.name: _value(c, dialect) for c in table.compared if c.kind.name not in ("symbol", "text")}
    texts = [_text(c) for c in table.compared if c.kind.name in ("symbol", "text")]
    return found | ({"texts": _hash(texts, dialect)} if texts else {})


def _value(column: Column, dialect: Dialect) -> str:
    name, kind = column.name, column.kind.name
    long = {"hot": "cast({} as long)", "warm": "({})::bigint", "cold": "cast({} as bigint)"}[dialect]
    if kind == "instant":
        value = {
            "hot": f"cast({name} as long)",
            "warm": f"(extract(epoch from {name}) * 1000000)::bigint",
            "cold": f"epoch_us({name})",
        }[dialect]
        value = f"{value} % 3600000000"
    elif kind == "day":
        value = {
            "hot": f"(cast({name} as long) / 86400000)",
            "warm": f"({name} - date '1970-01-01')::bigint",
            "cold": f"cast({name} - date '1970-01-01' as bigint)",
        }[dialect]
    elif kind == "double":
        rounded = long.format(f"floor({name} * 10000 + 0.5)")
        fits = f"{name} > -{BIG_DOUBLE} and {name} < {BIG_DOUBLE}"
        value = f"case when {name} is null then {NULL} when {fits} then {rounded} else {TOO_BIG} end"
    else:
        value = long.format(name)
    return f"coalesce({value}, {NULL})" if column.nullable else f"({value})"


def _text(column: Column) -> str:
    value = f"concat('=', {column.name})"  # an empty text is not a null
    return f"(case when {column.name} is null then '-' else {value} end)" if column.nullable else value


def _hash(texts: list[str], dialect: Dialect) -> str:
    joined = ", '|', ".join(texts)
    digits = f"left(md5(concat({joined})), 8)"
    return {
        "hot": f"cast(cast(concat('0x', {digits}) as long256) as long)",
        "warm": f"('x' || {digits})::bit(32)::bigint",
        "cold": f"cast('0x' || {digits} as bigint)",
    }[dialect]


def _factor(place: int) -> int:
    return (place + 1) * 0x9E3779B1 % 2**27 | 1  # spread out, and small enough that a row of 16 fits 64 bits


def _wrapped(value: int) -> int:
    return (int(value) + 2**63) % 2**64 - 2**63  # QuestDB's sums wrap; the others are wider
