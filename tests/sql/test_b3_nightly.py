"""What is fetched at night: the sessions that the tape lacks, into the drop folder."""

import datetime as dt
import uuid

import msgspec
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


def unproven(warm, symbol, session, state="unproven"):
    with warm.connect() as connection:
        connection.execute(
            "INSERT INTO tape_sessions (symbol, session, state, reason, captured, rows, trades, quantity, turnover, "
            "missing, sources, judged_at) VALUES (%s, %s, %s, 'so', true, 0, 0, 0, 0, 0, '', now())",
            (symbol, session, state),
        )


def test_sessions_that_are_not_proven_are_fetched_though_nobody_named_them(site, warm, tmp_path, symbol):
    lacking, denied, done = f"{symbol}A", f"{symbol}B", f"{symbol}C"
    unproven(warm, lacking, SESSIONS[1])
    unproven(warm, denied, SESSIONS[1])
    unproven(warm, done, SESSIONS[1])
    known(warm, SESSIONS[1], done)
    unproven(warm, f"{symbol}D", SESSIONS[1], state="proven")
    unproven(warm, f"W{symbol[1:3]}FUT", SESSIONS[1])
    site.answers = {f"/base/{lacking}/2025-07-02": [(200, archive())]}
    nightly = msgspec.structs.replace(feed(site, tmp_path / "inbox"), fill=True)
    said = []

    assert nightly.missing(warm, SESSIONS) == []
    assert nightly.unproven(warm, SESSIONS) == [SESSIONS[1]]
    assert [path.name for path in nightly.fetch(SESSIONS[1], warm, said.append)] == [f"2025-07-02_{lacking}.zip"]
    assert sorted(site.asked) == [f"/base/{lacking}/2025-07-02", f"/base/{denied}/2025-07-02"]
    assert len(said) == 1
    assert denied in said[0]


@pytest.mark.parametrize(
    ("fill", "kind", "fills"),
    [(None, "live", True), (None, "demo", False), (None, None, False), (True, "demo", True), (False, "live", False)],
)
def test_only_a_live_directory_looks_after_its_sessions_unasked(tmp_path, fill, kind, fills):
    stamp = tmp_path / "stamp.json"
    if kind:
        stamp.write_text(f'{{"kind": "{kind}"}}')

    assert Feed(symbols=(), base_url="", folder=tmp_path, fill=fill, stamp=stamp).fills == fills
