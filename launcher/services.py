"""The Python processes of the manifest as supervised children, and Dagster as three of them around one code server."""

import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from config import manifest
from config.manifest import Service
from config.settings import Settings
from launcher import instance
from launcher.engines import health
from launcher.supervisor import Child, NotReadyError

REALTIME, DAGSTER = "order-manager", "dagster"
CODE, DAEMON = "dagster-code", "dagster-daemon"
PYTHON = (sys.executable, "-P")  # -P: the working directory must not shadow a package


def own() -> list[Service]:
    """Services of the manifest that we start, engines left out."""
    return [service for service in manifest.services() if service.start and service.managed == "internal"]


def child(settings: Settings, service: Service, sources: tuple[str, ...]) -> Child:
    """One `python -m ROOM` of the manifest."""
    port, setting = settings.ports[service.id], service.port_variables[0]
    command = [*PYTHON, *shlex.split(service.start or "")[1:]]
    if service.id == REALTIME:
        command += [part for source in sources for part in ("--source", source)]
    return Child(
        name=service.id,
        command=lambda: command,
        prepare=lambda: instance.check_port(service.id, port, setting),
        ready=lambda: health.http_answers(settings.url(service.id, service.health or "/health")),
        environment=instance.child_environment(settings),
        directory=settings.root,
        url=settings.url(service.id),
        needs=tuple(service.needs),
        stays_when_ill=service.id == REALTIME,  # a login that was refused must not be repeated
    )


def code_server(settings: Settings, service: Service) -> Child:
    """Dagster's code server: the one process that imports the pipelines. It needs no engine to start."""
    (port,) = instance.free_ports(1)
    _write_home(settings, port)
    module = ("-m", "dagster", "api", "grpc", "--module-name", "pipelines.definitions")
    flags = ("--host", "127.0.0.1", "--port", str(port), "--location-name", "pipelines")
    return Child(
        name=CODE,
        command=lambda: [*PYTHON, *module, *flags, "--use-python-environment-entry-point"],
        prepare=lambda: instance.check_port(CODE, port, "nothing, but start again"),
        ready=lambda: health.grpc_answers(port, "DagsterApi"),
        environment=dagster_environment(settings),
        directory=settings.root,
        url=None,
        outlived_by=tuple(service.needs),  # a run that is in progress ends only where it can reach its stores
    )


def webserver(settings: Settings, service: Service) -> Child:
    """Dagster's UI and GraphQL."""
    port, setting = settings.ports[service.id], service.port_variables[0]
    flags = ("-w", str(_workspace(settings)), "-h", "127.0.0.1", "-p", str(port))
    return Child(
        name=DAGSTER,
        command=lambda: [*PYTHON, "-m", "dagster_webserver", *flags],
        prepare=lambda: instance.check_port(service.id, port, setting),
        ready=lambda: health.http_answers(settings.url(service.id, service.health or "/server_info")),
        environment=dagster_environment(settings),
        directory=settings.root,
        url=settings.url(service.id),
        needs=(*service.needs, CODE),
    )


def daemon(settings: Settings, service: Service) -> Child:
    """Dagster's daemon: schedules, sensors, the run queue. It is ready when its heart has beaten in the storage."""
    began = [0.0]

    def ready() -> None:
        newest = health.sql_value(
            settings.postgres.dsn("dagster", "dagster"),
            "SELECT extract(epoch FROM max(timestamp) AT TIME ZONE 'UTC')::float8 FROM daemon_heartbeats",
        )
        if newest is None or float(newest) < began[0]:
            raise NotReadyError("no heartbeat since its start")

    def prepare() -> None:
        began[0] = time.time()

    return Child(
        name=DAEMON,
        command=lambda: [*PYTHON, "-m", "dagster._daemon", "run", "-w", str(_workspace(settings))],
        prepare=prepare,
        ready=ready,
        environment=dagster_environment(settings),
        directory=settings.root,
        url=None,
        needs=(*service.needs, CODE),
        ready_seconds=90.0,
    )


def dagster_environment(settings: Settings) -> Mapping[str, str]:
    """What Dagster's processes and their runs need to find instance, storage and rooms."""
    url = settings.postgres.dsn("dagster", "dagster")
    return {
        **instance.child_environment(settings),
        "DAGSTER_HOME": str(_home(settings)),
        # SQLAlchemy maps the bare scheme to psycopg 3, with which Dagster cannot create a run.
        "DAGSTER_POSTGRES_URL": url.replace("postgresql://", "postgresql+psycopg2://", 1),
    }


def _home(settings: Settings) -> Path:
    return settings.data_dir / "dagster"


def _workspace(settings: Settings) -> Path:
    return _home(settings) / "workspace.yaml"


def _write_home(settings: Settings, port: int) -> None:
    _home(settings).mkdir(exist_ok=True)
    shutil.copyfile(settings.root / "config" / "dagster.yaml", _home(settings) / "dagster.yaml")
    server = {"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": "pipelines"}}
    _workspace(settings).write_bytes(msgspec.json.encode({"load_from": [server]}))  # JSON is YAML
