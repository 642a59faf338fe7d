"""What a callback of ProfitDLL costs its thread: into the C# ring, into Python by ctypes, into the same ring in C.

A pump (`tests/realtime/profitdll/pump.c`) calls as fast as it can and measures each call; a reader in Python
takes away what arrives. Each variant has a process of its own, rounds alternate, figures are medians of ratios.
`busy`: a second Python thread computes all the time, as a strategy may; the 99.9 % times are compared under it. Neither
ring ever waits, so they are compared by their thread's own time: what other processes take away is not theirs.
"""

import collections
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from realtime.profitdll import host
from realtime.profitdll.rings import CAPACITY, MarketRing
from tests.realtime.profitdll.pumped import compile_pump

CALLS = {"csharp": 400_000, "c": 400_000, "ctypes": 8_000}
HOW = ((True, False), (True, True), (False, False))  # timed, busy
PAUSE = 0.001  # seconds, of the reader when it found nothing


def figures(rounds: int = 11) -> dict[str, float]:
    """The three ratios, and beneath them the rates (calls a second) and 99.9 % times (ns) of each variant."""
    with tempfile.TemporaryDirectory() as folder:
        library = compile_pump(Path(folder))
        workers = {variant: Worker(variant, library) for variant in CALLS}
        try:
            for worker in workers.values():
                worker.round(timed=False, busy=False)  # what is compiled or loaded at first use
            measured = [
                {(v, *how): w.round(timed=how[0], busy=how[1]) for how in HOW for v, w in workers.items()}
                for _ in range(rounds)
            ]
        finally:
            for worker in workers.values():
                worker.end()
    return summary(measured)


def summary(measured: list[dict[tuple[str, bool, bool], dict[str, float]]]) -> dict[str, float]:
    def ratio(figure: str, over: str, *, timed: bool = True, busy: bool = False) -> float:
        return statistics.median(m["csharp", timed, busy][figure] / m[over, timed, busy][figure] for m in measured)

    ratios = {
        "callback_rate_vs_ctypes": ratio("rate", "ctypes"),
        "callback_rate_vs_ctypes_busy": ratio("rate", "ctypes", busy=True),
        "callback_p999_vs_ctypes": ratio("p999_ns", "ctypes", busy=True),
        "callback_p999_vs_ctypes_idle": ratio("p999_ns", "ctypes"),
        "callback_rate_vs_c_ring": 1 / ratio("work_ns", "c"),
        "callback_rate_vs_c_ring_untimed": 1 / ratio("work_ns", "c", timed=False),
        "callback_rate_vs_c_ring_wall": ratio("rate", "c"),
    }
    below = {
        f"{variant}_{figure}{'_busy' if busy else ''}": statistics.median(
            m[variant, True, busy][figure] for m in measured
        )
        for variant in CALLS
        for busy in (False, True)
        for figure in ("rate", "p50_ns", "p999_ns")
    }
    return ratios | below | {"lost": sum(found["lost"] for m in measured for found in m.values())}


