"""Days leave hot when warm and a file are proven to hold them; what comes late for them is kept all the same."""

import datetime as dt

import msgspec
import polars as pl
import pytest

from sql import control, hot_retention, receipts, retention
from sql.archive import archive_day, archive_table
from sql.buckets import start_of
from sql.day_rows import days_of_hot
from sql.errors import AlteredError
from sql.evidence import Tiers
from sql.hot_retention import retain
from sql.sync import sync_table
from sql.verify import verify
from tests.tape import DAY, HOUR, NOON, cold_rows, hot_rows, put, ticks, warm_rows

ONE_DAY = dt.timedelta(days=1)
TOMORROW, LATER = DAY + ONE_DAY, DAY + 31 * ONE_DAY  # on LATER the thirty days of hot end after DAY


class Scene:
    """Two days in all tiers; on LATER the first of them is too old for hot."""

    def __init__(self, table, tiers: Tiers) -> None:
        self.table, self.tiers = table, tiers
        self.hot, self.warm, self.cold = tiers.hot, tiers.warm, tiers.cold
        self.put(ticks(300))
        self.put(ticks(20, since=NOON + ONE_DAY, first_id=1000))
        self.move()

    def put(self, frame) -> None:
        put(self.hot, self.table, frame)

    def move(self) -> None:
        self.sync()
        archive_table(self.table, self.warm, self.cold)

    def sync(self):
        return sync_table(self.table, self.hot, self.warm)

    def retain(self, today=LATER, **options):
        return retain(self.table, self.tiers, today=today, **options)

    def days(self):
        self.hot.wait_applied(self.table)
        return days_of_hot(self.hot, self.table)

    def floor(self):
        with self.warm.connect() as connection:
            return control.floor_of(connection.cursor(), self.table)

    def proven(self):
        return verify([self.table], self.tiers, today=LATER, strict=True)


@pytest.fixture
def scene(hot, warm, cold, table, tmp_path):
    return Scene(table, Tiers(hot, warm, cold, tmp_path))


def test_an_old_day_leaves_hot_and_everything_is_still_proven(scene):
    rows = hot_rows(scene.hot, scene.table)
    done = scene.retain()

    assert (done.dropped, done.rows, done.note) == ((DAY,), 300, "")
    assert scene.days() == {TOMORROW: 20}
    assert scene.floor() == start_of(TOMORROW)
    assert scene.sync().way == "nothing"  # the drop is no news: no comparison of the whole table
    assert warm_rows(scene.warm, scene.table).equals(rows, null_equal=True)
    assert scene.proven().holds
    assert scene.retain().dropped == ()


def test_a_dry_run_says_the_same_and_changes_nothing(scene):
    before = scene.days()
    told = scene.retain(dry_run=True)

    assert (scene.days(), scene.floor()) == (before, None)
    assert scene.retain() == told


def test_the_days_that_hot_is_to_keep_stay(scene):
    assert scene.retain(today=LATER - ONE_DAY).dropped == ()


