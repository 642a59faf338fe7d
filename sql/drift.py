"""Differences between a contract and the table that a store really holds, as lines a person can act on."""

from sql.contract import Table
from sql.errors import StatementError
from sql.hot import HotStore
from sql.warm import Cursor


def hot_differences(hot: HotStore, table: Table) -> list[str]:
    """What differs in QuestDB; empty when nothing does."""
    where = f"hot.{table.name}"
    try:
        found = hot.execute(f"SELECT \"column\", type, upsertKey, designated FROM table_columns('{table.name}')")
    except StatementError:
        return [f"{where}: the table is missing"]
    stored = {name: (kind, bool(key), bool(designated)) for name, kind, key, designated in found["dataset"]}
    lines = _compare(
        where, {c.name: c.kind.hot for c in table.columns}, {n: kind for n, (kind, _, _) in stored.items()}
    )
    keys = {name for name, (_, key, _) in stored.items() if key}
    if keys != set(table.key):
        lines.append(f"{where}: repeats are told by {sorted(keys) or 'nothing'}, the contract says {sorted(table.key)}")
    if not any(designated and name == table.time for name, (_, _, designated) in stored.items()):
        lines.append(f"{where}: the designated timestamp is not {table.time}")
    return lines


def warm_differences(cursor: Cursor, table: Table) -> list[str]:
    """What differs in PostgreSQL; empty when nothing does."""
    where = f"warm.{table.name}"
    rows = cursor.execute(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s",
        (table.name,),
    ).fetchall()
    if not rows:
        return [f"{where}: the table is missing"]
    stored = {row["column_name"]: _with_null(row["data_type"], row["is_nullable"] == "YES") for row in rows}
    wanted = {c.name: _with_null(c.kind.warm, c.nullable) for c in table.columns}
    lines = _compare(where, wanted, stored)
    key = cursor.execute(
        "SELECT array_agg(a.attname::text) AS names FROM pg_index i JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = %s::regclass AND i.indisprimary",
        (table.name,),
    ).fetchone()
    names = set((key and key["names"]) or ())
    if names != set(table.key):
        lines.append(f"{where}: the primary key is {sorted(names) or 'missing'}, the contract says {sorted(table.key)}")
    return lines


def _with_null(kind: str, nullable: bool) -> str:
    return kind if nullable else f"{kind} not null"


def _compare(where: str, wanted: dict[str, str], stored: dict[str, str]) -> list[str]:
    lines = []
    for name, kind in wanted.items():
        if name not in stored:
            lines.append(f"{where}: column {name} is missing, the contract says {kind}")
        elif stored[name] != kind:
            lines.append(f"{where}: column {name} is {stored[name]}, the contract says {kind}")
    lines += [
        f"{where}: column {name} ({stored[name]}) is not in the contract" for name in stored if name not in wanted
    ]
    return lines
