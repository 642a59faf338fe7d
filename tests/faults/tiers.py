"""Three tiers that are broken on purpose while passes run and hot changes, and what they hold after each fault.

After a fault the engines are started again and one pass of sync and archive is made; then every tier must hold, row by
row, what hot took, and `verify` must find nothing.
"""

import contextlib
import datetime as dt
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from config.settings import Settings
from launcher import engines, migrations
from launcher.report import Silent
from launcher.supervisor import Supervisor
from sql import stores
from sql.archive import archive_table
from sql.cold import ColdStore
from sql.contract import Table
from sql.errors import DamagedError
from sql.evidence import Tiers
from sql.sync import sync_table
from sql.verify import verify
from tests.benchmarks.passes import named
from tests.faults import full_disk
from tests.faults.pass_process import PASS_SECONDS, Answer, PassProcess, pass_process
from tests.faults.writer import Writer
from tests.tape import cold_rows, drop, hot_rows, warm_rows

VICTIMS = ("questdb", "postgres", "pass")
WAYS = ("sync", "archive")
LATER = dt.date(2027, 6, 1)  # a "today" on which every day of the tape is over
Fault = tuple[Callable[..., None], object]
UPDATING = 0.2  # of the kills come with UPDATEs
MISSES = 40  # passes that may end before the kill that was meant for them
DAYS = 2
DAY_ROWS = 4_000


