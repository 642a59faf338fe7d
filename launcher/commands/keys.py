"""`tradingsystem keys`."""

from pathlib import Path
from typing import Any

import click

from launcher.cli import data_option, echo_json, json_option, own_settings

PATH = "/api/v1/access/keys"
SOURCES = ("agent", "telegram", "strategy", "scheduler")
ROLES = ("viewer", "operator", "trader", "admin")


@click.group()
def keys() -> None:
    """Keys of programs, and the installation's own. See docs/access.md."""


@keys.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were revoked or are over too.")
@data_option
@json_option
def list_(*, everything: bool, data: Path | None, as_json: bool) -> None:
    """Keys of programs, the newest first."""
    import datetime as dt

    from launcher.gateway import asked

    now = dt.datetime.now(dt.UTC)
    found = [each for each in asked(data, "GET", PATH)["data"] if everything or _holds(each, now)]
    if as_json:
        echo_json({"keys": found})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "scopes", "source", "last used", "ends", box=None, pad_edge=False)
    for key in found:
        end = f"revoked {_day(key['revokedAt'])}" if key["revokedAt"] else _day(key["expiresAt"])
        table.add_row(
            key["id"], key["name"], " ".join(key["scopes"]), key["source"] or "", _day(key["lastUsedAt"]), end
        )
    Console().print(table)


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, metavar="SERVICE:ACTION", help="For example orders:read; repeatable.")
@click.option("--role", type=click.Choice(ROLES), help="The scopes of a role instead.")
@click.option("--source", type=click.Choice(SOURCES), help="Bind the key: it speaks as this, with fewer rights.")
@click.option("--days", type=click.IntRange(1, 3650), help="Valid for so long; for ever without.")
@data_option
@json_option
def create(
    *,
    name: str,
    scopes: tuple[str, ...],
    role: str | None,
    source: str | None,
    days: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a key and print it: this once, it is not kept."""
    import datetime as dt

    from launcher.gateway import asked

    body: dict[str, Any] = {"name": name, "scopes": list(scopes), "role": role, "source": source}
    if days is not None:
        body["expiresAt"] = (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).isoformat()
    made = asked(data, "POST", PATH, body)
    if as_json:
        echo_json({"key": made["key"], **made["data"]})
    else:
        click.echo(made["key"])


@keys.command()
@click.argument("key_id", metavar="ID")
@data_option
def revoke(key_id: str, data: Path | None) -> None:
    """End a key for good, everywhere within two seconds."""
    from launcher.gateway import asked

    asked(data, "DELETE", f"{PATH}/{key_id}")
    click.echo(f"{key_id} is revoked", err=True)


@keys.command()
@data_option
def rotate(data: Path | None) -> None:
    """Sign people's tokens with a new key; what the old one signed holds for an hour at most."""
    from launcher.gateway import asked

    click.echo(asked(data, "POST", "/api/v1/access/token-keys")["data"]["id"])


@keys.command()
@data_option
def show(data: Path | None) -> None:
    """Where the installation's key is kept; the key itself is not printed."""
    from launcher import keys as store
    from launcher.errors import LauncherError

    settings = own_settings(data)
    if settings.access.api_key is None:
        raise LauncherError("there is no key yet: `tradingsystem up` makes one on its first start, `keys new` now")
    click.echo(f"{store.NAME} in {store.place(settings.root)}, or in the environment of the process")


@keys.command()
@data_option
def new(data: Path | None) -> None:
    """Make a new installation key, print it once and keep it; the old one ends with the next start of the services."""
    from launcher import keys as store

    click.echo(store.renew(own_settings(data).root))


def _holds(key: dict[str, Any], now: Any) -> bool:
    import datetime as dt

    end = key["expiresAt"]
    return key["revokedAt"] is None and (end is None or dt.datetime.fromisoformat(end) > now)


def _day(instant: str | None) -> str:
    return instant[:16].replace("T", " ") if instant else ""
