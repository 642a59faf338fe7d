"""A store that is killed under load: clean 503s from what needs it, all else goes on, and the same process recovers."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections import Counter

import httpx
import pytest

from launcher import engines as embedded
from launcher import migrations
from launcher.report import Silent
from tests.api.conftest import KEY, running_api

LOADERS = 3
PATIENCE = 120.0
OF_POSTGRES = ("workspace", "create", "documentation")
OF_QUESTDB = ("market", "ticks")
ASKED = {
    "workspace": ("GET", "workspace-api", "/api/items?limit=5", None),
    "create": ("POST", "workspace-api", "/api/items", {"title": "x", "description": "under load"}),
    "documentation": ("GET", "documentation-api", "/api/v1/systems", None),
    "market": ("GET", "b3-market-data", "/adjustments", None),
    "ticks": ("GET", "api-gateway", "/api/v1/ticks?limit=1&symbol=NONE99", None),
    "page": ("GET", "api-gateway", "/", None),
}


class Load:
    """Asks everything in turn, from several threads, and counts what was answered."""

    def __init__(self, settings):
        self.settings = settings
        self.seen = Counter()
        self.wrong = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(LOADERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self):
        fresh = httpx.Limits(keepalive_expiry=1)  # the server hangs up after five seconds: not as we send
        with httpx.Client(timeout=60, trust_env=False, headers={"X-API-Key": KEY}, limits=fresh) as client:
            while not self._ended.is_set():
                for name, (method, service, path, body) in ASKED.items():
                    try:
                        answer = client.request(method, self.settings.url(service, path), json=body)
                    except httpx.TransportError as error:
                        self.wrong.append(f"{name}: {error!r}")
                        continue
                    self._note(name, answer)

    def _note(self, name, answer):
        self.seen[name, answer.status_code] += 1
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.wrong.append(f"{name}: 503 without Retry-After: {answer.text[:300]}")
        if answer.status_code >= 500 and ("psycopg" in answer.text or "postgresql://" in answer.text):
            self.wrong.append(f"{name}: tells of the inside: {answer.text[:300]}")

    def until(self, names, status, more=3):
        """Wait until each of `names` was answered so `more` times from now."""
        target = {name: self.seen[name, status] + more for name in names}
        deadline = time.monotonic() + PATIENCE
        while any(self.seen[name, status] < count for name, count in target.items()):
            assert time.monotonic() < deadline, f"{dict(self.seen)}; {self.wrong[:3]}"
            time.sleep(0.05)  # the load goes on by itself: there is nothing else to wait on

    def well(self, names):
        for name in names:
            self.until([name], 201 if name == "create" else 200)


@pytest.fixture(scope="module")
def scene(settings_in, tmp_path_factory, process_environment_of):
    """Engines of its own with their supervisor, and the API process before them."""
    made = settings_in(tmp_path_factory.mktemp("away") / "data")
    ASKED["create"][3].update(category="dashboard", priority="low")
    with embedded.supervised(made, Silent()) as (settings, supervisor):
        migrations.apply(settings, Silent())
        environment = process_environment_of(settings)
        environment |= {"RATE_LIMIT_MAX": "100000000", "TRADINGSYSTEM_API_KEY": KEY, "LOG_LEVEL": "error"}
        api = running_api(settings, environment)
        with api:
            yield settings, supervisor, api.process


@contextlib.contextmanager
def kept_away(runner):
    """Kill the runner's process; a new one is started when the block ends, however soon it could be."""
    child, over = runner.child, threading.Event()

    def command():
        over.wait(2 * PATIENCE)
        return child.command()

    runner.child = dataclasses.replace(child, command=command)
    os.kill(runner.life.process.pid, signal.SIGKILL)
    try:
        yield
    finally:
        over.set()
        runner.child = child


@pytest.mark.parametrize(
    ("store", "needing", "others"),
    [("postgres", OF_POSTGRES, ("market", "page")), ("questdb", OF_QUESTDB, (*OF_POSTGRES, "page"))],
)
def test_killing_a_store_under_load_is_503_and_it_recovers_without_a_restart(scene, store, needing, others):
    settings, supervisor, process = scene
    with Load(settings) as load:
        load.well(ASKED)
        supervisor.runners[store].child.ready()
        with kept_away(supervisor.runners[store]):
            load.until(needing, 503)
            load.well(others)
        load.well(ASKED)

    statuses = {status for (_, status), count in load.seen.items() if count}
    assert load.wrong == []
    assert statuses == {200, 201, 503}
    assert {status for (name, status), _ in load.seen.items() if name == "page"} == {200}
    assert process.poll() is None
