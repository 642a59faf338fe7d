import errno
import hashlib
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.settings import Spool as Spooled
from realtime.records import RECORD, Kind
from realtime.spool import segments
from realtime.spool.files import Limits
from realtime.spool.frames import HEADER, Asset, FrameKind
from realtime.spool.reader import Position, Reader
from realtime.spool.segments import OPEN, SEALED
from realtime.spool.writer import START, TAIL_CUT, Spool, SpoolError
from sql import durable
from tests.realtime.spooled import ASSETS, Back, records, same

SMALL = Limits(segment_bytes=20_000, commit_bytes=5_000)
folders = itertools.count()
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def opened(folder: Path, limits: Limits = SMALL) -> Spool:
    return Spool.open(folder, source="simulator", limits=limits)


def killed(spool: Spool) -> None:
    """What a kill leaves: nothing is written any more, and the lock is free."""
    spool._lock.release()


def fresh(tmp_path: Path) -> Path:
    return tmp_path / str(next(folders)) / "spool"


def newest(folder: Path) -> Path:
    return max(folder.glob("segment-*" + OPEN))


STEPS = st.lists(st.one_of(st.integers(1, 150), st.sampled_from(["commit", "mark", "assets", "reopen"])), max_size=25)


@quick
@given(steps=STEPS)
def test_what_was_appended_is_read_back_to_the_last_byte(tmp_path, steps):
    folder = fresh(tmp_path)
    spool, given_, marks = opened(folder), [np.zeros(0, RECORD)], 0
    for step in [*steps, "reopen"]:
        if step == "commit":
            spool.commit()
        elif step == "mark":
            spool.mark("reconnected", n=marks)
            marks += 1
        elif step == "assets":
            spool.assets([Asset(len(given_), f"T{len(given_)}", "F")])
        elif step == "reopen":
            spool.close()
            spool = opened(folder)
        else:
            given_.append(records(step, 1 + sum(map(len, given_))))
            assert spool.append(given_[-1]) == step
    spool.close()
    back = Back(folder)

    assert same(back.records, np.concatenate([part.view("V96") for part in given_]).view(RECORD))
    assert [mark.detail["n"] for mark in back.marks if mark.reason == "reconnected"] == list(range(marks))
    assert back.damages == []
    assert [frame.first for frame in back.frames][1:] == [frame.following for frame in back.frames][:-1]


@quick
@given(cut=st.integers(1, 12_000), zeroed=st.booleans())
def test_a_torn_or_zeroed_tail_is_cut_and_told(tmp_path, cut, zeroed):
    folder = fresh(tmp_path)
    limits = Limits(commit_bytes=5_000)
    spool = opened(folder, limits)
    for n in range(10):
        spool.append(records(10, 1 + n * 10))
        spool.commit()
    killed(spool)
    path = newest(folder)
    whole = Back(folder).frames
    size = path.stat().st_size
    cut = min(cut, size)
    with path.open("r+b") as file:
        file.truncate(size - cut)
        if zeroed:
            file.truncate(size)
    kept = [frame for frame in whole if frame.end <= size - cut]
    again = opened(folder, limits)
    again.append(records(3, 1001))
    again.close()
    back = Back(folder)

    assert [f.payload.tobytes() for f in back.frames[: len(kept)]] == [f.payload.tobytes() for f in kept]
    assert same(back.records[-3:], records(3, 1001))
    torn = size - cut != (kept[-1].end if kept else 0) or zeroed
    assert [mark.reason for mark in back.marks].count(TAIL_CUT) == again.progress.tails_cut == int(torn)
    assert back.damages == []


@quick
@given(data=st.data())
def test_any_flipped_byte_is_noticed_and_costs_one_frame(tmp_path, data):
    folder = fresh(tmp_path)
    spool = opened(folder, Limits(commit_bytes=5_000))
    spool.assets(ASSETS)
    for n in range(6):
        spool.append(records(10, 1 + n * 10))
        spool.commit()
    spool.close()
    (path,) = folder.glob("*" + SEALED)
    before = Back(folder)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    back = Back(folder)
    struck = next(frame for frame in before.frames if frame.offset <= at < frame.end)

    assert [(damage.file, damage.offset) for damage in back.damages] == [(path.name, struck.offset)]
    assert [f.offset for f in back.frames] == [f.offset for f in before.frames if f is not struck]
    receipt = segments.receipt_of(folder, 1)
    assert receipt
    assert receipt.sha256 != hashlib.sha256(raw).hexdigest()


