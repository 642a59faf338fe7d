"""Supervision, with small stand-in children."""

import errno
import http.server
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from launcher import processes, supervisor
from launcher.engines import health
from launcher.errors import ChildError, LauncherError
from launcher.report import Silent
from launcher.supervisor import Child, IllError, NotReadyError, Supervisor

SLEEPER = "import time; time.sleep(600)"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
SLOW_END = """
import signal, sys, time
def say(word):
    with open("{ends}", "a") as file:
        file.write("{name} " + word + "\\n")
def end(*_):
    say("is asked")
    time.sleep({seconds})
    say("ends")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)


class Told(Silent):
    """Keeps every line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str, /) -> None:
        self.lines.append(line)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervised(tmp_path: Path, told: Told) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, told, lambda _: None)
    yield made
    made.stop()


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., Child]:
    def make(name: str, code: str = SLEEPER, **options: object) -> Child:
        given = {"ready": lambda: None, "environment": dict(os.environ), "directory": tmp_path, **options}
        return Child(name=name, command=lambda: [sys.executable, "-c", code], **given)

    return make


def pid_of(supervised: Supervisor, name: str) -> int:
    return supervised.runners[name].life.process.pid


@pytest.fixture
def slow(child, tmp_path) -> Callable[..., Child]:
    """Children that take some time to end when they are asked to."""

    def make(name: str, seconds: float, when: Callable[[], None] = lambda: None, **options: object) -> Child:
        def ready() -> None:
            if "ready" not in (tmp_path / f"{name}.log").read_text(encoding="utf-8"):
                raise NotReadyError("not yet")
            when()

        code = SLOW_END.format(seconds=seconds, name=name, ends=(tmp_path / "ends").as_posix())
        return child(name, code, ready=ready, **options)

    return make


@pytest.fixture
def outlives(supervised: Supervisor, tmp_path) -> Callable[[str, str], bool]:
    """Stops two `slow` children; whether the first one was asked to end only when the second had ended."""

    def stop(longer: str, shorter: str) -> bool:
        both = [psutil.Process(pid_of(supervised, name)) for name in (longer, shorter)]
        supervised.stop()
        assert not any(processes.lives(each) for each in both)
        said = (tmp_path / "ends").read_text(encoding="utf-8").splitlines()
        return said == [f"{name} {word}" for name in (shorter, longer) for word in ("is asked", "ends")]

    return stop


def test_a_child_starts_after_what_it_needs_and_stops_before_it(supervised, slow, outlives, until):
    order: list[str] = []
    first_may = threading.Event()

    def ready_first() -> None:
        if not first_may.is_set():
            raise NotReadyError("not yet")
        order.append("first ready")

    supervised.add([slow("first", 0.1, ready_first)])
    supervised.add([slow("second", 0.5, needs=("first",), prepare=lambda: order.append("prepared"))])
    supervised.start(["second", "first"])
    until(lambda: supervised.runners["first"].state == "starting")
    first_may.set()
    supervised.require(["first", "second"])

    assert order.index("first ready") < order.index("prepared")
    assert outlives("first", "second")


def test_a_child_that_needs_nothing_to_start_may_still_be_outlived(supervised, slow, outlives):
    supervised.add([slow("worker", 0.5, outlived_by=("store",)), slow("store", 0.1)])
    supervised.start(["worker", "store"])
    supervised.require(["worker", "store"])

    assert outlives("store", "worker")


def test_a_killed_child_is_started_again_and_both_is_told(supervised, child, until, told):
    supervised.add([child("one")])
    supervised.start(["one"])
    supervised.require(["one"])
    before = pid_of(supervised, "one")
    os.kill(before, signal.SIGKILL)
    until(lambda: supervised.runners["one"].restarts == 1 and supervised.runners["one"].state == "ok")
    until(lambda: told.lines[-1] == "one: ok again")
    after = pid_of(supervised, "one")
    supervised.stop()

    assert after != before
    assert [line.partition(" (")[0] for line in told.lines] == [
        "one: ok",
        "one: starting, ended unexpectedly",
        "one: ok again",
    ]


def test_what_a_killed_child_started_ends_with_it(supervised, child, until):
    supervised.add([child("parent", PARENT + SLEEPER)])
    supervised.start(["parent"])
    supervised.require(["parent"])
    parent = psutil.Process(pid_of(supervised, "parent"))
    until(parent.children)
    orphan = parent.children()[0]
    parent.kill()
    until(lambda: supervised.runners["parent"].restarts == 1)

    until(lambda: not processes.lives(orphan))


def test_a_child_that_crashes_again_and_again_is_failing_and_still_retried(supervised, child, until, monkeypatch):
    monkeypatch.setattr(supervisor, "FIRST_DELAY_SECONDS", 0.01)
    supervised.add([child("broken", "import sys; print('why it broke'); sys.exit(3)", ready=never)])
    supervised.start(["broken"])
    until(lambda: supervised.runners["broken"].state == "failing")
    seen = supervised.runners["broken"].restarts
    until(lambda: supervised.runners["broken"].restarts > seen)

    with pytest.raises(ChildError, match=r"(?s)exit code 3.*broken\.log.*why it broke"):
        supervised.require(["broken"])


def never() -> None:
    raise NotReadyError("never")


