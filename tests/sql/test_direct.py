"""Hot to cold without warm: files of days that are over, retention of hot, and the proof of both."""

import datetime as dt

import polars as pl
import pyarrow.parquet as pq
import pytest

from sql import control, direct, hot_retention, receipts
from sql.buckets import start_of
from sql.day_rows import days_of_hot, merged
from sql.direct import archive_day, stale_days
from sql.direct_proof import agreement
from sql.errors import AlteredError
from sql.hot_retention import retain
from sql.ladder import Ladder
from sql.tables import BookEvent
from sql.verify import verify
from tests.book import changes
from tests.tape import DAY, HOUR, NOON, SECOND, cold_rows, hot_rows, put

ONE_DAY = dt.timedelta(days=1)
TOMORROW = DAY + ONE_DAY
LATER = DAY + 30 * ONE_DAY


class Scene:
    def __init__(self, table, tiers) -> None:
        self.table, self.tiers = table, tiers
        self.hot, self.warm, self.cold = tiers.hot, tiers.warm, tiers.cold

    def put(self, frame) -> None:
        put(self.hot, self.table, frame)

    def stale(self, today=TOMORROW):
        return stale_days(self.table, self.hot, self.warm, self.cold, today=today)

    def archive(self, day=DAY, today=TOMORROW):
        return archive_day(self.table, day, self.hot, self.warm, self.cold, today=today)

    def retain(self, today=LATER):
        return retain(self.table, self.tiers, today=today)

    def verify(self, today=TOMORROW, **options):
        return verify([self.table], self.tiers, today=today, **options)

    def in_hot(self):
        self.hot.wait_applied(self.table)
        return days_of_hot(self.hot, self.table)

    def found(self, **options):
        return [(each.tier, each.kind) for each in self.verify(**options).differences]

    def floor(self):
        with self.warm.connect() as connection:
            return control.floor_of(connection.cursor(), self.table)


@pytest.fixture
def scene(book, tiers):
    return Scene(book, tiers)


def test_a_day_that_is_over_goes_into_a_file_and_is_proven(scene, book, hot):
    scene.put(changes(500, every=dt.timedelta(seconds=37)))
    stale = scene.stale()
    result = scene.archive()

    assert stale == [DAY]
    assert (result.written, result.rows, result.rows_agree) == (True, 500, True)
    assert cold_rows(scene.cold, book, DAY).equals(hot_rows(hot, book), null_equal=True)
    assert scene.stale() == []
    assert not scene.archive().written
    verdict = scene.verify(strict=True)
    assert verdict.holds
    assert [(day.hot.rows, day.warm, day.cold.rows, day.proven) for day in verdict.days] == [(500, None, 500, True)]


def test_the_open_day_has_no_file_and_is_no_lag(scene):
    scene.put(changes(10))

    assert scene.stale(today=DAY) == []
    assert not scene.archive(today=DAY).written
    assert scene.cold.days(scene.table) == []
    (day,) = scene.verify(today=DAY).days
    assert (day.sealed, day.hot.rows, day.lag_rows) == (False, 10, 0)
    assert agreement(scene.table, DAY, scene.tiers, today=DAY).agree


def test_a_day_without_a_file_is_lag_with_its_remedy(scene):
    scene.put(changes(10))
    (found,) = scene.verify().differences

    assert (found.tier, found.kind, found.count) == ("cold", "lag", 10)
    assert found.remedy == f"tradingsystem archive {scene.table.name}"
    assert "not written yet" in agreement(scene.table, DAY, scene.tiers, today=TOMORROW).reason


def test_late_rows_are_added_to_the_file_and_the_same_again_changes_nothing(scene, book, hot):
    scene.put(changes(10))
    scene.archive()
    scene.put(changes(5, since=NOON - HOUR, first=100))
    stale, found = scene.stale(), scene.found()
    result = scene.archive()
    scene.put(changes(10))

    assert (stale, found) == ([DAY], [("cold", "lag")])
    assert result.rows == 15
    assert cold_rows(scene.cold, book, DAY).equals(hot_rows(hot, book), null_equal=True)
    assert scene.stale() == []
    assert scene.verify(strict=True).holds


def test_hot_keeps_a_day_for_its_time_and_drops_it_against_a_proven_file(scene, book, hot):
    for number in range(3):
        day = DAY + number * ONE_DAY
        scene.put(changes(10, since=start_of(day) + 12 * HOUR, first=100 * number))
        scene.archive(day, today=LATER)
    rows = hot_rows(hot, book)
    kept = scene.retain(today=DAY + 4 * ONE_DAY)  # the contract keeps two days

    assert kept.dropped == (DAY, DAY + ONE_DAY)
    assert list(scene.in_hot()) == [DAY + 2 * ONE_DAY]
    assert scene.floor() == start_of(DAY + 2 * ONE_DAY)
    assert cold_rows(scene.cold, book, DAY).equals(rows[:10], null_equal=True)
    assert scene.verify(today=LATER, strict=True).holds
    assert scene.retain(today=DAY + 4 * ONE_DAY).dropped == ()