class Worker:
    """A process that runs rounds of one variant when asked."""

    def __init__(self, variant: str, library: Path) -> None:
        command = [sys.executable, "-P", "-c", "from tests.benchmarks import callbacks; callbacks.main()"]
        root = Path(__file__).resolve().parents[2]
        command[-1] = f"import sys; sys.path.insert(0, {str(root)!r}); {command[-1]}"
        self._process = subprocess.Popen(
            [*command, variant, str(library)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def round(self, *, timed: bool, busy: bool) -> dict[str, float]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{int(timed)} {int(busy)}\n")
        stdin.flush()
        return dict(json.loads(stdout.readline()))

    def end(self) -> None:
        self._process.communicate(timeout=30)


def main() -> None:
    variant, library = sys.argv[1], Path(sys.argv[2])
    pump, take = VARIANTS[variant](library)
    pump.PumpStart.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int32]
    pump.PumpJoin.restype = pump.PumpWorked.restype = ctypes.c_int64
    pump.PumpTook.restype = ctypes.c_void_p
    for line in sys.stdin:
        timed, busy = (word == "1" for word in line.split())
        sys.stdout.write(json.dumps(one_round(pump, take, CALLS[variant], timed=timed, busy=busy)) + "\n")
        sys.stdout.flush()


def one_round(pump: ctypes.CDLL, take: Callable[[], int], calls: int, *, timed: bool, busy: bool) -> dict[str, float]:
    ended, taken = threading.Event(), []

    def think() -> None:
        while busy and not ended.is_set():
            sum(range(100))

    def read() -> None:
        while not ended.is_set():
            taken.append(take())
            if not taken[-1]:
                time.sleep(PAUSE)
        taken.append(take())
        taken.append(take())  # behind the ring's end

    threads = [threading.Thread(target=target) for target in (read, think)]
    for thread in threads:
        thread.start()
    pump.PumpStart(calls, 0, 1, int(timed))
    elapsed = pump.PumpJoin()
    ended.set()
    for thread in threads:
        thread.join()
    found = {"rate": calls / elapsed * 1e9, "work_ns": pump.PumpWorked() / calls, "lost": calls - sum(taken)}
    if timed:
        took = np.frombuffer((ctypes.c_uint32 * calls).from_address(pump.PumpTook()), dtype=np.uint32)
        found["p50_ns"], found["p999_ns"] = map(float, np.percentile(took, [50, 99.9]))
    return found


def taking(ring: MarketRing) -> Callable[[], int]:
    def take() -> int:
        records = ring.ready()
        ring.release(len(records))
        return len(records)

    return take


def csharp(library: Path) -> tuple[ctypes.CDLL, Callable[[], int]]:
    interop = host.load(library)
    address = interop.Market.Open(CAPACITY, sys.platform == "linux")
    interop.Callbacks.Open(20)
    interop.Callbacks.InstallTrades()
    return ctypes.CDLL(str(library)), taking(MarketRing(address, CAPACITY))


def in_c(library: Path) -> tuple[ctypes.CDLL, Callable[[], int]]:
    pump = ctypes.CDLL(str(library))
    pump.PumpRing.restype, pump.PumpRing.argtypes = ctypes.c_void_p, [ctypes.c_int64]
    address = pump.PumpRing(CAPACITY)
    pump.PumpIntoRing()
    return pump, taking(MarketRing(address, CAPACITY))


class Asset(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint8),
        ("ticker", ctypes.c_void_p),
        ("exchange", ctypes.c_void_p),
        ("feed", ctypes.c_uint8),
    ]


class Trade(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint8),
        ("at", ctypes.c_uint16 * 8),
        ("number", ctypes.c_uint32),
        ("price", ctypes.c_double),
        ("quantity", ctypes.c_int64),
        ("volume", ctypes.c_double),
        ("buyer", ctypes.c_int32),
        ("seller", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
    ]


def by_ctypes(library: Path) -> tuple[ctypes.CDLL, Callable[[], int]]:
    """The fields read in Python and a tuple queued: what a binding without native code of its own does."""
    pump = ctypes.CDLL(str(library))
    translate = pump.TranslateTrade
    translate.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    trade = Trade()
    address = ctypes.addressof(trade)
    queue: collections.deque[tuple[Any, ...]] = collections.deque()
    clock, put, text = time.perf_counter_ns, queue.append, ctypes.string_at

    def on_trade(asset: Asset, handle: int, flags: int) -> None:
        trade.version = 0
        if translate(handle, address) == 0 and trade.price:
            put(
                (
                    clock(),
                    text(asset.ticker, 16),
                    text(asset.exchange, 2),
                    tuple(trade.at),
                    trade.number,
                    trade.price,
                    trade.quantity,
                    trade.volume,
                    trade.buyer,
                    trade.seller,
                    trade.kind,
                    flags,
                )
            )

    callback = ctypes.CFUNCTYPE(None, Asset, ctypes.c_void_p, ctypes.c_uint32)(on_trade)
    pump.SetTradeCallbackV2(callback)

    def take(_keep: Any = callback) -> int:
        count = len(queue)
        for _ in range(count):
            queue.popleft()
        return count

    return pump, take


VARIANTS = {"csharp": csharp, "c": in_c, "ctypes": by_ctypes}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(figures(), indent=1) + "\n")
