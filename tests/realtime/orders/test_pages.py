"""The journal over several files: one chain, each file readable without the ones before it."""

import datetime as dt
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from realtime.orders import chain
from realtime.orders.carried import body_of, carried_of
from realtime.orders.chain import CARRIED, JournalError, Tail, segments
from realtime.orders.chronicle import opened
from realtime.orders.journal import Journal, verify
from realtime.orders.ledger import Ledger, replayed
from realtime.orders.limits import RiskLimits
from realtime.orders.proof import Seen
from realtime.orders.records import entry_of
from realtime.orders.states import Status
from realtime.relay.pages import Pages
from sql import journal_segments
from tests.realtime.orders.scenes import BASE, KEY, Scene, scene

OLDER = ("journal-000000000001.jsonl", "journal-000000000006.jsonl")
WRITER = """
import sys
from pathlib import Path
from realtime.orders.journal import Journal
journal = Journal(Path(sys.argv[1]), b"a key of the tests")
n = 0
while True:
    n += 1
    kind = "carried" if n % 5 == 0 else "intent"
    print(journal.append(kind, {"n": n}).result().number, flush=True)
"""


def written(folder: Path, pages: int = 3, each: int = 5) -> Path:
    """So many files with so many records."""
    state = body_of(Ledger(RiskLimits(base=BASE)).carried())
    journal = Journal(folder, KEY)
    for page in range(pages):
        for n in range(each):
            turns = n == 0 and page > 0
            journal.append(CARRIED if turns else "note", {"n": n, "page": page, **(state if turns else {})}).result(10)
    journal.close()
    return folder


def holds(folder: Path, **more: object) -> bool:
    return verify(folder / "journal.jsonl", folder / "head.json", KEY, **more).holds  # type: ignore[arg-type]


def test_files_are_one_chain(tmp_path):
    found = segments(written(tmp_path))

    assert [each.first for each in found] == [1, 6, 11]
    assert [each.path.name for each in found] == [
        "journal-000000000001.jsonl",
        "journal-000000000006.jsonl",
        "journal.jsonl",
    ]
    assert verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY).records == 15
    written(tmp_path, 1)
    assert holds(tmp_path)
    assert segments(tmp_path)[-1].first == 11


@pytest.mark.parametrize("name", [*OLDER, "journal.jsonl"])
@pytest.mark.parametrize("how", ["edit", "cut", "remove", "swap"])
def test_what_is_done_to_any_file_is_found(tmp_path, name, how):
    path = written(tmp_path) / name
    data = path.read_bytes()
    if how == "edit":
        path.write_bytes(data.replace(b'"n":2', b'"n":7'))
    elif how == "cut":
        path.write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    elif how == "remove":
        path.unlink()
    else:
        path.write_bytes((tmp_path / segments(tmp_path)[-2 if name == "journal.jsonl" else -1].path.name).read_bytes())

    assert not holds(tmp_path)


def test_a_file_under_another_number_is_found(tmp_path):
    """A start takes up a state only where the number says that it begins there."""
    (written(tmp_path, 2) / "journal.jsonl").rename(tmp_path / "journal-000000000007.jsonl")

    assert not holds(tmp_path)
    with pytest.raises(JournalError, match="record 6 stands where the file's name says 7"):
        Journal(tmp_path, KEY)


def test_a_file_that_is_put_aside_while_it_is_proven_is_no_alarm(tmp_path, monkeypatch):
    written(tmp_path, 2)
    told = [segments(tmp_path)]
    written(tmp_path, 1)
    journal = Journal(tmp_path, KEY)
    journal.append(CARRIED, {}).result(10)
    journal.close()
    monkeypatch.setattr(chain, "segments", lambda folder: told.pop() if told else segments(folder))

    assert holds(tmp_path)


def test_a_file_that_has_just_begun_while_the_journal_is_proven_is_no_alarm(tmp_path, monkeypatch):
    """Between its making and its first record it is empty."""
    written(tmp_path, 1)
    active, whole = tmp_path / "journal.jsonl", (tmp_path / "journal.jsonl").read_bytes()
    told = [segments(tmp_path)]
    active.rename(tmp_path / OLDER[0])
    active.touch()
    monkeypatch.setattr(chain, "segments", lambda folder: told.pop() if told else segments(folder))

    assert holds(tmp_path)
    (tmp_path / OLDER[0]).write_bytes(whole.splitlines(keepends=True)[0])
    assert not holds(tmp_path)


