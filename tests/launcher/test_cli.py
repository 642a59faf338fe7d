"""The command line itself: quick, one line per error, exit codes."""

import errno
import json
import os
import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner

from config.settings import ROOT, SettingsError
from launcher import cli, errors
from launcher.commands.test import LANES
from tests.journeys.running import PYTHON

HEAVY = ("dagster", "polars", "litestar", "pyarrow", "duckdb", "psycopg", "jgo", "requests", "httpx", "grpc", "uvicorn")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    line = [sys.executable, "-P", "-m", "launcher", *arguments]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [("--help",), ("status", "--json"), ("services", "list", "--json")])
def test_quick_commands_import_nothing_heavy(arguments, tmp_path):
    code = (
        "import sys; from launcher.cli import cli\n"
        "try: cli(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"sys.stderr.write(','.join(sorted(set(sys.modules) & set({HEAVY!r}))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRADINGSYSTEM_DATA_DIR": str(tmp_path)}
    line = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout
    assert done.stderr == ""


def test_a_retry_of_a_store_is_logged_on_stderr(tmp_path, closed_port):
    code = (
        "from config.settings import load; from sql import stores; from sql.errors import StoreUnavailableError\n"
        "try: stores.hot(load()).execute('SELECT 1')\n"
        "except StoreUnavailableError: pass\n"
    )
    variables = {"TRADINGSYSTEM_DATA_DIR": str(tmp_path), "QUESTDB_HTTP_PORT": str(closed_port)}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    line = [sys.executable, "-P", "-c", code]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == ""
    assert "retry" in done.stderr


def test_a_benchmark_has_options_of_its_own():
    assert "--kills" in run("bench", "faults", "--help").stdout
    assert "--rounds" in run("bench", "sync", "--help").stdout
    assert run("bench", "sync", "--kills", "3").returncode == 2
    assert "What is lost, doubled" in run("bench", "--help").stdout


def test_help_is_instant():
    deadline = time.monotonic() + 90  # the other worker has quiet moments
    while timed_help() >= 0.6:
        assert time.monotonic() < deadline, "0.2 s on an idle machine"


def timed_help() -> float:
    began = time.perf_counter()
    assert run("--help").returncode == 0
    return time.perf_counter() - began


def test_python_compiles_once_even_where_it_may_leave_nothing_beside_the_sources(tmp_path):
    told = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix, file=sys.stderr)"
    (tmp_path / "sitecustomize.py").write_text(told, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tmp_path)}
    line = [PYTHON, str(ROOT / "tradingsystem"), "services", "get", "questdb", "--field", "port"]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr.splitlines() == ["True None", f"False {ROOT / '.venv' / 'bytecode'}"]


def test_every_command_can_be_loaded_and_says_what_the_list_says():
    for name, (_, said) in cli.COMMANDS.items():
        command = cli.cli.get_command(click.Context(cli.cli), name)

        assert command is not None
        assert command.name == name
        assert command.help
        assert said.endswith(".")


def test_status_of_a_platform_at_rest_is_one_object_and_does_not_hold(tmp_path):
    done = run("status", "--json", "--data", str(tmp_path))
    found = json.loads(done.stdout)

    assert done.returncode == 1
    assert [engine["name"] for engine in found["engines"]] == ["questdb", "postgres"]
    assert {entry["state"] for entry in (*found["engines"], *found["services"])} == {"down"}
    assert all(entry["url"] for entry in (*found["engines"], *found["services"]))


def test_the_status_never_shows_a_password(tmp_path):
    done = run(
        "status", "--json", "--data", str(tmp_path), TRADINGSYSTEM_POSTGRES_URL="postgresql://a:hidden@127.0.0.1:9/x"
    )

    assert "hidden" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["engines"][1]["state"] == "down"


def test_an_unknown_setting_is_one_line_and_exit_2():
    done = run("status", TRADINGSYSTEM_NO_SUCH_THING="1")

    assert done.returncode == 2
    assert done.stderr.startswith("tradingsystem: unknown setting TRADINGSYSTEM_NO_SUCH_THING")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_unknown_command_and_a_wrong_option_are_exit_2():
    assert run("no-such-command").returncode == 2
    assert run("status", "--no-such-option").returncode == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (errors.UsageError("x"), 2),
        (errors.EngineError("x"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
    ],
)
def test_errors_that_we_know_have_an_exit_code(error, code):
    assert cli.refusal_of(error).exit_code == code


def test_a_defect_keeps_its_traceback():
    assert cli.refusal_of(ZeroDivisionError()) is None
    assert cli.refusal_of(OSError(errno.EPIPE, "Broken pipe")) is None


def test_services_get_prints_one_field():
    assert run("services", "get", "questdb", "--field", "port", QUESTDB_HTTP_PORT="9555").stdout == "9555\n"
    assert json.loads(run("services", "get", "dagster", "--json").stdout)["needs"] == ["questdb", "postgres"]
    assert run("services", "get", "absent").returncode == 2
    assert run("services", "get", "questdb", "--field", "absent").returncode == 2


@pytest.fixture
def handed_over(monkeypatch):
    """What `test` hands to pytest, which ends with 5."""
    seen = []

    def ran(command, **_):
        seen.append(command[4:])
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(subprocess, "run", ran)
    return seen


def test_test_passes_its_arguments_to_pytest_and_says_what_it_leaves_out(handed_over):
    done = CliRunner().invoke(cli.cli, ["test", "-k", "some thing", "-q", "--maxfail=1"])
    CliRunner().invoke(cli.cli, ["test", "-m", "system"])

    assert done.exit_code == 5
    assert "left out: tests marked `system`" in done.stderr
    assert handed_over == [["-m", "not system", "-k", "some thing", "-q", "--maxfail=1"], ["-m", "system"]]


@pytest.mark.parametrize(
    ("given", "workers"),
    [
        ([], True),
        (["-q", "--maxfail=1", "--durations=9"], True),
        (["-n", "0"], False),
        (["tests/api"], False),
        (["-q", "tests/test_rooms.py::test_the_readme_maps_every_room"], False),
    ],
)
def test_all_tests_run_in_two_processes_and_a_choice_in_one(handed_over, given, workers):
    CliRunner().invoke(cli.cli, ["test", *given])

    assert handed_over == [["-m", "not system", *(LANES if workers else []), *given]]
