import datetime as dt

import pytest

from realtime.relay.causes import MARGIN, Listened, cause_of, heard_until, listened
from realtime.relay.state import Note
from sql.session_look import Where

NOON = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


def mark(seconds: float, reason: str, run: int = 1, **detail) -> Note:
    return Note("mark", at(seconds), run, {"reason": reason, **detail})


def where(before: float | None = 10, after: float | None = 20, first: int = 100, last: int | None = 190) -> Where:
    return Where(
        symbol="WINZ26",
        session=NOON.date(),
        first_id=first,
        last_id=last,
        received_before=None if before is None else at(before),
        received_after=None if after is None else at(after),
    )


def test_a_killed_run_explains_the_gap_around_it():
    notes = [
        mark(0, "start", 3, source="simulator", left=None),
        mark(15, "start", 4, source="simulator", left={"run": 3, "last": 9, "clean": False}),
        mark(16, "market data up", 4),
        mark(90, "market data lost", 4),
    ]

    assert cause_of(where(), notes) == (
        "run 3 ended without a word (killed), run 4 began 19/11 12:00:15; market data up 19/11 12:00:16"
    )
    assert cause_of(where(before=40, after=50), notes) == ""


def test_a_loss_names_its_numbers_wherever_it_was_told():
    trades = [{"asset": 1, "ticker": "WINZ26", "count": 7, "first": 150, "last": 240, "first_time": 0, "last_time": 0}]
    loss = Note("loss", at(500), 2, {"reason": "disk full", "kinds": {}, "trades": trades})

    assert "took 7 trades of it not (disk full)" in cause_of(where(), [loss])
    assert cause_of(where(first=300, last=390), [loss]) == ""


def test_a_full_ring_and_a_torn_spool_are_told():
    notes = [
        Note("ring", at(12), 2, {"first_seq": 5, "last_seq": 1004}),
        Note("hole", at(14), 2, {"first": 1, "last": 5}),
        mark(13, "history asked", 2),
    ]

    assert cause_of(where(), notes) == (
        "the ring was full: 1,000 records, 19/11 12:00:12; a part of the spool cannot be read, 19/11 12:00:14"
    )


def test_the_head_is_explained_by_the_begin_of_capture():
    begin = [mark(15, "start", 4, left=None)]

    assert cause_of(where(before=None), begin) == "capture began, run 4, 19/11 12:00:15"


def test_many_reasons_are_cut():
    notes = [mark(10 + n, "market data lost") for n in range(9)]

    assert cause_of(where(), notes).endswith("and 5 more")


def test_the_feed_was_listened_to_from_up_to_lost_stop_or_a_next_run():
    notes = [
        mark(0, "start"),
        mark(1, "market data up"),
        mark(50, "market data lost"),
        mark(55, "market data up"),
        mark(80, "start", 2, left={"run": 1, "last": 5, "clean": False}),
        mark(81, "market data up", 2),
        mark(99, "stop", 2),
        mark(100, "start", 3),
        mark(101, "market data up", 3),
    ]

    assert listened(notes) == [
        Listened(run=1, since=at(1), until=at(50)),
        Listened(run=1, since=at(55), until=None, torn=True),
        Listened(run=2, since=at(81), until=at(99)),
        Listened(run=3, since=at(101), until=None),
    ]


@pytest.mark.parametrize("kind", ["ring", "loss", "hole"])
def test_what_was_lost_ends_what_was_listened_to_at_the_frame_before(kind):
    def lost(seconds, after, run=1):
        detail = {} if after is None else {"after": at(after).isoformat()}
        return Note(kind, at(seconds), run, {"reason": "market data up", **detail})

    up = mark(1, "market data up")

    assert listened([up, lost(50, 40), mark(90, "stop")]) == [
        Listened(run=1, since=at(1), until=at(40)),
        Listened(run=1, since=at(50), until=at(90)),
    ]
    assert listened([up, lost(50, None)]) == [  # noted by an older version: nobody knows when it began
        Listened(run=1, since=at(1), until=at(1)),
        Listened(run=1, since=at(50), until=None),
    ]
    assert listened([up, lost(50, 40, run=2)]) == [Listened(run=1, since=at(1), until=at(40))]
    assert listened([lost(50, 40)]) == []


def test_the_feed_is_heard_until_what_was_surely_read():
    so_far = Listened(run=1, since=at(0), until=None)

    assert heard_until(so_far, at(100), live=True, behind=None) == at(100) - MARGIN
    assert heard_until(so_far, at(100), live=True, behind=at(20)) == at(20)
    assert heard_until(so_far, at(5), live=True, behind=None) == at(0)
    assert heard_until(so_far, at(100), live=False, behind=None) == at(0)
    assert heard_until(Listened(run=1, since=at(0), until=at(9)), at(100), live=True, behind=at(3)) == at(9)
    assert heard_until(Listened(run=1, since=at(0), until=None, torn=True), at(100), live=True, behind=None) == at(0)
