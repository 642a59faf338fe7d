"""From a tick that the simulator emits to the order at the DLL, through risk and the durable journal, among ticks.

Twenty times a second the newest tick makes an order, which the loop checks, records, and sends; in turns with the
journal, with one that keeps nothing, and a bare sync of this disk in the place of an order. So the three meet the same
load: p99 with the journal is held against the sum of the other two. Linux only.
"""

import datetime as dt
import gc
import itertools
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from config.settings import Settings
from launcher import instance
from launcher.commands.bench import Result, at_most
from launcher.report import Report
from realtime.garbage import Thrift
from realtime.records import Kind
from sql import durable

if TYPE_CHECKING:
    from realtime.orders.chronicle import Chronicle
    from realtime.orders.commands import Place
    from realtime.orders.journal import Record
    from realtime.orders.loop import OrderLoop
    from realtime.orders.prices import Prices
    from realtime.profitdll.adapter import ProfitDll
    from realtime.profitdll.broker import ProfitBroker

STARTS_ENGINES = True  # needs none
RATES = (1_000, 10_000)
ORDERS = 20  # a second
SECONDS = 30.0
SETTLING = 3.0  # seconds of ticks before the first order
SYMBOL = "WINX99"
ACCOUNT = "3001:000123"
RECORD_BYTES = 900  # of a record of the journal, nearly
APPENDS, RESTART_ORDERS = 20_000, 10_000
CHILD_SECONDS = 180.0
PASSWORD = "demo"
KEY = b"the benchmark's"
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help="Of each; medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of orders at each rate."),
]
Figures = dict[str, float]


