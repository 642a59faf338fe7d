"""The line between `up` and the other commands."""

import os
import socket
from multiprocessing.connection import Client

import psutil
import pytest

from launcher.control import Answer, Question, Server, ask
from launcher.errors import LauncherError
from launcher.instance import State


@pytest.fixture
def server(tmp_path):
    (tmp_path / "run").mkdir()
    made = Server(tmp_path, lambda question: Answer(error=f"{question.verb} {question.service}"))
    yield made
    made.close()


def state(control):
    own = psutil.Process()
    return State(pid=own.pid, started=own.create_time(), environment={}, control=control)


def test_a_question_is_answered(server, tmp_path):
    answer = ask(tmp_path, state(server.address), Question("stop", "questdb"), 10)

    assert answer == Answer(error="stop questdb")


def test_a_stranger_without_the_key_is_not_answered(server, tmp_path):
    (tmp_path / "run" / "control.key").write_bytes(b"another key")

    with pytest.raises(LauncherError, match="does not answer"):
        ask(tmp_path, state(server.address), Question("down"), 10)


def test_a_silent_connection_keeps_nobody_else_out(server, tmp_path):
    with socket.create_connection(server.address):
        answer = ask(tmp_path, state(server.address), Question("status"), 10)

    assert answer.error == "status None"


def test_what_is_no_question_ends_the_connection_and_not_the_server(server, tmp_path):
    key = (tmp_path / "run" / "control.key").read_bytes()
    with Client(server.address, family="AF_INET", authkey=key) as connection:
        connection.send_bytes(b"\x80pickle")
        with pytest.raises((EOFError, OSError)):
            connection.recv_bytes()

    assert ask(tmp_path, state(server.address), Question("status"), 10).error == "status None"


def test_nobody_there_is_told_within_its_time(tmp_path, closed_port):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "control.key").write_bytes(b"key")

    with pytest.raises(LauncherError, match="does not answer"):
        ask(tmp_path, state(("127.0.0.1", closed_port)), Question("status"), 5)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the directory's access list")
def test_the_key_is_readable_by_its_owner_alone(server, tmp_path):
    assert (tmp_path / "run" / "control.key").stat().st_mode & 0o777 == 0o600
