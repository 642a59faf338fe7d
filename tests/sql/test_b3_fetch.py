"""Fetching from a stand-in of B3's site on this machine."""

import datetime as dt
import functools
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stamina

from sql.b3_fetch import FetchError, NoFileError, fetch, last_session
from tests.sql.b3_made import line, text

DAY = dt.date(2026, 7, 14)


@functools.cache  # a zip holds the time of its making
def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("14-07-2026_NEGOCIOSAVISTA_TEST3.txt", text(line()))
    return buffer.getvalue()


class Site:
    """Answers each path with its list of (status, body), the last one for ever."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                answers = site.answers.get(self.path, [(404, b"")])
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + (100 if status == 299 else 0)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/base/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site():
    made = Site()
    with stamina.set_testing(True, attempts=3):  # no pauses
        yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_symbol_and_the_whole_day_come_from_their_addresses(site, tmp_path):
    site.answers = {"/base/TEST3/2026-07-14": [(200, archive())], "/base/2026-07-14": [(200, archive())]}
    one = fetch("TEST3", DAY, tmp_path, base_url=site.url)
    everything = fetch("*", DAY, tmp_path, base_url=site.url)

    assert one.read_bytes() == archive()
    assert (one.name, everything.name) == ("2026-07-14_TEST3.zip", "2026-07-14_ALL.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([one.name, everything.name])


def test_a_busy_site_is_asked_again(site, tmp_path):
    site.answers = {"/base/TEST3/2026-07-14": [(503, b""), (500, b""), (200, archive())]}

    assert fetch("TEST3", DAY, tmp_path, base_url=site.url).exists()
    assert len(site.asked) == 3


@pytest.mark.parametrize("answer", [(404, b""), (200, b""), (204, b"")])
def test_no_file_for_a_day_is_said_so(site, tmp_path, answer):
    site.answers = {"/base/TEST3/2026-07-14": [answer]}
    with pytest.raises(NoFileError, match="no file for"):
        fetch("TEST3", DAY, tmp_path, base_url=site.url)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>maintenance</html>"), "found a web page"),
        ((200, b"PK but no zip"), "found something else"),
        ((403, b""), "answered 403"),
        ((500, b""), "answered 500, after"),
        ((299, b"PK"), "answered 299"),
    ],
)
def test_anything_but_a_zip_is_refused_and_not_kept(site, tmp_path, answer, said):
    site.answers = {"/base/TEST3/2026-07-14": [answer]}
    with pytest.raises(FetchError, match=said):
        fetch("TEST3", DAY, tmp_path, base_url=site.url)

    assert not list(tmp_path.iterdir())


def test_a_site_that_is_not_there_is_said_so(site, tmp_path):
    site.server.shutdown()
    site.server.server_close()
    with pytest.raises(FetchError, match="does not answer"):
        fetch("TEST3", DAY, tmp_path, base_url=site.url, timeout_seconds=2.0)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-07-14T22:59:00+00:00", "2026-07-13"),
        ("2026-07-14T23:01:00+00:00", "2026-07-14"),
        ("2026-07-12T23:30:00+00:00", "2026-07-10"),
        ("2026-07-13T12:00:00+00:00", "2026-07-10"),
    ],
)
def test_the_last_finished_session_is_a_weekday_whose_files_are_out(now, day):
    assert last_session(dt.datetime.fromisoformat(now)) == dt.date.fromisoformat(day)
