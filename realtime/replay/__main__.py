"""`python -m realtime.replay FOLDER`: plays the plan of a folder into its spool; the process that hosts the simulator.

It says on stdout how far it is, a JSON line at a time, and ends when everything was told and is on the disk.
Exit codes: 0 told whole, 3 not.
"""

import ctypes
import datetime as dt
import os
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec
import structlog

from realtime import simulated
from realtime.capture import Capture, Login
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import ProfitDllError
from realtime.profitdll.simulator.build import BuildError
from realtime.replay import MOST_SEGMENTS_BYTES, RECORD_BYTES, SCRIPT, SPOOL, Plan, Told, read_plan
from realtime.spool.files import Limits as SpoolLimits
from realtime.spool.writer import Spool, SpoolError
from realtime.subscriptions import Subscriptions, Wanted
from realtime.watch import Limits
from sql.exchange import SAO_PAULO

SOURCE = "replay"
SWITCH_SECONDS = 0.0002
LOOK_SECONDS = 0.001
TELL_SECONDS = 0.2
LINK_SECONDS = 60.0  # until all symbols are subscribed
QUIET_LOOKS = 50  # without an event after the last trade: nothing is on its way any more
FOR_EVER = 1e9  # a tape may be silent for hours
LOGIN = Login("replay", "replay", "replay", routing=False)

log = structlog.get_logger("replay")


class Counters(ctypes.Structure):
    """The simulator's `SimCountersTable`, as far as it is read here."""

    _fields_ = [
        ("size", ctypes.c_int64),
        ("queue_depth", ctypes.c_int64),
        ("queue_max", ctypes.c_int64),
        ("queue_capacity", ctypes.c_int64),
        ("delivered", ctypes.c_int64 * 32),
        ("longest_callback_ns", ctypes.c_int64),
        ("connector_requests", ctypes.c_int64),
        ("stale_translations", ctypes.c_int64),
        ("arrays", ctypes.c_int64 * 4),
        ("version_errors", ctypes.c_int64),
        ("dropped", ctypes.c_int64 * 32),
        ("trades_made", ctypes.c_int64),
        ("trades_silent", ctypes.c_int64),
        ("overdue_ns", ctypes.c_int64),
        ("waits", ctypes.c_int64),
        ("load_done", ctypes.c_int64),
    ]


class Source:
    """The simulator's own exports: it tells only what the ring has room for, so that nothing is lost at any speed."""

    def __init__(self, library: Path) -> None:
        self._native = ctypes.CDLL(str(library))
        self._native.SimAllow.argtypes = [ctypes.c_int64]
        self._counters = Counters()

    def allow(self, trades: int) -> None:
        """The source may have made so many trades in all."""
        self._native.SimAllow(trades)

    def counters(self) -> Counters:
        """As they stand now."""
        self._native.SimCounters(ctypes.byref(self._counters), ctypes.sizeof(self._counters))
        return self._counters


