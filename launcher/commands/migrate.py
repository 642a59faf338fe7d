"""`tradingsystem migrate`."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher.cli import data_option, echo_json, json_option

if TYPE_CHECKING:
    from config.settings import Settings

SEEDED_HOUR = 13  # UTC, of the day before: the middle of a trading morning in São Paulo


@click.command()
@click.option("--show", is_flag=True, help="Only name what would be applied.")
@click.option("--seed", is_flag=True, help="Add an hour of the invented market, for a look around; demo only.")
@data_option
@json_option
def migrate(show: bool, seed: bool, data: Path | None, as_json: bool) -> None:
    """Bring the stores to what this version expects. Engines that are not running are started for it."""
    from launcher import attach, migrations, report, stamp

    if show and seed:
        raise click.UsageError("--show changes nothing, so it does not go with --seed")
    say = report.for_stderr()
    with attach.attached(data, say, migrated=False) as settings:
        if seed:
            stamp.check(settings.data_dir, ("simulator",))
        names = migrations.pending(settings) if show else migrations.apply(settings, say)
        seeded = _seed(settings) if seed else None
    if seeded is not None:
        say(f"seeded {seeded} ticks")
    if as_json:
        echo_json({"pending" if show else "applied": names, **({} if seeded is None else {"seeded": seeded})})
    elif show:
        click.echo("\n".join(names) or "nothing is pending")
    else:
        say(f"applied {len(names)}" if names else "nothing was pending")


def _seed(settings: "Settings") -> int:
    """How many ticks were new; the same hour again adds none."""
    import polars as pl

    from realtime import generated
    from sql import stores, ticks

    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    since = dt.datetime(day.year, day.month, day.day, SEEDED_HOUR, tzinfo=dt.UTC)
    hour = pl.col("ts").is_between(since, since + dt.timedelta(hours=1), closed="left")
    hot = stores.hot(settings)
    try:
        return ticks.store(hot, generated.day(generated.INSTRUMENTS, day).filter(hour)).new
    finally:
        hot.close()
