"""`tradingsystem retain`: what is older than its contract says leaves hot and warm, where the next tiers hold it."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from launcher import attach, cli, report
from sql import stores

if TYPE_CHECKING:
    from sql.retention import Retained


@click.command(help="Take the days of TABLE… that are too old out of hot and warm (all tables, when none is named).")
@click.argument("tables", nargs=-1, metavar="[TABLE…]")
@click.option("--dry-run", is_flag=True, help="Prove what would go, and change nothing.")
@cli.json_option
@cli.data_option
def retain(*, tables: tuple[str, ...], dry_run: bool, as_json: bool, data: Path | None) -> None:
    """Exit code 1 when a day has to stay because a copy of it is not proven."""
    from sql.evidence import Tiers
    from sql.retention import retain as kept

    chosen = cli.moving_tables(tables)
    news = report.for_stderr()
    done = []
    with attach.attached(data, news) as settings:
        tiers = Tiers(stores.hot(settings), stores.warm(settings), stores.cold(settings), stores.work_dir(settings))
        for table in chosen:
            news(f"{table.name}: what is too old")
            done.append(kept(table, tiers, today=dt.datetime.now(dt.UTC).date(), dry_run=dry_run))
            if not as_json:
                _print(done[-1], dry_run=dry_run)
    if as_json:
        cli.echo_json({"dry_run": dry_run, "tables": msgspec.to_builtins(done)})
    if any(each.hot.note or each.warm.note for each in done):
        raise cli.Refusal("days stay that should go: their copies are not proven", 1)


def _print(done: "Retained", *, dry_run: bool) -> None:
    verb = "would leave" if dry_run else "left"
    for tier, kept in (("hot", done.hot), ("warm", done.warm)):
        for day in kept.dropped:
            click.echo(f"{done.table}: {day} {verb} {tier}")
        if kept.note:
            click.echo(f"{done.table}: {kept.note}")
    rows = f"{done.hot.rows:,} rows {verb} hot, {done.warm.rows:,} {verb} warm"
    click.echo(f"{done.table}: {rows}" + (f", {done.compressed} chunks compressed" if done.compressed else ""))
