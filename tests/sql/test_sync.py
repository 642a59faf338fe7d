"""Hot to warm is exact after whatever happens to hot; both sides are read whole and compared to the last bit."""

import datetime as dt
import subprocess
import sys
import threading

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sql import receipts
from sql.buckets import hot_buckets, warm_buckets
from sql.control import in_step
from sql.errors import StoreUnavailableError, SuspendedError
from sql.hot import HotStore
from sql.sync import sync_table
from sql.warm import WarmStore
from tests.tape import DAY, HOUR, NOON, SECOND, change, drop, hot_rows, new_table, put, ticks, warm_rows

MINUTE = 60 * SECOND
ONE_DAY = dt.timedelta(days=1)


def assert_equal(hot, warm, table):
    ours, theirs = hot_rows(hot, table), warm_rows(warm, table)

    assert theirs.height == ours.height
    assert theirs.equals(ours, null_equal=True)


@pytest.fixture
def synced(hot, warm, table):
    """300 rows over five hours in both tiers."""
    put(hot, table, ticks(300, every=MINUTE))
    sync_table(table, hot, warm)
    return table


def test_the_first_pass_copies_everything(hot, warm, table):
    put(hot, table, ticks(300, every=MINUTE))
    result = sync_table(table, hot, warm)

    assert (result.rows_copied, result.rows_deleted, result.days) == (300, 0, (DAY,))
    assert result.last_synced == NOON + 299 * MINUTE
    assert_equal(hot, warm, table)


def test_a_pass_without_news_reads_no_row(hot, warm, synced):
    assert in_step(synced, hot, warm)

    result = sync_table(synced, hot, warm)

    assert (result.way, result.buckets_compared, result.rows_copied) == ("nothing", 0, 0)


def test_rows_late_by_days_come_along(hot, warm, synced):
    put(hot, synced, ticks(5, since=NOON - 4 * ONE_DAY, first_id=9000))

    assert not in_step(synced, hot, warm)

    result = sync_table(synced, hot, warm)

    assert result.days == (DAY - 4 * ONE_DAY,)
    assert_equal(hot, warm, synced)


def test_rows_at_the_very_time_of_the_newest_come_along(hot, warm, synced):
    put(hot, synced, ticks(50, since=NOON + 299 * MINUTE, every=0 * SECOND, first_id=5000))
    sync_table(synced, hot, warm)

    assert_equal(hot, warm, synced)


def test_many_rows_of_one_instant_are_all_there(hot, warm, table):
    put(hot, table, ticks(5000, every=0 * SECOND))
    sync_table(table, hot, warm)

    assert warm_rows(warm, table).height == 5000
    assert_equal(hot, warm, table)


def test_rewritten_rows_replace_theirs(hot, warm, synced):
    put(hot, synced, ticks(300, every=MINUTE, price=77.7, flags=1))
    result = sync_table(synced, hot, warm)

    assert (result.rows_deleted, result.rows_copied) == (300, 300)
    assert_equal(hot, warm, synced)


@pytest.mark.parametrize(
    "assignment", ["quantity = quantity + 1", "aggressor = 'AUCTION'", "source = 'profitdll'", "buyer = null"]
)
def test_an_update_is_followed(hot, warm, synced, assignment):
    change(hot, synced, f"UPDATE {synced.name} SET {assignment} WHERE symbol = 'PETR4'")
    sync_table(synced, hot, warm)

    assert_equal(hot, warm, synced)


def test_a_dropped_partition_leaves_warm_too(hot, warm, synced):
    put(hot, synced, ticks(20, since=NOON - ONE_DAY, first_id=7000))
    put(hot, synced, ticks(20, since=NOON + ONE_DAY, first_id=8000))
    sync_table(synced, hot, warm)
    change(hot, synced, f"ALTER TABLE {synced.name} DROP PARTITION LIST '{DAY}'")
    result = sync_table(synced, hot, warm)

    assert result.rows_deleted == 300
    assert warm.rows_of(synced, [DAY]) == {DAY: 0}
    assert_equal(hot, warm, synced)
    assert receipts.days(warm, synced, "warm") == [DAY - ONE_DAY, DAY + ONE_DAY]


def test_a_truncated_table_leaves_nothing(hot, warm, synced):
    change(hot, synced, f"TRUNCATE TABLE {synced.name}")
    sync_table(synced, hot, warm)

    assert warm_rows(warm, synced).height == 0


def test_a_pass_over_one_day_leaves_the_others(hot, warm, synced):
    put(hot, synced, ticks(3, since=NOON - ONE_DAY, first_id=1000))
    put(hot, synced, ticks(4, since=NOON + ONE_DAY, first_id=2000))
    result = sync_table(synced, hot, warm, day=DAY + ONE_DAY)

    assert result.days == (DAY + ONE_DAY,)
    assert warm.rows_of(synced, [DAY - ONE_DAY, DAY + ONE_DAY]) == {DAY - ONE_DAY: 0, DAY + ONE_DAY: 4}
    assert not in_step(synced, hot, warm)

    sync_table(synced, hot, warm)

    assert_equal(hot, warm, synced)