def run(settings: Settings, say: Report, *, rounds: int, seconds: float) -> Result:
    """Measure all ways in turns, each in a process of its own."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for name, value in _round(settings, seconds).items():
            found[name].append(value)
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.3f}" for name, values in found.items()))
    figures = {name: round(statistics.median(values), 3) for name, values in found.items()}
    aims = {"p99_vs_limit": 1.5, "p95_vs_500ms": 0.02, "risk_p99_vs_fsync_p50": 0.1}
    return Result(
        name="orders",
        rounds=rounds,
        figures=figures,
        aims={name: at_most(figures[name], aim) for name, aim in aims.items()},
    )


def _round(settings: Settings, seconds: float) -> Figures:
    found: Figures = {}
    worst: dict[str, float] = defaultdict(float)
    for rate in RATES:
        told = _child(settings, "orders", rate, seconds)
        found |= {f"{name}_{rate}": value for name, value in told.items()}
        for name, value in (
            ("p99_vs_limit", told["durable_p99_ms"] / (told["empty_p99_ms"] + told["fsync_p99_ms"])),
            ("p95_vs_500ms", told["durable_p95_ms"] / 500),
            ("risk_p99_vs_fsync_p50", told["risk_p99_ms"] / told["fsync_p50_ms"]),
        ):
            found[f"{name}_{rate}"] = value
            worst[name] = max(worst[name], value)
    return found | worst | _child(settings, "journal", 0, seconds)


def _child(settings: Settings, what: str, rate: int, seconds: float) -> Figures:
    line = [sys.executable, "-P", "-m", "tests.benchmarks.orders", what, str(rate), str(seconds)]
    environment = instance.child_environment(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        line, env=environment, cwd=settings.root, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def percentiles(name: str, nanoseconds: list[int]) -> Figures:
    """Milliseconds."""
    values = np.percentile(nanoseconds, (50, 95, 99)) / 1e6
    return dict(zip((f"{name}_{each}_ms" for each in ("p50", "p95", "p99")), map(float, values), strict=True))


# --- the process that is measured ---


class NoJournal:
    """Keeps nothing, at once."""

    failed = None

    def append(self, _: str, __: dict[str, Any]) -> "Future[Record]":
        done: Future[Record] = Future()
        done.set_result(None)  # type: ignore[arg-type]
        return done

    def close(self) -> None:
        """Nothing to let go of."""


@contextmanager
def ticking(folder: Path, rate: int, seconds: float) -> "Iterator[tuple[ProfitDll, ProfitBroker, Prices]]":
    """Simulator, interop, ring, the whole of capture, and the broker that hears it."""
    from realtime import simulated
    from realtime.capture import Capture, Login
    from realtime.orders.prices import Prices
    from realtime.profitdll.adapter import ProfitDll
    from realtime.profitdll.broker import ProfitBroker
    from realtime.spool.writer import Spool
    from realtime.subscriptions import Subscriptions, parsed
    from realtime.watch import Limits

    sys.setswitchinterval(0.0002)
    library = simulated.library(Path(os.environ["TRADINGSYSTEM_DOWNLOADS_DIR"]), lambda _: None)
    script = folder / "script.txt"
    count = int(rate * (seconds + SETTLING + 10))
    lines = ("seed 7", "handshake 50", "stamp on", "latency 1", "accounts after 5 rest 15", "settle 500")
    symbol = f"symbol {SYMBOL} F price 131250 tick 5 lot 1 rate 9"
    script.write_text("\n".join((*lines, symbol, f"rate {rate} count {count}", "")), encoding="utf-8")
    simulated.load(library, script)
    dll, stop, prices = ProfitDll(library), threading.Event(), Prices()
    broker = ProfitBroker(dll, PASSWORD)

    capture = Capture(
        dll,
        Spool.open(folder / "spool", source="simulator"),
        Subscriptions(folder / "subscriptions.json", parsed(SYMBOL)),
        stop,
        login=Login("demo", "demo", "demo", routing=True),
        limits=Limits(always_open=True),
        orders=broker.hear,
        takers=(prices,),
    )
    capturing = threading.Thread(target=capture.run)
    capturing.start()
    try:
        yield dll, broker, prices
    finally:
        stop.set()
        capturing.join()


class Ticks:
    """The newest tick, taken from the ring by a reader of its own."""

    def __init__(self, dll: "ProfitDll") -> None:
        self._waiter, self._cursor = dll.waiter(1), dll.market.cursor(0)

    def next(self) -> tuple[float, int] | None:
        """Price of the newest trade, and the nanoseconds at which it was emitted; None when none came in time."""
        self._waiter.wait(self._cursor.position, 0.5, control=False)
        records = self._cursor.read()
        trades = records[records["kind"] == Kind.TRADE]
        return (float(trades[-1]["price"]), int(trades[-1]["volume"])) if len(trades) else None


def ordered(rate: int, seconds: float) -> Figures:
    """Orders among ticks; how late each came to the DLL."""
    with tempfile.TemporaryDirectory(dir=os.environ["TRADINGSYSTEM_DATA_DIR"]) as name:
        folder = Path(name)
        with ticking(folder, rate, seconds) as (dll, broker, prices):
            loop = _loop(folder / "orders", broker, prices)
            risk = _risk_timed(loop)
            loop.start()
            with Ways(folder, loop, dll) as ways:
                late = _late(Ticks(dll), loop, ways, seconds)
            loop.stop()
            loop.chronicle.close()
            broker.close()
    found = {"orders": float(len(late["durable"]) + len(late["empty"]))}
    for way, values in (*late.items(), ("risk", risk)):
        found |= percentiles(way, values)
    return found


class Ways:
    """The three things that take turns, each with the nanosecond at which it was done."""

    def __init__(self, folder: Path, loop: "OrderLoop", dll: "ProfitDll") -> None:
        self._loop = loop
        self._journals = {"durable": loop.chronicle._journal, "empty": NoJournal()}
        self._file = os.open(folder / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._send = dll.send_order
        dll.send_order = self._noted  # type: ignore[method-assign]
        self._number = 0

    def __enter__(self) -> "Ways":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.chronicle._journal = self._journals["durable"]  # type: ignore[assignment]
        os.close(self._file)

    def done(self, way: str, emitted: int) -> int:
        """Go one way; nanoseconds from the tick, or of the sync alone."""
        if way == "fsync":
            began = time.perf_counter_ns()
            durable.write_all(self._file, memoryview(bytes(RECORD_BYTES)))
            durable.sync(self._file)
            return time.perf_counter_ns() - began
        self._loop.chronicle._journal = self._journals[way]  # type: ignore[assignment]
        reply = self._loop.ask(_place(self._number)).result(10)
        assert reply.status == 202, reply.body
        self._number += 1
        return self._arrived.get(timeout=10) - emitted

    def _noted(self, *given: Any) -> Any:
        self._arrived.put(time.perf_counter_ns())
        return self._send(*given)


def _late(ticks: Ticks, loop: "OrderLoop", ways: Ways, seconds: float) -> dict[str, list[int]]:
    """Nanoseconds of each way, in turns; those of an order run from its tick to the call of the DLL."""
    while not (ticks.next() and loop.agreement.standing and all(loop.agreement.standing.values())):
        pass
    settled = time.monotonic() + SETTLING
    while time.monotonic() < settled:
        ticks.next()
    Thrift().begin()  # as the real process does
    found: dict[str, list[int]] = {"durable": [], "empty": [], "fsync": []}
    turns = itertools.cycle(found)
    due, end = time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < end:
        tick = ticks.next()
        if tick is None or time.monotonic() < due:
            continue
        due = max(due + 1 / ORDERS, time.monotonic() - 1 / ORDERS)
        way = next(turns)
        found[way].append(ways.done(way, tick[1]))
    return found


def _place(number: int) -> "Place":
    """An order at the market, on either side in turns; unlike those that the broker may not have named yet."""
    from realtime.orders.commands import Answers, Place
    from realtime.orders.records import Caller, Reply

    answers = Answers(
        placed=lambda order, _: Reply(202, order.id), refused=lambda _, finding: Reply(403, f"{finding.code} {finding}")
    )
    return Place(
        caller=Caller(user="bench"),
        answers=answers,
        symbol=SYMBOL,
        side="SELL" if number % 2 else "BUY",
        kind="MARKET",
        quantity=1 + number // 2 % 50,
        account=ACCOUNT,
    )


def _loop(folder: Path, broker: "ProfitBroker", prices: "Prices") -> "OrderLoop":
    from realtime.orders.chronicle import opened
    from realtime.orders.ground import Ways as Habits
    from realtime.orders.loop import LoopRules, OrderLoop
    from realtime.orders.switch import Switch

    folder.mkdir()
    chronicle: Chronicle = opened(folder, KEY, _limits())
    rules = LoopRules(ways=Habits(always_open=True, twin_seconds=0.0), broker="profitdll")
    return OrderLoop(broker, chronicle, Switch(folder / "switch", used_before=False), prices, rules)


def _limits() -> Any:
    from realtime.orders.limits import ALL_DAY, Hours, RiskLimits
    from realtime.orders.risk import Limits

    base = Limits(position=10_000, open_orders=100_000, per_second=1_000, per_minute=100_000, daily_loss=Decimal(10**9))
    return RiskLimits(base=base, hours=Hours(start=ALL_DAY[0], end=ALL_DAY[1]))


def _risk_timed(loop: "OrderLoop") -> list[int]:
    """Nanoseconds of each order's decision, from here on: what is known, and all checks. Rehearsals do not count."""
    found: list[int] = []
    requests = loop._requests
    decide, rehearse = requests._findings, requests.rehearse

    def timed(*given: Any) -> Any:
        began = time.perf_counter_ns()
        answer = decide(*given)
        found.append(time.perf_counter_ns() - began)
        return answer

    def uncounted() -> None:
        counted = len(found)
        rehearse()
        del found[counted:]

    requests._findings = timed  # type: ignore[method-assign]
    requests.rehearse = uncounted  # type: ignore[method-assign]
    return found