class Growing(io.RawIOBase):
    """A file that somebody goes on writing: it ends in its first part, and for who reads on there is more."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = [parts[0], b"", *parts[1:]]

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        part = self._parts.pop(0) if self._parts else b""
        room[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("missing", [1, 60, 200])
def test_a_line_that_is_being_written_while_it_is_read_is_no_alarm(tmp_path, monkeypatch, missing):
    active, head = tmp_path / "journal.jsonl", tmp_path / "head.json"
    written(tmp_path, 1)
    vouched = head.read_bytes()  # a head lags behind
    journal = Journal(tmp_path, KEY)
    journal.append("note", {"words": "x" * 200}).result(10)
    journal.close()
    head.write_bytes(vouched)
    whole, real = active.read_bytes(), Path.open

    def opening(path: Path, *how: str, **more: Any) -> Any:
        growing = Growing(whole[:-missing], whole[-missing:])
        return io.BufferedReader(growing) if path == active else real(path, *how, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opening)
        found = verify(active, head, KEY)

    assert (found.holds, found.records) == (True, 5)
    assert verify(active, head, KEY).records == 6


def removed_in_their_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As the relay does it once a year has passed; whether it is done."""
    keeper = Pages(folder, KEY, None, lambda: dt.datetime.now(dt.UTC))  # type: ignore[arg-type]
    monkeypatch.setattr(journal_segments, "removed", lambda *_: None)
    at = dt.datetime(2026, 11, 18, tzinfo=dt.UTC)
    old = [
        journal_segments.Segment(
            first_number=first,
            last_number=first + 4,
            mac=chain.last_link(chain.segment_path(folder, first))[1],
            first_at=at,
            last_at=at,
        )
        for first in (1, 6)
    ]
    return all(keeper._removed(segment) for segment in old)