def test_rows_altered_in_warm_are_mended_by_a_pass_over_their_day(hot, warm, synced):
    with warm.connect() as connection:
        connection.execute(f"UPDATE {synced.name} SET quantity = quantity + 1 WHERE trade_id = 7")
        connection.execute(f"DELETE FROM {synced.name} WHERE trade_id = 8")
    sync_table(synced, hot, warm, day=DAY)

    assert_equal(hot, warm, synced)


def test_values_survive_to_the_last_bit(hot, warm, table):
    prices = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 12345.678900000001, 2.0**-1074 * 3]
    texts = ["ação", "日本 株", "😀 trade", "back\\slash", 'quo"te', "new\nline"]
    put(
        hot,
        table,
        ticks(
            6,
            price=prices,
            symbol=texts,
            source=[*texts[1:], "\\N"],
            aggressor=["", None, "\\N", "null", " ", "\t"],
            quantity=[0, 2**63 - 1, 1, 2, 3, 4],
            buyer=[0, None, 2**31 - 1, 1, 2, 3],
            session=[dt.date(1900, 1, 1), dt.date(2200, 12, 31), *[DAY] * 4],
            every=dt.timedelta(microseconds=1),
        ),
    )
    sync_table(table, hot, warm)

    assert_equal(hot, warm, table)


def test_an_empty_text_is_not_a_null(hot, warm, table):
    put(hot, table, ticks(2, aggressor=["", None]))
    sync_table(table, hot, warm)

    assert warm_rows(warm, table)["aggressor"].to_list() == ["", None]


def test_two_passes_at_once_are_as_good_as_one(hot, warm, table):
    put(hot, table, ticks(20_000, every=SECOND))
    results = []
    passes = [threading.Thread(target=lambda: results.append(sync_table(table, hot, warm))) for _ in range(3)]
    for each in passes:
        each.start()
    for each in passes:
        each.join(60)

    assert sorted(result.rows_copied for result in results) == [0, 0, 20_000]
    assert_equal(hot, warm, table)


def test_rows_that_arrive_during_a_pass_come_with_the_next(hot, warm, table):
    frame = ticks(20_000, every=SECOND)
    writer = threading.Thread(target=lambda: [hot.insert(table, part) for part in frame.iter_slices(1000)])
    writer.start()
    while writer.is_alive():
        sync_table(table, hot, warm)
    writer.join(60)
    hot.wait_applied(table)
    sync_table(table, hot, warm)

    assert_equal(hot, warm, table)


KILLED = """
import sys, time
from config.settings import load
from sql import stores
from sql import sync, tables
import msgspec

table = msgspec.structs.replace(tables.TICKS, name=sys.argv[1])
whole = sync.copy

def half(cursor, table, frames):
    first = next(iter(frames))
    whole(cursor, table, [first.head(first.height // 2)])
    print("half", flush=True)
    time.sleep(60)

sync.copy = half
settings = load()
sync.sync_table(table, stores.hot(settings), stores.warm(settings))
"""


def test_a_pass_that_is_killed_changes_nothing_and_the_next_is_exact(hot, warm, synced, engines, process_environment):
    before = warm_rows(warm, synced)
    put(hot, synced, ticks(300, every=MINUTE, price=99.5))
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, synced.name],
        env=process_environment(engines),
        cwd=engines.root,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        said = child.stdout.readline()
        child.kill()

    assert said == "half\n"
    assert warm_rows(warm, synced).equals(before, null_equal=True)

    sync_table(synced, hot, warm)

    assert_equal(hot, warm, synced)


def test_a_hot_table_made_anew_deletes_nothing_from_warm(hot, warm, synced):
    hot.execute(f"DROP TABLE {synced.name}")
    hot.execute(synced.hot_ddl())
    before = warm_rows(warm, synced)
    put(hot, synced, ticks(10, since=NOON + 6 * HOUR, first_id=4000))
    sync_table(synced, hot, warm)
    after = warm_rows(warm, synced)

    assert after.height == 310
    assert after.head(300).equals(before, null_equal=True)


