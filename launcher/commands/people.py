"""`tradingsystem people`."""

from pathlib import Path
from typing import Any

import click

from launcher.cli import data_option, echo_json, json_option

PATH = "/api/v1/access/people"
ROLE = click.Choice(("viewer", "operator", "trader", "admin"))


@click.group()
def people() -> None:
    """Who logs in, and with which role. See docs/access.md."""


@people.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """All people, by name."""
    from launcher.gateway import asked

    found = asked(data, "GET", PATH)["data"]
    if as_json:
        echo_json({"people": found})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "role", "may log in", "last login", box=None, pad_edge=False)
    for person in found:
        table.add_row(
            person["name"],
            person["role"],
            "yes" if person["active"] else "no",
            (person["lastLoginAt"] or "")[:16].replace("T", " "),
        )
    Console().print(table)


@people.command()
@click.argument("name")
@click.option("--role", type=ROLE, required=True)
@click.option("--ask", is_flag=True, help="Ask for the password; without, one is made and printed once.")
@data_option
def add(*, name: str, role: str, ask: bool, data: Path | None) -> None:
    """Let somebody log in."""
    from launcher.gateway import asked

    body: dict[str, Any] = {"name": name, "role": role}
    if ask:
        body["password"] = _typed()
    made = asked(data, "POST", PATH, body)
    if made["password"]:
        click.echo(made["password"])


@people.command()
@click.argument("name")
@click.option("--role", type=ROLE)
@click.option("--password", "ask", is_flag=True, help="Ask for a new password; ends all sessions.")
@click.option("--enable/--disable", "active", default=None, help="Whether the person may log in.")
@data_option
def change(*, name: str, role: str | None, ask: bool, active: bool | None, data: Path | None) -> None:
    """Change somebody's role, password or right to log in; counts within two seconds."""
    from launcher.gateway import asked

    body: dict[str, Any] = {"role": role, "active": active}
    if ask:
        body["password"] = _typed()
    asked(data, "PATCH", f"{PATH}/{name}", {field: value for field, value in body.items() if value is not None})


def _typed() -> str:
    typed: str = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