def journal(_: int, __: float) -> Figures:
    """The journal by itself: appends in groups, and how long a restart with many orders takes."""
    from realtime.orders import journal as journals
    from realtime.orders.chronicle import opened

    with tempfile.TemporaryDirectory(dir=os.environ["TRADINGSYSTEM_DATA_DIR"]) as name:
        folder = Path(name)
        chronicle = opened(folder / "appends", KEY, _limits())
        body = {"text": "x" * RECORD_BYTES}
        began = time.perf_counter()
        writer = chronicle._journal
        assert writer is not None
        futures = [writer.append("bench", body) for _ in range(APPENDS)]
        futures[-1].result(CHILD_SECONDS)
        appends = APPENDS / (time.perf_counter() - began)
        chronicle.close()
        _lived(folder / "restart")
        gc.collect()
        began = time.perf_counter()
        read = sum(1 for _ in journals.records(folder / "restart" / "journal.jsonl"))
        reading = time.perf_counter() - began
        began = time.perf_counter()
        again = opened(folder / "restart", KEY, _limits())
        restart = time.perf_counter() - began
        assert len(again.ledger.entries) == RESTART_ORDERS, (len(again.ledger.entries), read)
        again.close()
    return {
        "journal_appends_per_second": appends,
        "restart_10k_orders_seconds": restart,
        "restart_10k_orders_vs_journal_read": restart / reading,
    }


def _lived(folder: Path) -> None:
    """A journal of orders that were sent, seen and filled."""
    from realtime.orders import records
    from realtime.orders.chronicle import opened
    from realtime.orders.states import Order, Reported, Sent

    chronicle = opened(folder, KEY, _limits())
    at = chronicle.now()
    for number in range(1, RESTART_ORDERS + 1):
        order = Order(
            id=f"ORD-{at:%Y%m%d}-{number:05d}",
            symbol=SYMBOL,
            side="BUY" if number % 2 else "SELL",
            kind="MARKET",
            quantity=1,
            account=ACCOUNT,
        )
        caller, reply = records.Caller(user="bench"), records.Reply(202, order.id)
        chronicle.record(records.Intended(at=at, order=order, caller=caller, checks=(), reply=reply))
        filled = Reported(
            status=2, traded=1, average_price=Decimal(131250), exchange_id=f"X{number}", at=dt.datetime.now(dt.UTC)
        )
        for event in (Sent(number), filled):
            chronicle.record(
                records.Happened(at=at, order=order.id, event=event, cost=Decimal(0), point_value=Decimal("0.2"))
            )
    chronicle.close()


if __name__ == "__main__":
    print(json.dumps({"orders": ordered, "journal": journal}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]))))  # noqa: T201
    sys.stdout.flush()
    os._exit(0)  # .NET's own end takes seconds