def test_a_receipt_says_what_its_segment_holds(tmp_path):
    spool = opened(tmp_path / "spool")
    spool.append(records(1000))
    spool.close()
    receipts = [segments.receipt_of(tmp_path / "spool", n) for n in segments.numbers(tmp_path / "spool", SEALED)]

    assert len(receipts) > 3
    assert sum(receipt.records for receipt in receipts) == 1000
    assert receipts[0].first == 1
    assert receipts[-1].last == 1000
    for receipt in receipts:
        raw = (tmp_path / "spool" / segments.name(receipt.segment, SEALED)).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (receipt.bytes, receipt.sha256)


def test_every_segment_can_be_read_alone(tmp_path):
    folder = tmp_path / "spool"
    spool = opened(folder)
    spool.assets(ASSETS)
    spool.append(records(1000))
    spool.close()

    for number in segments.numbers(folder, SEALED):
        reader = Reader([folder], Position(number))
        reader.read()
        assert reader.source == "simulator"
        assert [reader.assets[asset.number] for asset in ASSETS] == ASSETS


def test_assets_are_known_in_the_middle_of_a_segment(tmp_path):
    folder = tmp_path / "spool"
    spool = opened(folder, Limits())
    spool.assets(ASSETS[:2])
    spool.append(records(10))
    spool.commit()
    reader = Reader([folder], Position())
    reader.read()
    spool.assets(ASSETS[2:])
    spool.append(records(10, 11))
    spool.commit()

    assert set(Reader([folder], reader.position).assets) == {1, 2}
    reader.read()
    assert set(Reader([folder], reader.position).assets) == {1, 2, 3}
    spool.close()


def test_the_names_that_were_given_away_stay_as_they_are(tmp_path):
    """Another thread walks through them while reading goes on."""
    folder = tmp_path / "spool"
    spool = opened(folder, Limits())
    spool.assets(ASSETS[:2])
    spool.append(records(10))
    spool.commit()
    reader = Reader([folder], Position())
    reader.read()
    given = reader.assets
    spool.assets(ASSETS[2:])
    spool.commit()
    reader.read()
    spool.close()

    assert (set(given), set(reader.assets)) == ({1, 2}, {1, 2, 3})


def test_runs_are_numbered_and_begin_with_a_mark(tmp_path):
    for run in (1, 2):
        spool = opened(tmp_path)
        spool.append(records(5))
        assert spool.run == run
        spool.close()
    killed(third := opened(tmp_path))
    opened(tmp_path).close()
    starts = [mark.detail for mark in Back(tmp_path).marks if mark.reason == START]

    assert [start["left"] for start in starts] == [None, None, None, {"run": 3, "last": 10, "clean": False}]
    assert third.run == 3


def test_one_writer_at_a_time(tmp_path):
    spool = opened(tmp_path)
    with pytest.raises(SpoolError, match="has a writer already"):
        opened(tmp_path)
    spool.close()
    opened(tmp_path).close()


