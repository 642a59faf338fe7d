"""Connections of one role to PostgreSQL, shared by the requests of a process; statements are prepared as they recur.

Nothing is opened before the first statement, and nothing has to be opened again by hand: a server that is away fails
every caller at once, and the first statement after its return finds it. Sessions run in UTC, rows are dicts.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import lru_cache, partial
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from sql.errors import ConflictError, StatementError, StoreUnavailableError, UncertainError, UnfitValueError
from sql.wire import PREPARED_AFTER, Found, Params, Wire

SIZE = 10
CONNECT_SECONDS = 3  # libpq counts whole seconds, at least two
WAIT_SECONDS = 5.0  # for a connection that another request holds
STATEMENT_SECONDS = 15
AWAY_SECONDS = 0.5  # after a connection failed, nobody tries for so long: a flood of callers must not wait one by one
VERBS = frozenset({"select", "insert", "update", "delete", "with"})

T = TypeVar("T")
Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
Observer = Callable[[str, str, float], None]  # operation, status, seconds


class Pool:
    """At most `size` connections to `dsn`; `name` tells people which pool an error or a metric speaks of.

    One event loop uses it. Errors: StoreUnavailableError (away, busy or too slow: nothing was done), UncertainError (a
    connection broke with a write on its way: it may have been done), ConflictError (a constraint), UnfitValueError (a
    value that PostgreSQL cannot hold), StatementError.
    """

    def __init__(self, dsn: str, name: str, *, size: int = SIZE, observe: Observer | None = None) -> None:
        self.name = name
        self.observe = observe
        self._dsn = dsn
        self._free = asyncio.Semaphore(size)
        self._idle: list[Wire] = []
        self._away_until = 0.0
        self._generation = 0  # raised when a connection broke: those opened before are closed when they come back

    async def rows(self, statement: str, params: Params = None) -> list[Row]:
        """The rows of one statement, in a transaction of its own."""
        return await self._answer(statement, params, _all)

    async def one(self, statement: str, params: Params = None) -> Row | None:
        """The first row of one statement, or None."""
        return await self._answer(statement, params, _first)

    async def rows_of(self, kind: type[T], statement: str, params: Params = None) -> list[T]:
        """The rows of one statement as `kind`, a Struct whose fields are the columns, in their order."""
        return await self._answer(statement, params, partial(_all_of, kind))

    async def one_of(self, kind: type[T], statement: str, params: Params = None) -> T | None:
        """The first row of one statement as `kind`, or None."""
        return await self._answer(statement, params, partial(_first_of, kind))

    async def run(self, statement: str, params: Params = None) -> int:
        """Run one statement; how many rows it changed."""
        return await self._answer(statement, params, _changed)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        began, status, ending = time.perf_counter(), "error", False
        wire, generation = await self._taken()
        try:
            wire.rest()
            async with wire.connection.transaction():
                yield wire.connection
                ending = True
            status = "success"
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise self._translated(error, "a transaction", writes=ending) from error
        finally:
            await self._put_back(wire, generation)
            self._tell("transaction", status, began)

    async def ready(self) -> bool | str:
        """Whether the server answers this role now; in words, why not."""
        try:
            await self.one("SELECT 1 AS one")
        except StoreUnavailableError as error:
            return type(error.__cause__ or error).__name__
        return True

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._generation += 1
        while self._idle:
            await self._idle.pop().close()

    async def _answer(self, statement: str, params: Params, read: Callable[[Found], T]) -> T:
        began, status = time.perf_counter(), "error"
        try:
            wire, generation = await self._taken()
            try:
                found = read(await wire.ask(statement, params))
            finally:
                await self._put_back(wire, generation)
            status = "success"
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise self._translated(error, statement, writes=operation_of(statement) != "select") from error
        finally:
            self._tell(operation_of(statement), status, began)
        return found

    async def _taken(self) -> tuple[Wire, int]:
        await self._turn()
        try:
            return self._idle_one() or await self._new_one(), self._generation
        except BaseException:
            self._free.release()
            raise

    async def _turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            await asyncio.wait_for(self._free.acquire(), WAIT_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailableError(f"{self.name}: every connection was busy for {WAIT_SECONDS:g} s") from error

    def _idle_one(self) -> Wire | None:
        while self._idle:
            wire = self._idle.pop()
            if not wire.closed:
                return wire
        return None

    async def _new_one(self) -> Wire:
        if time.monotonic() < self._away_until:
            raise StoreUnavailableError(f"{self.name}: PostgreSQL did not answer a moment ago")
        try:
            connection = await asyncio.wait_for(self._opened(), CONNECT_SECONDS + 1)
        except (psycopg.OperationalError, TimeoutError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise StoreUnavailableError(f"{self.name}: PostgreSQL does not answer: {error}") from error
        connection.prepare_threshold = PREPARED_AFTER
        set_json_loads(msgspec.json.decode, connection)
        return Wire(connection)

    async def _opened(self) -> Connection:
        connection = await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=CONNECT_SECONDS,
            application_name=self.name,
            options=f"-c statement_timeout={STATEMENT_SECONDS}s",
        )
        if connection.info.parameter_status("TimeZone") != "UTC":  # PGTZ of the operator's shell wins over options
            await connection.execute("SET TIME ZONE 'UTC'")
        return connection

    async def _put_back(self, wire: Wire, generation: int) -> None:
        self._free.release()
        if wire.closed:
            if generation == self._generation:  # the server went: the others are dead as well, and do not know it
                await self.close()
        elif generation != self._generation or not wire.idle:
            await wire.close()
        else:
            self._idle.append(wire)

    def _tell(self, operation: str, status: str, began: float) -> None:
        if self.observe is not None:
            self.observe(operation, status, time.perf_counter() - began)

    def _translated(self, error: Exception, statement: str, *, writes: bool) -> Exception:
        where = f"(statement: {statement[:200]})"
        match error:
            case psycopg.errors.QueryCanceled():
                return StoreUnavailableError(f"{self.name}: no answer within {STATEMENT_SECONDS} s {where}")
            case psycopg.IntegrityError():
                return ConflictError(f"{self.name}: {error} {where}", error.diag.constraint_name)
            case psycopg.DataError() | psycopg.errors.ProgramLimitExceeded() | UnicodeEncodeError():
                return UnfitValueError(f"{self.name}: {error} {where}")
            case psycopg.OperationalError() | psycopg.InterfaceError():
                broke = error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
                kind = UncertainError if broke and writes else StoreUnavailableError
                return kind(f"{self.name}: PostgreSQL broke off: {error} {where}")
        return StatementError(f"{self.name}: PostgreSQL refused: {error} {where}")


@lru_cache(maxsize=1024)
def operation_of(statement: str) -> str:
    """The verb of a statement in lower case, for a metric's label; `other` when it is none that we use."""
    verb = statement[:80].split(None, 1)[0].lower() if statement.strip() else ""
    return verb if verb in VERBS else "other"


def _all(found: Found) -> list[Row]:
    names = found.names
    return [dict(zip(names, row, strict=True)) for row in found.rows()]


def _first(found: Found) -> Row | None:
    row = found.first()
    return None if row is None else dict(zip(found.names, row, strict=True))


def _all_of(kind: type[T], found: Found) -> list[T]:
    _check_fields(kind, found)
    return [kind(*row) for row in found.rows()]


def _first_of(kind: type[T], found: Found) -> T | None:
    _check_fields(kind, found)
    row = found.first()
    return None if row is None else kind(*row)


def _check_fields(kind: type[Any], found: Found) -> None:
    if found.names != kind.__struct_fields__:
        raise TypeError(f"{kind.__name__}: expected the columns {kind.__struct_fields__}, found {found.names}")


def _changed(found: Found) -> int:
    return found.changed
