"""Warm to cold: the file of a day is what warm holds, whole or not at all, and follows every change."""

import datetime as dt
import subprocess
import sys

import pytest

from sql import receipts
from sql.agreement import cold_agrees, warm_agrees
from sql.archive import archive_day, archive_table, file_content, stale_days
from sql.cold import ColdStore, sha256_of
from sql.errors import AlteredError, DamagedError
from sql.sync import sync_table
from tests.tape import DAY, NOON, SECOND, change, cold_rows, put, ticks, warm_rows

MINUTE = 60 * SECOND
ONE_DAY = dt.timedelta(days=1)
LATER = DAY + 30 * ONE_DAY  # a "today" on which all days of these tests are over


def stale(table, warm, cold):
    with warm.connect() as connection:
        return stale_days(connection.cursor(), table, cold)


@pytest.fixture
def synced(hot, warm, table):
    """Two UTC days in hot and warm: 300 rows and 20."""
    put(hot, table, ticks(300, every=MINUTE))
    put(hot, table, ticks(20, since=NOON + ONE_DAY, first_id=1000))
    sync_table(table, hot, warm)
    return table


@pytest.fixture
def archived(synced, warm, cold):
    archive_table(synced, warm, cold)
    return synced


def test_a_pass_writes_the_file_of_every_day(warm, cold, synced):
    results = archive_table(synced, warm, cold)
    whole = warm_rows(warm, synced)

    assert [(r.day, r.rows, r.written, r.rows_agree) for r in results] == [
        (DAY, 300, True, True),
        (DAY + ONE_DAY, 20, True, True),
    ]
    assert cold_rows(cold, synced, DAY).equals(whole.head(300), null_equal=True)
    assert cold_rows(cold, synced, DAY + ONE_DAY).equals(whole.tail(20), null_equal=True)


def test_a_day_that_did_not_change_is_not_written_again(warm, cold, archived):
    before = cold.path(archived, DAY).stat()

    assert archive_table(archived, warm, cold) == []
    assert cold.path(archived, DAY).stat().st_mtime_ns == before.st_mtime_ns


def test_a_day_that_changed_is_written_again_and_no_other(hot, warm, cold, archived):
    change(hot, archived, f"UPDATE {archived.name} SET source = 'profitdll' WHERE trade_id = 1000")
    sync_table(archived, hot, warm)

    assert stale(archived, warm, cold) == [DAY + ONE_DAY]

    archive_table(archived, warm, cold)

    assert "profitdll" in cold_rows(cold, archived, DAY + ONE_DAY)["source"].to_list()
    assert stale(archived, warm, cold) == []


def test_a_file_that_is_away_is_written_again(warm, cold, archived):
    cold.remove(archived, DAY)

    assert stale(archived, warm, cold) == [DAY]

    archive_table(archived, warm, cold)

    assert cold.days(archived) == [DAY, DAY + ONE_DAY]


def test_a_day_that_became_empty_has_no_file(hot, warm, cold, archived):
    change(hot, archived, f"ALTER TABLE {archived.name} DROP PARTITION LIST '{DAY}'")
    sync_table(archived, hot, warm)
    results = archive_table(archived, warm, cold)

    assert [(r.day, r.rows, r.written, r.rows_agree) for r in results] == [(DAY, 0, False, True)]
    assert cold.days(archived) == [DAY + ONE_DAY]
    assert receipts.days(warm, archived, "cold") == [DAY + ONE_DAY]
    assert archive_table(archived, warm, cold) == []


def test_a_receipt_knows_rows_fingerprint_and_file(warm, cold, archived):
    with warm.connect() as connection:
        made = receipts.stored(connection.cursor(), archived, "cold", DAY)

    assert made.rows == 300
    assert cold.root / made.file == cold.path(archived, DAY)
    assert made.file_sha256 == sha256_of(cold.path(archived, DAY))


def test_leftovers_of_a_killed_pass_are_swept(warm, cold, archived):
    orphan = cold.path(archived, DAY).with_name("0123.part")
    orphan.write_bytes(b"half")
    archive_day(archived, DAY, warm, cold)

    assert sorted(path.name for path in orphan.parent.iterdir()) == [f"{archived.name}.parquet"]


KILLED = """
import sys, time
from pathlib import Path
import msgspec
from config.settings import load
from sql import stores
from sql import archive, cold, tables

def stuck(path):
    print("written", flush=True)
    time.sleep(60)

cold.sha256_of = stuck
table = msgspec.structs.replace(tables.TICKS, name=sys.argv[1])
day = __import__("datetime").date.fromisoformat(sys.argv[3])
archive.archive_day(table, day, stores.warm(load()), cold.ColdStore(Path(sys.argv[2]), [table]))
"""


def test_a_pass_that_is_killed_leaves_the_old_file(hot, warm, cold, archived, engines, process_environment):
    before = cold.path(archived, DAY).read_bytes()
    change(hot, archived, f"UPDATE {archived.name} SET quantity = 1")
    sync_table(archived, hot, warm)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, archived.name, str(cold.root), str(DAY)],
        env=process_environment(engines),
        cwd=engines.root,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        said = child.stdout.readline()
        child.kill()

    assert said == "written\n"
    assert cold.path(archived, DAY).read_bytes() == before
    assert DAY in stale(archived, warm, cold)

    archive_table(archived, warm, cold)

    assert set(cold_rows(cold, archived, DAY)["quantity"]) == {1}
    assert list(cold.root.rglob("*.part")) == []


