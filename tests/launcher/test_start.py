"""`up`, `status`, `down` and `restart` as the operator calls them: real engines, the real gateway."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config import manifest
from config.settings import Settings
from launcher import instance, processes

UP = ("up", "--no-dagster", "--only", "api-gateway")


class Commands:
    """The command line on one data directory."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.environment = {
            **instance.child_environment(settings),
            "TRADINGSYSTEM_API_KEY": "only-for-this-test",
            "TRADINGSYSTEM_JOURNAL_KEY": "a-journal-key-for-these-tests-alone",
            "TP_CAPITAL_TOKEN_KEY": "a-token-key-for-these-tests-alone",
        }
        self.log = log
        self.started: list[subprocess.Popen[bytes]] = []

    def line(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "launcher", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.line(*arguments), env=self.environment, capture_output=True, text=True, timeout=100, check=False
        )

    def up(self, until: Callable[..., None], *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self.line(*(arguments or UP)), env=self.environment, stdout=subprocess.PIPE, stderr=log
            )
        self.started.append(process)
        until(lambda: process.poll() is not None or "Press Ctrl-C" in self.said(), 100)
        assert process.poll() is None, self.said()
        return process

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def entry(self, name: str) -> dict[str, object]:
        found = json.loads(self.run("status", "--json").stdout)
        return next(entry for entry in (*found["engines"], *found["services"]) if entry["name"] == name)


@pytest.fixture
def commands(settings_in, tmp_path: Path) -> Iterator[Commands]:
    made = Commands(settings_in(tmp_path / "data"), tmp_path / "up.log")
    yield made
    for process in made.started:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        process.stdout.close()
    instance.end_leftovers(made.settings.data_dir, lambda _: None)


def offspring(process: "subprocess.Popen[bytes]", commands: Commands) -> list[psutil.Process]:
    marks = instance.read(commands.settings.data_dir).children
    found = psutil.Process(process.pid).children(recursive=True)
    assert {mark.pid for mark in marks} <= {child.pid for child in found}
    assert len(found) > len(marks)  # the backends of PostgreSQL
    return found


def none_left(left: list[psutil.Process]) -> bool:
    return not processes.await_end(left, 60)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_day_in_the_life_of_a_start(commands: Commands, until):
    up = commands.up(until)
    family = offspring(up, commands)

    status = commands.run("status", "--json")
    found = json.loads(status.stdout)
    assert status.returncode == 0, found
    assert {e["name"]: e["state"] for e in found["engines"]} == {"questdb": "ok", "postgres": "ok"}
    served = {service.id for service in manifest.services() if service.served_by == "api-gateway"}
    states = {e["name"]: e["state"] for e in found["services"]}
    assert {name for name, state in states.items() if state == "ok"} == {"api-gateway", *served}
    assert {name for name, state in states.items() if state == "off"} == {"order-manager", "data-capture", "dagster"}

    second = commands.run(*UP)
    assert second.returncode == 1
    assert f"process {up.pid}" in second.stderr
    assert second.stderr.count("\n") == 1

    gateway = psutil.Process(commands.entry("api-gateway")["pid"])
    gateway.kill()
    until(lambda: (entry := commands.entry("api-gateway"))["restarts"] == 1 and entry["state"] == "ok", 100)

    assert commands.run("down", "api-gateway").returncode == 0
    assert commands.entry("api-gateway")["state"] == "down"
    assert commands.run("status").returncode == 1
    assert commands.run("restart", "api-gateway").returncode == 0
    assert commands.run("status").returncode == 0
    assert commands.run("down", "no-such-service").returncode == 2

    family += offspring(up, commands)
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0
    assert none_left(family)
    assert up.stdout.read() == b""
    assert commands.run("status").returncode == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_start_is_cleaned_by_down_and_by_the_next_start(commands: Commands, until):
    up = commands.up(until)
    family = offspring(up, commands)
    up.kill()
    up.wait(10)
    assert commands.run("status").returncode == 1
    assert [child for child in family if processes.lives(child)]

    assert commands.run("down").returncode == 0
    assert none_left(family)

    up = commands.up(until)
    family = offspring(up, commands)
    up.kill()
    up.wait(10)
    up = commands.up(until)
    assert none_left(family)
    assert "was left by an earlier start" in commands.said()

    family = offspring(up, commands)
    assert commands.run("down").returncode == 0
    assert up.wait(60) == 0
    assert none_left(family)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_a_start_that_is_told_to_stop_while_it_starts_stops_in_order(commands: Commands, until):
    with commands.log.open("wb") as log:
        up = subprocess.Popen(commands.line(*UP), env=commands.environment, stdout=subprocess.PIPE, stderr=log)
    commands.started.append(up)
    until(lambda: (state := instance.read(commands.settings.data_dir)) and state.children, 100)
    family = psutil.Process(up.pid).children(recursive=True)
    up.send_signal(signal.SIGHUP)

    assert up.wait(60) == 0, commands.said()
    assert none_left(family)
    assert "nothing is left running" in commands.said()


def test_a_taken_port_of_a_service_in_another_process_is_told_too(commands: Commands):
    with socket.create_server(("127.0.0.1", commands.settings.ports["workspace-api"])):
        done = commands.run(*UP)

    assert done.returncode == 1
    assert f"port {commands.settings.ports['workspace-api']}, which workspace-api needs, is taken by" in done.stderr


def test_a_taken_port_is_told_before_anything_starts(commands: Commands):
    with socket.create_server(("127.0.0.1", commands.settings.ports["questdb"])):
        done = commands.run(*UP)

    assert done.returncode == 1
    assert f"port {commands.settings.ports['questdb']}, which QuestDB needs, is taken by" in done.stderr
    assert not (commands.settings.data_dir / "postgres").exists()


def test_a_demo_and_a_live_directory_are_told_apart(commands: Commands, tmp_path):
    commands.settings.data_dir.mkdir()
    (commands.settings.data_dir / "stamp.json").write_text('{"kind":"live"}', encoding="utf-8")
    done = commands.run("up")

    assert done.returncode == 2
    assert "holds live data" in done.stderr


def test_down_where_nothing_runs_holds(commands: Commands):
    done = commands.run("down")

    assert done.returncode == 0
    assert "nothing runs" in done.stderr


@pytest.mark.timeout(300)
def test_migrate_starts_the_engines_it_needs_and_stops_them(commands: Commands):
    pending = json.loads(commands.run("migrate", "--show", "--json").stdout)["pending"]
    applied = json.loads(commands.run("migrate", "--json").stdout)["applied"]
    again = json.loads(commands.run("migrate", "--json").stdout)["applied"]

    assert "hot/ticks" in pending
    assert applied
    assert again == []
    assert processes.listener(commands.settings.ports["postgres"]) is None