def test_beyond_the_bound_it_says_exactly_what_it_dropped(tmp_path):
    spool = opened(tmp_path, Limits(max_bytes=30_000, segment_bytes=10_000, commit_bytes=2_000))
    spool.assets(ASSETS)
    taken, given_ = 0, 0
    for n in range(60):
        taken += spool.append(records(10, 1 + n * 10, kind=Kind.QUOTE if n % 2 else Kind.TRADE))
        given_ += 10
        spool.commit()
    spool.mark("reconnected")
    progress = spool.progress
    dropped = progress.dropped

    assert progress.refusing
    assert dropped == given_ - taken > 0
    before = Back(tmp_path).records
    for path in tmp_path.glob("*" + SEALED):
        path.unlink()  # as the sender takes them away
    spool._retry_at = 0.0
    spool.commit()
    spool.append(records(5, 601))
    spool.close()
    back = Back(tmp_path)
    (loss,) = back.losses
    (frame,) = (frame for frame in back.frames if frame.kind == FrameKind.LOSS)
    assert not progress.refusing
    assert (frame.first, frame.count) == (taken + 1, dropped)
    assert sum(loss.kinds.values()) == dropped
    assert loss.kinds == {str(kind): n for kind, n in progress.dropped_kinds.items()}
    assert (loss.first_seq, loss.last_seq) == (taken + 1, 600)
    lost = records(600)[taken:]
    lost = lost[(lost["seq"] - 1) // 10 % 2 == 0]  # the others are quotes
    assert [(t.ticker, t.count, t.first, t.last) for t in loss.trades] == [
        (asset.ticker, len(own), own["number"][0], own["number"][-1])
        for asset in ASSETS
        if len(own := lost[lost["asset"] == asset.number])
    ]
    assert [mark.reason for mark in back.marks][-2:] == ["reconnected", "stop"]
    seqs = np.concatenate([before["seq"], back.records["seq"]])
    assert sorted(set(seqs.tolist())) == [*range(1, taken + 1), *range(601, 606)]


def test_an_end_beyond_the_bound_still_tells_what_was_dropped(tmp_path):
    spool = opened(tmp_path, Limits(max_bytes=30_000, segment_bytes=10_000, commit_bytes=2_000))
    for n in range(60):
        spool.append(records(10, 1 + n * 10))
        spool.commit()
    dropped, refusing = spool.progress.dropped, spool.progress.refusing
    spool.close()
    back = Back(tmp_path)

    assert refusing
    assert sum(sum(loss.kinds.values()) for loss in back.losses) == dropped > 0
    assert len(back.records) == 600 - dropped
    assert back.marks[-1].reason == "stop"
    assert not list(tmp_path.glob("*" + OPEN))


@pytest.mark.parametrize("broken", ["write", "sync", "half"])
def test_a_failed_write_is_tried_again_and_leaves_nothing_half(tmp_path, monkeypatch, broken):
    spool = opened(tmp_path, Limits())
    spool.append(records(10))
    spool.commit()
    real_write, real_sync = durable.write_all, durable.sync

    def half(descriptor, data):
        real_write(descriptor, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    def failing(*_):
        raise OSError(errno.EIO if broken == "sync" else errno.ENOSPC, "broken")

    monkeypatch.setattr(durable, "sync" if broken == "sync" else "write_all", half if broken == "half" else failing)
    spool.append(records(10, 11))
    assert spool.commit() == 10
    assert spool.progress.last_error
    assert same(Back(tmp_path).records[:10], records(10))
    monkeypatch.setattr(durable, "sync", real_sync)
    monkeypatch.setattr(durable, "write_all", real_write)
    spool.append(records(10, 21))
    spool._retry_at = 0.0

    assert spool.commit() == 30
    spool.close()
    given_ = np.concatenate([records(10, first).view("V96") for first in (1, 11, 21)]).view(RECORD)
    assert same(Back(tmp_path).records, given_)
    assert Back(tmp_path).damages == []


def test_a_reader_follows_a_writer_through_its_segments(tmp_path):
    spool = opened(tmp_path)
    reader, seen = Reader([tmp_path], Position()), []
    for n in range(200):
        spool.append(records(7, 1 + n * 7))
        if n % 3:
            spool.commit()
        if n % 5 == 0:
            seen += [frame.records()["seq"] for frame in reader.read().frames if frame.kind == FrameKind.RECORDS]
    spool.close()
    while found := reader.read().frames:
        seen += [frame.records()["seq"] for frame in found if frame.kind == FrameKind.RECORDS]

    assert np.concatenate(seen).tolist() == list(range(1, 1401))
    assert reader.unread_bytes() == 0


def test_commits_are_due_after_their_time_only(tmp_path):
    spool = opened(tmp_path, Limits(commit_seconds=30))
    assert not spool.due
    spool.append(records(1))
    assert not spool.due
    spool._since -= 30
    assert spool.due
    spool.commit()
    assert not spool.due
    spool.close()


def test_the_clock_pair_of_a_frame_is_that_of_the_records(tmp_path):
    ticks = itertools.count(1000)
    spool = Spool.open(tmp_path, source="simulator", clock=lambda: ((n := next(ticks)) * 10, n))
    spool.append(records(1))
    spool.close()
    frames = [frame for frame in Back(tmp_path).frames if frame.kind == FrameKind.RECORDS]

    assert all(frame.wall == frame.mono * 10 for frame in frames)


def test_a_bound_leaves_room_for_segments_that_can_be_taken_away():
    limits = Limits.of(Spooled(max_bytes=4 << 20, commit_seconds=0.5))

    assert limits == Limits(max_bytes=4 << 20, segment_bytes=1 << 20, commit_bytes=1 << 19, commit_seconds=0.5)


def test_a_header_is_as_long_as_the_page_says():
    assert HEADER.size == 56
    assert RECORD.itemsize == 96


def test_a_lost_run_file_is_made_again_from_the_receipts(tmp_path):
    opened(tmp_path).close()
    spool = opened(tmp_path)
    spool.append(records(7))
    spool.close()
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    spool = opened(tmp_path)

    assert (spool.run, spool.progress.committed) == (3, 7)
    spool.close()
    assert msgspec.json.decode((tmp_path / "run.json").read_bytes())["number"] == 3
    assert not (tmp_path / "run.json.new").exists()
