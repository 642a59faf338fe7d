"""The warm tier: PostgreSQL, with TimescaleDB where it was there at creation. Sessions run in UTC.

Lazy: making a WarmStore opens nothing. Rows go in by COPY and come out as Arrow.
"""

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row

from sql.binary_copy import encoded
from sql.errors import StatementError, StoreUnavailableError
from sql.hot import shaped
from sql.tables import Table

Cursor = psycopg.Cursor[dict[str, Any]]


class WarmStore:
    """PostgreSQL at `dsn`; `reader_dsn` names a role that may only select."""

    def __init__(self, dsn: str, *, reader_dsn: str | None = None) -> None:
        self.dsn = dsn
        self.reader_dsn = reader_dsn or dsn

    def ready(self) -> bool:
        """Whether the server answers a query now."""
        try:
            return bool(self.rows("SELECT 1 AS one"))
        except StoreUnavailableError:
            return False

    @contextlib.contextmanager
    def connect(self, *, reader: bool = False) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """One transaction: committed at the end of the block, rolled back when it raises. Rows are dicts."""
        with connection_to(self.reader_dsn if reader else self.dsn) as connection:
            yield connection

    def rows(self, statement: str, params: Sequence[Any] = (), *, reader: bool = False) -> list[dict[str, Any]]:
        """The rows of a SELECT with `%s` parameters, as dicts; every timestamp aware, UTC."""
        try:
            with self.connect(reader=reader) as connection:
                return connection.execute(statement, params or None).fetchall()  # without parameters % is a %
        except psycopg.errors.QueryCanceled as error:
            raise StatementError(f"PostgreSQL stopped the statement: {error} (statement: {statement[:200]})") from error
        except psycopg.OperationalError as error:
            raise StoreUnavailableError(f"PostgreSQL broke off: {error}") from error
        except psycopg.Error as error:
            raise StatementError(f"PostgreSQL refused: {error} (statement: {statement[:200]})") from error

    @contextlib.contextmanager
    def batches(self, statement: str, table: Table) -> Iterator[Iterator[pa.RecordBatch]]:
        """A SELECT of all columns of `table`, streamed as record batches of its Arrow schema."""
        import adbc_driver_postgresql.dbapi as adbc

        with adbc.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(statement)
            reader = cursor.fetch_record_batch()
            yield (batch.select(table.names).cast(table.arrow) for batch in reader)

    def rows_of(self, table: Table, days: Iterable[dt.date]) -> dict[dt.date, int]:
        """How many rows of each UTC day there are."""
        time = sql.Identifier(str(table.time))
        count = sql.SQL("SELECT count(*) AS rows FROM {} WHERE {} >= %s AND {} < %s").format(
            sql.Identifier(table.name), time, time
        )
        found = {}
        with self.connect() as connection:
            for day in days:
                since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
                row = connection.execute(count, (since, since + dt.timedelta(days=1))).fetchone()
                found[day] = int(row["rows"]) if row else 0
        return found

    def hypertable(self, table: Table) -> bool:
        """Whether the table was made a hypertable, once and for all, at its creation."""
        with self.connect() as connection:
            return is_hypertable(connection.cursor(), table.name)


@contextlib.contextmanager
def connection_to(dsn: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection whose session runs in UTC. Raises StoreUnavailableError when nobody answers."""
    try:
        connection = psycopg.connect(
            dsn, row_factory=dict_row, connect_timeout=5, options="-c timezone=UTC", autocommit=True
        )
        if connection.info.parameter_status("TimeZone") != "UTC":  # PGTZ of the operator's shell wins over options
            connection.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = autocommit
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"PostgreSQL does not answer: {error}") from error
    with connection:
        yield connection


def copy(cursor: Cursor, table: Table, frames: Iterable[pl.DataFrame], into: str | None = None) -> int:
    """COPY frames into `table`, or `into` a table of the same columns; the rows. Part of the caller's transaction."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.names))
    target = sql.Identifier(into or table.name)
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(target, columns)) as pipe:
        for block in encoded((shaped(frame, table) for frame in frames), table):
            pipe.write(block)
    return cursor.rowcount


def upsert(cursor: Cursor, table: Table, frames: Iterable[pl.DataFrame]) -> int:
    """Add rows or replace those of the same key; no row is removed. Part of the caller's transaction."""
    staged = f"{table.name}_staged"
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(
            sql.Identifier(staged), sql.Identifier(table.name)
        )
    )
    rows = copy(cursor, table, frames, into=staged)
    others = [name for name in table.names if name not in table.key]
    cursor.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM {} ON CONFLICT ({}) DO UPDATE SET {}").format(
            sql.Identifier(table.name),
            sql.Identifier(staged),
            sql.SQL(", ").join(map(sql.Identifier, table.key)),
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others),
        )
    )
    cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(staged)))
    return rows


def delete(cursor: Cursor, table: Table, since: dt.datetime, until: dt.datetime) -> int:
    """Delete the rows with since <= time < until; their number. Part of the caller's transaction."""
    time = sql.Identifier(str(table.time))
    statement = sql.SQL("DELETE FROM {} WHERE {} >= %s AND {} < %s").format(sql.Identifier(table.name), time, time)
    return cursor.execute(statement, (since, until)).rowcount


def ensure_partitions(cursor: Cursor, table: Table, since: dt.datetime, until: dt.datetime) -> None:
    """Make the partitions for since <= time < until where they are missing; a hypertable makes its own."""
    last = until - dt.timedelta(microseconds=1)
    cursor.execute("SELECT ensure_partitions(%s, %s, %s)", (table.name, since.date(), last.date()))


def is_hypertable(cursor: Cursor, name: str) -> bool:
    """Whether TimescaleDB manages the table."""
    found = cursor.execute("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL AS there").fetchone()
    if not found or not found["there"]:
        return False
    statement = "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s"
    return cursor.execute(statement, (name,)).fetchone() is not None
