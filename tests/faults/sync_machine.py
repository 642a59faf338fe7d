"""Whatever happens to hot and to passes, a pass that ends leaves in warm what hot holds, and what retention took.

`python -m tests.faults.sync_machine --steps 10000` runs it at length, on engines of its own, with processes killed too.
"""

import argparse
import contextlib
import datetime as dt
import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from unittest import mock

import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from config.settings import Settings
from launcher import attach, report
from sql import control, differences, receipts, stores, sync, windows
from sql.hot import HotStore
from sql.sync import SyncResult, sync_table
from sql.warm import WarmStore
from tests.benchmarks.passes import worker
from tests.tape import HOUR, NOON, SECOND, drop, hot_rows, new_table, ticks, warm_rows

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
hours = st.integers(-60, 60)
counts = st.integers(1, 40)
Rules = Counter[str]


class KilledError(Exception):
    """The pass ends here."""


class Tape(RuleBasedStateMachine):
    """Hot, warm, and what warm must hold: `kept` is known from below the floor, hot tells the rest."""

    tiers: tuple[HotStore, WarmStore]
    known: Settings | None = None  # where processes of their own find the stores; None: none are started
    done: Rules

    @initialize()
    def make(self):
        self.hot, self.warm = self.tiers
        self.table = new_table(self.hot, self.warm)
        self.numbers = itertools.count(1)
        self.held = warm_rows(self.warm, self.table)  # what the last pass left
        self.floor: dt.datetime | None = None

    def put(self, frame: pl.DataFrame, *, wait: bool = True) -> None:
        self.hot.insert(self.table, frame)
        if wait:
            self.hot.wait_applied(self.table)

    def rows(self, count: int, since: dt.datetime, every: dt.timedelta) -> pl.DataFrame:
        first = next(itertools.islice(self.numbers, count - 1, None)) - count + 1
        return ticks(count, since=since, every=every, first_id=first)

    @rule(hour=hours, count=counts, seconds=st.sampled_from([0, 0.000001, 1, 61, 400]), wait=st.booleans())
    def add(self, hour, count, seconds, wait):
        self.count("add")
        self.put(self.rows(count, NOON + hour * HOUR, seconds * SECOND), wait=wait)

    @rule(late=hours, hour=hours, count=counts)
    def add_late_and_new_at_once(self, late, hour, count):
        self.count("late")
        self.put(pl.concat([self.rows(1, NOON + late * HOUR, SECOND), self.rows(count, NOON + hour * HOUR, SECOND)]))

    @rule(price=st.floats(0.01, 1e6), share=st.integers(1, 5))
    def rewrite(self, price, share):
        self.count("rewrite")
        frame = self.hot.frame(f"SELECT {', '.join(self.table.names)} FROM {self.table.name}", self.table)
        self.put(frame.gather_every(share).with_columns(price=pl.lit(price)))

    @rule(
        change=st.sampled_from(
            ["quantity = quantity + 1", "buyer = null", "aggressor = 'AUCTION'", "price = price + 1"]
        ),
        modulus=st.integers(1, 5),
    )
    def update(self, change, modulus):
        self.count("update")
        self.change(f"UPDATE {self.table.name} SET {change} WHERE trade_id % {modulus} = 0")

    @rule()
    def truncate(self):
        self.count("truncate")
        self.change(f"TRUNCATE TABLE {self.table.name}")

    @rule(days=st.integers(-3, 3))
    def drop_partition(self, days):
        self.count("drop")
        self.drop_days([MIDNIGHT + days * ONE_DAY])

    @rule(days=st.integers(-3, 3), extra=st.sampled_from([0, 0, 5]))
    def retention(self, days, extra):
        """A pass, the floor, then the partitions wholly below it; `extra` hours put the floor inside a day."""
        self.count("retention")
        self.one_pass()
        day = MIDNIGHT + days * ONE_DAY
        floor = max(filter(None, (self.floor, day + extra * HOUR)))
        with self.warm.connect() as connection:
            connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = %s", (floor, self.table.name))
        self.floor = floor
        self.drop_days(day for day in (MIDNIGHT + n * ONE_DAY for n in range(-4, 5)) if day + ONE_DAY <= floor)

    # Not below a floor that an emptied table left at the epoch: QuestDB takes no time before 1970.
    @precondition(lambda self: (getattr(self, "floor", None) or control.EPOCH) > NOON - 90 * ONE_DAY)
    @rule(hour=st.integers(1, 40), count=counts, seconds=st.sampled_from([0, 1, 400]))
    def fill_a_gap_below_the_floor(self, hour, count, seconds):
        self.count("gap fill")
        self.put(self.rows(count, self.floor - hour * HOUR, seconds * SECOND))

    @rule()
    def make_hot_anew(self):
        self.count("made anew")
        self.one_pass()
        newest = self.held["ts"].max() if self.held.height else None
        self.hot.execute(f"DROP TABLE {self.table.name}")
        self.hot.execute(self.table.hot_ddl())
        self.floor = max(filter(None, (self.floor, newest + MICROSECOND if newest else control.EPOCH + MICROSECOND)))

    @rule(where=st.sampled_from(sorted(BOUNDARIES)), after=st.booleans(), call=st.integers(1, 3))
    def kill_a_pass(self, where, after, call):
        self.count("killed at a boundary")
        with small(), killed(*BOUNDARIES[where], after=after, call=call):
            try:
                sync_table(self.table, self.hot, self.warm)
            except KilledError:
                assert same(warm_rows(self.warm, self.table), self.held)
                return
        self.compare()

    @precondition(lambda self: getattr(self, "known", None))
    @rule(wait=st.floats(0, 0.2))
    def kill_the_process_of_a_pass(self, wait):
        self.count("killed process")
        with worker(self.known) as passes:
            passes.begin("sync", self.table.name)
            time.sleep(wait)
            passes.kill()
        self.one_pass()

    @rule()
    def two_passes_at_once(self):
        self.count("two passes")
        results: list[SyncResult] = []
        with small():
            both = [threading.Thread(target=lambda: results.append(self.sync())) for _ in range(2)]
            for each in both:
                each.start()
            for each in both:
                each.join()

        assert len(results) == 2
        self.compare()

    @rule(hour=hours, count=counts)
    def add_during_a_pass(self, hour, count):
        self.count("added during a pass")
        frame = self.rows(count, NOON + hour * HOUR, SECOND)
        writer = threading.Thread(target=lambda: [self.hot.insert(self.table, part) for part in frame.iter_slices(10)])
        writer.start()
        with small():
            self.sync()
        writer.join()
        self.one_pass()

    @rule(days=st.integers(-3, 3))
    def pass_over_a_day(self, days):
        """Whatever it brought, the whole pass after it finds the rest."""
        self.count("pass over a day")
        with small():
            sync_table(self.table, self.hot, self.warm, day=(MIDNIGHT + days * ONE_DAY).date())
        self.one_pass()

    @rule()
    def one_pass(self):
        self.count("pass")
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
        found = warm_rows(self.warm, self.table)

        assert same(found, expected)
        self.held = found
        days = dict(found["ts"].dt.date().value_counts().iter_rows())
        rows = self.warm.rows("SELECT day, rows FROM receipts WHERE table_name = %s AND rows <> 0", (self.table.name,))
        assert {row["day"]: row["rows"] for row in rows} == days

    def change(self, statement: str) -> None:
        self.hot.execute(statement)
        self.hot.wait_applied(self.table)

    def drop_days(self, days) -> None:
        self.hot.wait_applied(self.table)
        known = self.hot.days(self.table, NOON - 90 * ONE_DAY, NOON + 90 * ONE_DAY)
        if named := ", ".join(f"'{day.date()}'" for day in days if day in known):
            self.change(f"ALTER TABLE {self.table.name} DROP PARTITION LIST {named}")

    def count(self, name: str) -> None:
        self.done[name] += 1

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


