"""From a tick that the simulator emits to a Python strategy that sees it, over an eventfd ping-pong in the same run.

The strategy sits in an event loop beside a thread that spools the same ticks, as in the realtime process. The baseline
is a round trip between two processes that wake each other by eventfd, one of them in an event loop, as often as there
are ticks at the judged rate. Linux only.
"""

import asyncio
import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from config.settings import Settings
from launcher import instance
from launcher.commands.bench import Result, at_most
from launcher.report import Report
from realtime.records import Kind

if TYPE_CHECKING:
    from realtime.profitdll.adapter import ProfitDll

STARTS_ENGINES = True  # needs none
RATES = (1_000, 10_000, 50_000)
JUDGED = 10_000
SECONDS = 5.0
WARM_UP = 2_000
SYMBOL = "WINX99"
TRADE = int(Kind.TRADE)
FIELDS = ("price", "volume", "kind")
BATCH = 4096
CHILD_SECONDS = 120.0
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help="Of each; medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of ticks at each rate."),
]
Percentiles = dict[str, float]


def run(settings: Settings, say: Report, *, rounds: int, seconds: float) -> Result:
    """Measure every rate and the baseline in turns, each in a process of its own."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        measured = {"eventfd": _child(settings, "eventfd", JUDGED, seconds)}
        measured |= {f"ticks_{rate}": _child(settings, "ticks", rate, seconds) for rate in RATES}
        for name, values in measured.items():
            for key, value in values.items():
                found[f"{name}_{key}_us"].append(value)
        ticks, pings = measured[f"ticks_{JUDGED}"], measured["eventfd"]
        found["p50_vs_eventfd"].append(ticks["p50"] / pings["p50"])
        found["p99_vs_eventfd"].append(ticks["p99"] / pings["p99"])
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.1f}" for name, values in found.items()))
    figures = {name: round(statistics.median(values), 3) for name, values in found.items()}
    return Result(
        name="latency",
        rounds=rounds,
        figures=figures,
        aims={
            "p50_vs_eventfd": at_most(figures["p50_vs_eventfd"], 3.0),
            "p99_vs_eventfd": at_most(figures["p99_vs_eventfd"], 5.0),
        },
    )


def _child(settings: Settings, what: str, rate: int, seconds: float) -> Percentiles:
    line = [sys.executable, "-P", "-m", "tests.benchmarks.latency", what, str(rate), str(seconds)]
    environment = instance.child_environment(settings)
    done = subprocess.run(
        line, env=environment, cwd=settings.root, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: Percentiles = json.loads(done.stdout.splitlines()[-1])
    return found


def percentiles(nanoseconds: "np.typing.NDArray[np.int64]") -> Percentiles:
    """Microseconds."""
    values = np.percentile(nanoseconds, (50, 95, 99)) / 1000
    return dict(zip(("p50", "p95", "p99"), map(float, values), strict=True))


class Strategy:
    """As much as a small strategy does with a tick; notes when it saw it."""

    def __init__(self, ticks: int) -> None:
        self.average = 0.0
        self.seen = 0
        self.late = np.zeros(ticks, dtype=np.int64)

    def on_tick(self, price: float, emitted: float) -> None:
        """`emitted`: monotonic nanoseconds at which the simulator called back."""
        self.average += (price - self.average) * 0.1
        if self.seen < len(self.late):
            self.late[self.seen] = time.perf_counter_ns() - int(emitted)
        self.seen += 1


def script_of(folder: Path, rate: int, count: int) -> Path:
    """A script that brings `count` ticks of one symbol, each with the instant of its emission as its volume."""
    path = folder / "script.txt"
    lines = ("seed 7", "handshake 50", "stamp on", f"symbol {SYMBOL} F price 131250 tick 5 lot 1 rate 9")
    path.write_text("\n".join((*lines, f"rate {rate} count {count}", "")), encoding="utf-8")
    return path


def ticks(rate: int, seconds: float) -> Percentiles:
    """The measured side: simulator, interop, ring, strategy, with the whole of capture beside."""
    from realtime import simulated
    from realtime.capture import Capture, Login
    from realtime.profitdll.adapter import ProfitDll
    from realtime.spool.writer import Spool
    from realtime.subscriptions import Subscriptions, parsed
    from realtime.watch import Limits

    sys.setswitchinterval(0.0002)
    library = simulated.library(Path(os.environ["TRADINGSYSTEM_DOWNLOADS_DIR"]), lambda _: None)
    count = int(rate * seconds)
    with tempfile.TemporaryDirectory() as folder:
        simulated.load(library, script_of(Path(folder), rate, count))
        dll, stop, strategy = ProfitDll(library), threading.Event(), Strategy(count)
        capture = Capture(
            dll,
            Spool.open(Path(folder) / "spool", source="simulator"),
            Subscriptions(Path(folder) / "subscriptions.json", parsed(SYMBOL)),
            stop,
            login=Login("demo", "demo", "demo", routing=True),
            limits=Limits(always_open=True),
        )
        capturing = threading.Thread(target=capture.run)
        capturing.start()
        gc.collect()
        gc.freeze()
        asyncio.run(_watch(dll, strategy, count, seconds * 4 + 20))
        stop.set()
        capturing.join()
    return percentiles(strategy.late[min(WARM_UP, count // 5) : strategy.seen])


async def _watch(dll: "ProfitDll", strategy: Strategy, count: int, within: float) -> None:
    loop, bed = asyncio.get_running_loop(), os.eventfd(0, os.EFD_NONBLOCK)
    waiter, cursor, done = dll.waiter(1, bed), dll.market.cursor(0), loop.create_future()

    def on_wake() -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(bed)
        while True:
            records = cursor.read(BATCH)
            for price, emitted, kind in zip(*(records[name].tolist() for name in FIELDS), strict=True):
                if kind == TRADE:
                    strategy.on_tick(price, emitted)
            if waiter.arm(cursor.position, control=False) == 0:
                break
        if strategy.seen >= count and not done.done():
            done.set_result(None)

    loop.add_reader(bed, on_wake)
    on_wake()
    await asyncio.wait_for(done, within)


def eventfd(rate: int, seconds: float) -> Percentiles:
    """The baseline: round trips to a process whose event loop answers."""
    there, back = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0)
    code = "from tests.benchmarks.latency import echo; echo()"
    line = [sys.executable, "-P", "-c", code, str(there), str(back)]
    count = int(rate * seconds)
    found = np.zeros(count, dtype=np.int64)
    with subprocess.Popen(line, pass_fds=(there, back), env=os.environ) as process:
        os.eventfd_read(back)
        began = time.perf_counter()
        for number in range(count):
            time.sleep(max(began + number / rate - time.perf_counter(), 0))
            sent = time.perf_counter_ns()
            os.eventfd_write(there, 1)
            os.eventfd_read(back)
            found[number] = time.perf_counter_ns() - sent
        process.kill()
    return percentiles(found[min(WARM_UP, count // 5) :])


def echo() -> None:
    """The other process of the ping-pong, until it is killed."""
    there, back = map(int, sys.argv[1:3])

    async def answer() -> None:
        def on_ping() -> None:
            os.eventfd_read(there)
            os.eventfd_write(back, 1)

        asyncio.get_running_loop().add_reader(there, on_ping)
        os.eventfd_write(back, 1)
        await asyncio.sleep(CHILD_SECONDS)

    asyncio.run(answer())


if __name__ == "__main__":
    print(json.dumps({"ticks": ticks, "eventfd": eventfd}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]))))  # noqa: T201
    sys.stdout.flush()
    os._exit(0)  # .NET's own end takes seconds
