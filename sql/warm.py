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
from psycopg.rows import dict_row, tuple_row

from sql.ahead import ahead
from sql.binary_copy import blocks, encoded
from sql.contract import Table
from sql.errors import StatementError, StoreUnavailableError
from sql.hot import shaped
from sql.kept import Kept

BLOCKS_AHEAD = 8
Cursor = psycopg.Cursor[dict[str, Any]]


class WarmStore:
    """PostgreSQL at `dsn`; `reader_dsn` names a role that may only select."""

    def __init__(self, dsn: str, *, reader_dsn: str | None = None) -> None:
        self.dsn = dsn
        self.reader_dsn = reader_dsn or dsn
        self._kept = Kept(lambda: opened(self.reader_dsn, autocommit=True))

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
        with self._told(statement), self._kept_or_new(reader=reader) as connection:
            return connection.execute(statement, params or None).fetchall()  # without parameters % is a %

    def tuples(self, statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a SELECT as a reader sees them, as tuples; every timestamp aware, UTC."""
        with self._told(statement), self._kept_or_new(reader=True) as connection:
            return connection.cursor(row_factory=tuple_row).execute(statement, params).fetchall()

    def close(self) -> None:
        """Close the connections that are kept for readers."""
        self._kept.close()

    @contextlib.contextmanager
    def _kept_or_new(self, *, reader: bool) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        if not reader:
            with self.connect() as connection:
                yield connection
            return
        try:
            with self._kept.connection() as connection:
                yield connection
        except psycopg.errors.QueryCanceled:
            raise  # a limit of ours: the server is well
        except psycopg.OperationalError as error:
            raise StoreUnavailableError(f"PostgreSQL broke off: {error}") from error

    @contextlib.contextmanager
    def _told(self, statement: str) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            raise StatementError(f"PostgreSQL stopped the statement: {error} (statement: {statement[:200]})") from error
        except psycopg.Error as error:
            raise StatementError(f"PostgreSQL refused: {error} (statement: {statement[:200]})") from error

    @contextlib.contextmanager
    def batches(
        self, statement: str, table: Table, *, snapshot: str | None = None
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """A SELECT of all columns of `table`, streamed as record batches of its Arrow schema.

        `snapshot` is one that another open transaction exported: then the rows are those which that one sees.
        """
        import adbc_driver_postgresql.dbapi as adbc

        try:
            with adbc.connect(self.dsn) as connection, connection.cursor() as cursor:
                if snapshot is not None:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                cursor.execute("SET TIME ZONE 'UTC'")
                cursor.execute(statement)
                reader = cursor.fetch_record_batch()
                yield (batch.select(table.names).cast(table.arrow) for batch in _arriving(reader))
        except (adbc.OperationalError, adbc.InternalError) as error:
            raise StoreUnavailableError(f"PostgreSQL broke off: {error}") from error

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


def _arriving(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except OSError as error:  # what Arrow makes of a connection that is gone
        raise StoreUnavailableError(f"PostgreSQL broke off: {error}") from error


def opened(dsn: str, *, autocommit: bool) -> psycopg.Connection[dict[str, Any]]:
    """A new connection whose session runs in UTC. Raises StoreUnavailableError when nobody answers."""
    try:
        connection = psycopg.connect(
            dsn, row_factory=dict_row, connect_timeout=5, options="-c timezone=UTC", autocommit=True
        )
        if connection.info.parameter_status("TimeZone") != "UTC":  # PGTZ of the operator's shell wins over options
            connection.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = autocommit
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"PostgreSQL does not answer: {error}") from error
    return connection


@contextlib.contextmanager
def connection_to(dsn: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection whose session runs in UTC. Raises StoreUnavailableError when nobody answers, or not any more."""
    connection = opened(dsn, autocommit=autocommit)
    try:
        with connection:
            yield connection
    except psycopg.errors.QueryCanceled:
        raise  # a limit of ours: the server is well
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"PostgreSQL broke off: {error}") from error


