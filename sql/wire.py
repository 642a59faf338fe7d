"""One connection's statements straight over libpq: sent, awaited and read without a cursor's work for each.

psycopg opens the connection, knows the types and does transactions. A statement that recurs is prepared; the socket is
watched from the first statement on, so that a connection which the server cut while it was idle is known to be closed.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

PREPARED_AFTER = 2  # times a statement was seen
MOST_PREPARED = 100  # of a connection; the one that was not used for longest gives way
MOST_SEEN = 1000
CANCEL_SECONDS = 5.0
LOOK_SECONDS = 0.25  # uvloop tells of a socket that was reset once, and no more of what is left to read: look again
PLACE = re.compile(r"%(?:(%)|\((\w+)\)s|(s))?")
STALE = frozenset({"26000", "0A000"})  # the server forgot the statement, or its tables have changed: nothing was done

Connection = psycopg.AsyncConnection[dict[str, Any]]
Params = Sequence[Any] | Mapping[str, Any] | None


class Plan:
    """A prepared statement, and how the rows of its results are read."""

    __slots__ = ("columns", "name", "reader")

    def __init__(self, name: bytes, reader: abc.Transformer) -> None:
        self.name = name
        self.reader = reader
        self.columns: tuple[str, ...] | None = None  # not asked yet


class Found:
    """What a statement answered; `names` are its columns."""

    __slots__ = ("_reader", "_result", "names")

    def __init__(self, result: PGresult, reader: abc.Transformer, names: tuple[str, ...]) -> None:
        self._result = result
        self._reader = reader
        self.names = names

    @property
    def changed(self) -> int:
        """How many rows were changed or found; -1 where the server does not say."""
        count = self._result.command_tuples
        return -1 if count is None else count

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows, their values in the order of the columns."""
        return self._reader.load_rows(0, self._result.ntuples, tuple) if self._result.nfields else []

    def first(self) -> tuple[Any, ...] | None:
        """The first row."""
        return self._reader.load_row(0, tuple) if self._result.nfields and self._result.ntuples else None


