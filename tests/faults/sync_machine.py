"""Whatever happens to hot and to passes, a pass that ends leaves in warm what hot holds, and what retention took.

`python -m tests.faults.sync_machine --steps 10000` runs it at length, on engines of its own, with processes killed too.
The same seed makes the same steps; only the moment at which a process is killed is the machine's.
"""

import argparse
import contextlib
import datetime as dt
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from unittest import mock

import polars as pl
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, run_state_machine_as_test

from config.settings import Settings, load
from launcher import attach, instance
from sql import control, differences, receipts, stores, sync, windows
from sql.errors import StoreUnavailableError
from sql.hot import HotStore
from sql.sync import SyncResult, sync_table
from sql.warm import WarmStore
from tests.faults.diary import Diary, to_stderr
from tests.faults.drawn import drawn, one_of, play, real, whole
from tests.faults.pass_process import pass_process
from tests.tape import HOUR, NOON, SECOND, drop, hot_rows, in_order, new_table, ticks

MICROSECOND = dt.timedelta(microseconds=1)
ONE_DAY = dt.timedelta(days=1)
MIDNIGHT = NOON - 12 * HOUR
BOUNDARIES = {
    "delete": (sync, "delete"),
    "copy": (sync, "copy"),
    "upsert": (sync, "upsert"),
    "partitions": (sync, "ensure_partitions"),
    "export": (HotStore, "export"),
    "touch": (receipts, "touch"),
    "control": (control, "store"),
}
SMALL = {(sync, "FEW_ROWS"): 5, (differences, "FEW_ROWS"): 5, (windows, "SLICE_ROWS"): 30, (windows, "SLICE_RANGES"): 3}
HOURS = whole(-60, 60)
COUNTS = whole(1, 40)
DAYS = whole(-3, 3)
A_PROCESS = 0.12  # is killed so often: it takes a second to start one; the other passes that end do so in this process
TAPE_STEPS = 60


class KilledError(Exception):
    """The pass ends here."""


