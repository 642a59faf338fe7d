"""One start of the whole platform: engines, migrations, services; then it watches until it is told to stop."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from config import manifest
from config.manifest import Service
from config.settings import Settings
from launcher import engines, instance, keys, migrations, overview, services, stamp
from launcher.control import Answer, Overview, Question, Server
from launcher.engines import Recorder, postgres, questdb
from launcher.errors import LauncherError, UsageError
from launcher.report import Report
from launcher.supervisor import Supervisor


class Plan(Struct, frozen=True, kw_only=True):
    """What `up` was asked for."""

    sources: tuple[str, ...]
    only: tuple[str, ...] = ()
    dagster: bool = True

    def services(self) -> list[Service]:
        """The services to start, in the manifest's order."""
        wanted = [s for s in services.own() if self.dagster or s.id != services.DAGSTER]
        if not self.only:
            return wanted
        ids = {service.id for service in services.own()} | set(overview.ENGINES)
        unknown = [name for name in self.only if name not in ids]
        if unknown:
            raise UsageError(f"no service {', '.join(unknown)}; there are: {', '.join(sorted(ids))}")
        needed = set(self.only) | {need for s in wanted if s.id in self.only for need in s.needs}
        return [service for service in wanted if service.id in needed]


def up(settings: Settings, plan: Plan, report: Report) -> None:
    """Start, print what runs where, stay until SIGINT, SIGTERM or `down`, stop in reverse order."""
    wanted = plan.services()
    stopping = threading.Event()
    with _signals(stopping), instance.claimed(settings, report) as known:
        stamp.check(known.data_dir, plan.sources)
        _check_ports(known, wanted)
        Start(known, plan, report, stopping).run(wanted)


class Start:
    """The parts of one running start."""

    def __init__(self, settings: Settings, plan: Plan, report: Report, stopping: threading.Event) -> None:
        self._settings = settings
        self._plan = plan
        self._report = report
        self._stopping = stopping
        self._server = Server(settings.data_dir, self._answer)
        recorder = Recorder(settings, self._server.address)
        self._supervisor = Supervisor(settings.data_dir / "logs", report, recorder)
        recorder(self._supervisor)

    def run(self, wanted: Sequence[Service]) -> None:
        """Bring everything up, wait for the end, take everything down; children never outlive this call."""
        try:
            self._bring_up(wanted)
            if not self._stopping.is_set():
                overview.show(self._overview(), stderr=True)
                self._report("Press Ctrl-C to stop")
            while not self._stopping.wait(1.0):
                pass  # a wait without end would keep signals out on Windows
        finally:
            self._report("stopping")
            self._supervisor.stop()
            self._server.close()
            self._report("stopped; nothing is left running")

    def _bring_up(self, wanted: Sequence[Service]) -> None:
        settings, supervisor = self._settings, self._supervisor
        _ensure_key(settings, self._report)
        engines.check_external(settings)
        if stamp.SIMULATOR in self._plan.sources:
            _provide_simulator(settings, self._report)
        stores = engines.children(settings, self._report)
        supervisor.add(stores)
        batch = next((service for service in wanted if service.id == services.DAGSTER), None)
        if batch:
            supervisor.add([services.code_server(settings, batch)])  # it imports while the engines start
        supervisor.start(list(supervisor.runners))
        supervisor.require([store.name for store in stores], self._stopping)
        if self._stopping.is_set():
            return
        migrations.apply(settings, self._report)
        supervisor.add(services.child(settings, s, self._plan.sources) for s in wanted if s is not batch)
        if batch:
            supervisor.add([services.webserver(settings, batch), services.daemon(settings, batch)])
        supervisor.start(list(supervisor.runners))
        supervisor.await_settled([name for name in supervisor.runners if name not in overview.ENGINES], self._stopping)

    def _overview(self) -> Overview:
        return overview.of(self._supervisor, engines.external(self._settings), self._settings)

    def _answer(self, question: Question) -> Answer:
        if question.verb == "status":
            return Answer(self._overview())
        if question.verb == "down" and question.service is None:
            self._stopping.set()
            return Answer()
        name = question.service or ""
        if name not in self._supervisor.runners:
            there = ", ".join(self._supervisor.runners)
            return Answer(error=f"no service {name!r} runs here; there are: {there}")
        self._supervisor.stop([name])
        if question.verb == "restart":
            self._supervisor.start([name])
            self._supervisor.await_settled([name], self._stopping)
        return Answer(self._overview())


def _provide_simulator(settings: Settings, report: Report) -> None:
    """Build it before anything waits for it: the first time that takes seconds, without a compiler minutes."""
    from realtime import simulated
    from realtime.profitdll.simulator.build import BuildError

    try:
        simulated.library(settings.downloads_dir, report)
    except BuildError as error:
        raise LauncherError(f"the simulator cannot be built: {error}") from error


def _check_ports(settings: Settings, wanted: Sequence[Service]) -> None:
    """Say it before anything is made or started."""
    if not settings.questdb.external:
        questdb.check_ports(settings)
    if not settings.postgres.external:
        postgres.check_port(settings)
    names = {service.id for service in wanted}
    for service in manifest.services():
        if service.id not in names and service.served_by not in names:
            continue
        instance.check_port(service.id, settings.ports[service.id], service.port_variables[0])


def _ensure_key(settings: Settings, report: Report) -> None:
    if settings.access.api_key is None:
        key = keys.renew(settings.root)
        report(f"administrator's API key, shown once and kept in {keys.place(settings.root)}: {key}")
    if settings.tp_capital.token_key is None:
        keys.make_token_key(settings.root)
    if settings.orders.journal_key is not None:
        return
    if any(settings.orders_dir.glob("journal*.jsonl")):
        report(
            f"{keys.JOURNAL} is not set, and the journal of orders needs the key it was written with: no order leaves"
        )
    else:
        keys.make_journal_key(settings.root)


@contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """Ask for an ordered stop instead of dying; a second signal changes nothing, because the waits are bounded."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK") if sys.platform == "win32" else ("SIGINT", "SIGTERM", "SIGHUP")

    def handle(_number: int, _frame: object) -> None:
        stopping.set()

    before = {name: signal.signal(getattr(signal, name), handle) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
