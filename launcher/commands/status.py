"""`tradingsystem status`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.settings import Settings
from launcher.cli import data_option, echo_json, json_option, settings_for

if TYPE_CHECKING:
    from launcher.control import Overview

SECONDS = 10.0


@click.command()
@data_option
@json_option
def status(data: Path | None, as_json: bool) -> None:
    """Health of every engine and service; exit code 1 when something is down."""
    from launcher import overview

    settings = settings_for(data)
    found = _found(settings)
    if as_json:
        echo_json(found)
    else:
        overview.show(found, stderr=False)
    sys.exit(0 if overview.holds(found) else 1)


def _found(settings: Settings) -> "Overview":
    from launcher import control, instance, overview

    state = instance.running(settings.data_dir)
    if state and state.control:
        answer = control.ask(settings.data_dir, state, control.Question("status"), SECONDS)
        if answer.overview is not None:
            return answer.overview
    return overview.at_rest(settings, _answering(settings))


def _answering(settings: Settings) -> list[str]:
    if not (settings.questdb.external or settings.postgres.external):
        return []
    from launcher import engines
    from launcher.supervisor import NotReadyError

    found = []
    for name in engines.external(settings):
        try:
            engines.ask(settings, name)
        except NotReadyError:
            continue
        found.append(name)
    return found
