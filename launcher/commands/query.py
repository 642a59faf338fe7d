"""`tradingsystem query`: one reading statement on a tier."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from launcher import attach, cli, report
from sql import stores

SHOWN = 1_000


@click.command(help="Run one reading statement on a tier; the tables are those of the contracts, times are UTC.")
@click.option("--tier", type=click.Choice(["hot", "warm", "cold"]), required=True, help="Where to ask.")
@click.argument("statement", metavar="SQL")
@cli.json_option
@cli.data_option
def query(tier: str, statement: str, as_json: bool, data: Path | None) -> None:
    """Exit code 1 when the tier refuses the statement or does not answer."""
    if tier == "cold":
        found = stores.cold(cli.settings_for(data)).query(statement)
    else:
        with attach.attached(data, report.for_stderr()) as settings:
            found = _ask(settings, tier, statement)
    rows = [{name: _plain(value) for name, value in row.items()} for row in found]
    if as_json:
        cli.echo_json({"tier": tier, "rows": rows})
    else:
        _show(rows)


def _ask(settings: Settings, tier: str, statement: str) -> list[dict[str, Any]]:
    store = stores.hot(settings) if tier == "hot" else stores.warm(settings)
    return store.rows(statement, reader=True)


def _plain(value: Any) -> Any:
    """JSON's types, the same for every tier: a whole number is an integer whatever the store calls it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return value


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*(rows[0] if rows else ()))
    for row in rows[:SHOWN]:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console = Console()
    console.print(table if rows else "no rows")
    if len(rows) > SHOWN:
        console.print(f"{len(rows) - SHOWN} more rows; --json prints all of them")
