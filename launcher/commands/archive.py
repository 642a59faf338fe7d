"""`tradingsystem archive`: Parquet files, every day whose file is missing or older than its rows."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from launcher import attach, cli, report
from sql import stores

if TYPE_CHECKING:
    from config.settings import Settings
    from sql.archive import ArchiveResult
    from sql.contract import Table

    Work = tuple[list[dt.date], Callable[[dt.date], ArchiveResult]]  # the days to write, and what writes one


@click.command(help="Write the Parquet files of the days of TABLE… that changed (all tables, when none is named).")
@click.argument("tables", nargs=-1, metavar="[TABLE…]")
@cli.json_option
@cli.data_option
def archive(tables: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """Exit code 1 when a file holds other rows than warm did."""
    chosen = cli.moving_tables(tables)
    news = report.for_stderr()
    results = []
    with attach.attached(data, news) as settings:
        for table in chosen:
            days, write = _directly(table, settings) if table.direct else _from_warm(table, settings)
            with news.progress(f"{table.name}: {len(days)} days to write", len(days)) as advance:
                for day in days:
                    results.append(write(day))
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


def _from_warm(table: "Table", settings: "Settings") -> "Work":
    from sql.archive import archive_day, stale_days

    warm, cold = stores.warm(settings), stores.cold(settings)
    with warm.connect() as connection:
        days = stale_days(connection.cursor(), table, cold)
    return days, lambda day: archive_day(table, day, warm, cold)


def _directly(table: "Table", settings: "Settings") -> "Work":
    from sql.direct import archive_day, stale_days

    hot, warm, cold = stores.hot(settings), stores.warm(settings), stores.cold(settings)
    today, work_dir = dt.datetime.now(dt.UTC).date(), stores.work_dir(settings)
    days = stale_days(table, hot, warm, cold, today=today)
    return days, lambda day: archive_day(table, day, hot, warm, cold, today=today, work_dir=work_dir)