@contextlib.contextmanager
def killed(owner: object, name: str, *, after: bool, call: int) -> Iterator[None]:
    """The pass ends at the so-many-th call of a function, before it or after it."""
    whole = getattr(owner, name)
    calls = itertools.count(1)

    def dying(*args, **kwargs):
        last = next(calls) == call
        if last and not after:
            raise KilledError
        answer = whole(*args, **kwargs)
        if last:
            raise KilledError
        return answer

    with mock.patch.object(owner, name, dying):
        yield


def run(tiers: tuple[HotStore, WarmStore], *, examples: int, steps: int, known: Settings | None = None) -> Rules:
    """Run so many tapes of so many steps each; what was done how often. Raises AssertionError for a difference."""
    done: Rules = Counter()
    machine = type("Machine", (Tape,), {"tiers": tiers, "known": known, "done": done})
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)
    return done


def at_length(known: Settings, steps: int, seconds: float) -> Rules:
    """Tapes until there were so many steps, or until so long has passed."""
    done: Rules = Counter()
    started = time.monotonic()
    both = stores.hot(known), stores.warm(known)
    while done.total() < steps and time.monotonic() - started < seconds:
        done += run(both, examples=40, steps=50, known=known)
        sys.stderr.write(f"{done.total()} steps, {time.monotonic() - started:.0f} s: no difference\n")
    return done


def main() -> None:
    """At length, from the command line, on engines of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=7200.0, help="no new tape is begun after so long")
    asked = parser.parse_args()
    with attach.apart(report.for_stderr()) as known:
        done = at_length(known, asked.steps, asked.seconds)
    sys.stdout.write(f"{done.total()} steps without a difference: {dict(done.most_common())}\n")


if __name__ == "__main__":
    main()
