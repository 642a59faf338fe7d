"""The pool: errors in our words, connections that come back, a server that goes and returns."""

import asyncio
import socket
import struct
import time

import pytest
from msgspec import Struct

from sql import pool as pools
from sql import wire
from sql.errors import ConflictError, StatementError, StoreUnavailableError, UncertainError, UnfitValueError
from sql.pool import Pool, operation_of

try:
    import uvloop
except ImportError:  # on Windows
    uvloop = None


LOOPS = [asyncio.new_event_loop, *([uvloop.new_event_loop] if uvloop else [])]


LAST_WORDS = b"SFATAL\0VFATAL\0C57P01\0Mthe server goes\0\0"


class Link:
    """A way to PostgreSQL that can be cut: the server's last words come, and a reset with them."""

    def __init__(self, target):
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self.port = self._server.getsockname()[1]

    async def __aenter__(self):
        self._work = asyncio.create_task(self._carry())
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def cut(self):
        self._work.cancel()
        await asyncio.wait([self._work])
        self._client.send(b"E" + struct.pack("!i", 4 + len(LAST_WORDS)) + LAST_WORDS)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()

    async def _carry(self):
        loop = asyncio.get_running_loop()
        self._client, _ = await loop.sock_accept(self._server)
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            server.setblocking(False)
            await asyncio.gather(self._pass_on(self._client, server), self._pass_on(server, self._client))

    async def _pass_on(self, one, other):
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(one, 65_536):
            await loop.sock_sendall(other, data)


def run(engines, body, dsn=None, loop=LOOPS[-1], **values):
    """`body(pool)` in a loop like a server's, with a pool of the role `app_workspace`, or of another `dsn`."""

    async def bounded():
        pool = Pool(dsn or engines.postgres.dsn("app_workspace", "frontend_apps"), "test", **values)
        try:
            return await asyncio.wait_for(body(pool), 60)
        finally:
            await pool.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(bounded())


def test_rows_are_dicts_in_utc_and_statements_become_prepared(engines):
    async def body(pool):
        for _ in range(5):
            rows = await pool.rows("SELECT %s::int AS n, current_setting('TimeZone') AS zone", (7,))
        prepared = await pool.one("SELECT count(*) AS n FROM pg_prepared_statements")
        return rows, prepared

    rows, prepared = run(engines, body)

    assert rows == [{"n": 7, "zone": "UTC"}]
    assert prepared["n"] >= 1


@pytest.mark.parametrize(
    ("statement", "params", "error"),
    [
        ("SELECT nothing FROM nowhere", None, StatementError),
        ("SELECT %s::text AS a", ("a\0b",), UnfitValueError),
        ("SELECT %s::text AS a", ("\ud800",), UnfitValueError),
        ("SELECT %s::int2 AS a", (70_000,), UnfitValueError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", None, StoreUnavailableError),
        ("WITH it AS (SELECT pg_terminate_backend(pg_backend_pid())) SELECT * FROM it", None, UncertainError),
    ],
)
def test_what_goes_wrong_is_told_in_our_words_and_the_next_statement_is_well(engines, statement, params, error):
    async def body(pool):
        with pytest.raises(error):
            await pool.rows(statement, params)
        return await pool.one("SELECT 1 AS one")

    assert run(engines, body, size=1) == {"one": 1}


@pytest.mark.parametrize("ending", [False, True])
def test_what_breaks_before_its_commit_was_not_done_and_what_breaks_at_it_may_have_been(engines, ending):
    async def broken(pool):
        async with pool.transaction() as connection:
            other = Pool(engines.postgres.admin_dsn("frontend_apps"), "other")
            await other.rows("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            await other.close()
            if not ending:
                await connection.execute("SELECT 1")

    async def body(pool):
        with pytest.raises(StoreUnavailableError) as found:
            await broken(pool)
        return found.type

    assert run(engines, body, size=1) is (UncertainError if ending else StoreUnavailableError)


def test_a_constraint_is_named_and_its_transaction_leaves_nothing(engines):
    async def twice(pool):
        async with pool.transaction() as connection:
            await connection.execute("INSERT INTO once VALUES (1)")
            await connection.execute("INSERT INTO once VALUES (1)")

    async def body(pool):
        await pool.run("CREATE TEMPORARY TABLE once (id int CONSTRAINT only_once PRIMARY KEY)")
        with pytest.raises(ConflictError) as raised:
            await twice(pool)
        return raised.value.constraint, await pool.rows("SELECT * FROM once")

    found = run(engines, body, dsn=engines.postgres.admin_dsn("frontend_apps"), size=1)

    assert found == ("only_once", [])


def test_the_role_cannot_read_what_belongs_to_another(engines):
    async def body(pool):
        with pytest.raises(StatementError, match="permission denied"):
            await pool.rows("CREATE TABLE documentation.mine (id int)")

    run(engines, body)


def test_connections_that_were_cut_while_idle_fail_one_statement_at_most(engines):
    async def body(pool):
        await asyncio.gather(*(pool.rows("SELECT pg_sleep(0.05)") for _ in range(4)))
        other = Pool(engines.postgres.admin_dsn("frontend_apps"), "other")
        await other.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'test' AND pid <> pg_backend_pid()"
        )
        await other.close()
        failed = 0
        for _ in range(8):
            try:
                await pool.one("SELECT 1 AS one")
            except StoreUnavailableError:
                failed += 1
        return failed

    assert run(engines, body) <= 1


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("asked", ["SELECT pg_sleep(20)", "SELECT length(%s), pg_sleep(20)"])
def test_a_connection_that_is_reset_under_a_statement_fails_it_whatever_the_loop_tells(engines, loop, asked):
    own, name = engines.postgres.port, "a connection that is reset"
    params = ["x" * 20_000_000] if "%s" in asked else None  # more than the sockets hold: it is cut while it is sent
    active = "SELECT 1 AS one FROM pg_stat_activity WHERE application_name = %s AND query LIKE '%%pg_sleep%%'"

    async def body(other):
        async with Link(own) as link:
            dsn = engines.postgres.dsn("app_workspace", "frontend_apps").replace(f":{own}/", f":{link.port}/")
            pool = Pool(dsn, name)
            await pool.one("SELECT 1 AS one")
            task = asyncio.create_task(pool.rows(asked, params))
            await asyncio.sleep(0)
            while params is None and not await other.rows(active, [name]):
                pass
            await link.cut()
            with pytest.raises(StoreUnavailableError, match="broke off"):
                await asyncio.wait_for(task, 10)
            await pool.close()

    run(engines, body, dsn=engines.postgres.admin_dsn("frontend_apps"), loop=loop)


def test_a_server_that_is_away_fails_a_flood_of_callers_at_once():
    async def body():
        pool = Pool("postgresql://nobody:x@127.0.0.1:1/none", "away", size=2)
        found = await asyncio.gather(*(pool.one("SELECT 1") for _ in range(200)), return_exceptions=True)
        return found, await pool.ready()

    began = time.monotonic()
    found, ready = asyncio.run(body())

    assert {type(error) for error in found} == {StoreUnavailableError}
    assert ready is not True
    assert time.monotonic() - began < 20


def test_a_caller_waits_a_bounded_time_for_a_connection(engines, monkeypatch):
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.1)

    async def body(pool):
        async with pool.transaction():
            with pytest.raises(StoreUnavailableError, match="busy"):
                await pool.one("SELECT 1")
        return await pool.one("SELECT 1 AS one")

    assert run(engines, body, size=1) == {"one": 1}


