"""Two hundred days brought from hot to warm and into files by a backfill, launched as the pages of Dagster launch it.

A real instance with webserver, code server and daemon; what runs by itself is switched off, so that nothing else brings
the rows over. Exact means: every day's rows and digests are equal in all tiers, and every partition says how many rows
it has.
"""

import contextlib
import datetime as dt
import statistics
import threading
import time
from collections.abc import Iterator

import msgspec
import numpy as np
import polars as pl
import psutil

from config import manifest
from config.settings import Settings
from launcher import instance, services
from launcher.report import Report, Silent
from launcher.supervisor import Supervisor
from sql import stores
from sql.evidence import Tiers
from sql.tables import TICKS
from sql.verify import verify
from tests.benchmarks.passes import trades
from tests.interface import Interface

DAYS = 200
DAY_ROWS = 500
TIERS = ("warm", "cold")
LONGEST_SECONDS = 1_200.0
SAMPLE_SECONDS = 0.5


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`samples`: resident bytes of the daemon, from the launch to the end."""

    status: str
    seconds: float
    exact: bool
    runs: int
    samples: list[int]

    @property
    def end_vs_start(self) -> float:
        """The daemon's memory in the last fifth over the second; in the first it still loads what it needs."""
        fifth = len(self.samples) // 5
        return statistics.mean(self.samples[-fifth:]) / statistics.mean(self.samples[fifth : 2 * fifth])


def backfilled(place: Settings, say: Report) -> Outcome:
    """Measure on the engines of `place`, whose tape is empty."""
    (port,) = instance.free_ports(1)
    settings = msgspec.structs.replace(place, ports={**place.ports, services.DAGSTER: port})
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    days = [yesterday - dt.timedelta(days=before) for before in range(DAYS)][::-1]
    interface = Interface(settings.url(services.DAGSTER))
    with interface.client, dagster(settings, interface) as daemon:
        fill(settings, days)
        say(f"{DAYS} days of {DAY_ROWS} rows are in hot: launching the backfill")
        names = [str(day) for day in days]
        began = time.monotonic()
        backfill = interface.backfill(names, *TIERS)
        with sampled(daemon) as samples:
            status = ended(interface, backfill, began + LONGEST_SECONDS)
        seconds = time.monotonic() - began
        told = {tier: interface.row_counts(tier, names) for tier in TIERS}
        runs = interface.runs_of(backfill)
        say(f"{status} after {seconds:.0f} s in {len(runs)} runs; the daemon has {samples[-1] / 2**20:.0f} MB")
    faults = [f"a run ended as {state}" for state in runs if state != "SUCCESS"]
    faults += [
        f"partition {day} of {tier} tells of {told[tier].get(day)} rows"
        for tier in TIERS
        for day in names
        if told[tier].get(day) != DAY_ROWS
    ]
    faults += differences(settings, days)
    for fault in faults[:10]:
        say(f"not exact: {fault}")
    return Outcome(status=status, seconds=seconds, exact=not faults, runs=len(runs), samples=samples)


@contextlib.contextmanager
def dagster(settings: Settings, interface: Interface) -> Iterator[psutil.Process]:
    """Code server, webserver and daemon on engines that run already, with no schedule and no sensor on; the daemon."""
    service = manifest.service(services.DAGSTER)
    supervisor = Supervisor(settings.data_dir / "logs", Silent(), lambda _: None)
    try:
        supervisor.add([services.code_server(settings, service), services.webserver(settings, service)])
        supervisor.start(list(supervisor.runners))
        supervisor.require(list(supervisor.runners))
        interface.stop_what_runs_by_itself()  # before the daemon is there: its ticks would write the switches again
        supervisor.add([services.daemon(settings, service)])
        supervisor.start(list(supervisor.runners))
        supervisor.require(list(supervisor.runners))
        (mark,) = [mark for mark in supervisor.marks() if mark.name == services.DAEMON]
        yield psutil.Process(mark.pid)
    finally:
        supervisor.stop()


def fill(settings: Settings, days: list[dt.date]) -> None:
    """So many trades of each day, visible when this returns."""
    hot = stores.hot(settings)
    frame = trades(0, DAYS * DAY_ROWS)
    day = pl.Series(np.repeat(np.array(days, dtype="datetime64[D]"), DAY_ROWS))
    clock = pl.Series(np.tile(np.arange(DAY_ROWS) * 60_000_000, DAYS)).cast(pl.Duration("us"))
    ts = (day.cast(pl.Datetime("us")) + dt.timedelta(hours=12) + clock).dt.replace_time_zone("UTC")
    hot.insert(TICKS, frame.with_columns(ts=ts, session=day.cast(pl.Date), received_at=ts))
    hot.wait_applied(TICKS)
    hot.close()


def ended(interface: Interface, backfill: str, deadline: float) -> str:
    """How the backfill ended; what it was doing when its time was over."""
    status = interface.backfill_status(backfill)
    while status in ("REQUESTED", "COMPLETING", "CANCELING", "FAILING") and time.monotonic() < deadline:
        time.sleep(1)
        status = interface.backfill_status(backfill)
    return status


@contextlib.contextmanager
def sampled(process: psutil.Process) -> Iterator[list[int]]:
    """Resident bytes of the process while the block runs."""
    samples, over = [process.memory_info().rss], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append(process.memory_info().rss)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield samples
    finally:
        over.set()
        watcher.join()


def differences(settings: Settings, days: list[dt.date]) -> list[str]:
    """What keeps the tiers from holding the same rows of every day, value by value, and nothing else."""
    hot = stores.hot(settings)
    tiers = Tiers(hot, stores.warm(settings), stores.cold(settings), stores.work_dir(settings))
    verdict = verify([TICKS], tiers, today=days[-1] + dt.timedelta(days=1))
    hot.close()
    found = [f"{each.day} {each.tier} {each.symbol}: {each.reason}" for each in verdict.differences]
    held = {report.day: report for report in verdict.days}
    for day in sorted({*days, *held}):
        there = [held[day].hot, held[day].warm, held[day].cold] if day in held else [None]
        if there[0] is None or there != there[:1] * 3 or there[0].rows != DAY_ROWS or not there[0].digest:
            found.append(f"{day}: the tiers hold {there}")
    return found