HARMS = {
    "not synchronised": "hot holds other rows than warm",
    "a torn file": "is not the file that was written",
    "not archived": "no file is proven to hold what warm holds",
    "altered warm": "warm holds other rows than its receipt says",
    "never synchronised": "never synchronised",
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_day_stays_in_hot_while_a_copy_of_it_is_not_proven(scene, harm):
    name, path = scene.table.name, scene.cold.path(scene.table, DAY)
    if harm == "not synchronised":
        scene.put(ticks(1, since=NOON + HOUR, first_id=700))
    elif harm == "a torn file":
        path.write_bytes(path.read_bytes()[:-100])
    with scene.warm.connect() as connection:
        if harm == "not archived":
            receipts.touch(connection.cursor(), scene.table, {DAY: 0})
        elif harm == "altered warm":
            connection.execute(f"UPDATE {name} SET price = price + 1 WHERE trade_id = 5")
        elif harm == "never synchronised":
            connection.execute("DELETE FROM sync_control WHERE stream = %s", (name,))
    done = scene.retain()

    assert HARMS[harm] in done.note
    assert str(DAY) in done.note
    assert done.dropped == ()
    assert list(scene.days()) == [DAY, TOMORROW]
    assert scene.floor() is None


@pytest.mark.parametrize("where", ["drop", "count_as_seen"])
def test_killed_at_the_drop_the_next_pass_ends_it(scene, monkeypatch, where):
    module = hot_retention.direct if where == "drop" else control
    monkeypatch.setattr(module, where, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene.retain()
    monkeypatch.undo()
    before = warm_rows(scene.warm, scene.table)
    scene.sync()

    assert warm_rows(scene.warm, scene.table).equals(before, null_equal=True)
    assert scene.retain().dropped == ((DAY,) if where == "drop" else ())
    assert list(scene.days()) == [TOMORROW]
    assert scene.proven().holds


def test_late_rows_go_on_to_warm_and_leave_hot_again(scene):
    scene.retain()
    scene.put(ticks(5, since=NOON + HOUR, first_id=700))
    before = scene.retain()
    scene.move()
    after = scene.retain()

    assert "hot holds other rows than warm" in before.note
    assert (after.dropped, after.rows) == ((DAY,), 5)
    assert list(scene.days()) == [TOMORROW]
    assert cold_rows(scene.cold, scene.table, DAY).height == 305
    assert verify([scene.table], scene.tiers, today=LATER).holds


def test_rows_that_come_while_a_day_is_dropped_keep_it(scene, monkeypatch):
    drop = hot_retention.direct.drop

    def late(*args):
        scene.put(ticks(1, since=NOON + HOUR, first_id=700))
        drop(*args)

    monkeypatch.setattr(hot_retention.direct, "drop", late)
    done = scene.retain()
    monkeypatch.undo()
    kept = scene.days()
    scene.move()

    assert "came while its file was written" in done.note
    assert kept == {DAY: 301, TOMORROW: 20}
    assert cold_rows(scene.cold, scene.table, DAY).height == 301
    assert scene.retain().dropped == (DAY,)


def test_a_table_that_is_emptied_takes_new_rows(scene):
    assert scene.retain(today=LATER + ONE_DAY).dropped == (DAY, TOMORROW)
    scene.put(ticks(7, since=NOON + 30 * ONE_DAY, first_id=5000))
    scene.move()

    assert warm_rows(scene.warm, scene.table).height == 327
    assert scene.proven().holds


def emptied(scene) -> None:
    """DAY left hot and then warm: its file stands alone."""
    short = msgspec.structs.replace(scene.table, warm_days=30)
    done = retention.retain(short, scene.tiers, today=LATER)
    assert (done.hot.dropped, done.warm.dropped, done.warm.rows) == ((DAY,), (DAY,), 300)


@pytest.mark.parametrize("late", [ticks(5, since=NOON + HOUR, first_id=700), ticks(2, price=1.0), ticks(400)])
def test_rows_that_come_for_a_day_that_left_warm_too_are_added_to_its_file(scene, late):
    expected = pl.concat([late, cold_rows(scene.cold, scene.table, DAY).with_columns(price=ticks(300)["price"])])
    emptied(scene)
    scene.put(late)
    scene.move()
    file = cold_rows(scene.cold, scene.table, DAY)

    assert file.height == expected.unique(scene.table.key).height
    assert set(late["trade_id"]) <= set(file["trade_id"])
    if late.height < 400:
        assert receipts.days(scene.warm, scene.table, "warm") == [TOMORROW]
        assert warm_rows(scene.warm, scene.table).height == 20
    assert archive_table(scene.table, scene.warm, scene.cold) == []
    assert verify([scene.table], scene.tiers, today=LATER).holds


@pytest.mark.parametrize("killed", ["receipts", "leave"])
def test_killed_while_late_rows_are_added_the_next_pass_ends_it(scene, monkeypatch, killed):
    emptied(scene)
    scene.put(ticks(5, since=NOON + HOUR, first_id=700))
    scene.sync()
    name = ("sql.archive.receipts.store", "sql.archive.delete")[killed == "leave"]
    monkeypatch.setattr(name, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        archive_day(scene.table, DAY, scene.warm, scene.cold)
    monkeypatch.undo()
    archive_table(scene.table, scene.warm, scene.cold)

    assert cold_rows(scene.cold, scene.table, DAY).height == 305
    assert warm_rows(scene.warm, scene.table).height == 20
    assert verify([scene.table], scene.tiers, today=LATER).holds


def test_a_file_that_stands_alone_and_was_altered_is_never_written_over(scene):
    emptied(scene)
    path = scene.cold.path(scene.table, DAY)
    path.write_bytes(path.read_bytes()[:-100])
    altered = path.read_bytes()
    scene.put(ticks(5, since=NOON + HOUR, first_id=700))
    scene.sync()

    with pytest.raises(AlteredError, match="is not the file that was written with 300 rows, and warm holds 5"):
        archive_day(scene.table, DAY, scene.warm, scene.cold)
    assert path.read_bytes() == altered
