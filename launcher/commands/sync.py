"""`tradingsystem sync`: one exact pass hot → warm, outside Dagster."""

from pathlib import Path

import click
import msgspec

from launcher import attach, cli, report
from sql import stores


@click.command(help="One exact pass hot → warm of TABLE… (all tables with a warm tier, when none is named).")
@click.argument("tables", nargs=-1, metavar="[TABLE…]")
@cli.json_option
@cli.data_option
def sync(tables: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """Exit code 1 when a pass left warm with other row counts than hot gave it."""
    from sql.sync import sync_table

    chosen = cli.moving_tables(tables, synced=True)
    news = report.for_stderr()
    with attach.attached(data, news) as settings:
        hot, warm = stores.hot(settings), stores.warm(settings)
        results = []
        for table in chosen:
            news(f"{table.name}: from hot to warm")
            result = sync_table(table, hot, warm, work_dir=stores.work_dir(settings))
            results.append(result)
            if not as_json:
                click.echo(
                    f"{result.table}: {result.rows_copied} rows copied, {result.rows_deleted} replaced or deleted, "
                    f"{result.windows_written} windows by {result.way}, {result.seconds:.2f} s"
                )
    if as_json:
        cli.echo_json({"tables": msgspec.to_builtins(results)})
    if not all(result.rows_agree for result in results):
        raise cli.Refusal("a window of warm holds other rows than hot gave for it: run the pass again", 1)