def test_below_the_floor_rows_are_added_and_replaced_but_never_removed(hot, warm, synced):
    floor = NOON + 2 * HOUR + 30 * MINUTE
    with warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = %s", (floor, synced.name))
    change(hot, synced, f"TRUNCATE TABLE {synced.name}")
    put(hot, synced, ticks(1, price=1.25))  # one row of before, rewritten
    put(hot, synced, ticks(2, since=NOON + 30 * SECOND, first_id=6000))  # two that are new
    put(hot, synced, ticks(1, since=floor + MINUTE, first_id=6500))
    sync_table(synced, hot, warm)
    stored = warm.rows(f"SELECT trade_id, price FROM {synced.name} ORDER BY ts, trade_id")
    below = [row["trade_id"] for row in stored if row["trade_id"] <= 300]

    assert below == list(range(1, 151))  # what was below the floor, and nothing above it
    assert stored[0]["price"] == 1.25
    assert {row["trade_id"] for row in stored} - set(below) == {6000, 6001, 6500}


def test_a_floor_in_the_middle_of_an_hour_that_hot_lost_keeps_what_is_below(hot, warm, synced):
    floor = NOON + 2 * HOUR + 30 * MINUTE
    with warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = %s", (floor, synced.name))
    change(hot, synced, f"TRUNCATE TABLE {synced.name}")
    sync_table(synced, hot, warm)

    assert warm_rows(warm, synced)["ts"].max() == floor - MINUTE


def test_a_suspended_table_is_named_with_the_remedy(hot, warm, synced, engines):
    """The folder of a partition goes away for a while, as with a broken disk."""
    put(hot, synced, ticks(5, since=NOON + ONE_DAY, first_id=1000))
    sync_table(synced, hot, warm)
    before = warm_rows(warm, synced)
    folder = hot.rows(f"SELECT directoryName FROM tables() WHERE table_name = '{synced.name}'")[0]["directoryName"]
    partition = next((engines.data_dir / "questdb" / "db" / folder).glob(f"{DAY}*"))
    away = partition.rename(partition.with_name("away"))
    hot.insert(synced, ticks(5, since=NOON + SECOND, first_id=2000))

    with pytest.raises(SuspendedError, match=f"{synced.name} is suspended .* RESUME WAL"):
        sync_table(synced, hot, warm)
    assert warm_rows(warm, synced).equals(before, null_equal=True)

    away.rename(partition)
    hot.execute(f"ALTER TABLE {synced.name} RESUME WAL")
    sync_table(synced, hot, warm)

    assert warm_rows(warm, synced).height == 310
    assert_equal(hot, warm, synced)


def test_a_store_that_does_not_answer_is_said_to_be_away(hot, warm, synced):
    away = WarmStore("postgresql://nobody:x@127.0.0.1:1/none")

    with pytest.raises(StoreUnavailableError):
        sync_table(synced, hot, away)
    with pytest.raises(StoreUnavailableError):
        sync_table(synced, HotStore("http://127.0.0.1:1", "postgresql://x@127.0.0.1:1/qdb"), warm)


def test_receipts_say_what_warm_holds(hot, warm, synced):
    put(hot, synced, ticks(7, since=NOON - ONE_DAY, first_id=7000))
    sync_table(synced, hot, warm)
    with warm.connect() as connection:
        cursor = connection.cursor()
        stored = {day: receipts.stored(cursor, synced, "warm", day) for day in (DAY - ONE_DAY, DAY)}

    assert [receipt.rows for receipt in stored.values()] == [7, 300]


class Tape(RuleBasedStateMachine):
    """Anything may happen to hot; after a pass warm is equal."""

    stores: tuple[HotStore, WarmStore]

    @initialize()
    def make(self):
        self.hot, self.warm = self.stores
        self.table = new_table(self.hot, self.warm)
        self.next_id = 1
        self.fresh = False

    @rule(hours=st.integers(-60, 60), count=st.integers(1, 40), seconds=st.sampled_from([0, 1, 400]))
    def add(self, hours, count, seconds):
        frame = ticks(count, since=NOON + hours * HOUR, every=seconds * SECOND, first_id=self.next_id)
        put(self.hot, self.table, frame)
        self.next_id += count
        self.fresh = False

    @rule(price=st.floats(0.01, 1e6), share=st.integers(2, 4))
    def rewrite(self, price, share):
        frame = self.hot.frame(f"SELECT * FROM {self.table.name}", self.table)
        put(self.hot, self.table, frame.gather_every(share).with_columns(price=pl.lit(price)))
        self.fresh = False

    @rule(column=st.sampled_from(["quantity", "buyer"]), modulus=st.integers(2, 5))
    def update(self, column, modulus):
        statement = f"UPDATE {self.table.name} SET {column} = {column} + 1 WHERE trade_id % {modulus} = 0"
        change(self.hot, self.table, statement)
        self.fresh = False

    @rule(days=st.integers(-2, 2))
    def drop_partition(self, days):
        day = (NOON + days * ONE_DAY).date()
        known = {row["name"] for row in self.hot.rows(f"SELECT name FROM table_partitions('{self.table.name}')")}
        if str(day) in known:
            change(self.hot, self.table, f"ALTER TABLE {self.table.name} DROP PARTITION LIST '{day}'")
            self.fresh = False

    @rule(days=st.integers(-2, 2))
    def sync_day(self, days):
        day = (NOON + days * ONE_DAY).date()
        sync_table(self.table, self.hot, self.warm, day=day)
        since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        with self.warm.connect() as connection:
            theirs = warm_buckets(connection.cursor(), self.table, since, since + ONE_DAY)

        assert hot_buckets(self.hot, self.table, since, since + ONE_DAY) == theirs

    @rule()
    def sync(self):
        sync_table(self.table, self.hot, self.warm)
        self.fresh = True

    @invariant()
    def equal_after_a_pass(self):
        if getattr(self, "fresh", False):
            assert_equal(self.hot, self.warm, self.table)

    def teardown(self):
        if hasattr(self, "table"):
            drop(self.table, self.hot, self.warm)