class Tape(RuleBasedStateMachine):
    """Hot, warm, and what warm must hold: `kept` is known from below the floor, hot tells the rest."""

    tiers: tuple[HotStore, WarmStore]
    known: Settings | None = None  # where processes of their own find the stores; None: none are started
    diary: Diary

    @initialize()
    def make(self):
        self.diary.begin_tape()
        self.hot, self.warm = self.tiers
        self.table = new_table(self.hot, self.warm)
        self.numbers = itertools.count(1)
        self.held = self.in_warm()  # what the last pass left
        self.floor: dt.datetime | None = None

    def put(self, frame: pl.DataFrame, *, wait: bool = True) -> None:
        self.hot.insert(self.table, frame)
        if wait:
            self.hot.wait_applied(self.table)

    def rows(self, count: int, since: dt.datetime, every: dt.timedelta) -> pl.DataFrame:
        first = next(itertools.islice(self.numbers, count - 1, None)) - count + 1
        return ticks(count, since=since, every=every, first_id=first)

    @drawn(hour=HOURS, count=COUNTS, seconds=one_of(0, 0.000001, 1, 61, 400), wait=one_of(False, True))
    def add(self, hour, count, seconds, wait):
        self.put(self.rows(count, NOON + hour * HOUR, seconds * SECOND), wait=wait)

    @drawn(late=HOURS, hour=HOURS, count=COUNTS)
    def add_late_and_new_at_once(self, late, hour, count):
        self.put(pl.concat([self.rows(1, NOON + late * HOUR, SECOND), self.rows(count, NOON + hour * HOUR, SECOND)]))

    @drawn(price=real(0.01, 1e6), share=whole(1, 5))
    def rewrite(self, price, share):
        frame = self.hot.frame(f"SELECT {', '.join(self.table.names)} FROM {self.table.name}", self.table)
        self.put(frame.gather_every(share).with_columns(price=pl.lit(price)))

    @drawn(
        change=one_of("quantity = quantity + 1", "buyer = null", "aggressor = 'AUCTION'", "price = price + 1"),
        modulus=whole(1, 5),
    )
    def update(self, change, modulus):
        self.change(f"UPDATE {self.table.name} SET {change} WHERE trade_id % {modulus} = 0")

    @drawn()
    def truncate(self):
        self.change(f"TRUNCATE TABLE {self.table.name}")

    @drawn(days=DAYS)
    def drop_partition(self, days):
        self.drop_days([MIDNIGHT + days * ONE_DAY])

    @drawn(days=DAYS, extra=one_of(0, 0, 5))
    def retention(self, days, extra):
        """A pass, the floor, then the partitions wholly below it; `extra` hours put the floor inside a day."""
        self.whole_pass()
        day = MIDNIGHT + days * ONE_DAY
        floor = max(filter(None, (self.floor, day + extra * HOUR)))
        with self.warm.connect() as connection:
            connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = %s", (floor, self.table.name))
        self.floor = floor
        self.drop_days(day for day in (MIDNIGHT + n * ONE_DAY for n in range(-4, 5)) if day + ONE_DAY <= floor)

    # Not below a floor that an emptied table left at the epoch: QuestDB takes no time before 1970.
    @drawn(
        when=lambda self: (getattr(self, "floor", None) or control.EPOCH) > NOON - 90 * ONE_DAY,
        hour=whole(1, 40),
        count=COUNTS,
        seconds=one_of(0, 1, 400),
    )
    def fill_a_gap_below_the_floor(self, hour, count, seconds):
        self.put(self.rows(count, self.floor - hour * HOUR, seconds * SECOND))

    @drawn(weight=0.5)
    def make_hot_anew(self):
        self.whole_pass()
        newest = self.held["ts"].max() if self.held.height else None
        self.hot.execute(f"DROP TABLE {self.table.name}")
        self.hot.execute(self.table.hot_ddl())
        self.floor = max(filter(None, (self.floor, newest + MICROSECOND if newest else control.EPOCH + MICROSECOND)))

    @drawn(where=one_of(*sorted(BOUNDARIES)), after=one_of(False, True), call=whole(1, 3), cut_off=one_of(False, True))
    def kill_a_pass(self, where, after, call, cut_off):
        """It breaks at a boundary, or PostgreSQL ends its session there."""
        with small(), ended(*BOUNDARIES[where], self.cut_off if cut_off else broken, after=after, call=call):
            try:
                sync_table(self.table, self.hot, self.warm)
            except (KilledError, StoreUnavailableError):
                assert same(self.in_warm(), self.held)
                return
        self.compare()

    @drawn(weight=A_PROCESS, when=lambda self: self.known is not None, wait=real(0, 0.3))
    def kill_the_process_of_a_pass(self, wait):
        with pass_process(self.known) as passes:
            passes.begin("sync", self.table.name)
            passes.answer(wait)
            passes.kill()
        self.whole_pass()

    @drawn()
    def two_passes_at_once(self):
        results: list[SyncResult] = []
        with small():
            both = [threading.Thread(target=lambda: results.append(self.sync())) for _ in range(2)]
            for each in both:
                each.start()
            for each in both:
                each.join()

        assert len(results) == 2
        self.compare()

    @drawn(hour=HOURS, count=COUNTS)
    def add_during_a_pass(self, hour, count):
        frame = self.rows(count, NOON + hour * HOUR, SECOND)
        writer = threading.Thread(target=lambda: [self.hot.insert(self.table, part) for part in frame.iter_slices(10)])
        writer.start()
        with small():
            self.sync()
        writer.join()
        self.whole_pass()

    @drawn(days=DAYS)
    def pass_over_a_day(self, days):
        """Whatever it brought, the whole pass after it finds the rest."""
        with small():
            sync_table(self.table, self.hot, self.warm, day=(MIDNIGHT + days * ONE_DAY).date())
        self.whole_pass()

    @drawn()
    def one_pass(self):
        self.whole_pass()

    def whole_pass(self) -> None:
        with small():
            self.sync()
        self.compare()

    def sync(self) -> SyncResult:
        result = sync_table(self.table, self.hot, self.warm)
        assert result.rows_agree
        return result

    def compare(self) -> None:
        """Row by row, to the last bit; the receipts' numbers too."""
        ours = hot_rows(self.hot, self.table)
        expected = ours
        if self.floor is not None:
            below = self.held.filter(pl.col("ts") < self.floor)
            kept = below.join(ours, on=self.table.key, how="anti")
            expected = pl.concat([kept, ours]).sort(self.table.key)
        found = self.in_warm()

        assert same(found, expected)
        self.held = found
        days = dict(found["ts"].dt.date().value_counts().iter_rows())
        rows = self.warm.rows("SELECT day, rows FROM receipts WHERE table_name = %s AND rows <> 0", (self.table.name,))
        assert {row["day"]: row["rows"] for row in rows} == days

    def in_warm(self) -> pl.DataFrame:
        # By rows: an ADBC connection, which asks for all types first, takes half as long as a pass.
        rows = self.warm.rows(f"SELECT * FROM {self.table.name}")
        return in_order(pl.DataFrame(rows, schema=dict(self.table.polars)), self.table)

    def change(self, statement: str) -> None:
        self.hot.execute(statement)
        self.hot.wait_applied(self.table)

    def drop_days(self, days) -> None:
        self.hot.wait_applied(self.table)
        known = self.hot.days(self.table, NOON - 90 * ONE_DAY, NOON + 90 * ONE_DAY)
        if named := ", ".join(f"'{day.date()}'" for day in days if day in known):
            self.change(f"ALTER TABLE {self.table.name} DROP PARTITION LIST {named}")

    def cut_off(self) -> None:
        self.warm.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)",
            (f"sync {self.table.name}",),
        )

    def teardown(self):
        if hasattr(self, "table"):
            drop(self.table, self.hot, self.warm)


