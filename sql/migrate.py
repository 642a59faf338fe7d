"""Bring the stores to what this version expects: roles, databases, numbered migrations, contract tables.

Safe to run again and by two at once. Drift between a stored table and its contract refuses, naming the columns.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql

from sql.drift import hot_differences, warm_differences
from sql.errors import DriftError, StoreError
from sql.hot import HotStore
from sql.tables import MOVING, TABLES
from sql.warm import Cursor, connection_to, is_hypertable

MIGRATIONS = Path(__file__).parent / "migrations"
VIEWS = Path(__file__).parent / "views"  # on contract tables, which come after the migrations
ADMIN = "frontend_admin"
DATABASES = {  # database -> its owner and the other roles that may connect
    "frontend_apps": (ADMIN, ("app_workspace", "app_documentation", "app_tp_capital", "app_kernel")),
    "tradingsystem": ("timescale", ("tape_reader", "access_gate", "app_access")),
    "langgraph": ("langgraph", ()),
    "dagster": ("dagster", ()),
}
IN_WARM = tuple(table for table in TABLES.values() if "warm" in table.tiers)
ONE_AT_A_TIME = 7_310_001  # advisory lock of migrations


class Cluster(Struct, frozen=True):
    """A PostgreSQL cluster as its administrator sees it. `dsn` makes the administrator's DSN of a database."""

    dsn: Callable[[str], str]
    passwords: Mapping[str, str]
    chunk_interval: str = "1 day"


class Migration(Struct, frozen=True):
    """One numbered file of `migrations/<database>/`."""

    database: str
    version: int
    path: Path

    @property
    def name(self) -> str:
        return f"{self.database}/{self.path.stem}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def migrations() -> list[Migration]:
    """All files, in order. Raises StoreError when two of a database carry one number."""
    found = [
        Migration(path.parent.name, int(path.stem.split("_")[0]), path) for path in sorted(MIGRATIONS.glob("*/*.sql"))
    ]
    numbers = [(m.database, m.version) for m in found]
    if len(set(numbers)) != len(numbers):
        raise StoreError(f"two migrations of one database carry the same number: {[m.name for m in found]}")
    return found