def test_a_failure_while_writing_leaves_the_old_file(cold, archived):
    before = cold.path(archived, DAY).read_bytes()

    def broken():
        raise RuntimeError("the stream broke")
        yield

    with pytest.raises(RuntimeError, match="the stream broke"):
        cold.write(archived, DAY, broken())
    assert cold.path(archived, DAY).read_bytes() == before
    assert list(cold.root.rglob("*.part")) == []


def test_tiers_agree_after_a_pass(hot, warm, cold, archived):
    in_warm = warm_agrees(archived, DAY, hot, warm, today=LATER)
    in_cold = cold_agrees(archived, DAY, warm, cold, today=LATER)

    assert (in_warm.agree, in_warm.rows, in_warm.rows_before, in_warm.reason) == (True, 300, 300, "")
    assert (in_cold.agree, in_cold.rows, in_cold.rows_before, in_cold.reason) == (True, 300, 300, "")


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE {} SET quantity = quantity + 1 WHERE trade_id = 5",
        "UPDATE {} SET source = 'profitdll' WHERE trade_id = 5",
        "DELETE FROM {} WHERE trade_id = 5",
    ],
)
@pytest.mark.parametrize("today", [DAY, LATER])
def test_rows_altered_in_warm_do_not_agree(hot, warm, archived, tampering, today):
    with warm.connect() as connection:
        connection.execute(tampering.format(archived.name))
    verdict = warm_agrees(archived, DAY, hot, warm, today=today)

    assert not verdict.agree
    assert "was altered since it was written" in verdict.reason


def test_rows_that_hot_took_since_are_lag_on_the_open_day_and_a_difference_after(hot, warm, archived):
    put(hot, archived, ticks(3, since=NOON + SECOND, first_id=5000))
    on_the_day = warm_agrees(archived, DAY, hot, warm, today=DAY)
    afterwards = warm_agrees(archived, DAY, hot, warm, today=LATER)

    assert (on_the_day.agree, on_the_day.rows_before - on_the_day.rows) == (True, 3)
    assert not afterwards.agree
    assert "in the hours (UTC) 12h: sync the day" in afterwards.reason


def test_rows_below_the_floor_of_hot_are_warms_own(hot, warm, archived):
    change(hot, archived, f"ALTER TABLE {archived.name} DROP PARTITION LIST '{DAY}'")
    with warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = %s", (NOON + ONE_DAY, archived.name))

    assert warm_agrees(archived, DAY, hot, warm, today=LATER).agree


def test_a_file_older_than_its_day_does_not_agree_once_the_day_is_over(hot, warm, cold, archived):
    put(hot, archived, ticks(3, since=NOON + SECOND, first_id=5000))
    sync_table(archived, hot, warm)

    assert cold_agrees(archived, DAY, warm, cold, today=DAY).agree
    assert "archive the day" in cold_agrees(archived, DAY, warm, cold, today=LATER).reason


def test_a_file_with_other_rows_does_not_agree(warm, cold, archived):
    frame = ticks(300, every=MINUTE, price=1.0)
    cold.write(archived, DAY, frame.to_arrow().cast(archived.arrow).to_batches())

    assert "was altered since it was written" in cold_agrees(archived, DAY, warm, cold, today=DAY).reason


def test_a_torn_file_does_not_agree_and_is_named(warm, cold, archived):
    path = cold.path(archived, DAY)
    path.write_bytes(path.read_bytes()[:-100])

    assert str(cold.root) in cold_agrees(archived, DAY, warm, cold, today=DAY).reason
    with pytest.raises(DamagedError):
        file_content(archived, DAY, cold)


def test_a_pass_that_ends_between_file_and_receipts_is_made_again(warm, cold, archived, monkeypatch):
    cold.remove(archived, DAY)
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "store", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            archive_day(archived, DAY, warm, cold)

    assert cold.path(archived, DAY).is_file()
    assert stale(archived, warm, cold) == [DAY]

    archive_table(archived, warm, cold)

    assert stale(archived, warm, cold) == []
    assert cold_agrees(archived, DAY, warm, cold, today=LATER).agree


def test_a_day_that_changes_while_it_is_written_stays_stale(hot, warm, cold, archived, monkeypatch):
    write = ColdStore.write

    def slow(self, *arguments):
        written = write(self, *arguments)
        change(hot, archived, f"UPDATE {archived.name} SET quantity = 77 WHERE trade_id = 1000")
        sync_table(archived, hot, warm)
        return written

    with monkeypatch.context() as patched:
        patched.setattr(ColdStore, "write", slow)
        result = archive_day(archived, DAY + ONE_DAY, warm, cold)

    assert not result.rows_agree
    assert stale(archived, warm, cold) == [DAY + ONE_DAY]
    assert archive_table(archived, warm, cold)[0].rows_agree


def test_a_file_stays_when_its_rows_vanish_from_warm_without_a_deletion(warm, cold, archived):
    with warm.connect() as connection:
        connection.execute(f"DELETE FROM {archived.name} WHERE ts < '2026-11-19Z'")
        receipts.touch(connection.cursor(), archived, {DAY: 0})

    with pytest.raises(AlteredError):
        archive_day(archived, DAY, warm, cold)
    assert cold.days(archived) == [DAY, DAY + ONE_DAY]
