"""The journal against edits, cuts, kills and full disks."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.orders import journal as module
from realtime.orders.chain import BEGINNING, Record, begins, sealed
from realtime.orders.journal import Journal, JournalError, records, verify

KEY = b"a key of the tests"
WRITER = """
import sys
from pathlib import Path
from realtime.orders.journal import Journal
journal = Journal(Path(sys.argv[1]), b"a key of the tests")
n = 0
while True:
    n += 1
    print(journal.append("intent", {"n": n, "words": "x" * (n % 50)}).result().number, flush=True)
"""


def paths(folder: Path) -> tuple[Path, Path]:
    return folder / "journal.jsonl", folder / "head.json"


def holds(folder: Path) -> bool:
    try:
        return verify(*paths(folder), KEY).holds
    except JournalError:
        return False


def written(folder: Path, count: int = 20) -> Path:
    journal = Journal(folder, KEY)
    for future in [journal.append("intent", {"n": n, "price": 1.5 * n}) for n in range(count)]:
        future.result(10)
    journal.close()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return paths(written(tmp_path_factory.mktemp("whole")))[0].read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("edited"))


def test_what_was_appended_is_there_in_order_and_proven(tmp_path):
    found = list(records(paths(written(tmp_path))[0]))

    assert [record.body["n"] for record in found] == list(range(20))
    assert [record.number for record in found] == list(range(1, 21))
    assert verify(*paths(tmp_path), KEY).records == 20


def test_a_second_start_goes_on_with_the_chain(tmp_path):
    written(tmp_path, 3)
    written(tmp_path, 3)

    assert verify(*paths(tmp_path), KEY).records == 6


def test_another_key_proves_nothing(tmp_path):
    written(tmp_path, 3)

    assert not verify(*paths(tmp_path), b"another").holds


def test_two_writers_are_refused(tmp_path):
    journal = Journal(tmp_path, KEY)
    with pytest.raises(JournalError, match="has a writer"):
        Journal(tmp_path, KEY)
    journal.close()


edits = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    st.tuples(st.just("delete"), st.floats(0, 1, exclude_max=True), st.integers(1, 300)),
    st.tuples(st.just("insert"), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.none()),
    st.tuples(st.just("swap"), st.integers(0, 19), st.integers(0, 19)),
    st.tuples(st.just("drop"), st.integers(0, 19), st.none()),
    st.tuples(st.just("repeat"), st.integers(0, 19), st.none()),
)


def edited(data: bytes, kind: str, place: float, how: object) -> bytes:
    lines = data.splitlines(keepends=True)
    at = int(place * len(data)) if place < 1 else 0
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ int(str(how))]) + data[at + 1 :]
    if kind == "delete":
        return data[:at] + data[at + int(str(how)) :]
    if kind == "insert":
        return data[:at] + bytes(how) + data[at:]  # type: ignore[call-overload, no-any-return]
    if kind == "cut":
        return data[:at]
    number = int(place)
    if kind == "swap":
        other = int(str(how))
        lines[number], lines[other] = lines[other], lines[number]
    if kind == "drop":
        del lines[number]
    if kind == "repeat":
        lines.insert(number, lines[number])
    return b"".join(lines)


@settings(max_examples=600)
@given(edits)
def test_every_edit_is_found(whole, folder, edit):
    path, head = paths(folder)
    original = path.read_bytes()
    damaged = edited(original, *edit)
    path.write_bytes(damaged)
    try:
        assert verify(path, head, KEY).holds is (damaged == original)
    finally:
        path.write_bytes(original)


def ending_with(folder: Path, rest: bytes) -> Path:
    """A journal of one record, with these bytes behind it; its file."""
    journal = Journal(folder, KEY)
    journal.append("intent", {"n": 1}).result(10)
    journal.close()
    path, _ = paths(folder)
    with path.open("ab") as file:
        file.write(rest)
    return path


@pytest.mark.parametrize("rest", [b'{"number":2,"at":"2026', b'{"nu', b'{"number":2,"at":"2026\0\0\0', b"\0" * 9])
def test_a_torn_last_record_is_cut_and_noted(tmp_path, rest):
    path = ending_with(tmp_path, rest)
    found = verify(*paths(tmp_path), KEY)
    Journal(tmp_path, KEY).close()

    assert (found.holds, found.torn) == (True, len(rest))
    assert [record.kind for record in records(path)] == ["intent", "cut"]
    assert holds(tmp_path)


def test_wherever_a_record_is_torn_its_beginning_is_known_as_its_own():
    record = Record(number=2, at=dt.datetime(2026, 11, 19, 12, 0, 0, 1, dt.UTC), kind="event", body={"n": 1})
    line, _ = sealed(record, BEGINNING, KEY)

    assert all(begins(line[:cut], 2) for cut in range(len(line)))
    assert not any(begins(line[:cut], 3) for cut in range(len(b'{"number":2'), len(line)))


@pytest.mark.parametrize("rest", [b"x", b" ", b'{"number":3,"at":"2026', b'{"number":2,"by":"', b'{"nu\0\0mber'])
def test_bytes_at_the_end_that_are_no_torn_record_are_found_and_left_there(tmp_path, rest):
    path = ending_with(tmp_path, rest)
    with pytest.raises(JournalError, match=f"line 2: {len(rest)} bytes that are not the beginning of record 2"):
        Journal(tmp_path, KEY)

    assert not verify(*paths(tmp_path), KEY).holds
    assert path.read_bytes().endswith(rest)


@pytest.mark.parametrize("edit", [lambda d: b"\n" + d, lambda d: d.replace(b",", b", "), lambda d: d[:-1] + b',"n":1}'])
def test_a_head_that_says_the_same_in_other_bytes_was_edited(tmp_path, edit):
    _, head = paths(written(tmp_path))
    head.write_bytes(edit(head.read_bytes()))

    with pytest.raises(JournalError, match=r"head\.json is not as it was written"):
        Journal(tmp_path, KEY)


def test_a_broken_journal_is_not_written_to(tmp_path):
    path, _ = paths(written(tmp_path))
    damaged = path.read_bytes().replace(b'"n":7', b'"n":8')
    path.write_bytes(damaged)

    with pytest.raises(JournalError, match="line 8"):
        Journal(tmp_path, KEY)
    assert path.read_bytes() == damaged


def cut(folder: Path) -> str:
    """Leave three records; the hash of the last of them."""
    path, _ = paths(folder)
    lines = path.read_bytes().splitlines(keepends=True)[:3]
    path.write_bytes(b"".join(lines))
    return str(json.loads(lines[-1])["mac"])


def test_a_cut_tail_shows_without_the_head_and_with_one_that_was_typed(tmp_path):
    _, head = paths(written(tmp_path))
    sealed = json.loads(head.read_bytes())
    mac = cut(tmp_path)
    head.write_text(json.dumps({**sealed, "number": 3, "mac": mac}), encoding="utf-8")
    assert not holds(tmp_path)
    head.write_text(json.dumps({"number": 3, "mac": mac}), encoding="utf-8")
    assert not holds(tmp_path)
    head.unlink()
    assert not holds(tmp_path)

    with pytest.raises(JournalError, match="is missing"):
        Journal(tmp_path, KEY)


def test_a_head_that_is_no_text_is_said_like_any_other_that_cannot_be_read(tmp_path):
    _, head = paths(written(tmp_path))
    head.write_bytes(b'{"number":3,"mac":"\xeb"}')

    with pytest.raises(JournalError, match="cannot be read"):
        Journal(tmp_path, KEY)


def test_a_new_journal_has_its_head_before_the_first_record(tmp_path):
    journal = Journal(tmp_path, KEY)
    found = json.loads(paths(tmp_path)[1].read_bytes())
    journal.close()

    assert found["number"] == 0
    assert holds(tmp_path)


def test_the_head_is_synced_under_load_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(module, "HEAD_LAG_SECONDS", 0.0, raising=False)
    journal = Journal(tmp_path, KEY)
    for n in range(5):
        journal.append("intent", {"n": n}).result(10)
    head = paths(tmp_path)[1]
    number = json.loads(head.read_bytes())["number"] if head.is_file() else 0
    journal.close()

    assert number >= 4  # the fifth is acknowledged first


def test_a_lost_journal_shows(tmp_path):
    path, head = paths(written(tmp_path))
    path.unlink()

    assert not holds(tmp_path)
    assert head.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is how a full disk is made here")
def test_a_record_that_cannot_be_written_closes_the_journal_and_says_so(tmp_path):
    """The writer goes on living: what waits fails at once, and health tells why."""
    journal = Journal(tmp_path, KEY)
    journal.append("intent", {"n": 1}).result(10)
    for words in ("half a pair \ud800", "sound"):
        with pytest.raises(JournalError, match="surrogates not allowed"):
            journal.append("event", {"text": words}).result(10)
    assert journal.failed is not None
    journal.close()

    assert verify(*paths(tmp_path), KEY).records == 1


def test_a_full_disk_fails_what_was_to_be_written_and_all_that_follows(tmp_path):
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from realtime.orders.journal import Journal, JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path({str(tmp_path)!r}), {KEY!r})
journal.append("intent", {{"n": 1}}).result()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
failed = 0
for n in range(20):
    try:
        journal.append("intent", {{"n": n, "words": "x" * 100}}).result()
        assert not failed
    except JournalError:
        failed += 1
print(failed, journal.failed is not None)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)

    count, failed = done.stdout.split()
    assert int(count) > 5
    assert failed == "True"
    verdict = verify(*paths(tmp_path), KEY)
    assert verdict.holds
    assert verdict.records == 1 + 20 - int(count)


@pytest.mark.parametrize("kills", [6])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path, kills):
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    known = 0
    for kill in range(kills):
        line = [sys.executable, "-P", "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(3 + 40 * kill):
                known = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().splitlines()
        known = int(rest[-1]) if rest and rest[-1].isdigit() else known
        verdict = verify(*paths(tmp_path), KEY)
        assert verdict.holds, verdict.wrong
        assert verdict.records >= known

    numbers = [record.number for record in records(paths(tmp_path)[0])]
    assert numbers[: verdict.records] == list(range(1, verdict.records + 1))


def test_the_lines_are_json_that_people_can_read(tmp_path):
    line = paths(written(tmp_path, 1))[0].read_text(encoding="utf-8").splitlines()[0]

    assert set(json.loads(line)) == {"number", "at", "kind", "body", "mac"}
