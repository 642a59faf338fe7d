"""What tests of every room may ask for: real engines of their own, on free ports, in a directory that goes away."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import psutil
import pytest
import structlog

from config import manifest
from config import settings as configuration
from config.settings import ROOT, Settings
from launcher import engines as embedded
from launcher import instance, migrations
from launcher.report import Silent
from tests.lanes import Lanes, longest_first
from tests.loopback import free_ports

# How long an example takes says how busy the machine is, not that an answer is wrong.
HABITS = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("chance", **HABITS)  # other examples each time: --hypothesis-profile=chance
hypothesis.settings.register_profile("suite", derandomize=True, **HABITS)  # a run says the same of the same code
hypothesis.settings.load_profile("suite")

BEFORE_MIDNIGHT_SECONDS = 60.0
PORTS = ("QUESTDB_PG_PORT", *(s.port_variables[0] for s in manifest.services() if s.port_variables))


def elsewhere() -> dict[str, str]:
    """The PostgreSQL that all tests use instead of their own: `TEST_POSTGRES_URL`, say one with TimescaleDB."""
    server = os.environ.get("TEST_POSTGRES_URL")
    return {"TRADINGSYSTEM_POSTGRES_URL": server} if server else {}


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole session; workers have theirs inside. Beside it lie those of other sessions."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def left_behind(session: Path) -> Iterator[Path]:
    """Data directories of sessions that were killed: what one that lives killed on purpose is its own affair."""
    for other in session.parent.iterdir():
        if other != session and not lives(other):
            for pattern in ("engines*", "*/data", "popen-*/engines*", "popen-*/*/data"):
                with contextlib.suppress(FileNotFoundError):  # somebody else clears it away just now
                    yield from other.glob(pattern)


def lives(session: Path) -> bool:
    """Whether the process that holds this folder is still there; pytest writes its number down."""
    try:
        return psutil.pid_exists(int((session / ".lock").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return False  # it ended


@pytest.fixture(scope="session")
def settings_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Makes Settings of a data directory with ports of its own; no `.env` file of this checkout is read."""
    downloads = Path(os.environ.get("TRADINGSYSTEM_DOWNLOADS_DIR", ROOT / ".data" / "downloads"))

    def make(data_dir: Path, **variables: str) -> Settings:
        environ = {
            "TRADINGSYSTEM_DATA_DIR": str(data_dir),
            "TRADINGSYSTEM_DOWNLOADS_DIR": str(downloads),
            **dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True)),
            **elsewhere(),
            **variables,
        }
        made = configuration.load(environ, root=tmp_path_factory.mktemp("layers"))
        return msgspec.structs.replace(made, root=ROOT)

    return make


@pytest.fixture(scope="session")
def engines(
    settings_in: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, session_folder: Path
) -> Iterator[Settings]:
    """Settings of running, migrated engines that the whole session shares. A missing engine is a failure."""
    for data_dir in left_behind(session_folder):
        instance.end_leftovers(data_dir, Silent())
    with embedded.running(settings_in(tmp_path_factory.mktemp("engines")), Silent()) as settings:
        migrations.apply(settings, Silent())
        yield settings


@pytest.fixture
def process_environment() -> Callable[[Settings], dict[str, str]]:
    """Makes the environment in which `python -m ROOM` finds the engines of these settings."""
    return lambda settings: {**instance.child_environment(settings), **elsewhere()}


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """How a test sets up its logs ends with it: a logger that keeps another test's stream can write no more."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def one_utc_day() -> None:
    """The day that is open when the test begins is open when it ends: it does not begin just before midnight of UTC."""
    left = 86_400 - time.time() % 86_400
    if left < BEFORE_MIDNIGHT_SECONDS:
        time.sleep(left + 1)


LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember the tests that only run where Debian packages are."""
    for item in items:
        if item.get_closest_marker("system"):
            item.config.stash.setdefault(LEFT_OUT, []).append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what was left out to the process that reports; both workers left the same out."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left out"] = session.config.stash.get(LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if not error:
        node.config.stash[LEFT_OUT] = node.workeroutput["left out"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    return Lanes(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was left out is named, with the way to run it: a silent gap looks like a pass."""
    left_out = config.stash.get(LEFT_OUT, [])
    if left_out:
        terminalreporter.section("left out: they need Debian packages; run with -m system")
        for node in left_out:
            terminalreporter.line(node)
