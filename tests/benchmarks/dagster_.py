"""What Dagster costs: loading our definitions against importing dagster alone, a run against the function it calls, and
a backfill of 200 days.

Every load is a fresh process and counts in seconds of CPU: an import waits for nothing, and what else the machine does
is none of it. The two sides take turns in going first.
"""

import datetime as dt
import statistics
import subprocess
import sys
import time

import dagster as dg

from assets import synced
from config.settings import Settings
from launcher import instance
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from sql import stores
from sql.hot import HotStore
from sql.warm import WarmStore
from tests.benchmarks.backfill import backfilled
from tests.benchmarks.passes import OPENING, named, trades
from tests.benchmarks.sync import empty

ROWS = 50_000  # of the day that is synced
LOADS = 3  # of each side in a round: one takes a second or two
TABLE = named("bench_dagster")
TIMED = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"
Times = dict[str, list[float]]


def run(settings: Settings, rounds: int, rows: int | None, say: Report) -> Result:
    """Measure; the engines of `settings` are ours."""
    loads, passes = load_seconds(settings, rounds * LOADS, say), pass_seconds(settings, rounds, rows or ROWS, say)
    backfill = backfilled(settings, say)
    ratios = [ours / theirs for ours, theirs in zip(loads["pipelines.definitions"], loads["dagster"], strict=True)]
    middle = {name: statistics.median(seconds) for name, seconds in (loads | passes).items()}
    return Result(
        name="dagster",
        rounds=rounds,
        figures={
            "rows": rows or ROWS,
            "definitions_load_cpu_seconds": middle["pipelines.definitions"],
            "dagster_import_cpu_seconds": middle["dagster"],
            "run_seconds": middle["run"],
            "function_seconds": middle["function"],
            "run_overhead_vs_function": middle["run"] / middle["function"],
            "backfill_seconds": backfill.seconds,
            "backfill_runs": backfill.runs,
            "daemon_memory_mb": backfill.samples[-1] / 2**20,
        },
        aims={
            "definitions_load_vs_import": at_most(statistics.median(ratios), 1.5),
            "backfill_200_days": at_least(float(backfill.status == "COMPLETED_SUCCESS" and backfill.exact), 1),
            "daemon_memory_end_vs_start": at_most(backfill.end_vs_start, 1.1),
        },
    )


def load_seconds(settings: Settings, rounds: int, say: Report) -> Times:
    """CPU seconds of each import, in the order of the rounds."""
    times: Times = {"dagster": [], "pipelines.definitions": []}
    for module in times:
        imported(settings, module)  # compiles, and brings the files into memory
    for number in range(rounds):
        for module in sorted(times, reverse=bool(number % 2)):
            times[module].append(imported(settings, module))
        say(f"load {number + 1}: " + ", ".join(f"{module} {seconds[-1]:.2f} s" for module, seconds in times.items()))
    return times


def imported(settings: Settings, module: str) -> float:
    """CPU seconds of an import in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", TIMED.format(module)],
        env=instance.child_environment(settings),
        cwd=settings.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return float(done.stdout)


def pass_seconds(settings: Settings, rounds: int, rows: int, say: Report) -> Times:
    """Seconds of bringing one day into an empty warm table: the function alone, and as a run of its asset."""
    hot, warm = stores.hot(settings), stores.warm(settings)
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    filled(hot, day, rows)
    asset, times = synced.synced(TABLE), {"function": list[float](), "run": list[float]()}
    for number in range(rounds + 1):
        for side in sorted(times, reverse=bool(number % 2)):
            empty(settings, TABLE)
            began = time.perf_counter()
            copied = as_a_run(asset, day, hot, warm) if side == "run" else as_a_call(day, hot, warm)
            times[side].append(time.perf_counter() - began)
            assert copied == rows, (side, copied)
        say(f"pass {number}: " + ", ".join(f"{side} {seconds[-1]:.2f} s" for side, seconds in times.items()))
    hot.execute(f"DROP TABLE {TABLE.name}")
    hot.close()
    return {side: seconds[1:] for side, seconds in times.items()}  # the first warms up


def filled(hot: HotStore, day: dt.date, rows: int) -> None:
    """The table with so many trades of one day, visible when this returns."""
    hot.execute(f"DROP TABLE IF EXISTS {TABLE.name}")
    hot.execute(TABLE.hot_ddl())
    frame = trades(0, rows)
    hot.insert(TABLE, frame.with_columns(frame["ts"] + (day - OPENING.date())))
    hot.wait_applied(TABLE)


def as_a_call(day: dt.date, hot: HotStore, warm: WarmStore) -> int:
    """What the asset does, without Dagster."""
    return synced.pass_over(TABLE, day, hot, warm, today=day + dt.timedelta(days=1)).rows_copied


def as_a_run(asset: dg.AssetsDefinition, day: dt.date, hot: HotStore, warm: WarmStore) -> int:
    """One partition in Dagster's in-process execution, with an instance of its own."""
    result = dg.materialize([asset], partition_key=day.isoformat(), resources={"hot": hot, "warm": warm})
    (event,) = result.asset_materializations_for_node(f"sync_{TABLE.name}")
    copied = event.metadata["rows_copied"].value
    assert isinstance(copied, int)
    return copied
