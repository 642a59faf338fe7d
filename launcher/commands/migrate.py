"""`tradingsystem migrate`."""

from pathlib import Path

import click

from launcher.cli import data_option, echo_json, json_option, settings_for


@click.command()
@click.option("--show", is_flag=True, help="Only name what would be applied.")
@data_option
@json_option
def migrate(show: bool, data: Path | None, as_json: bool) -> None:
    """Bring the stores to what this version expects. Engines that are not running are started for it."""
    from launcher import engines, migrations, report

    say = report.for_stderr()
    with engines.at_hand(settings_for(data), say) as settings:
        names = migrations.pending(settings) if show else migrations.apply(settings, say)
    if as_json:
        echo_json({"pending" if show else "applied": names})
    elif show:
        click.echo("\n".join(names) or "nothing is pending")
    else:
        say(f"applied {len(names)}" if names else "nothing was pending")