class Player:
    """Plays one plan. The main thread looks at rings and counters; capture runs on another."""

    def __init__(self, folder: Path, plan: Plan, library: Path) -> None:
        self.stop = threading.Event()
        self._plan = plan
        self._source = Source(library)
        self._dll = ProfitDll(library, capacity=plan.ring_records)
        self._source.allow(plan.ring_records // 2)
        noon = dt.datetime.combine(dt.date.fromisoformat(plan.session), dt.time(12), SAO_PAULO)
        wanted = [Wanted(symbol=each.symbol, market=each.market) for each in plan.symbols]
        self._capture = Capture(
            self._dll,
            Spool.open(folder / SPOOL, source=SOURCE, limits=_limits(plan)),
            Subscriptions(folder / "subscriptions.json", wanted),
            self.stop,
            login=LOGIN,
            limits=Limits(silence_seconds=FOR_EVER, restart_seconds=FOR_EVER, close_seconds=60.0, always_open=True),
            now=lambda: noon,
        )
        self._broke: BaseException | None = None
        self._cpu_seconds = 0.0

    def play(self) -> Told:
        """Until everything is told and in the sealed spool, or something is wrong; what it came to."""
        thread = threading.Thread(target=self._run, name="capture")
        thread.start()
        trouble = self._await_subscribed(thread)
        if not trouble:
            self._await_told(thread)
        stopped = self.stop.is_set()
        self.stop.set()
        thread.join()
        return self._told(trouble or self._trouble(stopped=stopped))

    def _run(self) -> None:
        try:
            self._capture.run()
        except Exception as error:  # the top of a thread; `play` says it
            log.exception("capture_broke")
            self._broke = error

    def _await_subscribed(self, thread: threading.Thread) -> str | None:
        deadline = time.monotonic() + LINK_SECONDS
        while thread.is_alive() and not self.stop.is_set():
            now = self._capture.standing()
            if now.unknown_symbols:
                return f"the simulator does not know {', '.join(now.unknown_symbols)}"
            if len(now.symbols) == len(self._plan.symbols):
                return None
            if time.monotonic() > deadline:
                return f"{len(now.symbols)} of {len(self._plan.symbols)} symbols are subscribed: {now.trouble}"
            time.sleep(LOOK_SECONDS)
        return None

    def _await_told(self, thread: threading.Thread) -> None:
        ring, told_at, quiet, events = self._dll.market, 0.0, 0, -1
        began = time.process_time()
        while thread.is_alive() and not self.stop.is_set() and quiet < QUIET_LOOKS:
            # Each trade is a record: the half that is kept free is for what comes beside them.
            self._source.allow(ring.tail + ring.capacity // 2)
            if time.monotonic() - told_at > TELL_SECONDS:
                told_at = time.monotonic()
                say(Told(trades=min(self._source.counters().trades_made, self._plan.records)))
            counters = self._source.counters()
            still = counters.load_done and not counters.queue_depth and ring.events == events
            quiet, events = (quiet + 1 if still else 0), ring.events
            if not quiet:
                self._cpu_seconds = time.process_time() - began
            time.sleep(LOOK_SECONDS)

    def _trouble(self, *, stopped: bool) -> str | None:
        if self._broke is not None:
            return f"capture broke: {self._broke}"
        return "it was stopped" if stopped else None

    def _told(self, trouble: str | None) -> Told:
        counters, now = self._source.counters(), self._capture.standing()
        made, dropped = counters.trades_made, now.dropped + now.spool_dropped
        if trouble is None and made != self._plan.records:
            trouble = f"expected {self._plan.records} trades and cancellations from the tape, it made {made}"
        return Told(
            trades=made,
            whole=trouble is None,
            dropped=dropped,
            errors=now.callback_errors,
            trouble=trouble,
            cpu_seconds=self._cpu_seconds,
        )


def say(told: Told) -> None:
    """One line to whoever started us; without a listener it ends, and closes in order."""
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()


def main(folder: Path) -> int:
    """Play; whether it was told whole."""
    structlog.configure(
        processors=[structlog.processors.TimeStamper("iso"), structlog.processors.JSONRenderer(default=str)],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        plan = read_plan(folder)
        library = simulated.library(Path(plan.downloads), lambda words: log.info("simulator", said=words))
        (folder / SCRIPT).write_text(plan.script, encoding="utf-8")
        simulated.load(library, folder / SCRIPT)
        player = Player(folder, plan, library)
    except (OSError, BuildError, ProfitDllError, SpoolError, simulated.SimulatorError) as error:
        say(Told(trades=0, trouble=str(error)))
        return 3
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: player.stop.set())
    told = player.play()
    say(told)
    return 0 if told.whole else 3


def _limits(plan: Plan) -> SpoolLimits:
    return SpoolLimits(max_bytes=2 * plan.records * RECORD_BYTES + MOST_SEGMENTS_BYTES)


if __name__ == "__main__":
    code = 3
    try:
        code = main(Path(sys.argv[1]))
    finally:
        sys.stderr.flush()
        os._exit(code)  # the .NET runtime's own end collects garbage for seconds