def test_whatever_happens_to_hot_a_pass_makes_warm_equal(hot, warm):
    class Machine(Tape):
        stores = (hot, warm)

    few = settings(max_examples=5, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=few)


def test_one_late_row_copies_itself_alone(hot, warm, synced):
    put(hot, synced, ticks(1, since=NOON + 7 * SECOND, first_id=9000))
    result = sync_table(synced, hot, warm)

    assert (result.way, result.buckets_compared, result.rows_copied, result.rows_deleted) == ("windows", 0, 1, 0)
    assert_equal(hot, warm, synced)


def test_a_transaction_over_many_days_copies_what_it_changed(hot, warm, table):
    """A row late by three days and one of now, in one transaction; 120,000 rows lie between."""
    for days in range(4):
        put(hot, table, ticks(30_000, since=NOON - days * ONE_DAY, every=SECOND / 10, first_id=1 + days * 30_000))
    sync_table(table, hot, warm)
    ends = [
        ticks(1, since=NOON - 3 * ONE_DAY + SECOND, first_id=900_000),
        ticks(1, since=NOON + HOUR, first_id=900_001),
    ]
    put(hot, table, pl.concat(ends))
    result = sync_table(table, hot, warm)

    assert result.way == "windows"
    assert result.rows_copied <= 602  # a minute of ten rows a second, and the row of now
    assert_equal(hot, warm, table)


def test_a_hot_table_brought_back_from_a_backup_deletes_nothing_from_warm(hot, warm, synced):
    """It has the id, the directory and more transactions than were synced, but another history."""
    with warm.connect() as connection:
        connection.execute(
            "UPDATE sync_control SET hot_incarnation = split_part(hot_incarnation, '@', 1) || '@another instant' "
            "WHERE stream = %s",
            (synced.name,),
        )
    change(hot, synced, f"TRUNCATE TABLE {synced.name}")
    put(hot, synced, ticks(2, since=NOON + 9 * HOUR, first_id=5000))

    assert not in_step(synced, hot, warm)

    result = sync_table(synced, hot, warm)

    assert result.way == "comparison"
    assert warm_rows(warm, synced).height == 302
    assert in_step(synced, hot, warm)


@pytest.mark.usefixtures("one_utc_day")
def test_without_windows_recent_days_are_compared_and_once_a_day_everything(hot, warm, synced, monkeypatch):
    """As on an external server that lacks the setting: transactions show neither times nor counts."""
    listed = HotStore.transactions

    def bare(self, *asked):
        return [msgspec.structs.replace(each, since=None, last=None, rows=None) for each in listed(self, *asked)]

    monkeypatch.setattr(HotStore, "transactions", bare)
    monkeypatch.setattr(HotStore, "keeps_windows", lambda self, table: False)
    put(hot, synced, ticks(2, since=NOON - HOUR, first_id=5000))
    put(hot, synced, ticks(2, since=NOON - 9 * ONE_DAY, first_id=6000))
    recent = sync_table(synced, hot, warm)
    with warm.connect() as connection:
        statement = "UPDATE sync_control SET updated_at = updated_at - interval '1 day' WHERE stream = %s"
        connection.execute(statement, (synced.name,))
    put(hot, synced, ticks(1, since=NOON + 9 * HOUR, first_id=7000))
    nightly = sync_table(synced, hot, warm)

    assert (recent.way, recent.days) == ("comparison", (DAY,))
    assert nightly.days == (DAY - 9 * ONE_DAY, DAY)
    assert_equal(hot, warm, synced)


def test_a_table_made_anew_is_asked_anew_whether_it_keeps_windows(hot, warm, table):
    """The server keeps the plan of a text; that of a dropped table's transactions is an error."""
    for _ in range(2):
        put(hot, table, ticks(10))
        sync_table(table, hot, warm)
        change(hot, table, f"UPDATE {table.name} SET quantity = quantity + 1")
        sync_table(table, hot, warm)
        hot.execute(f"DROP TABLE {table.name}")
        hot.execute(table.hot_ddl())

    assert sync_table(table, hot, warm).rows_agree
