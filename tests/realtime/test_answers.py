"""Trades that history tells reach hot by the way of all others, each once, and it is said when an answer is stored."""

import datetime as dt

import pytest

from realtime.records import Kind
from realtime.relay import sender as sending
from realtime.relay.answers import Answer
from realtime.relay.rows import EDIT
from realtime.relay.sender import STATE
from realtime.spool.files import Limits
from realtime.spool.frames import HISTORY_ANSWERED, HISTORY_ASKED
from tests.realtime.spooled import records
from tests.realtime.test_sender import Scene, hot, ids

__all__ = ["hot"]
NOON = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)
WINDOW = {"since": "2026-11-19T15:00:00+00:00", "until": "2026-11-19T15:01:00+00:00"}


@pytest.fixture
def scene(tmp_path, hot):
    made = Scene(tmp_path, hot, Limits(segment_bytes=50_000, commit_bytes=10_000))
    yield made
    made.spool._lock.release()


def answer(scene: Scene, number: int, *told, state: str = "complete") -> None:
    """What the realtime process writes of one answer; nothing is sent yet."""
    said = {"number": number, "symbol": scene.symbols[0], **WINDOW}
    scene.spool.mark(HISTORY_ASKED, **said)
    for made in told:
        scene.put(made)
    scene.spool.mark(HISTORY_ANSWERED, **said, state=state, trades=sum(map(len, told)), why=None)
    scene.spool.commit()


def past(count: int, first: int = 1):
    return records(count, first, kind=Kind.HISTORY_TRADE)


def news(scene: Scene) -> list[tuple[int, str, int, int]]:
    return [(each.number, each.state, each.trades, each.new) for each in scene.sender.progress.answers]


def test_what_is_missing_is_filled_and_what_is_there_is_not_doubled(scene):
    scene.put(records(20))
    scene.put(records(20, 41))
    answer(scene, 1, past(60))
    scene.send()
    progress = scene.sender.progress

    assert scene.ids() == ids(60)
    assert (progress.stored, progress.filled, progress.confirmed, progress.repeated) == (40, 20, 40, 0)
    assert list(progress.answers) == [
        Answer(
            run=1,
            number=1,
            symbol=scene.symbols[0],
            since=NOON,
            until=NOON + dt.timedelta(minutes=1),
            state="complete",
            trades=60,
            new=20,
        )
    ]
    assert progress.passed_over == {}


def test_a_live_trade_after_its_history_is_a_repeat(scene):
    answer(scene, 1, past(30))
    scene.put(records(30))
    scene.send()

    assert scene.ids() == ids(30)
    assert (scene.sender.progress.filled, scene.sender.progress.repeated) == (30, 30)


def test_answers_that_are_read_at_once_are_counted_apart(scene):
    answer(scene, 1, past(10))
    scene.put(records(5, 101))
    answer(scene, 2, past(10, 6), past(10, 16))
    answer(scene, 3, state="refused")
    scene.send()

    assert news(scene) == [(1, "complete", 10, 10), (2, "complete", 20, 15), (3, "refused", 0, 0)]
    assert scene.sender.progress.stored == 5


def test_an_answer_that_comes_in_pieces_is_told_when_all_of_it_is_stored(scene):
    scene.spool.mark(HISTORY_ASKED, number=1, symbol=scene.symbols[0], **WINDOW)
    scene.put(past(10))
    scene.send()
    before = news(scene)
    scene.put(past(10, 11))
    scene.send()
    scene.spool.mark(
        HISTORY_ANSWERED, number=1, symbol=scene.symbols[0], **WINDOW, state="complete", trades=20, why=None
    )
    scene.spool.commit()
    scene.send()

    assert before == []
    assert news(scene) == [(1, "complete", 20, 20)]


def test_a_store_that_fails_in_between_tells_no_answer_twice_and_none_too_early(scene, monkeypatch):
    answer(scene, 1, past(10))
    answer(scene, 2, past(10, 11))
    real, calls = sending.frame_of, []

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError("the second one")
        return real(*arguments)

    monkeypatch.setattr(sending, "frame_of", broken)
    with pytest.raises(OSError, match="the second one"):
        scene.send()
    before = news(scene)
    scene.send()

    assert before == [(1, "complete", 10, 10)]
    assert news(scene) == [(1, "complete", 10, 10), (2, "complete", 10, 10)]
    assert scene.ids() == ids(20)


def test_what_was_stored_before_a_failure_in_the_middle_of_an_answer_counts_as_new(scene, monkeypatch):
    answer(scene, 1, records(20, kind=Kind.HISTORY_TRADE, every_ms=400_000.0))  # over two hours
    real, calls = sending.frame_of, []

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError("the second hour")
        return real(*arguments)

    monkeypatch.setattr(sending, "frame_of", broken)
    with pytest.raises(OSError, match="the second hour"):
        scene.send()
    scene.send()

    assert news(scene) == [(1, "complete", 20, 20)]
    assert scene.ids() == ids(20)


def test_history_does_not_undo_a_correction(scene):
    scene.put(records(3))
    edits = records(2)
    edits["flags"], edits["price"] = EDIT, 222.0
    scene.put(edits)
    answer(scene, 1, past(3))
    scene.send()

    assert scene.stored()["price"].to_list()[:2] == [222.0, 222.0]
    assert scene.sender.progress.confirmed == 3


def test_history_is_no_part_of_what_a_run_saw_of_the_live_tape_and_its_marks_excuse_nothing(scene):
    scene.put(records(30, 31))
    answer(scene, 1, past(90))
    scene.send()

    (seen,) = scene.sender.state.tape[f"{scene.symbols[1]} 2026-11-19"].values()
    assert (seen.rows, seen.first, seen.last) == (10, 310, 580)
    assert [mark["reason"] for mark in scene.notes("mark")] == ["start"]


def test_a_sender_that_forgot_everything_tells_the_answers_again_and_nothing_is_new(scene):
    answer(scene, 1, past(10))
    scene.send()
    (scene.data / "spool" / STATE).unlink(missing_ok=True)
    scene.sender = scene.started()
    scene.send()

    assert news(scene) == [(1, "complete", 10, 0)]
    assert scene.ids() == ids(10)
