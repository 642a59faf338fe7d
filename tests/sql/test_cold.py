"""The cold tier: files appear whole, queries only read, below the root, in UTC."""

import datetime as dt
import os
import subprocess
import sys

import polars as pl
import pytest

from sql.cold import ColdStore
from sql.errors import DamagedError, StatementError
from sql.tables import TICKS
from tests.tape import DAY, NOON, in_order, ticks


@pytest.fixture
def store(tmp_path):
    """Three rows of one day; no engine is needed."""
    made = ColdStore(tmp_path / "cold")
    made.write(TICKS, DAY, batches(ticks(3)))
    return made


def batches(frame):
    return frame.to_arrow().cast(TICKS.arrow).to_batches()


def test_a_file_is_read_back_as_it_was_written(store):
    found = pl.read_parquet(store.path(TICKS, DAY), hive_partitioning=False)

    assert found.schema == TICKS.polars
    assert in_order(found, TICKS).equals(in_order(ticks(3), TICKS), null_equal=True)


def test_files_stand_where_hive_readers_look(store):
    assert store.path(TICKS, DAY).relative_to(store.root).as_posix() == "ticks/day=2026-11-18/ticks.parquet"
    assert pl.read_parquet(store.root / "ticks")["day"].to_list() == [DAY] * 3


def test_days_are_those_with_a_file_in_order(store):
    store.write(TICKS, DAY - dt.timedelta(days=1), batches(ticks(1)))

    assert store.days(TICKS) == [DAY - dt.timedelta(days=1), DAY]

    store.remove(TICKS, DAY)
    store.remove(TICKS, DAY)

    assert store.days(TICKS) == [DAY - dt.timedelta(days=1)]


def test_a_day_that_goes_takes_along_what_a_kill_left_beside_it(store):
    draft = store.path(TICKS, DAY).with_name("0123.part")
    draft.touch()
    store.remove(TICKS, DAY)

    assert not draft.exists()


def test_a_query_sees_the_table_and_its_day(store):
    rows = store.query("SELECT day, count(*) AS n, sum(quantity) AS q FROM ticks WHERE symbol <> ? GROUP BY day", ["X"])

    assert rows == [{"day": DAY, "n": 3, "q": 6}]


def test_a_query_without_files_finds_an_empty_table(tmp_path):
    assert ColdStore(tmp_path / "none").query("SELECT * FROM ticks") == []


def test_times_come_back_aware_and_utc(store):
    assert store.query("SELECT min(ts) AS first FROM ticks") == [{"first": NOON}]


IN_ANOTHER_ZONE = """
import sys
from pathlib import Path
from sql.cold import ColdStore
print(ColdStore(Path(sys.argv[1])).query(
    "SELECT current_setting('TimeZone') AS zone, date_trunc('day', min(ts))::varchar AS day, min(ts)::varchar AS ts "
    "FROM ticks"))
"""


def test_queries_run_in_utc_whatever_the_host_says(store):
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_ZONE, str(store.root)],
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert eval(done.stdout) == [
        {"zone": "UTC", "day": "2026-11-18 00:00:00+00", "ts": "2026-11-18 12:00:00+00"},
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ticks",
        "INSERT INTO ticks VALUES (1)",
        "CREATE TABLE mine AS SELECT 1",
        "COPY ticks TO '{root}/out.parquet'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '{root}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPORT DATABASE '{root}'",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW ticks",
        "",
        "SELEKT",
        "SELECT nothing FROM ticks",
        "SELECT * FROM ticks WHERE symbol = ?",
    ],
)
def test_anything_but_one_reading_statement_is_refused(store, statement):
    with pytest.raises(StatementError):
        store.query(statement.format(root=store.root))
    assert store.query("SELECT count(*) AS n FROM ticks") == [{"n": 3}]


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{outside}')",
        "read_text('{outside}')",
        "'{outside}'",
        "glob('{folder}/*')",
        "read_text('{root}/../outside.csv')",
        "read_parquet('https://example.invalid/x.parquet')",
    ],
)
def test_a_query_reads_nothing_outside_the_root(store, source):
    outside = store.root.parent / "outside.csv"
    outside.write_text("a,b\n1,2\n")
    named = source.format(outside=outside, folder=outside.parent, root=store.root)

    with pytest.raises(StatementError):
        store.query(f"SELECT * FROM {named}")


def torn(content):
    return content[: len(content) // 2]


def without_footer(content):
    return content[:-8] + b"\0" * 8


def empty(content):
    return b""


def zeroed(content):
    footer = int.from_bytes(content[-8:-4], "little") + 8
    return content[:4] + b"\0" * (len(content) - 4 - footer) + content[-footer:]


@pytest.mark.parametrize("damage", [torn, without_footer, zeroed, empty])
def test_a_damaged_file_is_named_as_such(store, damage):
    path = store.path(TICKS, DAY)
    store.write(TICKS, DAY, batches(ticks(5000)))
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(DamagedError, match="cannot be read"):
        store.query("SELECT sum(price) AS p, sum(trade_id) AS t, max(symbol) AS s, max(ts) AS ts FROM ticks")


def test_a_day_is_replaced_whole(store):
    written = store.write(TICKS, DAY, batches(ticks(7)))

    assert (written.rows, written.bytes) == (7, store.path(TICKS, DAY).stat().st_size)
    assert store.query("SELECT count(*) AS n FROM ticks") == [{"n": 7}]
