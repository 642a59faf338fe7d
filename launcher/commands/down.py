"""`tradingsystem down`."""

from pathlib import Path

import click

from launcher.cli import data_option, settings_for

SECONDS = 120.0


@click.command()
@click.argument("service", required=False)
@data_option
def down(service: str | None, data: Path | None) -> None:
    """Stop everything, or one SERVICE; returns when it has ended."""
    from launcher import control, instance, report
    from launcher.errors import LauncherError, UsageError

    data_dir, say = settings_for(data).data_dir, report.for_stderr()
    state = instance.running(data_dir)
    if state is None:
        ended = instance.end_leftovers(data_dir, say)
        say(f"stopped what an earlier start left: {', '.join(ended)}" if ended else f"nothing runs on {data_dir}")
        if service is not None and not ended:
            raise UsageError(f"{service} cannot be stopped: nothing runs on {data_dir}")
        return
    if state.control is None:
        raise LauncherError(f"process {state.pid} uses the engines of {data_dir} for one command: wait for its end")
    verb = "stop" if service else "down"
    answer = control.ask(data_dir, state, control.Question(verb, service), SECONDS)
    if answer.error:
        raise UsageError(answer.error)
    if service is None and not instance.ended(state, SECONDS):
        raise LauncherError(
            f"process {state.pid} has not ended after {SECONDS:g} s; its logs are in {data_dir / 'logs'}"
        )
    say(f"{service or 'everything'} is stopped")
