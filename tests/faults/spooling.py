"""The spool, the relay and QuestDB killed while trades flow: what was durable is stored, and once."""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil

from config.settings import Settings
from launcher import engines, instance, migrations
from launcher.report import Report, Silent
from launcher.supervisor import Supervisor
from realtime.spool.frames import FrameKind
from realtime.spool.reader import Position, Reader
from sql import stores
from sql.tables import TICKS
from tests.faults.full_disk import private_mount
from tests.faults.spool_process import SYMBOL, price_of

RUN_NUMBERS = 1_000_000  # of one run: which numbers a run had can be told afterwards
VICTIMS = ("writer", "relay", "questdb")
WRONG = ("unacknowledged_holes", "acknowledged_lost", "missing", "doubled", "altered", "damages")
DRAIN_SECONDS = 120.0


class WriterProcess:
    """`spool_process write`, and what it said was durable."""

    def __init__(self, folder: Path, first: int, seed: int, root: Path) -> None:
        self.first = first
        self.durable = first - 1
        command = [sys.executable, "-m", "tests.faults.spool_process", "write", str(folder), str(first), str(seed)]
        self.process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self, *, kill: bool) -> None:
        """Kill it, or let it close in order."""
        assert self.process.stdin
        if kill:
            self.process.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        code = self.process.wait(60)
        self._thread.join(10)
        assert self.process.stdout
        self.process.stdout.close()
        assert kill or code == 0, f"the writer ended with {code}"

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.durable = int(line)


class Scene:
    """Engines, a writer, a relay, and the counts of what was done."""

    def __init__(self, known: Settings, supervisor: Supervisor, seed: int, say: Callable[[str], None]) -> None:
        self.known = known
        self.counts: Counter[str] = Counter()
        self.durable: dict[int, int] = {}  # first number of a run -> last that was said to be durable
        self._supervisor = supervisor
        self._chance = random.Random(seed)
        self._say = say
        self._hot = stores.hot(known)
        self._relay: subprocess.Popen[bytes] | None = None
        self._writer: WriterProcess | None = None
        known.spool_dir.mkdir(exist_ok=True)

    def kill(self, victim: str) -> None:
        """Let all run for a moment, then `kill -9` one of them and start it again."""
        self._start()
        time.sleep(self._chance.uniform(0.02, 0.8))
        if victim == "writer":
            self._end_writer(kill=True)
        elif victim == "relay":
            self._end_relay()
        else:
            life = self._supervisor.runners["questdb"].life
            assert life is not None
            psutil.Process(life.process.pid).kill()  # our own child: nobody else can have its number
            assert life.ended.wait(30)
            time.sleep(self._chance.uniform(0.0, 2.0))
            self._supervisor.stop(["questdb"])
            self._supervisor.start(["questdb"])
            self._supervisor.require(["questdb"])
        self.counts[f"kills_{victim}"] += 1

    def judge(self) -> dict[str, int]:
        """Close the writer in order, let the relay drain, and compare: spool against what was durable, hot against
        the spool."""
        self._start()
        self._end_writer(kill=False)
        spooled, damages = self._spooled()
        wanted = np.unique(spooled)
        found = self._drained(len(wanted))
        ids, prices = found["trade_id"].to_numpy(), found["price"].to_numpy()
        holes = lost = 0
        for first, durable in self.durable.items():
            own = wanted[(wanted >= first) & (wanted < first + RUN_NUMBERS)]
            holes += int(own[-1] - first + 1 - len(own)) if len(own) else 0
            lost += max(0, durable - (int(own[-1]) if len(own) else first - 1))
        return {
            **self.counts,
            "ticks": len(wanted),
            "repeats": len(spooled) - len(wanted),
            "unacknowledged_holes": holes,
            "acknowledged_lost": lost,
            "missing": len(np.setdiff1d(wanted, ids)),
            "doubled": len(ids) - len(np.unique(ids)),
            "altered": int((prices != price_of(ids)).sum()) + len(np.setdiff1d(ids, wanted)),
            "damages": damages,
        }

    def close(self) -> None:
        """End what runs."""
        if self._writer:
            self._end_writer(kill=True)
        if self._relay:
            self._end_relay()
        self._hot.close()

    def _start(self) -> None:
        if self._relay is None:
            log = (self.known.data_dir / "relay.log").open("ab")
            with log:
                self._relay = subprocess.Popen(
                    [sys.executable, "-m", "realtime.relay"],
                    cwd=self.known.root,
                    env=instance.child_environment(self.known),
                    stderr=log,
                )
        if self._writer is None:
            first = 1 + len(self.durable) * RUN_NUMBERS
            self._writer = WriterProcess(self.known.spool_dir, first, self._chance.randrange(1 << 30), self.known.root)
            self.durable[first] = first - 1

    def _end_writer(self, *, kill: bool) -> None:
        assert self._writer
        self._writer.end(kill=kill)
        self.durable[self._writer.first] = self._writer.durable
        self._writer = None

    def _end_relay(self) -> None:
        assert self._relay
        self._relay.kill()
        self._relay.wait(30)
        self._relay = None

    def _spooled(self) -> tuple[np.ndarray, int]:
        reader, numbers, damages = Reader([self.known.spool_dir, self.known.raw_dir], Position()), [], 0
        while (found := reader.read()).frames or found.damages:
            damages += len(found.damages)
            numbers += [f.records()["number"] for f in found.frames if f.kind == FrameKind.RECORDS]
        return np.concatenate(numbers), damages

    def _drained(self, rows: int):
        deadline = time.monotonic() + DRAIN_SECONDS
        counted = f"SELECT count() FROM ticks WHERE symbol = '{SYMBOL}'"
        while time.monotonic() < deadline:
            if self._hot.execute(counted)["dataset"][0][0] >= rows:
                break
            time.sleep(0.2)
        time.sleep(1.0)  # a second copy of a row would come now
        self._hot.wait_applied(TICKS)
        return self._hot.frame(f"SELECT * FROM ticks WHERE symbol = '{SYMBOL}'", TICKS)


@contextlib.contextmanager
def scene(settings: Settings, seed: int, say: Report) -> Iterator[Scene]:
    """Engines of its own for as long as the block lasts."""
    with engines.supervised(settings, Silent()) as (known, supervisor):
        migrations.apply(known, Silent())
        made = Scene(known, supervisor, seed, say)
        try:
            yield made
        finally:
            made.close()


def faults(settings: Settings, kills: dict[str, int], seed: int, say: Report) -> dict[str, int]:
    """So many kills of each of VICTIMS in the order that `seed` gives; figures, those of WRONG are 0 if all is well."""
    asked = [victim for victim in VICTIMS for _ in range(kills.get(victim, 0))]
    random.Random(seed).shuffle(asked)
    with scene(settings, seed, say) as made:
        for number, victim in enumerate(asked, start=1):
            made.kill(victim)
            if number % 10 == 0:
                say(f"seed {seed}: {number} of {len(asked)} kills")
        return made.judge()


def full_disk(folder: Path, root: Path, size: str = "3m") -> dict[str, int]:
    """A spool on a disk of its own that is full for a while; what it kept and told. Raises NoPrivateMountError."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*private_mount(folder, size), sys.executable, "-m", "tests.faults.spool_process", "full", str(folder)]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1])
