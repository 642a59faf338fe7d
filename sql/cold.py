"""The cold tier: one zstd Parquet file per table and UTC day, `<root>/<table>/day=YYYY-MM-DD/<table>.parquet`.

Files appear whole or not at all. Queries run in DuckDB, in UTC whatever the host's zone, and can only read.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from sql import durable
from sql.contract import Table
from sql.errors import DamagedError, StatementError
from sql.tables import MOVING


class ColdFile(Struct, frozen=True):
    """A file as it was written."""

    path: Path
    rows: int
    bytes: int
    sha256: str


class ColdStore:
    """Parquet files below `root`; a query sees `tables` as views."""

    def __init__(self, root: Path, tables: Iterable[Table] = MOVING) -> None:
        self.root = root
        self.tables = tuple(tables)

    def path(self, table: Table, day: dt.date) -> Path:
        """Where the file of a UTC day stands, or would."""
        return self.root / table.name / f"day={day.isoformat()}" / f"{table.name}.parquet"

    def days(self, table: Table) -> list[dt.date]:
        """The UTC days that have a file, in order."""
        found = (self.root / table.name).glob(f"day=*/{table.name}.parquet")
        return sorted(dt.date.fromisoformat(path.parent.name.removeprefix("day=")) for path in found)

    def write(
        self,
        table: Table,
        day: dt.date,
        batches: Iterable[pa.RecordBatch],
        proven: Callable[[Path], None] = lambda _: None,
    ) -> ColdFile:
        """Replace the file of a day atomically: a kill leaves the old file or the new one, never a half.

        `proven` sees the whole new file before it takes the old one's place; what it raises leaves the old one.
        """
        path = self.path(table, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        draft = path.with_name(f"{uuid.uuid4().hex}.part")
        rows = 0
        try:
            with draft.open("wb") as file:
                with _writer(file, table) as writer:
                    for batch in batches:
                        writer.write_batch(batch)
                        rows += batch.num_rows
                file.flush()
                durable.sync(file.fileno())
            written = ColdFile(path, rows, draft.stat().st_size, sha256_of(draft))
            proven(draft)
            draft.replace(path)
            durable.sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)
        return written

    def remove(self, table: Table, day: dt.date) -> None:
        """Take the file of a day away, and what a kill left beside it; nothing happens where there is none."""
        path = self.path(table, day)
        path.unlink(missing_ok=True)
        _sweep(path.parent)

    def query(self, statement: str, params: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """The rows of one SELECT, as dicts; each table that moves between tiers is a view.

        Raises StatementError for anything but one reading statement, DamagedError for a file that cannot be read.
        """
        with self._connection() as connection:
            try:
                parsed = connection.extract_statements(statement)
                if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.SELECT:
                    raise StatementError("expected one SELECT statement; the cold tier is only read by queries")
                cursor = connection.execute(parsed[0], list(params))
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            except duckdb.Error as error:
                # DuckDB has no class for a damaged file: it names the file, or throws what Thrift threw.
                of_files = (duckdb.InvalidInputException, duckdb.IOException, duckdb.SerializationException)
                named = isinstance(error, of_files) and self.root.as_posix() in str(error)
                if named or type(error) is duckdb.Error:
                    raise self._damaged(error) from error
                raise StatementError(f"DuckDB refused: {error}") from error

    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        connection.execute("SET TimeZone = 'UTC'")
        for table in self.tables:
            try:
                connection.execute(self._view(table))
            except duckdb.Error as error:
                raise self._damaged(error) from error
        # From here on the statement can read below the root and nothing else, and cannot change that.
        self.root.mkdir(parents=True, exist_ok=True)
        connection.execute(f"SET allowed_directories = ['{_quoted(self.root)}']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection

    def _damaged(self, error: duckdb.Error) -> DamagedError:
        for table in self.tables:
            for day in self.days(table):
                try:
                    pq.read_metadata(self.path(table, day))
                except (pa.ArrowException, OSError) as reason:
                    return DamagedError(f"{self.path(table, day)} cannot be read: {reason}")
        return DamagedError(f"a Parquet file below {self.root} cannot be read: {error}")

    def _view(self, table: Table) -> str:
        if self.days(table):
            pattern = _quoted(self.root / table.name / "day=*" / f"{table.name}.parquet")
            source = f"read_parquet('{pattern}', hive_partitioning = true, hive_types = {{'day': DATE}})"
            return f"CREATE VIEW {table.name} AS SELECT * FROM {source}"
        kinds = {"timestamp with time zone": "TIMESTAMPTZ", "double precision": "DOUBLE", "text": "VARCHAR"}
        columns = ", ".join(f"{c.name} {kinds.get(c.kind.warm, c.kind.warm)}" for c in table.columns)
        return f"CREATE TABLE {table.name} ({columns}, day DATE)"


def _writer(file: IO[bytes], table: Table) -> pq.ParquetWriter:
    steps = dict.fromkeys(table.rising, "DELTA_BINARY_PACKED")  # a third less than dictionaries for `book`
    return pq.ParquetWriter(
        file,
        table.arrow,
        compression="zstd",
        compression_level=3,
        use_dictionary=[name for name in table.names if name not in steps] if steps else True,
        column_encoding=steps or None,
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _quoted(path: Path) -> str:
    return path.as_posix().replace("'", "''")


def _sweep(folder: Path) -> None:
    for draft in folder.glob("*.part"):
        draft.unlink(missing_ok=True)