def test_a_child_that_never_becomes_ready_is_given_up_after_its_time(supervised, child):
    supervised.add([child("mute", ready=never, ready_seconds=0.3, tries=1)])
    supervised.start(["mute"])

    with pytest.raises(ChildError, match=r"was not ready after 0.3 s \(never\)"):
        supervised.require(["mute"])


def test_an_error_while_preparing_is_told_as_it_is(supervised, child):
    def prepare() -> None:
        raise LauncherError("port 1 is taken")

    supervised.add([child("blocked", prepare=prepare, tries=1)])
    supervised.start(["blocked"])

    with pytest.raises(LauncherError, match="port 1 is taken"):
        supervised.require(["blocked"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal to ignore")
def test_a_child_that_ignores_the_request_to_end_is_killed(supervised, child, tmp_path, until):
    supervised.add([child("deaf", STUBBORN, stop_seconds=0.5)])
    supervised.start(["deaf"])
    supervised.require(["deaf"])
    until(lambda: "deaf" in (tmp_path / "deaf.log").read_text(encoding="utf-8"))
    process = psutil.Process(pid_of(supervised, "deaf"))
    supervised.stop()

    assert not processes.lives(process)
    assert supervised.runners["deaf"].state == "down"


def test_a_child_that_runs_but_does_not_answer_is_failing_until_it_answers(supervised, child, until, told, monkeypatch):
    monkeypatch.setattr(supervisor, "WATCH_SECONDS", 0.02)
    answers = threading.Event()
    answers.set()

    def ready() -> None:
        if not answers.is_set():
            raise NotReadyError("silence")

    supervised.add([child("one", ready=ready)])
    supervised.start(["one"])
    supervised.require(["one"])
    answers.clear()
    until(lambda: supervised.runners["one"].state == "failing")
    detail = supervised.runners["one"].detail
    answers.set()

    until(lambda: told.lines[-1] == "one: ok again")
    assert "silence" in detail
    assert told.lines == ["one: ok", f"one: failing, {detail}", "one: ok again"]
    assert supervised.runners["one"].restarts == 0


def test_a_stopped_child_can_be_started_again(supervised, child):
    supervised.add([child("one")])
    supervised.start(["one"])
    supervised.require(["one"])
    supervised.stop(["one"])
    supervised.start(["one"])
    supervised.require(["one"])

    assert psutil.pid_exists(pid_of(supervised, "one"))


def test_a_state_that_cannot_be_noted_does_not_end_supervision(tmp_path, child, until):
    def full(_: Supervisor) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    supervised = Supervisor(tmp_path, Silent(), full)
    supervised.add([child("one")])
    supervised.start(["one"])
    supervised.require(["one"])
    os.kill(pid_of(supervised, "one"), signal.SIGKILL)
    until(lambda: supervised.runners["one"].restarts == 1 and supervised.runners["one"].state == "ok")
    supervised.stop()

    assert supervised.runners["one"].life is None


def test_stopping_does_not_wait_for_a_need_that_never_comes(supervised, child):
    supervised.add([child("absent", ready=never), child("waiting", needs=("absent",))])
    supervised.start(["absent", "waiting"])
    supervised.stop()

    assert {runner.state for runner in supervised.runners.values()} == {"down"}


@pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX; Windows has process groups")
def test_ctrl_c_in_the_terminal_does_not_reach_a_child(supervised, child):
    supervised.add([child("one")])
    supervised.start(["one"])
    supervised.require(["one"])
    pid = pid_of(supervised, "one")

    assert os.getsid(pid) == pid != os.getsid(0)


def test_a_log_stays_bounded_and_keeps_its_last_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    log = tmp_path / "one.log"
    for number in range(6):
        log.write_text(f"part {number} of the log", encoding="utf-8")
        supervisor.rotate(log)

    kept = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert kept == {f"one.log.{n}": f"part {6 - n} of the log" for n in (1, 2, 3)}


def test_a_child_that_says_it_is_ill_is_left_running_where_a_new_one_would_be_no_better(supervised, child, until):
    ill = [True]

    def ready() -> None:
        if ill[0]:
            raise IllError("capture: the broker refuses the login")

    supervised.add([child("one", ready=ready, ready_seconds=0.2, stays_when_ill=True)])
    supervised.start(["one"])
    runner = supervised.runners["one"]

    assert runner.settled.wait(20)
    assert (runner.state, runner.detail, runner.restarts) == ("failing", "capture: the broker refuses the login", 0)

    ill[0] = False
    until(lambda: runner.state == "ok")
    assert runner.restarts == 0


def test_a_child_that_is_ill_is_started_again_where_nothing_else_is_said(supervised, child, until):
    def ready() -> None:
        raise IllError("not well")

    supervised.add([child("one", ready=ready, ready_seconds=0.2)])
    supervised.start(["one"])

    until(lambda: supervised.runners["one"].restarts > 0)


def test_a_health_answer_tells_what_is_wrong():
    body = b'{"status":"unhealthy","checks":{"a":{"status":"ok"},"b":{"status":"error","error":"no data"}}}'

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body if self.path == "/health" else b"busy")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(IllError, match="b: no data"):
            health.http_answers(f"{address}/health")
        with pytest.raises(NotReadyError, match="answered 503") as caught:
            health.http_answers(f"{address}/other")
        server.shutdown()

    assert not isinstance(caught.value, IllError)
