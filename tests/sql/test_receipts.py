"""What receipts say between a change and the next reading of the day."""

import datetime as dt

from sql import receipts
from tests.tape import DAY

ONE_DAY = dt.timedelta(days=1)


def touched(warm, table, *changes):
    with warm.connect() as connection:
        cursor = connection.cursor()
        for change in changes:
            receipts.touch(cursor, table, change)
        return {day: receipts.stored(cursor, table, "warm", day) for day in (DAY, DAY + ONE_DAY)}


def test_touched_days_count_their_rows_exactly(warm, table):
    found = touched(warm, table, {DAY: 300, DAY + ONE_DAY: 20}, {DAY: -299}, {})

    assert [found[day].rows for day in found] == [1, 20]


def test_a_touched_day_has_no_digest_until_it_is_read_again(warm, table):
    found = touched(warm, table, {DAY: 300}, {DAY: 0})

    assert (found[DAY].rows, found[DAY].digest, found[DAY + ONE_DAY]) == (300, receipts.UNKNOWN, None)


def test_a_day_that_was_emptied_is_remembered_as_deleted_and_not_listed(warm, table):
    found = touched(warm, table, {DAY: 300, DAY + ONE_DAY: 5}, {DAY: -300})

    assert found[DAY].rows == 0
    assert receipts.days(warm, table, "warm") == [DAY + ONE_DAY]


def test_a_day_that_nobody_wrote_is_not_remembered_as_deleted(warm, table):
    found = touched(warm, table, {DAY: 0})

    assert found[DAY] is None