@pytest.mark.parametrize("harm", ["no file", "another file", "other rows"])
def test_hot_keeps_what_no_file_is_proven_to_hold(scene, harm):
    scene.put(changes(10))
    scene.put(changes(10, since=NOON + ONE_DAY, first=100))
    scene.archive()
    scene.archive(TOMORROW, today=LATER)
    path = scene.cold.path(scene.table, DAY)
    if harm == "no file":
        path.unlink()
    elif harm == "another file":
        pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    else:
        scene.put(changes(1, since=NOON + HOUR, first=900))
    kept = scene.retain()

    assert kept.dropped == ()
    assert str(DAY) in kept.note
    assert list(scene.in_hot()) == [DAY, TOMORROW]
    assert scene.floor() is None


def test_rows_that_come_after_the_day_left_hot_are_added_to_the_file_and_leave_again(scene):
    scene.put(changes(10))
    scene.archive()
    scene.retain()
    scene.put(changes(3, since=NOON + HOUR, first=500))
    scene.put(changes(4))  # the spool was read again
    found, stale = scene.found(), scene.stale()
    result = scene.archive()

    assert (found, stale) == ([("cold", "lag")], [DAY])
    assert (result.rows, result.written) == (13, True)
    assert scene.in_hot() == {}
    assert sorted(cold_rows(scene.cold, scene.table, DAY)["seq"]) == [*range(1, 11), 500, 501, 502]
    assert scene.verify(today=LATER, strict=True).holds


