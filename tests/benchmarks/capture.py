"""Capture at full flow: simulator, interop, ring, spool, relay and QuestDB on this machine, nothing lost, memory flat.

The rate counts from the first trade that the simulator delivered until the last one is visible in QuestDB, and what was
lost is the simulator's own count against the rows that are there. Beside it: what a callback costs its thread, over a
callback into Python by ctypes and over the same ring in C.
"""

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
import psutil

from config.settings import Settings
from launcher import engines, instance, migrations
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report, Silent
from sql import stores
from sql.hot import HotStore
from sql.tables import TICKS
from tests.benchmarks import callbacks
from tests.faults import emitted

STARTS_ENGINES = True
SYMBOLS = ("WINX99", "WDOX99", "DEMO4")
RATE = 300_000
SECONDS = 60.0
LIMIT_SECONDS = 600.0
WARM_SECONDS = 10.0
DISTINCT = "SELECT count() FROM (SELECT DISTINCT symbol, trade_id FROM ticks)"
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help="Medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of flow in each round."),
    click.Option(["--rate"], type=int, default=RATE, show_default=True, help="Trades a second the simulator delivers."),
]
SCRIPT = """\
seed 7
handshake 50
symbol WINX99 F price 131250 tick 5 lot 1 rate 9
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate 5
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate 2
emitted {emitted}
rate {rate} for {seconds}
"""


def run(settings: Settings, say: Report, *, rounds: int, seconds: float, rate: int) -> Result:
    """Measure; engines and processes are ours, on a data directory of each round's own."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        place = settings.data_dir / f"round-{number}"
        for name, value in flow(msgspec.structs.replace(settings, data_dir=place), rate, seconds, say).items():
            found[name].append(value)
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.2f}" for name, values in found.items()))
    figures = {name: round(statistics.median(values), 4) for name, values in found.items()}
    figures["lost"] = sum(found["lost"])
    figures |= {name: round(value, 6) for name, value in callbacks.figures().items()}
    return Result(
        name="capture",
        rounds=rounds,
        figures=figures,
        aims={
            "sustained_ticks_per_s": at_least(figures["sustained_ticks_per_s"], 250_000),
            "lost": at_most(figures["lost"], 0),
            "memory_end_vs_start": at_most(figures["memory_end_vs_start"], 1.1),
            "callback_rate_vs_ctypes": at_least(figures["callback_rate_vs_ctypes"], 30),
            "callback_p999_vs_ctypes": at_most(figures["callback_p999_vs_ctypes"], 0.001),
            "callback_rate_vs_c_ring": at_least(figures["callback_rate_vs_c_ring"], 0.8),
        },
    )


def flow(settings: Settings, rate: int, seconds: float, say: Report) -> dict[str, float]:
    """One round: the figures of a flow of `rate` for `seconds`, with everything in QuestDB at its end."""
    with engines.running(settings, Silent()) as known:
        migrations.apply(known, Silent())
        hot = stores.hot(known)
        proof, script = known.data_dir / "emitted", known.data_dir / "script.txt"
        script.write_text(SCRIPT.format(emitted=proof, rate=rate, seconds=seconds), encoding="utf-8")
        with process(known, "realtime.relay"), process(known, "realtime", TRADINGSYSTEM_SIMULATOR_SCRIPT=str(script)):
            began = _first_delivered(proof)
            processes = _family(known)
            time.sleep(min(WARM_SECONDS, seconds / 3))
            start = _memory(processes)
            say(f"{rate:,} trades a second flow")
            wanted = int(rate * seconds)
            _await_delivered(proof, wanted, seconds)
            delivered = time.time()
            end = _memory(processes)
            rows = _await_stored(hot, emitted.read(proof).count)
            stored = time.time()
        told = emitted.read(proof).count
        distinct = int(
            hot.execute("SELECT count() FROM (SELECT DISTINCT symbol, trade_id FROM ticks)")["dataset"][0][0]
        )
        hot.close()
    return {
        "sustained_ticks_per_s": distinct / (stored - began),
        "delivered_per_s": told / (delivered - began),
        "lost": told - distinct,
        "doubled": rows - distinct,
        "behind_at_the_end_s": stored - delivered,
        "memory_end_vs_start": end / start,
        "memory_end_mb": end / 2**20,
    }


@contextmanager
def process(known: Settings, module: str, **variables: str) -> Iterator[None]:
    """A process of ours until the block ends; its words go to the data directory's logs."""
    folder = known.data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**instance.child_environment(known), "LOG_LEVEL": "warning", **variables}
    with (folder / f"{module}.log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-P", "-m", module], env=environment, stdout=log, stderr=log, cwd=known.root
        )
    try:
        yield
        assert running.poll() is None, (folder / f"{module}.log").read_text(encoding="utf-8")[-4000:]
    finally:
        running.terminate()
        running.wait(60)


def _first_delivered(proof: Path) -> float:
    deadline = time.monotonic() + 60
    while not proof.is_file() or emitted.trades(proof) < 1000:
        assert time.monotonic() < deadline, "no trade came within a minute"
        time.sleep(0.01)
    return time.time()


def _await_delivered(proof: Path, wanted: int, seconds: float) -> None:
    deadline = time.monotonic() + 3 * seconds + 60
    while emitted.trades(proof) < wanted:
        assert time.monotonic() < deadline, f"{emitted.trades(proof):,} of {wanted:,} trades were delivered"
        time.sleep(0.05)


def _await_stored(hot: HotStore, wanted: int) -> int:
    """Rows in the table when all are there, or when no more come for some seconds."""
    deadline, before, still = time.monotonic() + LIMIT_SECONDS, -1, 0
    while time.monotonic() < deadline and still < 40:
        hot.wait_applied(TICKS)
        rows = int(hot.execute("SELECT count() FROM ticks")["dataset"][0][0])
        if rows >= wanted:
            return rows
        still = still + 1 if rows == before else 0
        before = rows
        time.sleep(0.25)
    return before


def _family(known: Settings) -> list[psutil.Process]:
    """The two processes that must not grow; QuestDB has a heap of its own."""
    return [p for p in psutil.Process().children() if "realtime" in " ".join(p.cmdline())]


def _memory(processes: list[psutil.Process]) -> int:
    return sum(each.memory_info().rss for each in processes)