class Wire:
    """The statements of `connection`, one at a time, each in a transaction of its own. Errors are psycopg's."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pg = connection.pgconn
        self._socket = self._pg.socket
        self._loop = asyncio.get_running_loop()
        self._dumper = Transformer(connection)
        self._plans: OrderedDict[tuple[str, tuple[int, ...]], Plan] = OrderedDict()
        self._seen: dict[tuple[str, tuple[int, ...]], int] = {}
        self._made = 0
        self._watched = False
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle

    @property
    def closed(self) -> bool:
        return self.connection.closed

    @property
    def idle(self) -> bool:
        """Whether the next one may use it."""
        return self._pg.transaction_status == TransactionStatus.IDLE

    async def ask(self, statement: str, params: Params = None) -> Found:
        """What `statement` answers; its parameters are `%s` or `%(name)s`, as psycopg has them."""
        try:
            return await self._asked(statement, params)
        except (asyncio.CancelledError, KeyboardInterrupt):
            await self._break_off()
            raise
        finally:
            if self.closed:
                self.rest()  # libpq closed the socket, and its number will be another's

    def rest(self) -> None:
        """Watch the socket no more until the next statement: psycopg is about to, or it is about to be closed."""
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._socket)

    async def close(self) -> None:
        """Close the connection."""
        self.rest()
        await self.connection.close()

    async def _asked(self, statement: str, params: Params) -> Found:
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        text, values = _placed(statement, params)
        sent, formats = None, None
        types: tuple[int, ...] = ()
        if values:
            sent = self._dumper.dump_sequence(values, [PyFormat.AUTO] * len(values))
            types, formats = self._dumper.types or (), self._dumper.formats
        key = (statement, types)
        plan = self._plans.get(key) or await self._planned(key, text)
        if plan is not None:
            self._plans.move_to_end(key)
            self._pg.send_query_prepared(plan.name, sent, param_formats=formats)
            try:
                result = await self._result()
            except psycopg.Error as error:
                if error.sqlstate not in STALE:
                    raise
                self._plans.clear()  # their names are not used again
            else:
                plan.reader.set_pgresult(result, set_loaders=plan.columns is None)
                plan.columns = plan.columns or _columns(result)
                return Found(result, plan.reader, plan.columns)
        self._pg.send_query_params(text, sent, param_types=types, param_formats=formats)
        result, reader = await self._result(), Transformer(self.connection)
        reader.set_pgresult(result)
        return Found(result, reader, _columns(result))

    async def _planned(self, key: tuple[str, tuple[int, ...]], text: bytes) -> Plan | None:
        seen = self._seen.get(key, 0)
        if seen < PREPARED_AFTER:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen[key] = seen + 1
            return None
        while len(self._plans) >= MOST_PREPARED:
            _, oldest = self._plans.popitem(last=False)
            self._pg.send_close_prepared(oldest.name)
            await self._result()
        self._made += 1
        plan = Plan(b"wire_%d" % self._made, Transformer(self.connection))
        self._pg.send_prepare(plan.name, text, key[1])
        await self._result()
        self._plans[key] = plan
        return plan

    async def _result(self) -> PGresult:
        """The one result of what was sent."""
        if not self._watched:
            self._watched = True
            self._loop.add_reader(self._socket, self._arrived)
        while self._pg.flush():
            await self._writable()
        results = []
        while True:
            while self._pg.is_busy():
                self._waiting = self._loop.create_future()
                await self._told(self._waiting, self._arrived)
            result = self._pg.get_result()
            if result is None:
                break
            if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR):
                raise psycopg.NotSupportedError(f"unexpected result {ExecStatus(result.status).name}")
            results.append(result)
        if not results or results[0].status == ExecStatus.FATAL_ERROR:
            raise error_from_result(results[0]) if results else psycopg.OperationalError("no answer came")
        return results[0]

    def _arrived(self) -> None:
        """Something came, or the server went."""
        waiting, broken = self._waiting, None
        try:
            self._pg.consume_input()
            if not self.closed and self._pg.is_busy():
                return
        except psycopg.Error as error:
            broken = error
        if self.closed:
            self.rest()  # at once, as in `ask`
        if waiting is not None and not waiting.done():
            waiting.set_exception(broken) if broken else waiting.set_result(None)

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._socket, _resolve, ready)
        try:
            await self._told(ready, partial(_resolve, ready))
        finally:
            self._loop.remove_writer(self._socket)

    async def _told(self, ready: "asyncio.Future[None]", look: Callable[[], None]) -> None:
        """Wait until the loop tells of the socket; `look` asks it all the same, now and then."""
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look, look)
        try:
            await ready
        finally:
            self._timer.cancel()

    def _look(self, look: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look, look)
        look()

    async def _break_off(self) -> None:
        """Stop what the server is at, for a caller who waits no more; closed where that cannot be."""
        if self._pg.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await self.connection.cancel_safe(timeout=CANCEL_SECONDS)
                await self._result()
        except psycopg.errors.QueryCanceled:
            return
        except BaseException as error:
            self.rest()
            self._pg.finish()
            if not isinstance(error, psycopg.Error | TimeoutError):
                raise


def _columns(result: PGresult) -> tuple[str, ...]:
    return tuple((result.fname(number) or b"").decode() for number in range(result.nfields))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@lru_cache(1024)
def _parsed(statement: str) -> tuple[bytes, tuple[str, ...] | int]:
    """The statement as the server takes it, and the names of its parameters, or how many have none."""
    names: dict[str, int] = {}
    unnamed = 0

    def place(found: re.Match[str]) -> str:
        nonlocal unnamed
        if found[1]:
            return "%"
        if found[2]:
            return f"${names.setdefault(found[2], len(names) + 1)}"
        if not found[3]:
            raise psycopg.ProgrammingError(f"expected %s, %(name)s or %%, found {statement[found.start() :][:20]!r}")
        unnamed += 1
        return f"${unnamed}"

    text = PLACE.sub(place, statement).encode()
    if names and unnamed:
        raise psycopg.ProgrammingError("expected parameters with names or without, found both")
    return text, tuple(names) if names else unnamed


def _placed(statement: str, params: Params) -> tuple[bytes, Sequence[Any]]:
    if params is None:  # then % is a %
        return statement.encode(), ()
    text, wanted = _parsed(statement)
    if isinstance(params, Mapping):
        if isinstance(wanted, int):
            if wanted:
                raise psycopg.ProgrammingError(f"expected {wanted} values in order, found names")
            return text, ()
        return text, [params[name] for name in wanted]
    if wanted != len(params):
        raise psycopg.ProgrammingError(f"expected {wanted} values, found {len(params)}")
    return text, params
