"""The database engines: embedded ones that we start and watch, external ones that we only ask for their health."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from config.settings import Settings
from launcher import instance
from launcher.engines import health, postgres, questdb
from launcher.errors import EngineError
from launcher.instance import State
from launcher.report import Report, Silent
from launcher.supervisor import Child, NotReadyError, Supervisor


def children(settings: Settings, report: Report) -> list[Child]:
    """The embedded engines of these settings, with everything they need on disk."""
    found = []
    if not settings.questdb.external:
        questdb.provide(settings, report)
        questdb.quicken(settings, report)
        found.append(questdb.child(settings))
    if not settings.postgres.external:
        found.append(postgres.child(settings))
    return found


def check_external(settings: Settings) -> None:
    """Raise EngineError when a server of yours does not answer."""
    for name, setting in external(settings).items():
        try:
            ask(settings, name)
        except NotReadyError as error:
            raise EngineError(f"the external {name} of {setting} does not answer: {error}") from error


def external(settings: Settings) -> dict[str, str]:
    """External engines: name -> the setting that names the server."""
    found = {}
    if settings.questdb.external:
        found["questdb"] = "QUESTDB_REST_URL"
    if settings.postgres.external:
        found["postgres"] = "TRADINGSYSTEM_POSTGRES_URL"
    return found


def ask(settings: Settings, name: str) -> None:
    """The health question of one engine; raises NotReadyError."""
    if name == "questdb":
        health.http_answers(f"{settings.questdb.url}/exec?query=select%201")
        health.sql_answers(settings.questdb.pg_dsn())
    else:
        health.sql_answers(settings.postgres.admin_dsn())


@contextmanager
def supervised(settings: Settings, report: Report | None = None) -> Iterator[tuple[Settings, Supervisor]]:
    """As `running`, with the supervisor of what was started: for those who stop an engine and start it again."""
    news = report or Silent()
    with instance.claimed(settings, news) as known:
        check_external(known)
        supervisor = Supervisor(known.data_dir / "logs", news, Recorder(known))
        try:
            supervisor.add(children(known, news))
            supervisor.start(supervisor.runners)
            supervisor.require(supervisor.runners)
            yield known, supervisor
        finally:
            supervisor.stop()


@contextmanager
def running(settings: Settings, report: Report | None = None) -> Iterator[Settings]:
    """Engines for as long as the context lasts: starts what is embedded, yields settings that know the passwords.

    Raises DirectoryError when another start holds the data directory, and what kept an engine from being ready.
    """
    with supervised(settings, report) as (known, _):
        yield known


class Recorder:
    """Keeps `run/state.json` true to what a supervisor runs."""

    def __init__(self, settings: Settings, control: tuple[str, int] | None = None) -> None:
        self._settings = settings
        self._control = control
        self._lock = threading.Lock()

    def __call__(self, supervisor: Supervisor) -> None:
        own = psutil.Process()
        state = State(
            pid=own.pid,
            started=own.create_time(),
            environment=instance.environment(self._settings),
            children=supervisor.marks(),
            control=self._control,
        )
        with self._lock:
            instance.write(self._settings.data_dir, state)
