"""`tradingsystem up`."""

from pathlib import Path

import click

from launcher.cli import data_option, own_settings


@click.command()
@click.option(
    "--source", "sources", multiple=True, metavar="simulator|b3:FILE…|profitdll", help="Where ticks come from."
)
@data_option
@click.option("--only", multiple=True, metavar="SERVICE…", help="Start these and what they need; may be repeated.")
@click.option("--no-dagster", is_flag=True, help="Leave the batch part out.")
def up(sources: tuple[str, ...], data: Path | None, only: tuple[str, ...], no_dagster: bool) -> None:
    """Start everything and keep it running until Ctrl-C.

    Engines are fetched and made on the first start. Without --source a demo market runs.
    """
    from launcher import report, stamp, start

    names = tuple(name for given in only for name in given.split(","))
    plan = start.Plan(sources=stamp.sources_of(sources), only=names, dagster=not no_dagster)
    start.up(own_settings(stamp.directory_for(plan.sources, data)), plan, report.for_stderr())
