"""The hot tier: QuestDB. Statements go over its PG wire with bound parameters, bulk goes in and out as Parquet.

Lazy: making a HotStore opens nothing. Times are UTC everywhere.
"""

import contextlib
import datetime as dt
import io
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl
import psycopg
import stamina
from msgspec import Struct
from psycopg.rows import dict_row, tuple_row

from sql.contract import Table
from sql.errors import StatementError, StoreUnavailableError, SuspendedError, UnfitValueError
from sql.kept import Kept
from sql.windows import Transaction

TIMESTAMP = 1114  # how the PG wire calls a time without a zone
GROUP_ROWS = 50_000  # of an exported file: who reads it holds one group at a time


class Wal(Struct, frozen=True):
    """State of a table's write-ahead log: `applied` of `taken` transactions are visible."""

    applied: int
    taken: int
    suspended: bool
    incarnation: str  # changes when the table is dropped and made again, or restored


class HotStore:
    """QuestDB at `url` (HTTP) and `dsn` (PG wire).

    `import_dir` is the server's copy root when it shares our disk: then bulk goes in as Parquet files (five times
    faster than rows over the wire); without it rows travel by ILP over HTTP.
    """

    def __init__(
        self,
        url: str,
        dsn: str,
        *,
        reader_dsn: str | None = None,
        import_dir: Path | None = None,
        auth: tuple[str, str] | None = None,
        timeout_seconds: float = 300.0,
    ) -> None:
        self.url = url
        self.dsn = dsn
        self.reader_dsn = reader_dsn or dsn
        self.import_dir = import_dir
        self._auth = auth
        self._kept = Kept(lambda: self._opened(self.reader_dsn))
        self._client = httpx.Client(base_url=url, auth=auth, timeout=httpx.Timeout(timeout_seconds, connect=5.0))

    def ready(self) -> bool:
        """Whether the server answers a query now."""
        try:
            return self._client.get("/exec", params={"query": "select 1"}, timeout=2.0).status_code == 200
        except httpx.TransportError:
            return False

    @stamina.retry(on=StoreUnavailableError, attempts=3, timeout=10.0)
    def execute(self, statement: str) -> dict[str, Any]:
        """Run one statement (definitions and administration) over HTTP; the server's answer.

        It is sent again when the connection breaks, so it must be one that may be repeated.
        Raises StatementError with the server's words, StoreUnavailableError when nobody answers.
        """
        try:
            answer = self._client.get("/exec", params={"query": statement})
        except httpx.TransportError as error:
            raise StoreUnavailableError(f"QuestDB at {self.url} does not answer: {error!r}") from error
        try:
            body: dict[str, Any] = msgspec.json.decode(answer.content)
        except msgspec.DecodeError as error:
            raise StatementError(f"QuestDB answered {answer.status_code} without JSON: {answer.text[:200]}") from error
        if "error" in body:
            raise StatementError(f"QuestDB refused: {body['error']} (statement: {statement[:200]})")
        return body

    @contextlib.contextmanager
    def connection(self, *, reader: bool = False) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A PG wire connection; rows are dicts, timestamps come back naive and mean UTC."""
        if reader:
            with self._kept.connection() as connection:
                yield connection
        else:
            with self._opened(self.dsn) as connection:
                yield connection

    def _opened(self, dsn: str) -> psycopg.Connection[dict[str, Any]]:
        try:
            # Nothing is prepared: a plan of a table that was dropped and made again is an error.
            return psycopg.connect(
                dsn, autocommit=True, row_factory=dict_row, connect_timeout=5, prepare_threshold=None
            )
        except psycopg.OperationalError as error:
            raise StoreUnavailableError(f"QuestDB's PG wire at {self.url} does not answer: {error}") from error

    def rows(self, statement: str, params: Sequence[Any] = (), *, reader: bool = False) -> list[dict[str, Any]]:
        """The rows of a SELECT with `%s` parameters, as dicts; every timestamp aware, UTC."""
        with self._told(statement), self.connection(reader=reader) as connection:
            cursor = connection.execute(statement, params or None)  # without parameters % is a %
            found = cursor.fetchall()
            instants = [column.name for column in cursor.description or () if column.type_code == TIMESTAMP]
        for row in found:
            for name in instants:
                row[name] = _aware(row[name])
        return found

    def tuples(self, statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a SELECT as a reader sees them, as tuples; timestamps are naive and mean UTC."""
        with self._told(statement), self.connection(reader=True) as connection:
            return connection.cursor(row_factory=tuple_row).execute(statement, params).fetchall()

    def run(self, statement: str) -> None:
        """Run one statement of any length over the PG wire; it is not sent again. Raises as `execute` does."""
        with self._told(statement), self.connection() as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def _told(self, statement: str) -> Iterator[None]:
        try:
            yield
        except psycopg.OperationalError as error:
            raise StoreUnavailableError(f"QuestDB at {self.url} broke off: {error}") from error
        except psycopg.DataError as error:  # said before anything was sent: a NUL in a text
            raise UnfitValueError(f"{error} (statement: {statement[:200]})") from error
        except psycopg.Error as error:
            raise StatementError(f"QuestDB refused: {error} (statement: {statement[:200]})") from error

    def frame(self, statement: str, table: Table | None = None) -> pl.DataFrame:
        """A SELECT as a frame, cast to the contract of `table` where one is given."""
        buffer = io.BytesIO()
        self._export(statement, buffer)
        buffer.seek(0)
        frame = (
            pl.read_parquet(buffer)
            if buffer.getbuffer().nbytes
            else pl.DataFrame(schema=table.polars if table else None)
        )
        return shaped(frame, table) if table else frame

    def export(self, statement: str, path: Path) -> None:
        """A SELECT streamed into a Parquet file; memory stays that of one block."""
        with path.open("wb") as file:
            self._export(statement, file)

    @stamina.retry(on=StoreUnavailableError, attempts=3, timeout=30.0)
    def _export(self, statement: str, into: Any) -> None:
        into.seek(0)
        into.truncate()
        query = {
            "query": statement,
            "fmt": "parquet",
            "compression_codec": "uncompressed",
            "row_group_size": str(GROUP_ROWS),
        }
        try:
            with self._client.stream("GET", "/exp", params=query) as answer:
                if answer.status_code != 200:
                    raise StatementError(f"QuestDB refused: {answer.read().decode(errors='replace')[:300]}")
                for block in answer.iter_raw(1 << 20):
                    into.write(block)
        except httpx.TransportError as error:
            raise StoreUnavailableError(f"QuestDB at {self.url} broke off: {error!r}") from error

    def insert(self, table: Table, frame: pl.DataFrame) -> int:
        """Add rows; a row whose key is there is replaced, so a repeat changes nothing. Returns how many were taken.

        Not yet visible then: see `wait_applied`. Only the table's writer calls this.
        """
        frame = shaped(frame, table)
        if not frame.height:
            return 0
        if self.import_dir is None:
            self._send(table, frame)
            return frame.height
        path = self.import_dir / f"{table.name}-{uuid.uuid4().hex}.parquet"
        try:
            frame.write_parquet(path, compression="uncompressed", statistics=False)
            self.insert_file(table, path)
        finally:
            path.unlink(missing_ok=True)
        return frame.height

    def insert_file(self, table: Table, path: Path) -> None:
        """Add the rows of a Parquet file below the import directory; more than a million in several transactions."""
        if self.import_dir is None:
            raise StatementError(f"{self.url} does not share a disk with us: no import directory is set")
        name = path.relative_to(self.import_dir).as_posix()
        columns = ", ".join(table.names)
        self.execute(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM read_parquet('{name}')")

    def _send(self, table: Table, frame: pl.DataFrame) -> None:
        from questdb import Sender, SenderError, TimestampMicros

        symbols = [c.name for c in table.columns if c.kind.name == "symbol"]
        instants = {c.name for c in table.columns if c.kind.name in ("instant", "day")}
        others = [c.name for c in table.columns if c.name not in symbols and c.name != table.time]
        time_column = str(table.time)
        raw = frame.with_columns(pl.col(n).cast(pl.Datetime("us")).to_physical() for n in instants)
        credentials = f"username={self._auth[0]};password={self._auth[1]};" if self._auth else ""
        scheme, _, address = self.url.partition("://")
        try:
            with Sender.from_conf(f"{scheme}::addr={address};auto_flush_rows=50000;{credentials}") as sender:
                for row in raw.iter_rows(named=True):
                    sender.row(
                        table.name,
                        symbols={n: row[n] for n in symbols if row[n] is not None},
                        columns={n: TimestampMicros(row[n]) if n in instants else row[n] for n in others},
                        at=TimestampMicros(row[time_column]),
                    )
        except SenderError as error:
            raise StoreUnavailableError(f"QuestDB at {self.url} did not take rows of {table.name}: {error}") from error

    def wal(self, table: Table) -> Wal:
        """How far the table's log is applied. Raises StatementError when there is no such table."""
        found = self.execute(
            "SELECT w.writerTxn, w.sequencerTxn, w.suspended, t.id, t.directoryName FROM wal_tables() w "
            f"JOIN tables() t ON t.table_name = w.name WHERE w.name = '{table.name}'"
        )["dataset"]
        if not found:
            raise StatementError(f"QuestDB at {self.url} has no WAL table {table.name}; run `tradingsystem migrate`")
        applied, taken, suspended, number, directory = found[0]
        return Wal(applied, taken, suspended, f"{number}:{directory}")

    def wait_applied(self, table: Table, timeout_seconds: float = 60.0) -> Wal:
        """Wait until all that was taken so far is visible. Raises SuspendedError, and StoreUnavailableError late."""
        deadline = time.monotonic() + timeout_seconds
        state = self.wal(table)
        wanted = state.taken
        pause = 0.002
        while True:
            if state.suspended:
                raise SuspendedError(
                    f"QuestDB table {table.name} is suspended at transaction {state.applied} of {state.taken}: "
                    f"its disk was full or broken; mend that, then `ALTER TABLE {table.name} RESUME WAL`"
                )
            if state.applied >= wanted:
                return state
            if time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"QuestDB table {table.name} is at transaction {state.applied} of {wanted} "
                    f"after {timeout_seconds:.0f} s"
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
            state = self.wal(table)

    def transactions(self, table: Table, state: Wal, since: int) -> list[Transaction]:
        """The transactions numbered `since` and above that the server still lists, in order."""
        if not state.taken:
            return []  # there is no list yet, and asking for it is an error
        found = self.execute(
            "SELECT sequencerTxn, timestamp, minTimestamp, maxTimestamp, rowCount "
            f"FROM wal_transactions('{table.name}') WHERE sequencerTxn >= {since} "
            # The server keeps the plan of a text, and that of a table of this name that was dropped is an error.
            f"AND '{state.incarnation}' IS NOT NULL ORDER BY sequencerTxn"
        )
        return [
            Transaction(number, at, _instant(first), _instant(last), rows)
            for number, at, first, last, rows in found["dataset"]
        ]

    def keeps_windows(self, table: Table) -> bool:
        """Whether the server shows which times a transaction touched; an external one may lack the setting."""
        # As in `transactions`: a text of this very table, for the plan of a dropped one is kept, and an error.
        this = f"'{self.wal(table).incarnation}' IS NOT NULL"
        counted = f"SELECT count() FROM wal_transactions('{table.name}') WHERE rowCount IS NOT NULL AND {this}"
        return bool(self.execute(counted)["dataset"][0][0])

    def days(self, table: Table, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
        """The first instants of the UTC days that have rows with since <= time < until, in order."""
        found = self.execute(f"SELECT name FROM table_partitions('{table.name}') WHERE attached AND numRows > 0")
        days = (dt.datetime.fromisoformat(name[:10]).replace(tzinfo=dt.UTC) for (name,) in found["dataset"])
        return sorted({day for day in days if day < until and day + dt.timedelta(days=1) > since})

    def count(self, table: Table, since: dt.datetime, until: dt.datetime) -> int:
        """How many rows have since <= time < until; no row is read."""
        found = self.execute(f"SELECT count() FROM {table.name}{within(table, since, until)}")
        return int(found["dataset"][0][0])

    def minutes(self, table: Table, since: dt.datetime, until: dt.datetime) -> dict[dt.datetime, int]:
        """How many rows each minute has that has any."""
        minute = f"timestamp_floor('m', {table.time})"
        found = self.execute(f"SELECT {minute} AS minute, count() FROM {table.name}{within(table, since, until)}")
        return {dt.datetime.fromisoformat(start): rows for start, rows in found["dataset"]}

    def close(self) -> None:
        self._client.close()
        self._kept.close()


def shaped(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame` with exactly the columns of the contract, in its order and types; polars' errors if it cannot be."""
    return frame.select(pl.col(c.name).cast(c.kind.polars) for c in table.columns)


def instant_literal(at: dt.datetime) -> str:
    """A timestamp as QuestDB writes it, for statements that take no parameters (exports)."""
    return f"'{at.astimezone(dt.UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"


def within(table: Table, since: dt.datetime, until: dt.datetime) -> str:
    """The condition since <= time < until, for statements that take no parameters."""
    return f" WHERE {table.time} >= {instant_literal(since)} AND {table.time} < {instant_literal(until)}"


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo is None else value
