"""`tradingsystem restart SERVICE`."""

from pathlib import Path

import click

from launcher.cli import data_option, settings_for

SECONDS = 300.0


@click.command()
@click.argument("service")
@data_option
def restart(service: str, data: Path | None) -> None:
    """Stop one SERVICE and start it again; also after `down SERVICE`."""
    from launcher import control, instance, report
    from launcher.errors import LauncherError, UsageError

    data_dir = settings_for(data).data_dir
    state = instance.running(data_dir)
    if state is None or state.control is None:
        raise LauncherError(f"nothing runs on {data_dir}: start it with `tradingsystem up`")
    answer = control.ask(data_dir, state, control.Question("restart", service), SECONDS)
    if answer.error or answer.overview is None:
        raise UsageError(answer.error or "no answer")
    entries = (*answer.overview.engines, *answer.overview.services)
    entry = next(entry for entry in entries if entry.name == service)
    report.for_stderr()(f"{service}: {entry.state}")
    if entry.state != "ok":
        raise LauncherError(f"{service} is {entry.state}: {entry.detail}")
