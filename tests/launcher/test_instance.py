"""One start per data directory: lock, state file, leftovers, ports and disk."""

import errno
import os
import socket
import subprocess
import sys

import psutil
import pytest

from config.settings import load
from launcher import instance, processes
from launcher.errors import DirectoryError, PortTakenError, explained
from launcher.instance import State
from launcher.report import Silent
from tests.loopback import free_port

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
GONE = 2**22 - 1  # no system of ours counts pids that far


@pytest.fixture
def settings(settings_in, tmp_path):
    return settings_in(tmp_path / "data")


@pytest.fixture
def sleeper():
    """A process in a session of its own, as the supervisor starts them."""
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def dead_start(settings, *children):
    """The state file of a start that was killed."""
    (settings.data_dir / "run").mkdir(parents=True, exist_ok=True)
    state = State(pid=GONE, started=1.0, environment={}, children=list(children))
    instance.write(settings.data_dir, state)


def test_a_second_start_on_one_directory_is_refused_and_told_who_holds_it(settings):
    with instance.claimed(settings, Silent()):
        own = psutil.Process()
        instance.write(settings.data_dir, State(pid=own.pid, started=own.create_time(), environment={}))
        with (
            pytest.raises(DirectoryError, match=f"in use by .*process {os.getpid()}.*tradingsystem down"),
            instance.claimed(settings, Silent()),
        ):
            pass

    with instance.claimed(settings, Silent()):
        assert instance.running(settings.data_dir) is None


def test_two_directories_are_held_side_by_side(settings_in, tmp_path):
    with (
        instance.claimed(settings_in(tmp_path / "one"), Silent()) as one,
        instance.claimed(settings_in(tmp_path / "two"), Silent()) as two,
    ):
        assert one.postgres.passwords != two.postgres.passwords


def test_passwords_of_a_new_directory_are_known_at_once_and_stay(settings):
    with instance.claimed(settings, Silent()) as first:
        pass
    with instance.claimed(settings, Silent()) as second:
        pass

    assert first.questdb.password
    assert first.postgres.passwords == second.postgres.passwords
    assert os.name == "nt" or (settings.data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_start_left_is_stopped(settings, sleeper):
    dead_start(settings, processes.mark("sleeper", sleeper.pid))
    told = []

    class Told(Silent):
        def __call__(self, line, /):
            told.append(line)

    with instance.claimed(settings, Told()):
        assert sleeper.wait(10) is not None
    assert "sleeper" in told[0]


@pytest.mark.skipif(os.name == "nt", reason="a session leader's orphans are found by their session")
def test_what_a_killed_child_of_a_killed_start_left_is_stopped_too(settings, until):
    code = f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as parent:
        until(psutil.Process(parent.pid).children)
        orphan = psutil.Process(parent.pid).children()[0]
        left = processes.mark("parent", parent.pid)
        parent.kill()
    dead_start(settings, left)
    with instance.claimed(settings, Silent()):
        until(lambda: not processes.lives(orphan))


@pytest.mark.skipif(os.name == "nt", reason="a session leader's children are found by their session")
def test_a_stranger_with_a_pid_of_ours_is_left_alone_with_its_children(settings, until):
    code = f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as stranger:
        until(psutil.Process(stranger.pid).children)
        child = psutil.Process(stranger.pid).children()[0]
        dead_start(settings, processes.Mark("questdb", stranger.pid, 1.0))
        with instance.claimed(settings, Silent()):
            alive = stranger.poll() is None and processes.lives(child)
        stranger.kill()
        child.kill()

    assert alive


def test_a_broken_state_file_is_no_state(settings):
    (settings.data_dir / "run").mkdir(parents=True)
    (settings.data_dir / "run" / "state.json").write_bytes(b'{"pid":')

    assert instance.read(settings.data_dir) is None
    with instance.claimed(settings, Silent()):
        pass


def test_a_taken_port_is_named_with_its_holder_and_its_setting():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(PortTakenError) as caught:
            instance.check_port("QuestDB", port, "QUESTDB_HTTP_PORT")

    message = str(caught.value)
    for part in (str(port), "QuestDB", "QUESTDB_HTTP_PORT", f"process {os.getpid()}"):
        assert part in message


def test_a_port_of_an_ended_connection_is_not_taken(closed_port):
    instance.check_port("QuestDB", closed_port, "QUESTDB_HTTP_PORT")


def test_free_ports_are_those_that_nobody_holds_and_the_system_gives_to_nobody():
    with socket.create_server(("127.0.0.1", free_port())) as held:
        taken = held.getsockname()[1]
        found = instance.free_ports(3, range(taken, taken + 100))

    assert taken not in found
    assert len(set(found)) == 3
    assert set(instance.free_ports(3)) <= set(instance.PORTS)


def test_a_small_disk_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(DirectoryError, match=r"MB free and \d+ MB are needed"):
        instance.check_disk(tmp_path, least=2**62)


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "cannot be used"), (errno.EROFS, "--data")]
)
def test_errors_of_the_file_system_say_what_to_do(number, told):
    assert told in str(explained(OSError(number, os.strerror(number), "/somewhere"), "/data"))


def test_a_data_directory_that_cannot_be_made_is_told(settings_in, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with (
        pytest.raises(DirectoryError, match="cannot be used"),
        instance.claimed(settings_in(tmp_path / "file" / "data"), Silent()),
    ):
        pass


def test_the_environment_leads_another_process_to_the_same_ports_and_directories(settings):
    found = load(instance.environment(settings))

    assert (found.data_dir, found.downloads_dir) == (settings.data_dir, settings.downloads_dir)
    assert (found.ports, found.questdb.pg_port) == (settings.ports, settings.questdb.pg_port)