def test_killed_between_the_floor_and_the_drop_the_next_pass_ends_it(scene, monkeypatch):
    scene.put(changes(10))
    scene.archive()
    monkeypatch.setattr(hot_retention.direct, "drop", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene.retain()
    monkeypatch.undo()

    assert list(scene.in_hot()) == [DAY]
    assert scene.floor() == start_of(TOMORROW)
    assert scene.archive().rows == 10
    assert scene.in_hot() == {}
    assert scene.verify(today=LATER, strict=True).holds


def test_killed_before_the_receipts_the_file_is_written_again(scene, monkeypatch):
    scene.put(changes(10))
    scene.archive()
    scene.put(changes(5, since=NOON + HOUR, first=100))
    monkeypatch.setattr(receipts, "store", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene.archive()
    monkeypatch.undo()

    assert scene.stale() == [DAY]
    assert scene.archive().rows == 15
    assert scene.verify(strict=True).holds


@pytest.mark.parametrize("harm", ["", "shorter", "torn"])
def test_killed_before_the_receipts_of_late_rows_the_next_pass_ends_it(scene, monkeypatch, harm):
    scene.put(changes(10))
    scene.archive()
    scene.retain()
    scene.put(changes(3, since=NOON + HOUR, first=500))
    monkeypatch.setattr(receipts, "store", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene.archive()
    monkeypatch.undo()
    path = scene.cold.path(scene.table, DAY)
    if harm == "shorter":
        pq.write_table(pq.read_table(path, partitioning=None).slice(4), path)
    elif harm == "torn":
        path.write_bytes(path.read_bytes()[:-100])

    if harm:
        with pytest.raises(AlteredError, match="is not the file that was written"):
            scene.archive()
        return
    assert scene.archive().rows == 13
    assert scene.in_hot() == {}
    assert scene.verify(today=LATER, strict=True).holds


def test_rows_that_come_while_a_day_is_dropped_keep_it(scene, hot):
    scene.put(changes(10))
    read = hot.wait_applied(scene.table)
    scene.put(changes(1, since=NOON + HOUR, first=77))

    with pytest.raises(AlteredError, match="rows of 2026-11-18 came while"):
        direct.drop(scene.table, DAY, hot, read)
    assert scene.in_hot() == {DAY: 11}


def test_a_hot_table_made_anew_takes_nothing_from_the_file(scene, hot):
    scene.put(changes(10))
    scene.archive()
    hot.execute(f"DROP TABLE {scene.table.name}")
    hot.execute(scene.table.hot_ddl())
    scene.put(changes(2, first=50))
    scene.stale()
    result = scene.archive()

    assert result.rows == 12
    assert scene.verify(today=LATER, strict=True).holds


def test_rows_that_hot_lost_are_told_and_the_file_stays(scene, hot):
    scene.put(changes(10))
    scene.put(changes(10, since=NOON + ONE_DAY, first=100))
    scene.archive()
    hot.run(f"ALTER TABLE {scene.table.name} DROP PARTITION LIST '{DAY}'")
    scene.put(changes(4))

    assert scene.found(today=TOMORROW) == [("hot", "rows")]
    assert scene.found(today=TOMORROW, repair=True) == [("hot", "rows")]
    assert cold_rows(scene.cold, scene.table, DAY).height == 10


@pytest.mark.parametrize("harm", ["torn", "away", "other", "altered receipt", "stray"])
def test_repair_writes_the_file_again_from_hot(scene, book, hot, warm, harm):
    scene.put(changes(40))
    scene.archive()
    path = scene.cold.path(book, DAY)
    if harm == "torn":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "away":
        path.unlink()
    elif harm == "other":
        frame = pq.read_table(path, partitioning=None)
        pq.write_table(frame.slice(3), path)
    elif harm == "stray":
        path.with_name("somebody.parquet").write_bytes(b"x")
    else:
        with warm.connect() as connection:
            connection.execute(
                "UPDATE receipts SET digest = 'no' WHERE table_name = %s AND tier = 'cold'", (book.name,)
            )

    assert not scene.verify().holds
    assert scene.verify(repair=True).holds
    assert scene.verify(strict=True).holds
    assert cold_rows(scene.cold, book, DAY).equals(hot_rows(hot, book), null_equal=True)


def test_below_the_floor_a_file_that_was_altered_is_told_and_never_written_over(scene):
    scene.put(changes(10))
    scene.archive()
    scene.retain()
    path = scene.cold.path(scene.table, DAY)
    pq.write_table(pq.read_table(path, partitioning=None).slice(3), path)
    altered = path.read_bytes()
    scene.put(changes(1, since=NOON + HOUR, first=500))

    assert ("cold", "file") in scene.found(today=LATER, repair=True)
    with pytest.raises(AlteredError, match="is not the file that was written"):
        scene.archive()
    assert path.read_bytes() == altered
    assert scene.in_hot() == {DAY: 1}


def test_a_day_of_many_rows_is_read_in_stretches_and_written_in_groups(scene, book, hot, monkeypatch):
    monkeypatch.setattr("sql.day_rows.STRETCH_ROWS", 700)
    monkeypatch.setattr("sql.direct.GROUP_ROWS", 1000)
    monkeypatch.setattr("sql.digest.BLOCK_ROWS", 300)
    scene.put(changes(5000, since=start_of(DAY), every=dt.timedelta(seconds=17)))
    scene.archive()
    groups = pq.read_metadata(scene.cold.path(book, DAY))
    sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]

    assert cold_rows(scene.cold, book, DAY).equals(hot_rows(hot, book), null_equal=True)
    assert sum(sizes) == 5000
    assert all(1000 <= rows < 1500 for rows in sizes[:-1])


def test_files_keep_steps_of_what_rises_and_every_reader_knows_them(scene, book, hot):
    scene.put(changes(200))
    scene.archive()
    path = scene.cold.path(book, DAY)
    group = pq.read_metadata(path).row_group(0)
    kept = {column.path_in_schema: column.encodings for column in map(group.column, range(group.num_columns))}
    (asked,) = scene.cold.query(f"SELECT sum(seq) AS seqs, max(ts) AS last, max(position) AS level FROM {book.name}")

    assert {name for name, encodings in kept.items() if "DELTA_BINARY_PACKED" in encodings} == {"ts", "seq"}
    assert asked == {"seqs": 200 * 201 // 2, "last": NOON + 199 * SECOND, "level": 7}
    assert pl.read_parquet(path, hive_partitioning=False)["seq"].sum() == 200 * 201 // 2


def test_a_file_makes_the_book_again(scene, book):
    levels = {"side": ["BID", "BID", "ASK"], "position": [0, 1, 0], "action": "FULL", "flags": [2, 1, 3]}
    scene.put(changes(3, symbol="WINZ26", price=[10.0, 9.5, 10.5], quantity=5, orders=1, **levels))
    scene.archive()
    ladder = Ladder()
    for row in scene.cold.query(f"SELECT * EXCLUDE day FROM {book.name} WHERE day = ? ORDER BY run, seq", (DAY,)):
        ladder.apply(BookEvent(**row))

    assert ladder.whole
    assert [level.price for level in ladder.sides["BID"]] == [10.0, 9.5]
    assert [level.price for level in ladder.sides["ASK"]] == [10.5]


def test_merging_keeps_the_order_and_prefers_the_second(book):
    first, second = changes(100), changes(100, first=51, since=NOON + dt.timedelta(seconds=50), flags=1)
    blocks = [[frame[:n], frame[n:]] for frame, n in ((first, 60), (second, 20))]
    both = pl.concat(merged(iter(blocks[0]), iter(blocks[1]), book))

    assert both["seq"].to_list() == list(range(1, 151))
    assert both["flags"].to_list() == [0] * 50 + [1] * 100
