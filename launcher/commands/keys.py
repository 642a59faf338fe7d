"""`tradingsystem keys`."""

from pathlib import Path

import click

from launcher.cli import data_option, own_settings


@click.group()
def keys() -> None:
    """The administrator's API key."""


@keys.command()
@data_option
def show(data: Path | None) -> None:
    """Where the key is kept; the key itself is not printed."""
    from launcher import keys as store
    from launcher.errors import LauncherError

    settings = own_settings(data)
    if settings.access.api_key is None:
        raise LauncherError("there is no key yet: `tradingsystem up` makes one on its first start, `keys new` now")
    click.echo(f"{store.NAME} in {store.place(settings.root)}, or in the environment of the process")


@keys.command()
@data_option
def new(data: Path | None) -> None:
    """Make a new key, print it once and keep it; the old one ends with the next start of the services."""
    from launcher import keys as store

    click.echo(store.renew(own_settings(data).root))