def copy(cursor: Cursor, table: Table, frames: Iterable[pl.DataFrame], into: str | None = None) -> int:
    """COPY frames into `table`, or `into` a table of the same columns; the rows. Part of the caller's transaction."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.names))
    target = sql.Identifier(into or table.name)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(target, columns)
    # The one PostgreSQL backend is the bound: frames are made and encoded while it works on those before.
    stream = encoded((shaped(frame, table) for frame in frames), table)
    with ahead(blocks(stream), BLOCKS_AHEAD) as ready, cursor.copy(statement) as pipe:
        for block in ready:
            pipe.write(block)
    return cursor.rowcount


def upsert(cursor: Cursor, table: Table, frames: Iterable[pl.DataFrame]) -> tuple[int, dict[dt.date, int]]:
    """Add rows or replace those of the same key; no row is removed. Part of the caller's transaction.

    Returns the rows given, and for each UTC day that was written how many more rows it has.
    """
    names = {
        "table": sql.Identifier(table.name),
        "staged": sql.Identifier(f"{table.name}_staged"),
        "key": sql.SQL(", ").join(map(sql.Identifier, table.key)),
        "day": sql.SQL("({} AT TIME ZONE 'UTC')::date").format(sql.Identifier(str(table.time))),
    }
    cursor.execute(sql.SQL("CREATE TEMPORARY TABLE {staged} (LIKE {table}) ON COMMIT DROP").format(**names))
    rows = copy(cursor, table, frames, into=f"{table.name}_staged")
    cursor.execute(
        sql.SQL(
            "SELECT {day} AS day, count(*) FILTER (WHERE NOT EXISTS "
            "(SELECT FROM {table} AS held WHERE ({held}) = ({given}))) AS added FROM {staged} AS given GROUP BY 1"
        ).format(held=_of("held", table.key), given=_of("given", table.key), **names)
    )
    added = {row["day"]: int(row["added"]) for row in cursor.fetchall()}
    others = [name for name in table.names if name not in table.key]
    cursor.execute(
        # A row that is there as it should be is not written again: it would cost more than to look at it.
        sql.SQL(
            "INSERT INTO {table} AS held SELECT * FROM {staged} ON CONFLICT ({key}) DO UPDATE SET {assigned} "
            "WHERE ({held}) IS DISTINCT FROM ({given})"
        ).format(
            assigned=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others),
            held=_of("held", others),
            given=_of("excluded", others),
            **names,
        )
    )
    cursor.execute(sql.SQL("DROP TABLE {staged}").format(**names))
    return rows, added


def _of(relation: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(relation, name) for name in names)


def delete(cursor: Cursor, table: Table, since: dt.datetime, until: dt.datetime) -> int:
    """Delete the rows with since <= time < until; their number. Part of the caller's transaction."""
    time = sql.Identifier(str(table.time))
    statement = sql.SQL("DELETE FROM {} WHERE {} >= %s AND {} < %s").format(sql.Identifier(table.name), time, time)
    return cursor.execute(statement, (since, until)).rowcount


def ensure_partitions(cursor: Cursor, table: Table, since: dt.datetime, until: dt.datetime) -> None:
    """Make the partitions for since <= time < until where they are missing; a hypertable makes its own."""
    last = until - dt.timedelta(microseconds=1)
    cursor.execute("SELECT ensure_partitions(%s, %s, %s)", (table.name, since.date(), last.date()))


def days_of(cursor: Cursor, table: Table, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """The first instants of the UTC days that have rows with since <= time < until: one look-up a day, no scan."""
    time = sql.Identifier(str(table.time))
    first = (
        "SELECT date_trunc('day', {time}, 'UTC') AS day FROM {table} "
        "WHERE {time} >= {since} AND {time} < %(until)s ORDER BY {time} LIMIT 1"
    )
    names = {"time": time, "table": sql.Identifier(table.name)}
    statement = sql.SQL(
        "WITH RECURSIVE found AS (({}) UNION ALL SELECT ({}) FROM found WHERE day IS NOT NULL) "
    ).format(
        sql.SQL(first).format(since=sql.SQL("%(since)s"), **names),
        sql.SQL(first).format(since=sql.SQL("found.day + interval '1 day'"), **names),
    ) + sql.SQL("SELECT day FROM found WHERE day IS NOT NULL")
    return [row["day"] for row in cursor.execute(statement, {"since": since, "until": until})]


def is_hypertable(cursor: Cursor, name: str) -> bool:
    """Whether TimescaleDB manages the table."""
    found = cursor.execute("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL AS there").fetchone()
    if not found or not found["there"]:
        return False
    statement = "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s"
    return cursor.execute(statement, (name,)).fetchone() is not None