def migrate(hot: HotStore, cluster: Cluster, report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Apply what is missing, then compare every contract table with what is stored; the names of what was applied.

    Raises DriftError, and StoreError for a migration that was changed after it was applied.
    """
    applied: list[str] = []

    def done(what: str) -> None:
        applied.append(what)
        report(what)

    with connection_to(cluster.dsn("postgres"), autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_lock(%s)", (ONE_AT_A_TIME,))  # given back with the connection
        _ensure_roles(cursor, cluster.passwords, done)
        _ensure_databases(cursor, done)
        for database in DATABASES:
            with connection_to(cluster.dsn(database)) as inside:
                _migrate_database(inside.cursor(), database, cluster, done)
        for table in MOVING:
            if not hot.execute(f"SELECT 1 FROM tables() WHERE table_name = '{table.name}'")["dataset"]:
                hot.execute(table.hot_ddl())
                done(f"hot/{table.name}")
    check(hot, cluster)
    return applied


def pending(hot: HotStore, cluster: Cluster) -> list[str]:
    """The names of what `migrate` would apply; nothing is changed."""
    missing: list[str] = []
    with connection_to(cluster.dsn("postgres")) as connection:
        there = {row["datname"] for row in connection.execute("SELECT datname FROM pg_database")}
    for database in DATABASES:
        recorded: dict[int, str] = {}
        views = [path.stem for path in sorted((VIEWS / database).glob("*.sql"))]
        if database in there:
            with connection_to(cluster.dsn(database)) as inside:
                recorded = _recorded(inside.cursor())
                views = _missing_views(inside.cursor(), database)
        else:
            missing.append(f"database {database}")
        missing += [m.name for m in migrations() if m.database == database and m.version not in recorded]
        missing += [f"view/{name}" for name in views]
    stored = {row[0] for row in hot.execute("SELECT table_name FROM tables()")["dataset"]}
    return missing + [f"hot/{table.name}" for table in MOVING if table.name not in stored]


def check(hot: HotStore, cluster: Cluster) -> None:
    """Raise DriftError naming every column that differs between a contract and what is stored."""
    differences = [line for table in MOVING for line in hot_differences(hot, table)]
    with connection_to(cluster.dsn("tradingsystem")) as connection:
        cursor = connection.cursor()
        differences += [line for table in IN_WARM for line in warm_differences(cursor, table)]
    if differences:
        raise DriftError(differences)


def _ensure_roles(cursor: Cursor, passwords: Mapping[str, str], done: Callable[[str], None]) -> None:
    roles = {role for owner, others in DATABASES.values() for role in (owner, *others)} - {ADMIN}
    there = {row["rolname"] for row in cursor.execute("SELECT rolname FROM pg_roles")}
    for role in sorted(roles):
        verb = "ALTER" if role in there else "CREATE"
        password = sql.Literal(passwords[role]) if role in passwords else sql.SQL("NULL")
        cursor.execute(
            sql.SQL(f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {{}}").format(
                sql.Identifier(role), password
            )
        )
        if role not in there:
            done(f"role {role}")
    cursor.execute("ALTER ROLE tape_reader SET default_transaction_read_only = on")
    cursor.execute("ALTER ROLE tape_reader SET statement_timeout = '120s'")


def _ensure_databases(cursor: Cursor, done: Callable[[str], None]) -> None:
    there = {row["datname"] for row in cursor.execute("SELECT datname FROM pg_database")}
    for database, (owner, others) in DATABASES.items():
        name = sql.Identifier(database)
        if database not in there:
            if owner == ADMIN:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
            else:
                # Outside a superuser's hands only a member may give a database away.
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner)))
            done(f"database {database}")
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        for role in others:
            cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(role)))


def _migrate_database(cursor: Cursor, database: str, cluster: Cluster, done: Callable[[str], None]) -> None:
    owner = DATABASES[database][0]
    if database == "tradingsystem":
        _enable_timescale(cursor, done)
    if owner != ADMIN:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
    recorded = _recorded(cursor, create=True)
    for migration in migrations():
        if migration.database != database:
            continue
        if migration.version in recorded:
            if recorded[migration.version] != migration.sha256:
                raise StoreError(f"migration {migration.name} was changed after it was applied; add a new one instead")
            continue
        cursor.execute(migration.path.read_text(encoding="utf-8"))
        cursor.execute(
            "INSERT INTO schema_migrations (version, name, sha256) VALUES (%s, %s, %s)",
            (migration.version, migration.name, migration.sha256),
        )
        done(migration.name)
    if database == "tradingsystem":
        _ensure_contracts(cursor, cluster, done)
    for name in _missing_views(cursor, database):
        done(f"view/{name}")
    for path in sorted((VIEWS / database).glob("*.sql")):
        cursor.execute(path.read_text(encoding="utf-8"))


def _missing_views(cursor: Cursor, database: str) -> list[str]:
    stored = {row["viewname"] for row in cursor.execute("SELECT viewname FROM pg_views")}
    return [path.stem for path in sorted((VIEWS / database).glob("*.sql")) if path.stem not in stored]


def _recorded(cursor: Cursor, *, create: bool = False) -> dict[int, str]:
    if create:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    there = cursor.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS there").fetchone()
    if not there or not there["there"]:
        return {}
    return {row["version"]: row["sha256"] for row in cursor.execute("SELECT version, sha256 FROM schema_migrations")}


def _enable_timescale(cursor: Cursor, done: Callable[[str], None]) -> None:
    offered = cursor.execute("SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'")
    found = offered.fetchone()
    preloaded = cursor.execute("SHOW shared_preload_libraries").fetchone() or {}
    if found and not found["installed_version"] and "timescaledb" in preloaded.get("shared_preload_libraries", ""):
        cursor.execute("CREATE EXTENSION timescaledb")
        done("extension timescaledb")


def _ensure_contracts(cursor: Cursor, cluster: Cluster, done: Callable[[str], None]) -> None:
    extension = cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None
    for table in IN_WARM:
        there = cursor.execute("SELECT to_regclass(%s) IS NOT NULL AS there", (table.name,)).fetchone()
        if there and there["there"]:
            continue
        hypertable = extension and table.time is not None
        cursor.execute(_literal(table.warm_ddl(hypertable=hypertable)))
        if hypertable and not is_hypertable(cursor, table.name):
            cursor.execute(
                "SELECT create_hypertable(%s, by_range(%s, %s::interval), create_default_indexes => false)",
                (table.name, table.time, cluster.chunk_interval),
            )
        done(f"warm/{table.name}{' (hypertable)' if hypertable else ''}")


def _literal(statement: Any) -> psycopg.sql.SQL:
    return sql.SQL(statement)
