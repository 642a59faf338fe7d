"""Capture that is broken on purpose while the simulator's market runs: its processes, its store, its disk, its link.

In the end the relay has drained the spool, and every trade that the simulator delivered is stored once, or lies behind
the last one that its run brought to the disk: that run was killed, and the spool says so. With the gap ledger at work
(`filling`), the session is played out to its close, and then every trade that the market made is stored once.
"""

import contextlib
import datetime as dt
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import numpy as np

from config.settings import Settings
from launcher import engines, instance, migrations
from launcher.report import Silent
from launcher.supervisor import Supervisor
from realtime.relay import state as memory
from realtime.relay.sender import STATE
from sql import stores
from sql.exchange import SAO_PAULO, sessions_until
from sql.tables import TICKS
from tests.faults import emitted

SCRIPT = """\
seed {seed}
handshake 50
start {day} 09:00:00
anchor {anchor}
hours 09:00-18:25
symbol WINX99 F price 131250 tick 5 lot 1 rate {rate}
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate {rate}
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate {rate}
emitted {emitted}
{more}
"""
SYMBOLS = ("DEMO4", "WDOX99", "WINX99")
STEP = 10  # between the numbers of the simulator's trades
WRONG = ("silent", "doubled", "strange")
UNFILLED = ("absent", "gaps_open", "sessions_unproven")
READY_SECONDS = 60.0
DRAIN_SECONDS = 180.0
PROVEN_SECONDS = 300.0
KEY = "a-key-of-the-scene"
OPENS = dt.timedelta(hours=9)
CLOSING = dt.timedelta(seconds=15)  # a start takes its time
Fault = Callable[["Scene"], None]


