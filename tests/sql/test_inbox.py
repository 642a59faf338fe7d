"""The drop folder: once by content, moved with its reason, exact when it is killed anywhere."""

import datetime as dt
import os
import shutil
import time
import uuid

import pytest

from sql import b3_files, b3_ledger
from sql.errors import StoreUnavailableError
from sql.inbox import Inbox
from sql.tables import TICKS
from tests.sql.b3_made import line, text, zipped

DAY = "2026-07-14"


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox", tmp_path)


@pytest.fixture
def symbol():
    return f"T{uuid.uuid4().hex[:7].upper()}"


def laid(inbox, name, content, *, age=60.0):
    inbox.folder.mkdir(exist_ok=True)
    path = inbox.folder / name
    if name.endswith(".zip"):
        zipped(path, content, f"14-07-2026_NEGOCIOSAVISTA_{path.stem}.txt")  # a scope of its own: no other test's file
    else:
        path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def trades(symbol, count, *, day=DAY):
    return text(*(line(symbol, 10 * n, day=day) for n in range(1, count + 1)))


def stored(hot, symbol):
    hot.wait_applied(TICKS)
    return hot.rows(f"SELECT count() AS n FROM ticks WHERE symbol = '{symbol}'")[0]["n"]


def names(folder):
    return sorted(path.name.partition("_")[2] for path in folder.glob("*"))


def take(inbox, hot, warm):
    told = []
    inbox.take_all(hot, warm, told.append)
    return told


def test_a_file_is_imported_and_stands_in_done_with_its_report(inbox, hot, warm, symbol):
    laid(inbox, f"{symbol}.zip", trades(symbol, 30))
    (taken,) = take(inbox, hot, warm)

    assert (taken.fate, taken.new, taken.sessions) == ("imported", 30, (dt.date(2026, 7, 14),))
    assert stored(hot, symbol) == 30
    assert names(inbox.folder / "done") == [f"{symbol}.zip", f"{symbol}.zip.report.json"]
    assert inbox.waiting() == []


def test_the_same_content_is_not_imported_twice_under_any_name(inbox, hot, warm, symbol, monkeypatch):
    first = laid(inbox, f"{symbol}.zip", trades(symbol, 30))
    again = first.with_name("another name.zip")
    shutil.copy2(first, again)
    fates = [taken.fate for taken in take(inbox, hot, warm)]

    assert sorted(fates) == ["imported", "known"]
    assert stored(hot, symbol) == 30


def test_a_refused_file_stands_in_refused_with_the_reason_and_holds_up_no_other(inbox, hot, warm, symbol):
    laid(inbox, "0.txt", b"no trades at all\n")
    laid(inbox, f"{symbol}.zip", trades(symbol, 3))
    taken = take(inbox, hot, warm)
    reason = next((inbox.folder / "refused").glob("*.reason.txt")).read_text("utf-8")

    assert [each.fate for each in taken] == ["refused", "imported"]
    assert names(inbox.folder / "refused") == ["0.txt", "0.txt.reason.txt"]
    assert reason.strip() == taken[0].reason
    assert "0.txt" in reason


def test_a_file_that_is_still_copied_is_left_alone(inbox, hot, warm, symbol, monkeypatch):
    monkeypatch.setattr("sql.inbox.QUIET_SECONDS", 600.0)  # it is new, however long this takes
    path = laid(inbox, f"{symbol}.zip", trades(symbol, 3), age=0.0)
    laid(inbox, ".draft.part", b"PK")

    assert take(inbox, hot, warm) == []
    assert path.exists()


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it is done."""


@pytest.mark.parametrize("where", ["before the import", "after the rows", "before the report", "before the move"])
def test_killed_anywhere_and_run_again_it_is_exact(inbox, hot, warm, symbol, monkeypatch, where):
    path = laid(inbox, f"{symbol}.zip", trades(symbol, 30))
    owner, name = {
        "before the import": (b3_files, "import_file"),
        "after the rows": (b3_ledger, "record"),
        "before the report": (type(path), "write_bytes"),
        "before the move": (type(path), "replace"),
    }[where]
    real = getattr(owner, name)

    def killing(self, *arguments, **named):
        # Other files are written and moved on the way: only the last step is meant.
        if owner is not type(path) or inbox.folder in (self.parent, self.parent.parent):
            raise Killed
        return real(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killing)
        with pytest.raises(Killed):
            take(inbox, hot, warm)

    assert path.exists()

    (taken,) = take(inbox, hot, warm)

    assert taken.fate == ("known" if where.startswith("before the ") and "import" not in where else "imported")
    assert stored(hot, symbol) == 30
    assert not path.exists()
    assert f"{symbol}.zip" in names(inbox.folder / "done")


def test_a_file_stays_while_a_store_is_away_and_the_others_are_tried(inbox, hot, warm, symbol, monkeypatch):
    first, second = laid(inbox, "a.zip", trades(symbol, 1)), laid(inbox, "b.zip", trades(symbol, 2))
    real, asked = b3_files.import_file, []

    def away(path, *arguments):
        asked.append(path.name)
        if path == first:
            raise StoreUnavailableError("nobody answers")
        return real(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(b3_files, "import_file", away)
        with pytest.raises(StoreUnavailableError):
            take(inbox, hot, warm)

    assert asked == ["a.zip", "b.zip"]
    assert first.exists()
    assert not second.exists()
