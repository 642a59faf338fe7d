"""Fingerprints of hours, minutes or seconds: what hot and warm must agree on, computed inside each as integer sums.

Rows are grouped by their symbols too, so that texts are compared as they are, and each group's sums are weighted with
a BLAKE2 hash of its texts. (A hash of every row inside the stores, md5, took three to five times as long.)
Doubles count as ten-thousandths and what these leave out, to 1e-13: a sum of doubles depends on its order and erred
by 1e-6. Sums wrap at 64 bits.
"""

import datetime as dt
import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sql.columns import Column
from sql.contract import Table
from sql.hot import HotStore, instant_literal
from sql.warm import Cursor

HOUR = dt.timedelta(hours=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PRIME = 2_147_483_647
BIG_DOUBLE = 900_000_000_000_000  # beyond it ten-thousandths do not fit 64 bits
TOO_BIG = -2
NULL = -1  # what may be null has no negative numbers
Dialect = Literal["hot", "warm"]
Unit = Literal["hour", "minute", "second"]
SIZES: dict[Unit, dt.timedelta] = {
    "hour": HOUR,
    "minute": dt.timedelta(minutes=1),
    "second": dt.timedelta(seconds=1),
}
Buckets = dict[dt.datetime, tuple[int, ...]]  # start of the bucket, UTC -> rows and sums, as `measures` names them


def measures(table: Table) -> list[str]:
    """The names of a fingerprint's numbers, in order."""
    return ["rows", *(f"sum_{name}" for name in _values(table, "hot")), "sum_texts", "sum_mixed"]


def select(table: Table, dialect: Dialect, where: str = "", unit: Unit = "hour") -> str:
    """The statement that computes the parts of each bucket: columns `start`, `t0` … (texts), `m0`, `m1` … (sums)."""
    values = list(_values(table, dialect).values())
    texts = [f"{name} AS t{i}" for i, name in enumerate(_symbols(table))]
    columns = ", ".join([*texts, *(f"{value} AS v{i}" for i, value in enumerate(values))])
    # One number for the whole row; its square ties the values together, so that two rows that exchange a value,
    # which changes no plain sum, are seen.
    mixed = " + ".join(f"(v{i} % {PRIME}) * {_factor(i)}" for i in range(len(values)))
    sums = ", ".join(f"coalesce(sum(v{i}), 0) AS m{i + 1}" for i in range(len(values)))
    fence = " OFFSET 0" if dialect == "warm" else ""  # PostgreSQL would compute each value again at each use
    inner = f"SELECT {_start(dialect, unit, str(table.time))} AS start, {columns} FROM {table.name}{where}{fence}"
    inner = f"SELECT *, ({mixed}) % {PRIME} AS mixed FROM ({inner}) AS each_row{fence}"
    square = f"coalesce(sum(mixed * mixed % {PRIME}), 0) AS m{len(values) + 1}"
    keys = ", ".join(["start", *(f"t{i}" for i in range(len(texts)))])
    return f"SELECT {keys}, count(*) AS m0, {sums}, {square} FROM ({inner}) AS each_row GROUP BY {keys}"


def hot_buckets(
    hot: HotStore,
    table: Table,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    unit: Unit = "hour",
) -> Buckets:
    """Fingerprints of the rows with since <= time < until in QuestDB, by hour; of all without bounds."""
    bounds = [f"{table.time} >= {instant_literal(since)}"] if since else []
    bounds += [f"{table.time} < {instant_literal(until)}"] if until else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    found = hot.execute(select(table, "hot", where, unit))
    names = [column["name"] for column in found["columns"]]
    rows = (dict(zip(names, row, strict=True)) for row in found["dataset"])
    return buckets_of({**row, "start": dt.datetime.fromisoformat(row["start"])} for row in rows)


def warm_buckets(
    cursor: Cursor,
    table: Table,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    unit: Unit = "hour",
) -> Buckets:
    """The same in PostgreSQL."""
    where = f" WHERE {table.time} >= %(since)s AND {table.time} < %(until)s"
    # psycopg reads a single % as a parameter
    statement = select(table, "warm", "{where}", unit).replace("%", "%%").replace("{where}", where)
    return buckets_of(cursor.execute(statement, {"since": since or "-infinity", "until": until or "infinity"}))


def buckets_of(rows: Iterable[Mapping[str, Any]]) -> Buckets:
    """Buckets from the rows of `select`: the groups of a bucket together, tied to their texts."""
    found: dict[dt.datetime, list[int]] = {}
    for row in rows:
        weight = _weight(tuple(value for name, value in row.items() if name[0] == "t"))
        sums = [int(value) for name, value in row.items() if name[0] == "m"]
        sums[-1:] = [sums[0] * weight, sums[-1] * weight]
        held = found.get(row["start"])
        found[row["start"]] = [a + b for a, b in zip(held, sums, strict=True)] if held else sums
    return {start: tuple(map(_wrapped, sums)) for start, sums in found.items()}


def total(buckets: Buckets, table: Table) -> tuple[int, ...]:
    """The fingerprint of several hours together."""
    return tuple(map(sum, zip(*buckets.values(), strict=True))) if buckets else (0,) * len(measures(table))


def day_of(hour: dt.datetime) -> dt.date:
    """The UTC day that an hour belongs to."""
    return hour.astimezone(dt.UTC).date()


def start_of(day: dt.date) -> dt.datetime:
    """The first instant of a UTC day."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _start(dialect: Dialect, unit: Unit, time: str) -> str:
    return {
        "hot": f"timestamp_floor('{unit[0]}', {time})",
        "warm": f"date_trunc('{unit}', {time}, 'UTC')",
    }[dialect]


def _symbols(table: Table) -> list[str]:
    return [c.name for c in table.compared if c.kind.name == "symbol"]


@functools.lru_cache(10_000)
def _weight(texts: tuple[str | None, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(texts).encode(), digest_size=8).digest(), "big") | 1


def _values(table: Table, dialect: Dialect) -> dict[str, str]:
    """Name -> integer expression: one for each column that is a number, one for all free texts together."""
    found = {c.name: _value(c, dialect) for c in table.compared if c.kind.name not in ("symbol", "text")}
    found |= {f"{c.name}_rest": _rest(c, dialect) for c in table.compared if c.kind.name == "double"}
    texts = [_text(c) for c in table.compared if c.kind.name == "text"]
    return found | ({"free_texts": _hash(texts, dialect)} if texts else {})


def _value(column: Column, dialect: Dialect) -> str:
    name, kind = column.name, column.kind.name
    long = {"hot": "cast({} as long)", "warm": "({})::bigint", "cold": "cast({} as bigint)"}[dialect]
    if kind == "instant":
        value = {
            "hot": f"cast({name} as long)",
            # exact: an interval below an hour fits a double to the microsecond; extract() would give a slow numeric
            "warm": f"(date_part('epoch', {name} - date_trunc('hour', {name}, 'UTC')) * 1000000)::bigint",
        }[dialect]
        value = value if dialect == "warm" else f"{value} % 3600000000"
    elif kind == "day":
        value = {
            "hot": f"(cast({name} as long) / 86400000)",
            "warm": f"({name} - date '1970-01-01')::bigint",
        }[dialect]
    elif kind == "double":
        rounded = long.format(f"floor({name} * 10000 + 0.5)")
        fits = f"{name} > -{BIG_DOUBLE} and {name} < {BIG_DOUBLE}"
        value = f"case when {name} is null then {NULL} when {fits} then {rounded} else {TOO_BIG} end"
    else:
        value = long.format(name)
    return f"coalesce({value}, {NULL})" if column.nullable else f"({value})"


def _rest(column: Column, dialect: Dialect) -> str:
    """What the ten-thousandths of a double leave out, in units of 1e-13: the same IEEE steps in both stores."""
    name = column.name
    long = {"hot": "cast({} as long)", "warm": "({})::bigint"}[dialect].format(
        f"floor(({name} * 10000 - floor({name} * 10000)) * 1000000000)"
    )
    fits = f"{name} > -{BIG_DOUBLE} and {name} < {BIG_DOUBLE}"
    return f"case when {name} is null then {NULL} when {fits} then {long} else {TOO_BIG} end"


def _text(column: Column) -> str:
    value = f"concat('=', {column.name})"  # an empty text is not a null
    return f"(case when {column.name} is null then '-' else {value} end)" if column.nullable else value


def _hash(texts: list[str], dialect: Dialect) -> str:
    joined = ", '|', ".join(texts)
    digits = f"left(md5(concat({joined})), 8)"
    return {
        "hot": f"cast(cast(concat('0x', {digits}) as long256) as long)",
        "warm": f"('x' || {digits})::bit(32)::bigint",
    }[dialect]


def _factor(place: int) -> int:
    return (place + 1) * 0x9E3779B1 % 2**27 | 1  # spread out, and small enough that a row of 16 fits 64 bits


def _wrapped(value: int) -> int:
    return (int(value) + 2**63) % 2**64 - 2**63  # QuestDB's sums wrap; the others are wider
