"""`tradingsystem services`."""

from pathlib import Path
from typing import Any

import click
import msgspec

from config import manifest
from launcher.cli import data_option, echo_json, json_option, settings_for


@click.group()
def services() -> None:
    """What the service manifest lists."""


@services.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """All services, with the ports in force."""
    found = [_shown(service, settings_for(data).ports) for service in manifest.services()]
    if as_json:
        echo_json({"services": found})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "type", "port", "title", box=None, pad_edge=False)
    for entry in found:
        table.add_row(entry["id"], entry["type"], str(entry["port"] or ""), entry["title"])
    Console().print(table)


@services.command()
@click.argument("service_id", metavar="ID")
@click.option("--field", metavar="F", help="Print this field alone.")
@data_option
@json_option
def get(service_id: str, field: str | None, data: Path | None, as_json: bool) -> None:
    """One service of the manifest."""
    from launcher.errors import UsageError

    try:
        entry = _shown(manifest.service(service_id), settings_for(data).ports)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from error
    if field is not None and field not in entry:
        raise UsageError(f"a service has no field {field!r}; there are: {', '.join(entry)}")
    if as_json:
        echo_json(entry if field is None else {field: entry[field]})
    elif field is not None:
        click.echo(_text(entry[field]))
    else:
        click.echo("\n".join(f"{name}: {_text(value)}" for name, value in entry.items()))


@services.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@data_option
def client(folder: Path, data: Path | None) -> None:
    """Write a typed Python client of the whole gateway to FOLDER, which must not exist: `import FOLDER`."""
    from api.gateway import ID
    from api.served import documents
    from launcher.client import write

    write(documents(settings_for(data))[ID], folder)
    click.echo(f"{folder} is a package: from {folder.name} import AuthenticatedClient, Client")


def _shown(service: manifest.Service, ports: dict[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = msgspec.to_builtins(service)
    return {**entry, "port": ports.get(service.id, service.port)}


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8")
