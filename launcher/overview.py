"""What `status` and `up` show: every engine and service with its state, from the running start or without one."""

from collections.abc import Iterable, Mapping

from config import manifest
from config.settings import Settings
from launcher.control import Entry, Overview
from launcher.supervisor import Runner, Supervisor

ENGINES = ("questdb", "postgres")
HOLDS = ("ok", "external", "off")  # `off`: not asked for by --only or --no-dagster
COLOURS = {"ok": "green", "external": "green", "starting": "yellow", "waiting": "yellow", "off": "dim"}


def of(supervisor: Supervisor, external: Iterable[str], settings: Settings) -> Overview:
    """The overview of a running start. Processes that the manifest does not know follow those that it knows."""
    entries = {name: _entry(runner) for name, runner in supervisor.runners.items()}
    for name in external:
        entries[name] = Entry(name=name, state="external", url=_url(settings, name))
    for name in known():
        entries.setdefault(name, _within(name, entries, settings) or Entry(name=name, state="off", url=None))
    services = [name for name in (*known(), *supervisor.runners) if name not in ENGINES]
    return Overview(
        engines=[entries[name] for name in ENGINES],
        services=[entries[name] for name in dict.fromkeys(services)],
    )


def at_rest(settings: Settings, external: Iterable[str]) -> Overview:
    """The overview when no start runs: all down, and external engines as they are found by the caller."""
    found = set(external)

    def entry(name: str) -> Entry:
        return Entry(name=name, state="external" if name in found else "down", url=_url(settings, name))

    return Overview(
        engines=[entry(name) for name in ENGINES],
        services=[entry(name) for name in known() if name not in ENGINES],
    )


def known() -> list[str]:
    """Ids of all engines, of the services that `up` starts, and of those that one of them serves."""
    ours = (s for s in manifest.services() if s.managed == "internal")
    return [s.id for s in ours if s.id in ENGINES or s.start or s.served_by]


def holds(overview: Overview) -> bool:
    """True when nothing that should run is down."""
    return all(entry.state in HOLDS for entry in (*overview.engines, *overview.services))


def show(overview: Overview, *, stderr: bool) -> None:
    """Print it as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("name", "state", "url"):
        table.add_column(name, no_wrap=True)
    table.add_column("detail", overflow="fold")
    for entry in (*overview.engines, *overview.services):
        colour = COLOURS.get(entry.state, "red")
        detail = entry.detail or (f"restarts: {entry.restarts}" if entry.restarts else "")
        table.add_row(entry.name, f"[{colour}]{entry.state}[/]", entry.url or "", detail)
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = 200  # a file has no edge to wrap at
    console.print(table)


def _entry(runner: Runner) -> Entry:
    life = runner.life
    return Entry(
        name=runner.child.name,
        state=runner.state,
        url=runner.child.url,
        pid=life.process.pid if life else None,
        restarts=runner.restarts,
        detail=runner.detail,
    )


def _within(name: str, entries: Mapping[str, Entry], settings: Settings) -> Entry | None:
    """The entry of a service that lives in another's process; None where that one is not started."""
    server = entries.get(manifest.service(name).served_by or "")
    if server is None or server.state == "off":
        return None
    return Entry(name=name, state=server.state, url=settings.url(name), pid=server.pid, detail=f"in {server.name}")


def _url(settings: Settings, name: str) -> str | None:
    if name == "questdb":
        return settings.questdb.url
    if name == "postgres":
        address = settings.postgres.admin_dsn().rpartition("@")[2]
        return f"postgresql://{address.partition('/')[0]}"
    return settings.url(name) if name in settings.ports else None
