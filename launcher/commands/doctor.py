"""`tradingsystem doctor`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher.cli import data_option, echo_json, json_option, own_settings

if TYPE_CHECKING:
    from launcher.doctor import Examination

COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}


@click.command()
@click.option(
    "--source", type=click.Choice(["simulator", "profitdll"]), default="simulator", help="For a start with this source."
)
@data_option
@json_option
def doctor(source: str, data: Path | None, as_json: bool) -> None:
    """What a start needs and what of it is missing, with the remedy; exit code 1 when something is missing.

    Changes nothing, logs in nowhere, shows no secret.
    """
    from launcher import doctor as doctors
    from launcher import stamp

    found = doctors.examine(own_settings(stamp.directory_for((source,), data)), source)
    if as_json:
        echo_json(found)
    else:
        _show(found)
    sys.exit(0 if found.ok else 1)


def _show(found: "Examination") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("what", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("found", "to do"):
        table.add_column(name, overflow="fold")
    for finding in found.findings:
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, finding.found, finding.remedy)
    Console().print(table)