class Scene:
    """Engines, one table in all tiers, and the counts of what was done and of what was found wrong."""

    def __init__(self, known: Settings, supervisor: Supervisor, seed: int, say: Callable[[str], None]) -> None:
        self.known = known
        self.say = say
        self.table: Table = named("ticks_faults")
        self.chance = random.Random(seed)
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self._supervisor = supervisor
        self.tiers = Tiers(
            stores.hot(known), stores.warm(known), ColdStore(known.cold_dir, [self.table]), stores.work_dir(known)
        )
        self.tiers.hot.execute(self.table.hot_ddl())
        with self.tiers.warm.connect() as connection:
            connection.execute(self.table.warm_ddl(hypertable=False))
        # Chance of its own: the thread that writes must not take from the draws of the faults.
        self.writer = Writer(self.tiers.hot, self.table, random.Random(seed + 1))
        self.writer.fill(DAYS, DAY_ROWS)
        self._stack = contextlib.ExitStack()
        self._process: PassProcess | None = None
        self.typical = dict.fromkeys(WAYS, 0.1)  # seconds of a pass: kills are spread over so long

    def kill(self, aim: str) -> None:
        """`kill -9` of an engine or of the process of a pass ("pass sync"), at some moment of a running pass, while
        hot changes."""
        victim, way = aim.split()
        self.writer.updating = self.chance.random() < UPDATING
        with self.writer.writing():
            for _ in range(MISSES):
                if self._hit(self._running(), victim, way):
                    break
            else:
                raise AssertionError(f"seed {self.seed}: every {way} ended before its kill")
            self.counts[f"kills_{victim}"] += 1
            if victim != "pass":
                self.restart(victim)
                # Done after all, or refused with a reason: anything else is a defect.
                assert self._running().answer(PASS_SECONDS) is not None, f"a pass hangs since {victim} was killed"
        self.judge(f"{victim} killed during {way}")

    def _hit(self, passes: PassProcess, victim: str, way: str) -> bool:
        """Whether the kill met a pass at work."""
        if way == "archive":
            passes.do("sync", self.table.name)
        passes.begin(way, self.table.name)
        self.counts["passes"] += 1
        began = time.monotonic()
        if passes.answer(self.chance.uniform(0, self.typical[way])) is not None:
            self.typical[way] = 0.8 * (time.monotonic() - began)
            return False
        if victim == "pass":
            met = passes.kill()
            self.end_process()
            return met
        self._kill_engine(victim)
        return True

    def _running(self) -> PassProcess:
        if self._process is None:
            self._process = self._stack.enter_context(pass_process(self.known))
        return self._process

    def end_process(self) -> None:
        """End the process that makes passes; the next pass starts another."""
        self._process = None
        self._stack.close()

    def _kill_engine(self, name: str) -> None:
        life = self._supervisor.runners[name].life
        assert life is not None, f"{name} does not run"
        process = psutil.Process(life.process.pid)  # our own child: nobody else can have its number
        process.kill()
        assert life.ended.wait(30), f"{name} outlived its kill"

    def restart(self, name: str) -> None:
        """Start an engine anew: supervision would too, with pauses that grow with every death of the last minute."""
        self._supervisor.stop([name])
        self._supervisor.start([name])
        self._supervisor.require([name])

    def tear(self, how: str) -> None:
        """A Parquet file is cut off, or one of its bytes is another."""
        path = self.tiers.cold.path(self.table, self.chance.choice(self.tiers.cold.days(self.table)))
        whole = path.read_bytes()
        place = self.chance.randrange(len(whole))
        path.write_bytes(whole[:place] if how == "cut" else _flipped(whole, place, self.chance.randrange(8)))
        self.counts[f"files_{how}"] += 1
        if not self._differences():
            self._wrong("undetected", f"a file with a byte {how} at {place} of {len(whole)} was taken for good")
        verify([self.table], self.tiers, today=LATER, repair=True)
        self.judge(f"file {how}")

    def step_clock_back(self, seconds: float) -> None:
        """A pass whose clock goes back at every look, after passes that ran on one that was ahead by two days."""
        ahead = "clock_timestamp() + interval '2 days'"
        with self.tiers.warm.connect() as connection:
            connection.execute(f"UPDATE sync_control SET updated_at = {ahead} WHERE stream = %s", (self.table.name,))
            connection.execute(f"UPDATE receipts SET made_at = {ahead} WHERE table_name = %s", (self.table.name,))
        with self.writer.writing(), pass_process(self.known, clock=seconds) as passes:
            for way in (*WAYS, *WAYS):
                answer = passes.do(way, self.table.name)
                assert "refused" not in answer, answer
                self.counts["passes"] += 1
        self.counts["clocks_back"] += 1
        self.judge("clock stepped back")

    def fill_cold_disk(self, size: str) -> None:
        """An archive onto a disk of `size`, with a table and a cold tier of its own; then onto one with room."""
        table = named("ticks_full_disk")
        self.tiers.hot.execute(table.hot_ddl())
        with self.tiers.warm.connect() as connection:
            connection.execute(table.warm_ddl(hypertable=False))
        writer = Writer(self.tiers.hot, table, random.Random(self.seed))
        writer.fill(DAYS, DAY_ROWS)
        sync_table(table, self.tiers.hot, self.tiers.warm, work_dir=self.tiers.work_dir)
        folder = self.known.data_dir / "full"
        for line in full_disk.archive_onto(self.known, table.name, folder, size, LATER.isoformat()):
            self._wrong("half_files" if line.endswith(full_disk.LEFT) else "differences", line)
        drop(table, self.tiers.hot, self.tiers.warm)
        self.counts["full_disks"] += 1

    def fill_disk(self, folder: str) -> None:
        """All three tiers on one disk that is full, with engines of its own; its counts are added to ours."""
        from tests.faults import whole_disk  # which makes a scene

        self.counts.update(whole_disk.counts(self.known, self.seed, self.known.data_dir / folder))

    def ask(self, way: str) -> Answer:
        """What a pass in a process of its own answers."""
        self.counts["passes"] += 1
        return self._running().do(way, self.table.name)

    def judge(self, fault: str) -> None:
        """One pass of each kind, then every tier against what hot took."""
        began = time.monotonic()
        synced = sync_table(self.table, self.tiers.hot, self.tiers.warm, work_dir=self.tiers.work_dir)
        between = time.monotonic()
        archived = archive_table(self.table, self.tiers.warm, self.tiers.cold)
        if synced.rows_copied and archived:
            self.typical = {"sync": between - began, "archive": time.monotonic() - between}
        self.counts["passes"] += 2
        if not synced.rows_agree or not all(day.rows_agree for day in archived):
            self._wrong("differences", f"{fault}: a pass found that its rows do not agree")
        expected = self.writer.expected()
        self.counts["rows_compared"] += expected.height
        for tier, found in self._held():
            self._compare(f"{fault}: {tier}", found, expected)
        for half in half_files(self.tiers.cold, self.table):
            self._wrong("half_files", f"{fault}: {half}")
        for line in self._differences():
            self._wrong("differences", f"{fault}: {line}")

    def wrong(self) -> dict[str, int]:
        """What should be zero and is not."""
        return {name: self.counts[name] for name in WRONG if self.counts[name]}

    def figures(self) -> dict[str, float]:
        """All counts so far."""
        return {**dict.fromkeys(WRONG, 0), **self.counts, "changes": self.writer.changes}

    def _held(self) -> Iterator[tuple[str, pl.DataFrame]]:
        hot, warm, cold = self.tiers.hot, self.tiers.warm, self.tiers.cold
        hot.wait_applied(self.table)
        yield "hot", hot_rows(hot, self.table)
        yield "warm", warm_rows(warm, self.table)
        with contextlib.suppress(DamagedError, pa.ArrowException, pl.exceptions.PolarsError):  # told as a half file
            frames = [cold_rows(cold, self.table, day) for day in cold.days(self.table)]
            yield "cold", pl.concat(frames).sort(self.table.key)

    def _compare(self, what: str, found: pl.DataFrame, expected: pl.DataFrame) -> None:
        missing = expected.join(found, on=found.columns, how="anti", nulls_equal=True).height
        strange = found.join(expected, on=found.columns, how="anti", nulls_equal=True).height
        duplicates = found.height - found.unique(self.table.key).height
        for kind, rows in (("missing", missing), ("strange", strange), ("duplicates", duplicates)):
            if rows:
                self._wrong(kind, f"{what}: {rows} rows {kind}", rows)

    def _differences(self) -> list[str]:
        verdict = verify([self.table], self.tiers, today=LATER)
        return [f"{each.tier} {each.day}: {each.reason}" for each in verdict.differences]

    def _wrong(self, kind: str, line: str, times: int = 1) -> None:
        self.counts[kind] += times
        self.say(f"seed {self.seed}, after {self.counts.total()} counts: {line}")


