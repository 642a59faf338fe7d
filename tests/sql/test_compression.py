"""What becomes of old rows of warm, on native partitions and, where the server has it, on hypertables."""

import datetime as dt

import msgspec
import pytest

from sql import receipts
from sql.archive import archive_table
from sql.buckets import start_of
from sql.compression import compress, retain
from sql.evidence import Tiers
from sql.sync import sync_table
from sql.verify import verify
from sql.warm import is_hypertable
from tests.tape import DAY, NOON, SECOND, change, cold_rows, put, ticks, warm_rows

ONE_DAY = dt.timedelta(days=1)
LATER = DAY + 30 * ONE_DAY


@pytest.fixture
def kept(hot, warm, cold, table):
    put(hot, table, ticks(300, every=60 * SECOND))
    put(hot, table, ticks(20, since=NOON + ONE_DAY, first_id=1000))
    sync_table(table, hot, warm)
    archive_table(table, warm, cold)
    return table


def of_age(table, **columns):
    return msgspec.structs.replace(table, **columns)


@pytest.fixture
def below_the_floor(hot, warm, kept):
    with warm.connect() as connection:
        statement = "UPDATE sync_control SET hot_from = %s WHERE stream = %s"
        connection.execute(statement, (start_of(DAY + ONE_DAY), kept.name))
    change(hot, kept, f"ALTER TABLE {kept.name} DROP PARTITION LIST '{DAY}'")
    sync_table(kept, hot, warm)


def test_compressing_changes_no_row_and_native_partitions_say_that_they_cannot(warm, kept):
    before = warm_rows(warm, kept)
    done = compress(kept, warm, today=LATER)

    assert warm_rows(warm, kept).equals(before, null_equal=True)
    with warm.connect() as connection:
        if is_hypertable(connection.cursor(), kept.name):
            assert (done.compressed, done.note) == (2, "")
        else:
            assert (done.compressed, done.note) == (0, "native partitions: nothing compresses them")


def test_rows_that_come_late_for_a_compressed_day_are_synchronised_and_proven(hot, warm, cold, kept, tmp_path):
    compress(kept, warm, today=LATER)
    put(hot, kept, ticks(3, since=NOON + SECOND, first_id=5000))
    change(hot, kept, f"UPDATE {kept.name} SET quantity = 9 WHERE trade_id = 7")
    sync_table(kept, hot, warm)
    archive_table(kept, warm, cold)

    assert verify([kept], Tiers(hot, warm, cold, tmp_path), today=LATER, strict=True).holds
    assert compress(kept, warm, today=LATER) is not None


def test_a_table_may_never_be_compressed(warm, kept):
    assert "compresses nothing" in compress(of_age(kept, compress_after_days=None), warm, today=LATER).note


def test_a_day_leaves_warm_when_its_file_is_proven(hot, warm, cold, kept, tmp_path, below_the_floor):
    done = retain(of_age(kept, warm_days=29), warm, cold, today=LATER)

    assert done.dropped == (DAY,)
    assert receipts.days(warm, kept, "warm") == [DAY + ONE_DAY]
    assert archive_table(kept, warm, cold) == []
    assert cold_rows(cold, kept, DAY).height == 300
    assert verify([kept], Tiers(hot, warm, cold, tmp_path), today=LATER).holds


@pytest.mark.parametrize("damage", ["file", "receipt", "floor"])
def test_a_day_stays_in_warm_while_another_tier_may_not_hold_it(hot, warm, cold, kept, damage, below_the_floor):
    before = warm_rows(warm, kept)
    if damage == "file":
        cold.path(kept, DAY).write_bytes(b"torn")
    with warm.connect() as connection:
        if damage == "receipt":
            receipts.touch(connection.cursor(), kept, {DAY: 0})
        if damage == "floor":
            connection.execute("UPDATE sync_control SET hot_from = NULL WHERE stream = %s", (kept.name,))
    done = retain(of_age(kept, warm_days=29), warm, cold, today=LATER)

    assert done.dropped == ()
    assert "1 days stay" in done.note
    assert warm_rows(warm, kept).equals(before, null_equal=True)
