"""A first copy and a small pass against the original worker's way and against raw binary COPY of the same rows.

Every side starts from the same state; sides take turns in going first. Passes run in processes of their own.
"""

import datetime as dt
import statistics
import time
from collections import defaultdict

from config.settings import Settings
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from sql import stores
from sql.contract import Table
from sql.hot import HotStore, instant_literal
from sql.warm import connection_to, delete, ensure_partitions
from tests.benchmarks.passes import OPENING, Worker, fill, named, trades, worker

ROWS = 1_000_000
STORED_DAYS = 5
WARM_UP_ROWS = 1_000
BLOCK = 1 << 20
Times = dict[str, list[float]]


def run(settings: Settings, rounds: int, rows: int | None, say: Report) -> Result:
    """Measure; the engines of `settings` are ours."""
    size = rows or ROWS
    hot = stores.hot(settings)
    full, stored = named("bench_full"), named("bench_stored")
    times: Times = defaultdict(list)
    for table, count in ((full, size), (stored, STORED_DAYS * size)):
        say(f"making {count:,} trades")
        hot.execute(table.hot_ddl())
        fill(hot, table, 0, count)
        empty(settings, table)
    with worker(settings) as passes:
        answer = passes.do("sync", stored.name)
        assert answer["rows"] == STORED_DAYS * size
        times["stored"].append(answer["seconds"])
        times["stored peak"].append(answer["peak_mb"])
    raw = raw_rows(settings, full)
    for number in range(rounds):
        first_copies(settings, full, raw, size, times, forth=number % 2 == 0)
        with worker(settings) as passes, worker(settings) as original:
            increments(settings, passes, original, hot, stored, times, number, STORED_DAYS * size, size // 20)
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in times.items()))
    return judged(times, rounds, size)


def judged(times: Times, rounds: int, size: int) -> Result:
    """The figures and the aims of the issue."""

    def ratio(above: str, below: str) -> float:
        return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))

    peak = max(statistics.median(times["full peak"]), times["stored peak"][0])
    return Result(
        name="sync",
        rounds=rounds,
        figures={
            "rows": size,
            **{f"{name.replace(' ', '_')}_{'mb' if 'peak' in name else 'seconds'}": statistics.median(values)
               for name, values in times.items()},
            "full_rows_per_second": size / statistics.median(times["full"]),
        },
        aims={
            "full_vs_original": at_least(ratio("original", "full"), 12),
            "increment_vs_original": at_least(ratio("original increment", "increment"), 8),
            "original_vs_raw_copy": at_least(ratio("raw copy", "original"), 0.05),
            "full_vs_raw_copy": at_least(ratio("raw copy", "full"), 0.8),
            "noop_vs_increment": at_most(ratio("noop", "increment"), 0.15),
            "late_row_vs_increment": at_most(ratio("late row", "increment"), 0.4),
            "peak_memory_mb": at_most(peak, 300),
        },
    )  # fmt: skip


def first_copies(settings: Settings, table: Table, raw: list[bytes], rows: int, times: Times, *, forth: bool) -> None:
    """All rows into an empty table, by each way once."""
    ways = ("raw copy", "full", "original")
    for way in ways if forth else ways[::-1]:
        empty(settings, table)
        if way != "full":
            rooms(settings, table, rows)
        if way == "raw copy":
            times[way].append(copied(settings, table, raw))
        else:
            with worker(settings) as passes:
                answer = passes.do("sync" if way == "full" else way, table.name, None)
            times[way].append(answer["seconds"])
            times[f"{way} peak"].append(answer["peak_mb"])
        settle(settings, table)


def increments(
    settings: Settings,
    passes: Worker,
    original: Worker,
    hot: HotStore,
    table: Table,
    times: Times,
    number: int,
    stored: int,
    count: int,
) -> None:
    """New rows behind those that are stored, by both ways; then a pass without news, and one with a late row.

    Both processes have moved a few rows before: a first pass pays for what it loads.
    """
    first = stored + number * (count + WARM_UP_ROWS)
    fill(hot, table, first, WARM_UP_ROWS)
    assert passes.do("sync", table.name)["rows"] == WARM_UP_ROWS
    assert original.do("original", table.name, mark(trades(first - 1, 1)["ts"][0]))["rows"] == WARM_UP_ROWS
    last_synced = trades(first + WARM_UP_ROWS - 1, 1)["ts"][0]
    fill(hot, table, first + WARM_UP_ROWS, count)
    for way in ("increment", "original increment") if number % 2 == 0 else ("original increment", "increment"):
        forget(settings, table, last_synced)
        side, words = (passes, ("sync", None)) if way == "increment" else (original, ("original", mark(last_synced)))
        answer = side.do(words[0], table.name, words[1])
        assert answer["rows"] == count, (way, answer)
        times[way].append(answer["seconds"])
    times["noop"].append(passes.do("sync", table.name)["seconds"])
    late = trades(stored // 3 + number, 1).with_columns(trade_id=10**12 + number)
    hot.insert(table, late)
    hot.wait_applied(table)
    times["late row"].append(passes.do("sync", table.name)["seconds"])
    settle(settings, table)


def mark(at: dt.datetime) -> str:
    return instant_literal(at).strip("'")


def empty(settings: Settings, table: Table) -> None:
    """A new table without rows or state in warm."""
    with stores.warm(settings).connect() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute(table.warm_ddl(hypertable=False))
        connection.execute("DELETE FROM sync_control WHERE stream = %s", (table.name,))
        connection.execute("DELETE FROM receipts WHERE table_name = %s", (table.name,))
    settle(settings, table)


def forget(settings: Settings, table: Table, after: dt.datetime) -> None:
    """Take the rows after an instant away again, and what they leave behind in the files."""
    until = after + dt.timedelta(days=9)
    with stores.warm(settings).connect() as connection:
        delete(connection.cursor(), table, after + dt.timedelta(microseconds=1), until)
    settle(settings, table)


def settle(settings: Settings, table: Table) -> None:
    """What a side left to be done is done before the next begins."""
    with connection_to(stores.warm(settings).dsn, autocommit=True) as connection:
        connection.execute(f"VACUUM (ANALYZE) {table.name}")
    with connection_to(settings.postgres.admin_dsn(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def rooms(settings: Settings, table: Table, rows: int) -> None:
    """The partitions, which the sync makes by itself."""
    with stores.warm(settings).connect() as connection:
        last = trades(rows - 1, 1)["ts"][0]
        ensure_partitions(connection.cursor(), table, OPENING, last + dt.timedelta(microseconds=1))


def raw_rows(settings: Settings, table: Table) -> list[bytes]:
    """All rows in order of time as PostgreSQL itself writes them, in blocks."""
    with worker(settings) as passes:
        passes.do("sync", table.name)
    with stores.warm(settings).connect() as connection, connection.cursor() as cursor:
        statement = f"COPY (SELECT * FROM {table.name} ORDER BY {table.time}) TO STDOUT (FORMAT binary)"
        with cursor.copy(statement) as pipe:
            whole = b"".join(pipe)
    return [whole[at : at + BLOCK] for at in range(0, len(whole), BLOCK)]


def copied(settings: Settings, table: Table, raw: list[bytes]) -> float:
    """Seconds of a plain binary COPY, committed."""
    started = time.perf_counter()
    statement = f"COPY {table.name} FROM STDIN (FORMAT binary)"
    with stores.warm(settings).connect() as connection, connection.cursor().copy(statement) as pipe:
        for block in raw:
            pipe.write(block)
    return time.perf_counter() - started