def same(found: pl.DataFrame, expected: pl.DataFrame) -> bool:
    return found.equals(expected, null_equal=True)


@contextlib.contextmanager
def small() -> Iterator[None]:
    """Limits so low that a few rows are many: windows are narrowed and cut in slices."""
    with contextlib.ExitStack() as stack:
        for (module, name), value in SMALL.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def broken() -> None:
    raise KilledError


@contextlib.contextmanager
def ended(owner: object, name: str, end: Callable[[], None], *, after: bool, call: int) -> Iterator[None]:
    """The pass ends at the so-many-th call of a function, before it or after it."""
    whole = getattr(owner, name)
    calls = itertools.count(1)

    def dying(*args, **kwargs):
        last = next(calls) == call
        if last and not after:
            end()
        answer = whole(*args, **kwargs)
        if last and after:
            end()
        return answer

    with mock.patch.object(owner, name, dying):
        yield


def tape(tiers: tuple[HotStore, WarmStore], diary: Diary, known: Settings | None = None) -> type[Tape]:
    """The machine of one run."""
    return type("Machine", (Tape,), {"tiers": tiers, "known": known, "diary": diary})


def run(tiers: tuple[HotStore, WarmStore], diary: Diary, *, tapes: int, steps: int) -> None:
    """So many tapes of so many steps each, by Hypothesis. Raises AssertionError for a difference."""
    how = settings(
        max_examples=tapes,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(diary.seed)(tape(tiers, diary)), settings=how)


def at_length(known: Settings, steps: int, number: int, first: int) -> bool:
    """Tapes from number `first` on until there were so many steps; what was done is one line of JSON on stdout.
    Whether nothing differed."""
    diary = Diary(number, to_stderr, tapes=first - 1)
    machine = tape((stores.hot(known), stores.warm(known)), diary, known)
    while diary.done.total() < steps and not diary.failed:
        one = machine()
        with contextlib.suppress(Exception):  # the diary has told it, with its place
            one.make()
            play(one, random.Random(f"{number}.{diary.tapes}"), min(TAPE_STEPS, steps - diary.done.total()))
        one.teardown()
    sys.stdout.write(json.dumps(diary.done) + "\n")
    return not diary.failed


def side_by_side(known: Settings, asked: argparse.Namespace) -> tuple[Counter[str], bool]:
    """Machines in processes of their own, each with a seed and a table of its own; what all did together."""
    command = [sys.executable, "-m", "tests.faults.sync_machine", "--on-these-engines"]
    command += ["--steps", str(-(-asked.steps // asked.machines)), "--tape", str(asked.tape)]
    children = [
        subprocess.Popen(
            [*command, "--seed", str(asked.seed + number)],
            env=instance.child_environment(known),
            cwd=known.root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(asked.machines)
    ]
    try:
        told = [child.communicate(timeout=asked.seconds)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    done: Counter[str] = Counter()
    for lines in told:
        done.update(json.loads(lines.splitlines()[-1]) if lines else {})
    return done, not any(child.returncode for child in children)


def main() -> int:
    """At length, from the command line, on engines of its own; 1 when something differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first machine; the others count on from it")
    parser.add_argument("--tape", type=int, default=1, help="the first one: begin where a run failed")
    parser.add_argument("--machines", type=int, default=2, help="side by side, on tables of their own")
    parser.add_argument("--seconds", type=float, default=7200.0, help="a machine that takes longer is ended")
    parser.add_argument("--on-these-engines", action="store_true", help="one machine, on those of the environment")
    asked = parser.parse_args()
    if asked.on_these_engines:
        return 0 if at_length(load(), asked.steps, asked.seed, asked.tape) else 1
    began = time.monotonic()
    with attach.apart(to_stderr) as known:
        done, held = side_by_side(known, asked)
    for name, times in done.most_common():
        sys.stdout.write(f"{times:6}  {name}\n")
    verdict = "no difference" if held else "FAILED, see above"
    sys.stdout.write(f"{done.total():6}  steps in {time.monotonic() - began:.0f} s, seed {asked.seed}: {verdict}\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