class Scene:
    """Engines, the two processes, and what was delivered and stored so far."""

    def __init__(
        self,
        known: Settings,
        supervisor: Supervisor,
        seed: int,
        say: Callable[[str], None],
        *,
        rate: int,
        more: str,
        filling: bool,
    ) -> None:
        self.known = known
        self.say = say
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.supervisor = supervisor
        self.hot = stores.hot(known)
        self.warm = stores.warm(known)
        self.proof = known.data_dir / "emitted"
        self.script = known.data_dir / "script.txt"
        self.day = sessions_until(dt.datetime.now(SAO_PAULO).date() - dt.timedelta(days=1), 1)[0]
        self.filling = filling
        self._anchor = dt.datetime.now(dt.UTC).replace(microsecond=0)
        anchor = f"{self._anchor:%Y-%m-%dT%H:%M:%SZ}"
        self._text = SCRIPT.format(seed=seed, rate=rate, emitted=self.proof, more=more, day=self.day, anchor=anchor)
        self.also("")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def also(self, line: str) -> None:
        """What the simulator does beside, from its next start on."""
        self.script.write_text(f"{self._text}{line}\n", encoding="utf-8")

    def returncode(self, name: str) -> int | None:
        """How a process ended; None while it runs."""
        return self._processes[name].poll()

    def start(self, name: str) -> None:
        """Start `realtime` or `relay`; nothing happens when it runs."""
        running = self._processes.get(name)
        if running is not None and running.poll() is None:
            return
        module = {"realtime": "realtime", "relay": "realtime.relay"}[name]
        environment = {
            **instance.child_environment(self.known),
            "TRADINGSYSTEM_SIMULATOR_SCRIPT": str(self.script),
            "LOG_LEVEL": "warning",
            "TRADINGSYSTEM_SYMBOLS": " ".join(SYMBOLS),
            "TRADINGSYSTEM_API_KEY": KEY,
            # Without the ledger at work, what capture itself loses is counted.
            "TRADINGSYSTEM_FILL_GAPS": "true" if self.filling else "false",
        }
        log = (self.known.data_dir / "logs" / f"{name}.log").open("ab")
        with log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", module], env=environment, stdout=log, stderr=log, cwd=self.known.root
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._processes[name]
        process.kill()
        process.wait(10)
        self.counts[f"kills_{name}"] += 1

    def stop(self, name: str) -> None:
        """Ask it to end, and wait for it."""
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(60)

    def await_flow(self, more: int = 1) -> None:
        """Wait until the simulator has delivered `more` trades than now. Raises AssertionError after a minute."""
        wanted = (self.delivered() if self.proof.is_file() else 0) + more
        deadline = time.monotonic() + READY_SECONDS
        while not self.proof.is_file() or self.delivered() < wanted:
            process = self._processes["realtime"]
            assert process.poll() is None, (
                f"realtime ended with {process.returncode}; its log: {self._tail('realtime')}"
            )
            assert time.monotonic() < deadline, f"no trade for {READY_SECONDS:g} s; log: {self._tail('realtime')}"
            time.sleep(0.005)

    def delivered(self) -> int:
        """Trade callbacks of all runs so far."""
        return emitted.trades(self.proof)

    def standing(self) -> dict[str, object]:
        """What `/api/v1/capture` of the realtime process answers."""
        try:
            answer = httpx.get(self.known.url("order-manager", "/api/v1/capture"), timeout=5)
        except httpx.TransportError:
            return {}  # it starts
        found: dict[str, object] = answer.json()
        return found

    def settle(self) -> None:
        """Everything runs again; capture ends in order, and the relay takes what is left of the spool."""
        self.start("relay")
        self.start("realtime")
        self.await_flow()
        self.stop("realtime")
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.unread():
            assert time.monotonic() < deadline, f"the relay did not drain; its log: {self._tail('relay')}"
            self.start("relay")
            time.sleep(0.1)
        self.stop("relay")
        self.hot.wait_applied(TICKS)

    def close_market(self) -> None:
        """The session ends within seconds of its clock, while everything that captures it runs."""
        self.stop("realtime")
        ends = OPENS + (dt.datetime.now(dt.UTC) - self._anchor) + CLOSING
        self.also(f"stop {dt.datetime.combine(self.day, dt.time()) + ends:%Y-%m-%d %H:%M:%S}")
        self.start("relay")
        self.start("realtime")

    def await_proof(self, seconds: float = PROVEN_SECONDS) -> None:
        """Until the ledger calls the session of every symbol proven; then both processes end.

        Raises AssertionError with what the ledger says.
        """
        deadline = time.monotonic() + seconds
        while (found := self.sessions()) != dict.fromkeys(SYMBOLS, "proven"):
            assert time.monotonic() < deadline, (
                f"{found} after {seconds:g} s; {self._unsettled()}; {self._tail('relay')}"
            )
            self.start("realtime")
            self.start("relay")
            time.sleep(0.5)
        self.stop("realtime")
        self.stop("relay")
        self.hot.wait_applied(TICKS)

    def _unsettled(self) -> str:
        rows = self.warm.rows("SELECT symbol, reason FROM tape_sessions WHERE state <> 'proven'")
        gaps = self.warm.rows(
            "SELECT symbol, kind, state, ids_left, asked, note FROM tape_gaps WHERE state IN ('missing', 'unfillable')"
        )
        return f"{rows} {gaps}"

    def sessions(self) -> dict[str, str]:
        """What the ledger says of the session, by symbol."""
        found = self.warm.rows("SELECT symbol, state FROM tape_sessions WHERE session = %s", (self.day,))
        return {row["symbol"]: row["state"] for row in found}

    def judge_whole(self) -> dict[str, int]:
        """Hold what is stored against the whole session: every number from the first trade to the last of its day."""
        totals = self.hot.execute(f"SELECT symbol, max(trades) FROM daily WHERE session = '{self.day}'")["dataset"]
        found: Counter[str] = Counter()
        for symbol, trades in totals:
            stored = self._stored(symbol, str(self.day))
            whole = np.arange(1, trades + 1, dtype=np.int64) * STEP
            found["whole"] += len(whole)
            found["absent"] += len(np.setdiff1d(whole, stored))
            found["doubled"] += len(stored) - len(np.unique(stored))
            found["strange"] += len(np.setdiff1d(stored, whole))
        gaps = self.warm.rows(
            "SELECT state, count(*) AS n FROM tape_gaps WHERE session = %s GROUP BY state", (self.day,)
        )
        for row in gaps:
            found["gaps_found"] += row["n"]
            found["gaps_open"] += row["n"] if row["state"] in ("missing", "unfillable") else 0
        found["sessions_unproven"] = len(SYMBOLS) - sum(state == "proven" for state in self.sessions().values())
        return {name: found[name] for name in ("doubled", "strange", *UNFILLED, "gaps_found", "whole")}

    def unread(self) -> bool:
        """Whether the relay still has something to take."""
        state = memory.load(self.known.spool_dir / STATE)
        if state is None:
            return True
        at = state.position
        for path in self.known.spool_dir.glob("*.sealed"):
            number = int(path.stem.split("-")[1])
            with contextlib.suppress(FileNotFoundError):  # it was taken, and put aside just now
                if number > at.segment or (number == at.segment and path.stat().st_size > at.offset):
                    return True
        return False

    def judge(self) -> dict[str, int]:
        """Hold what is stored against what was delivered; the counts of what is wrong, and of what is known to miss."""
        told = emitted.read(self.proof)
        found: Counter[str] = Counter()
        delivered: dict[tuple[str, str], list[emitted.Span]] = {}
        for span in told.spans:
            delivered.setdefault((span.symbol, span.session), []).append(span)
        for (symbol, session), spans in delivered.items():
            stored = self._stored(symbol, session)
            found["stored"] += len(stored)
            found["doubled"] += len(stored) - len(np.unique(stored))
            told_at_all = np.concatenate([ids for span in spans for ids in (span.ids, span.others)])
            found["strange"] += len(np.setdiff1d(stored, told_at_all))
            for span in spans:
                there = np.isin(span.ids, stored)
                last = int(np.flatnonzero(there)[-1]) + 1 if there.any() else 0
                found["silent"] += int((~there[:last]).sum())
                found["known_missing"] += len(span.ids) - last
        found["delivered"] = told.count
        found["runs"] = told.runs
        return {name: found[name] for name in (*WRONG, "known_missing", "stored", "delivered", "runs")}

    def close(self) -> None:
        """End both processes."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)
        self.hot.close()

    def _stored(self, symbol: str, session: str) -> np.ndarray:
        where = f"symbol = '{symbol}' AND session = '{session}'"
        found = self.hot.execute(f"SELECT trade_id FROM ticks WHERE {where} LIMIT 100000000")
        return np.array([row[0] for row in found["dataset"]], dtype=np.int64)

    def _tail(self, name: str) -> str:
        text = (self.known.data_dir / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return text[-2000:]


@contextlib.contextmanager
def scene(
    settings: Settings,
    seed: int,
    say: Callable[[str], None],
    *,
    rate: int = 300,
    more: str = "",
    filling: bool = False,
) -> Iterator[Scene]:
    """Engines of their own and a market that runs as soon as somebody captures it."""
    with engines.supervised(settings) as (known, supervisor):
        migrations.apply(known, Silent())
        (known.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        made = Scene(known, supervisor, seed, say, rate=rate, more=more, filling=filling)
        try:
            yield made
        finally:
            made.close()


def kill_capture(scene: Scene) -> None:
    """kill -9 of the realtime process at a random moment while ticks flow."""
    scene.start("realtime")
    scene.await_flow()
    scene.await_flow(scene.chance.randrange(1, 400))
    scene.kill("realtime")


def kill_relay(scene: Scene) -> None:
    """kill -9 of the relay while capture runs."""
    scene.start("realtime")
    scene.start("relay")
    scene.await_flow(scene.chance.randrange(100, 900))
    scene.kill("relay")


def kill_questdb(scene: Scene) -> None:
    """kill -9 of QuestDB under a running relay; the supervisor starts it again."""
    scene.start("realtime")
    scene.start("relay")
    scene.await_flow(scene.chance.randrange(100, 900))
    runner = scene.supervisor.runners["questdb"]
    assert runner.life is not None
    runner.life.process.kill()
    scene.counts["kills_questdb"] += 1
    scene.await_flow(200)
    deadline = time.monotonic() + READY_SECONDS
    while not (runner.ready.is_set() and scene.hot.ready()):
        assert time.monotonic() < deadline, "QuestDB did not come back"
        time.sleep(0.1)


def questdb_away(seconds: float) -> Fault:
    """QuestDB is stopped for a time while ticks flow."""

    def away(scene: Scene) -> None:
        scene.start("realtime")
        scene.start("relay")
        scene.supervisor.stop(["questdb"])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            scene.await_flow(50)
        scene.supervisor.start(["questdb"])
        scene.supervisor.require(["questdb"])
        scene.counts["questdb_away"] += 1

    away.__name__ = f"questdb_away_{seconds:g}_s"
    return away


def torn_tail(scene: Scene) -> None:
    """The end of the spool is torn or zeroed after a kill, as a power cut leaves it: only what was not yet synced."""
    kill_capture(scene)
    segments = sorted(scene.known.spool_dir.glob("segment-*.spool"))
    assert segments, "a killed run leaves its segment open"
    with segments[-1].open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(
            bytes(4096) if scene.chance.random() < 0.5 else scene.chance.randbytes(scene.chance.randrange(1, 900))
        )
    scene.counts["torn_tails"] += 1


def end_in_the_flow(scene: Scene) -> None:
    """An ordered end while the market calls back: it comes in time, and what was called back is on the disk."""
    scene.start("realtime")
    scene.await_flow(200)
    scene.stop("realtime")
    assert scene.returncode("realtime") == 0, "an ordered end is a success"
    scene.counts["ends"] += 1


def disconnects(count: int) -> Fault:
    """So many times the market data goes and comes back, with trades lost and repeated, under one process."""

    def drop(scene: Scene) -> None:
        scene.stop("realtime")
        scene.start("relay")
        scene.also("every 1 market drop for 0.2 lose 40 repeat 60")
        scene.start("realtime")
        deadline = time.monotonic() + READY_SECONDS + 4 * count
        while int(str(scene.standing().get("reconnects", 0))) < count:
            scene.await_flow(10)
            assert time.monotonic() < deadline, f"{scene.standing()} after {READY_SECONDS + 4 * count:g} s"
        scene.stop("realtime")
        scene.also("")
        scene.counts["disconnects"] += count

    drop.__name__ = f"{count}_disconnects"
    return drop


def faults(kills: int, away_seconds: float) -> list[Fault]:
    """`kills` of the capture process and a tenth of everything else, in no order."""
    tenth = max(kills // 10, 1)
    return [
        *[kill_capture] * kills,
        *[kill_relay, kill_questdb] * tenth,
        *[torn_tail, end_in_the_flow] * max(tenth // 2, 1),
        questdb_away(away_seconds),
        disconnects(max(kills // 4, 2)),
    ]
