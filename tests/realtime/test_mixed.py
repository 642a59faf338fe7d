"""The sender in sessions in which rows of a file stand: nothing twice, whatever the file's numbers."""

import datetime as dt

import polars as pl
import pytest

from realtime.records import Kind
from realtime.relay.rows import EDIT
from sql import ticks
from sql.tables import FOREIGN, TICKS, Flag
from sql.ticks import BusyError
from tests.realtime.spooled import records
from tests.realtime.test_sender import hot, scene

__all__ = ["hot", "scene"]


@pytest.fixture
def file(hot, scene):
    """Rows as a file brings them, of the records that `records` makes: its numbers are theirs times `times`."""

    def bring(first, count, *, times=1, foreign=False):
        made = records(count, first)
        opening = dt.datetime(1970, 1, 1, 3, tzinfo=dt.UTC)
        rows = pl.DataFrame(
            {
                "ts": [opening + dt.timedelta(milliseconds=int(ms)) for ms in made["time"]],
                "symbol": [scene.symbols[int(asset) - 1] for asset in made["asset"]],
                "session": [dt.date(2026, 11, 19)] * count,
                "trade_id": [int(number) * times + foreign * FOREIGN for number in made["number"]],
                "price": made["price"],
                "quantity": made["quantity"],
                "aggressor": [None] * count,
                "buyer": [None] * count,
                "seller": [None] * count,
                "flags": [int(Flag.FOREIGN_NUMBER) * foreign] * count,
                "received_at": [opening] * count,
                "source": ["b3"] * count,
            },
            schema=TICKS.polars,
        )
        ticks.store(hot, rows)

    return bring


def test_what_the_file_told_is_not_told_again(scene, file):
    file(1, 200, times=3)
    scene.put(records(300, 101))
    scene.send()

    rows = scene.stored()
    own = rows.filter(pl.col("source") == "simulator")
    assert rows.height == 400
    assert sorted(own["trade_id"]) == [10 * n + FOREIGN for n in range(201, 401)]
    assert (own["flags"] == Flag.FOREIGN_NUMBER).all()
    assert (scene.sender.progress.stored, scene.sender.progress.repeated) == (200, 100)


def test_where_the_file_has_the_feeds_numbers_they_are_used(scene, file):
    file(1, 200)
    scene.put(records(300, 101))
    scene.send()

    assert sorted(scene.ids()) == [10 * n for n in range(1, 401)]
    assert (scene.stored()["flags"] == 0).all()


@pytest.mark.parametrize("foreign", [False, True])
def test_a_file_that_comes_between_and_a_second_start_double_nothing(scene, file, foreign):
    scene.put(records(100, 1))
    scene.send()
    file(101, 160, foreign=foreign)
    scene.put(records(300, 51))
    scene.send()
    scene.sender = scene.started()
    scene.put(records(310, 51))
    scene.send()

    rows = scene.stored()
    assert rows.height == 360
    assert rows.select("ts", "symbol").n_unique() == 360


def test_history_beside_a_file_fills_what_both_lack(scene, file):
    file(1, 50, times=3)
    scene.put(records(100, 1, kind=Kind.HISTORY_TRADE))
    scene.send()

    progress = scene.sender.progress
    assert (progress.filled, progress.confirmed, progress.stored, progress.repeated) == (50, 50, 0, 0)
    assert scene.stored().height == 100


def test_a_cancellation_reaches_the_feeds_row_and_leaves_the_files_alone(scene, file):
    file(1, 50, times=3)
    made = records(60, 1)
    scene.put(made)
    scene.send()
    edits = made[[4, 54]].copy()
    edits["seq"], edits["mono"], edits["flags"], edits["quantity"] = (61, 62), (61, 62), EDIT, 0
    scene.put(edits)
    scene.send()

    struck = scene.stored().filter((pl.col("flags") & int(Flag.CANCELLED)) != 0)
    assert struck["trade_id"].to_list() == [550 + FOREIGN]


def test_while_an_import_writes_the_session_the_sender_waits(scene, hot):
    scene.put(records(10, 1))
    with ticks.turn(hot, [dt.date(2026, 11, 19)]):
        with pytest.raises(BusyError, match="another process"):
            scene.sender.step()
        assert scene.ids() == []
    scene.send()

    assert len(scene.ids()) == 10