WRONG = ("missing", "duplicates", "strange", "half_files", "differences", "undetected")


@contextlib.contextmanager
def scene(settings: Settings, seed: int, say: Callable[[str], None]) -> Iterator[Scene]:
    """Engines of its own on the data directory of `settings`, stopped with the block."""
    with engines.supervised(settings, Silent()) as (known, supervisor):
        migrations.apply(known, Silent())
        made = Scene(known, supervisor, seed, say)
        try:
            made.judge("nothing")
            yield made
        finally:
            made.end_process()
            made.tiers.hot.close()


def half_files(cold: ColdStore, table: Table) -> list[str]:
    """Drafts that a pass left behind, and files that cannot be read to their end."""
    found = [f"{path.name} was left behind" for path in (cold.root / table.name).rglob("*.part")]
    for day in cold.days(table):
        try:
            pq.read_table(cold.path(table, day), partitioning=None)
        except (pa.ArrowException, OSError) as error:
            found.append(f"{cold.path(table, day)}: {error}")
    return found


def _flipped(whole: bytes, place: int, bit: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]


def faults(kills: int) -> list[Fault]:
    """What is done to a scene: each victim as often, the other faults in proportion."""
    share = max(1, kills // 10)
    found: list[Fault] = [(Scene.kill, f"{victim} {WAYS[number % 2]}") for victim in VICTIMS for number in range(kills)]
    found += [(Scene.tear, how) for how in ("cut", "flipped") for _ in range(share)]
    found += [(Scene.step_clock_back, seconds) for seconds in (0.001, 3600.0, 86_400.0)[:share]]
    return found


def full_disks(kills: int) -> list[Fault]:
    """Those that need a file system of our own."""
    found: list[Fault] = [(Scene.fill_cold_disk, size) for size in ("64k", "16k", "32k")[: max(1, kills // 10)]]
    return found + [(Scene.fill_disk, f"disk-{number}") for number in range(kills // 25)]  # starts engines of its own
