"""`tradingsystem archive`: warm → Parquet, every day whose file is missing or older than its rows."""

from pathlib import Path

import click
import msgspec

from launcher import attach, cli, report
from sql import stores


@click.command(help="Write the Parquet files of the days of TABLE… that changed (all tables, when none is named).")
@click.argument("tables", nargs=-1, metavar="[TABLE…]")
@cli.json_option
@cli.data_option
def archive(tables: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """Exit code 1 when a file holds other rows than warm did."""
    from sql.archive import archive_day, stale_days

    chosen = cli.moving_tables(tables)
    news = report.for_stderr()
    results = []
    with attach.attached(data, news) as settings:
        warm, cold = stores.warm(settings), stores.cold(settings)
        for table in chosen:
            with warm.connect() as connection:
                days = stale_days(connection.cursor(), table, cold)
            with news.progress(f"{table.name}: {len(days)} days to write", len(days)) as advance:
                for day in days:
                    results.append(archive_day(table, day, warm, cold))
                    advance(1)
    if as_json:
        cli.echo_json({"days": msgspec.to_builtins(results)})
    else:
        for result in results:
            click.echo(
                f"{result.table} {result.day}: {result.rows} rows, {result.bytes} bytes, {result.file or 'no file'}"
            )
        click.echo(f"{len(results)} days written")
    if not all(result.rows_agree for result in results):
        raise cli.Refusal("a day changed while its file was written: run the command again", 1)