def test_a_cancelled_statement_is_stopped_and_its_connection_goes_on(engines):
    asked = "SELECT pg_backend_pid() AS pid"

    async def body(pool):
        before = await pool.one(asked)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.rows("SELECT pg_sleep(20)"), 0.2)
        return before, await pool.one(asked)

    before, after = run(engines, body, size=1)

    assert before == after


def test_statements_are_observed_by_their_verb(engines):
    seen = []

    async def body(pool):
        await pool.rows("SELECT 1")
        with pytest.raises(StatementError):
            await pool.run("DELETE FROM nowhere")

    run(engines, body, observe=lambda *what: seen.append(what[:2]))

    assert seen == [("select", "success"), ("delete", "error")]
    assert operation_of("  WITH x AS (SELECT 1) SELECT") == "with"
    assert operation_of("") == "other"


class Pair(Struct, frozen=True):
    n: int
    word: str


def test_rows_are_structs_whose_fields_are_the_columns_in_their_order(engines):
    async def body(pool):
        rows = await pool.rows_of(Pair, "SELECT n, 'w' || n AS word FROM generate_series(1, 2) AS n ORDER BY n")
        with pytest.raises(TypeError, match="expected the columns"):
            await pool.one_of(Pair, "SELECT 'w' AS word, 1 AS n")
        return rows, await pool.one_of(Pair, "SELECT 1 AS n, 'w' AS word WHERE false")

    assert run(engines, body) == ([Pair(1, "w1"), Pair(2, "w2")], None)


def test_a_statement_that_the_server_forgot_or_whose_table_changed_is_answered_all_the_same(engines):
    asked = "SELECT * FROM changing WHERE n = %(n)s OR n = %(other)s OR %(n)s::int IS NULL"

    async def body(pool):
        await pool.run("CREATE TEMPORARY TABLE changing AS SELECT 1 AS n")
        for _ in range(4):
            before = await pool.rows(asked, {"n": 1, "other": 2})
        await pool.run("DEALLOCATE ALL")
        for _ in range(4):
            forgotten = await pool.rows(asked, {"n": 1, "other": 2})
        await pool.run("ALTER TABLE changing ADD more text DEFAULT '%'")
        return before, forgotten, [await pool.rows(asked, {"n": 1, "other": 2}) for _ in range(4)]

    before, forgotten, changed = run(engines, body, dsn=engines.postgres.admin_dsn("frontend_apps"), size=1)

    assert before == forgotten == [{"n": 1}]
    assert changed == [[{"n": 1, "more": "%"}]] * 4


def test_few_statements_stay_prepared_and_long_values_arrive(engines, monkeypatch):
    monkeypatch.setattr(wire, "MOST_PREPARED", 3)
    long = "x" * 5_000_000

    async def body(pool):
        for number in range(6):
            for _ in range(4):
                assert await pool.one(f"SELECT {number} AS n, length(%s) AS long", (long,)) == {
                    "n": number,
                    "long": len(long),
                }
        return await pool.one("SELECT count(*) AS n FROM pg_prepared_statements")

    assert run(engines, body, size=1) == {"n": 3}


@pytest.mark.parametrize("params", [(1,), (1, 2, 3), {"a": 1}])
def test_parameters_that_do_not_fit_are_refused_before_anything_is_sent(engines, params):
    async def body(pool):
        with pytest.raises(StatementError, match="expected"):
            await pool.rows("SELECT %s::int, %s::int, '100%%'", params)

    run(engines, body)
