"""`tradingsystem import lowdb`: the JSON files that the original kept before it had a database."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher.cli import data_option, echo_json, json_option

if TYPE_CHECKING:
    from config.settings import Settings
    from launcher.report import Report as News
    from sql.lowdb import Kind
    from sql.lowdb_load import Report

COUNTS = ("migrated", "skipped", "duplicates", "errors", "total")
MOST_TOLD = 20  # notes of a kind on the terminal; all of them are in --json


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE…")
@click.option("--dry-run", is_flag=True, help="Do it all, take it back, tell the same.")
@click.option(
    "--continue-on-error", is_flag=True, help="Leave out records that are refused; else they stop their file."
)
@click.option(
    "--uploads", type=click.Path(path_type=Path, file_okay=False), help="Where uploaded files lie; else beside FILE."
)
@data_option
@json_option
def lowdb(
    names: tuple[str, ...],
    data: Path | None,
    uploads: Path | None,
    *,
    dry_run: bool,
    continue_on_error: bool,
    as_json: bool,
) -> None:
    """Ideas, workspace items and documentation of LowDB into PostgreSQL.

    Each file says itself whose it is. Running it again changes nothing: what is stored stays as it is now. A file that
    is not there counts as empty. Exit code 1 when a record or a file was refused.
    """
    from launcher import attach, report
    from sql.lowdb import LowDbError
    from sql.lowdb_load import import_file

    say, found, refused = report.for_stderr(), [], []
    with attach.attached(data, say) as settings:
        for name in names:
            try:
                told = import_file(
                    Path(name), _dsns(settings), uploads=uploads, rehearse=dry_run, lenient=continue_on_error
                )
            except LowDbError as error:
                say(f"refused: {error}")
                refused.append({"file": name, "error": str(error)})
            else:
                _tell(told, say)
                found.append(told)
    if as_json:
        counted = [counts for told in found for counts in told.tables.values()]
        totals = {count: sum(getattr(counts, count) for counts in counted) for count in COUNTS}
        echo_json({**totals, "dryRun": dry_run, "files": found, "refused": refused})
    if refused or any(told.refusals for told in found):
        sys.exit(1)


def _dsns(settings: "Settings") -> "dict[Kind, str]":
    postgres = settings.postgres
    return {
        "workspace": postgres.dsn("app_workspace", "frontend_apps"),
        "documentation": postgres.dsn("app_documentation", "frontend_apps"),
    }


def _tell(told: "Report", say: "News") -> None:
    name = Path(told.file).name
    if told.kind is None:
        say(f"{name}: is not there, so nothing is brought in")
    for table, counts in told.tables.items():
        parts = ", ".join(f"{getattr(counts, count):,} {count}" for count in COUNTS)
        say(f"{name} → {table}: {parts}")
    for word, notes in (("refused", told.refusals), ("repeated", told.duplicates), ("noted", told.warnings)):
        for note in notes[:MOST_TOLD]:
            say(f"  {word}: {note.record}: {note.message}")
        if len(notes) > MOST_TOLD:
            say(f"  {word}: {len(notes) - MOST_TOLD} more; --json tells them all")
    if told.kind and not told.written:
        say("  nothing was written")
