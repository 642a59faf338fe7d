"""A generated day, played in a minute while its processes are killed; then the ledger has to say that it is whole.

The processes, the engines and the HTTP between them are the real ones. Nobody helps: no command runs until the proof.
"""

import contextlib
import datetime as dt
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx

from config.settings import Settings
from launcher import engines, instance, migrations
from launcher.report import Silent
from realtime.profitdll.simulator import build
from sql import stores, tape_ledger
from sql.archive import archive_table
from sql.evidence import Tiers
from sql.exchange import SAO_PAULO
from sql.sync import sync_table
from sql.tables import TICKS
from sql.tape_ledger import SessionRow
from sql.verify import Verdict, verify

SYMBOLS = ("WINX99", "WDOX99", "DEMO4")
SCRIPT = """\
seed {seed}
handshake 50
start {day} 09:00:00
anchor {now}
speed {speed}
stop {day} 18:25:00
hours 09:00-18:25
daily-every 60
history-rate 0
emitted {emitted}
symbol WINX99 F price 131250 tick 5 lot 1 rate 0.4
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate 0.2
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate 0.3
{more}
"""
DAY_SECONDS = 9 * 3600 + 25 * 60
KEY = "the-key-of-the-tape"


class Day:
    """Yesterday on the market's clock, from now on."""

    def __init__(self, known: Settings, seed: int, *, speed: int, more: str) -> None:
        self.known = known
        self.chance = random.Random(seed)
        self.session = dt.datetime.now(SAO_PAULO).date() - dt.timedelta(days=1)
        self.seconds = DAY_SECONDS / speed
        self.hot, self.warm, self.cold = stores.hot(known), stores.warm(known), stores.cold(known)
        now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
        self.ends = time.monotonic() + self.seconds + 3
        self.script = known.data_dir / "script.txt"
        self.script.write_text(
            SCRIPT.format(
                seed=seed,
                day=self.session,
                now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                speed=speed,
                emitted=known.data_dir / "emitted",
                more=more,
            ),
            encoding="utf-8",
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start `realtime` or `relay`."""
        module = {"realtime": "realtime", "relay": "realtime.relay"}[name]
        environment = {
            **instance.child_environment(self.known),
            "TRADINGSYSTEM_SIMULATOR_SCRIPT": str(self.script),
            "TRADINGSYSTEM_SYMBOLS": " ".join(SYMBOLS),
            "TRADINGSYSTEM_API_KEY": KEY,
            "TRADINGSYSTEM_HISTORY_QUIET_SECONDS": "0.5",
        }
        with (self.known.data_dir / "logs" / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", module], env=environment, stdout=log, stderr=log, cwd=self.known.root
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        self._processes[name].kill()
        self._processes[name].wait(10)

    def await_link(self) -> None:
        """Until the realtime process has its symbols subscribed."""
        self.until(lambda: self._get("/api/v1/capture").get("link") == "Active", 150, "the link")

    def await_verdict(self, state: str, seconds: float) -> list[SessionRow]:
        """Until the ledger says this of every symbol."""

        def said() -> bool:
            rows = self.rows()
            return len(rows) == len(SYMBOLS) and all(row.state == state for row in rows)

        self.until(said, seconds, state)
        return self.rows()

    def rows(self) -> list[SessionRow]:
        """What the ledger says of the session."""
        return tape_ledger.sessions(self.warm, since=self.session, until=self.session)

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something holds. Raises AssertionError with the ledger's words."""
        deadline = time.monotonic() + seconds
        while not holds():
            said = [(row.symbol, row.state, row.reason) for row in self.rows()]
            gaps = [(g.kind, g.state, g.ids, g.ids_left, g.note) for g in tape_ledger.gaps(self.warm, limit=50)]
            assert time.monotonic() < deadline, (
                f"no {what} after {seconds:g} s: {said} {gaps} {self._tail('relay')} {self._tail('realtime')}"
            )
            time.sleep(0.2)

    def proof(self) -> Verdict:
        """What the next morning's `verify --strict` says, after the night's sync and archive."""
        sync_table(TICKS, self.hot, self.warm)
        archive_table(TICKS, self.warm, self.cold)
        tiers = Tiers(self.hot, self.warm, self.cold, self.known.data_dir)
        return verify([TICKS], tiers, today=dt.datetime.now(dt.UTC).date(), strict=True)

    def stop(self, name: str) -> None:
        """Ask it to end, and wait for it."""
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(60)

    def close(self) -> None:
        """End both processes."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)
        self.hot.close()

    def _get(self, path: str) -> dict[str, object]:
        try:
            found: dict[str, object] = httpx.get(self.known.url("order-manager", path), timeout=5).json()
        except httpx.HTTPError:
            return {}
        return found

    def _tail(self, name: str) -> str:
        path = self.known.data_dir / "logs" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-1500:] if path.is_file() else ""


@contextlib.contextmanager
def day(settings: Settings, seed: int, *, speed: int = 450, more: str = "") -> Iterator[Day]:
    """Engines of their own, and a market that runs through yesterday from now on."""
    with engines.running(settings, Silent()) as known:
        migrations.apply(known, Silent())
        (known.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        build.built(known.downloads_dir / "simulator", downloads=known.downloads_dir)  # the day does not wait for it
        made = Day(known, seed, speed=speed, more=more)
        try:
            yield made
        finally:
            made.close()


def pull_the_plug(scene: Day, kills: int, say: Callable[[str], None]) -> None:
    """Play the day to its end: capture is killed so many times at random moments, the relay every third time."""
    scene.start("relay")
    scene.start("realtime")
    scene.await_link()
    moments = [(number + scene.chance.uniform(0.5, 1.0)) / (kills + 0.5) for number in range(kills)]
    begun = scene.ends - scene.seconds
    for number, moment in enumerate(moments):
        time.sleep(max(0.0, begun + moment * scene.seconds - time.monotonic()))
        scene.kill("realtime")
        if number % 3 == 2:
            scene.kill("relay")
            scene.start("relay")
        time.sleep(scene.chance.uniform(0.0, 1.5))
        scene.start("realtime")
        scene.await_link()
        say(f"killed at {moment:.0%} of the day")
    time.sleep(max(0.0, scene.ends - time.monotonic()))