@pytest.mark.parametrize("read", ["a start", "a proof"])
def test_old_files_that_are_removed_while_the_journal_is_read_are_no_alarm(tmp_path, monkeypatch, read):
    """Between any two touches of a file, one after the other, until the reader is through before it happens."""
    touched, moment = 0, 0

    def touching(real):
        def touch(path, *args, **more):
            nonlocal touched
            touched += 1
            if touched == moment:
                assert removed_in_their_time(folder, monkeypatch)
            return real(path, *args, **more)

        return touch

    written(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", touching(Path.open))
        patch.setattr(Path, "stat", touching(Path.stat))
        while touched >= moment - 1:
            touched, moment = 0, moment + 1
            folder = tmp_path / str(moment)
            shutil.copytree(tmp_path / "whole", folder)
            if read == "a start":
                assert opened(folder, KEY, RiskLimits(base=BASE)).trouble is None
            else:
                assert holds(folder)

    assert moment > 5


def test_a_file_that_somebody_reads_is_removed_later(tmp_path, monkeypatch):
    """Windows removes no file that is open."""
    written(tmp_path)
    real = Path.unlink

    def unlink(path: Path, **more: bool) -> None:
        if path.name in OLDER:
            raise PermissionError("in use")
        real(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        assert not removed_in_their_time(tmp_path, patch)
    assert (tmp_path / OLDER[0]).is_file()
    assert holds(tmp_path)
    assert removed_in_their_time(tmp_path, monkeypatch)

    assert [each.first for each in segments(tmp_path)] == [11]
    assert holds(tmp_path)


def test_a_file_that_windows_holds_for_a_moment_is_read_again(tmp_path, monkeypatch):
    written(tmp_path)
    refusals = [PermissionError("in use")] * 3
    real = Path.open

    def held(path, *args, **more):
        if refusals:
            raise refusals.pop()
        return real(path, *args, **more)

    monkeypatch.setattr(Path, "open", held)

    assert holds(tmp_path)
    assert refusals == []


@pytest.mark.parametrize("number", ["000000000000", "-5", "6", "\N{SUPERSCRIPT TWO}"])
def test_a_file_that_no_journal_names_so_is_refused(tmp_path, number):
    """No proof would reach it, and a start would read it."""
    (written(tmp_path, 1) / f"journal-{number}.jsonl").write_bytes(b"{}\n")

    with pytest.raises(JournalError, match="expected journal-NUMBER"):
        Journal(tmp_path, KEY)


def test_bytes_that_are_no_text_are_found_in_a_first_and_in_a_last_line(tmp_path):
    for name, number in (("journal.jsonl", 0), (OLDER[1], -1)):
        path = written(tmp_path / name) / name
        lines = path.read_bytes().splitlines(keepends=True)
        lines[number] = lines[number].replace(b"page", b"p\xff\xfee")
        path.write_bytes(b"".join(lines))

        assert not holds(tmp_path / name)
        with pytest.raises(JournalError):
            Journal(tmp_path / name, KEY)


def test_a_start_proves_the_newest_file_and_refuses_one_whose_past_is_away(tmp_path):
    old = written(tmp_path) / "journal-000000000001.jsonl"
    old.write_bytes(old.read_bytes().replace(b'"n":2', b'"n":7'))
    Journal(tmp_path, KEY).close()  # `journal verify` and the shipper read the rest
    assert not holds(tmp_path)
    (tmp_path / "journal-000000000006.jsonl").unlink()

    with pytest.raises(JournalError, match="hash does not fit"):
        Journal(tmp_path, KEY)


def test_what_others_have_seen_is_held_against_it(tmp_path):
    written(tmp_path)
    number, mac = chain.last_link(tmp_path / "journal-000000000006.jsonl")

    assert holds(tmp_path, seen=[Seen(number, mac, "warm")])
    assert not holds(tmp_path, seen=[Seen(number, "0" * 64, "warm")])
    assert not holds(tmp_path, seen=[Seen(16, mac, "warm")])


@pytest.mark.parametrize("most", [1, 4, 100])
def test_a_reader_goes_on_over_the_files(tmp_path, most):
    tail, found = Tail(written(tmp_path), KEY), []
    while links := tail.read(most):
        found += [link.record.number for link in links]
    written(tmp_path, 2, 3)

    assert found == list(range(1, 16))
    assert [link.record.number for link in tail.read(1) + tail.read(100) + tail.read(100)] == list(range(16, 22))


@pytest.mark.parametrize("kills", [4])
def test_a_kill_while_files_change_costs_nothing(tmp_path, kills):
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    known = 0
    for kill in range(kills):
        line = [sys.executable, "-P", "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(20 + 13 * kill):
                known = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().splitlines()
        known = int(rest[-1]) if rest and rest[-1].isdigit() else known

        found = verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY)
        assert found.holds, found.wrong
        assert found.records >= known


def test_a_rename_that_fails_keeps_the_chain_in_one_file(tmp_path, monkeypatch):
    def refused(*_: object) -> Path:
        raise PermissionError("somebody reads it")

    monkeypatch.setattr(Path, "rename", refused)
    written(tmp_path)

    assert [each.first for each in segments(tmp_path)] == [1]
    assert holds(tmp_path)


def traded(s: Scene) -> None:
    """Orders in every way of standing."""
    for n in range(1, 7):
        s.place(
            n,
            str(130_000 - 5 * n),
            side="BUY" if n % 2 else "SELL",
            key=f"k{n}",
            strategy="crossing" if n > 3 else None,
        )
        s.loop.step()
    s.broker.fill("EX1", 1, "129995")
    s.broker.fill("EX3", 2, "129985")
    s.loop.step()
    s.cancel(s.ledger.entries[s.ledger.found(exchange_id="EX2", local_id=None).order.id])
    s.refusal(1000)
    s.settle(1)


def state(ledger: Ledger) -> object:
    """All that a restart must know; what happened long ago is trimmed at other moments."""
    return structs.replace(ledger.carried(), sent=(), intents=())


def test_who_starts_from_the_newest_file_knows_what_the_whole_journal_says(tmp_path):
    with scene(tmp_path) as s:
        traded(s)
        s.loop.chronicle.turn_page(1)
        s.restart()
        s.place(1, "129900", key="later")
        s.settle(1)
        s.close()
        again = opened(tmp_path, KEY, s.limits, s.clock)
        again.close()
        whole = [r for each in segments(tmp_path) for r in chain.records(each.path)]
        entries = ((r.number, entry) for r in whole if (entry := entry_of(r.kind, r.body)) is not None)
        full = replayed(entries, s.limits)

        assert len(segments(tmp_path)) == 2
        assert state(again.ledger) == state(full) == state(s.ledger)
        assert again.ledger.working.keys() == full.working.keys()
        assert again.ledger.limits == full.limits
        assert again.ledger.exposure.met_by(s.ledger.entries["ORD-20261118-001"].order, None) == (
            full.exposure.met_by(s.ledger.entries["ORD-20261118-001"].order, None)
        )
        assert again.ledger.records == full.records
        now = s.clock().timestamp()
        assert again.ledger.messages(now) == full.messages(now)
        assert again._number == whole[-1].number
        assert holds(tmp_path)


def test_the_older_files_are_not_needed_to_start(tmp_path):
    with scene(tmp_path) as s:
        traded(s)
        s.loop.chronicle.turn_page(1)
        s.close()
        old, new = segments(tmp_path)
        number, mac = chain.last_link(old.path)
        (tmp_path / "anchor.json").write_bytes(msgspec.json.encode(chain.placed(number, mac, KEY, "anchor")))
        old.path.unlink()
        again = opened(tmp_path, KEY, s.limits, s.clock)
        again.close()

        assert new.first == number + 1
        assert again.trouble is None
        assert state(again.ledger) == state(s.ledger)
        assert verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY).since == number
        (tmp_path / "anchor.json").write_bytes((tmp_path / "head.json").read_bytes())  # sealed, but as a head
        with pytest.raises(JournalError, match="seal"):
            holds(tmp_path)


def test_a_ledger_survives_its_record(tmp_path):
    with scene(tmp_path) as s:
        traded(s)
        told = s.ledger.carried()
        again = Ledger(s.limits)
        again.take_up(carried_of(json.loads(json.dumps(body_of(told)))))

        assert again.carried() == told
        assert {e.order.status for e in again.entries.values()} > {Status.SUBMITTED, Status.CANCELED}


def test_a_session_that_begins_turns_the_page_when_there_is_one(tmp_path, monkeypatch):
    with scene(tmp_path) as s:
        monkeypatch.setattr("realtime.orders.chronicle.PAGE_RECORDS", 3)
        s.place()
        s.clock.move(24 * 3600)
        s.settle(2)
        s.headed()

        assert len(segments(tmp_path)) == 2
        assert next(each.kind for each in chain.records(tmp_path / "journal.jsonl")) == CARRIED
