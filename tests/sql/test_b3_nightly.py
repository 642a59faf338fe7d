"""What is fetched at night: the sessions that the tape lacks, into the drop folder."""

import datetime as dt
import uuid

import pytest

from sql import b3_ledger
from sql.b3_fetch import NoFileError
from sql.b3_ledger import Edition
from sql.b3_nightly import Feed
from tests.sql.test_b3_fetch import archive, site

__all__ = ["site"]
SESSIONS = [dt.date(2025, 7, 1), dt.date(2025, 7, 2)]


@pytest.fixture
def symbol():
    return f"T{uuid.uuid4().hex[:7].upper()}"


def feed(site, folder, *symbols):
    return Feed(symbols=symbols, base_url=site.url, folder=folder, timeout_seconds=5.0)


def known(warm, session, scope, *, final=True):
    edition = Edition(session, scope, final, None if final else dt.datetime.now(dt.UTC))
    b3_ledger.record(warm, [edition], sha256=uuid.uuid4().hex, file="f", lines=1, at=dt.datetime.now(dt.UTC))


def test_sessions_whose_final_file_is_on_the_tape_are_not_missing(site, warm, tmp_path, symbol):
    nightly = feed(site, tmp_path, symbol)
    known(warm, SESSIONS[0], symbol)
    known(warm, SESSIONS[1], symbol, final=False)

    assert nightly.missing(warm, SESSIONS) == [SESSIONS[1]]


def test_without_symbols_nothing_is_missing(site, warm, tmp_path):
    assert feed(site, tmp_path).missing(warm, SESSIONS) == []


def test_files_come_into_the_folder_and_those_that_are_there_are_not_fetched(site, warm, tmp_path, symbol):
    site.answers = {f"/base/{symbol}/2025-07-02": [(200, archive())]}
    nightly = feed(site, tmp_path / "inbox", symbol, f"{symbol}X")
    known(warm, SESSIONS[1], f"{symbol}X")
    (path,) = nightly.fetch(SESSIONS[1], warm)

    assert path == tmp_path / "inbox" / f"2025-07-02_{symbol}.zip"
    assert path.read_bytes() == archive()
    assert site.asked == [f"/base/{symbol}/2025-07-02"]


def test_a_session_without_files_is_said_so(site, warm, tmp_path, symbol):
    with pytest.raises(NoFileError):
        feed(site, tmp_path, symbol).fetch(SESSIONS[1], warm)
