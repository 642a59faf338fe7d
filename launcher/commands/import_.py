"""`tradingsystem import`: trades and other data that are files somewhere else."""

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from launcher.cli import data_option, echo_json, json_option
from launcher.commands.import_lowdb import lowdb
from launcher.commands.import_market import market

if TYPE_CHECKING:
    from config.settings import Settings
    from launcher.report import Report as News
    from sql.b3_files import Report

COUNTS = ("lines", "new", "repeated", "cancelled", "edited", "refused", "empty")


@click.group(name="import")
def import_() -> None:
    """Bring data in."""


import_.add_command(lowdb)
import_.add_command(market)


@import_.command()
@click.argument("names", nargs=-1, metavar="FILE…")
@click.option("--fetch", is_flag=True, help="The names are SYMBOLs (or ALL) to get from B3's site first.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Session to fetch; the last finished one.")
@data_option
@json_option
def b3(names: tuple[str, ...], fetch: bool, day: dt.datetime | None, data: Path | None, as_json: bool) -> None:
    """B3's trade-by-trade files (zip or txt) into the tape.

    Importing a file again changes nothing. Exit code 1 when a file or a line was refused; the other lines are stored,
    and refused ones are kept below DATA/quarantine.
    """
    if not names:
        raise click.UsageError("name at least one FILE, or with --fetch one SYMBOL (ALL for every instrument)")
    if day and not fetch:
        raise click.UsageError("--day needs --fetch: a file says its session itself")
    from launcher import attach, report

    say = report.for_stderr()
    with attach.attached(data, say) as settings:
        answers = _import(settings, names, day.date() if day else None, say, fetch=fetch)
    totals = {name: sum(answer.get(name, 0) for answer in answers) for name in COUNTS}
    if as_json:
        echo_json({**totals, "files": answers})
    if any("error" in answer or answer["refused"] for answer in answers):
        sys.exit(1)


def _import(
    settings: "Settings", names: tuple[str, ...], day: dt.date | None, say: "News", *, fetch: bool
) -> list[dict[str, Any]]:
    import msgspec

    from sql import stores
    from sql.b3_files import import_file
    from sql.errors import StoreUnavailableError, SuspendedError

    hot, warm = stores.hot(settings), stores.warm(settings)
    answers = []
    for name in names:
        try:
            path = _fetched(settings, name, day, say) if fetch else Path(name)
            found = import_file(path, hot, warm, settings.data_dir, say.progress)
        except (StoreUnavailableError, SuspendedError):
            raise
        except _refusals() as error:
            say(f"refused: {error}")
            answers.append({"file": name, "error": str(error)})
        else:
            _tell(found, say)
            answers.append(msgspec.to_builtins(found))
    return answers


def _refusals() -> tuple[type[Exception], ...]:
    from sql.b3_fetch import FetchError
    from sql.b3_source import RefusedFileError
    from sql.ticks import BusyError

    return (RefusedFileError, FetchError, BusyError)


def _fetched(settings: "Settings", symbol: str, day: dt.date | None, say: "News") -> Path:
    from sql import b3_fetch
    from sql.b3_ledger import ALL

    return b3_fetch.fetch(
        ALL if symbol.upper() == "ALL" else symbol.upper(),
        day or b3_fetch.last_session(dt.datetime.now(dt.UTC)),
        settings.data_dir / "downloads" / "b3",
        base_url=settings.b3.base_url,
        timeout_seconds=settings.b3.timeout_seconds,
        progress=say.progress,
    )


def _tell(found: "Report", say: "News") -> None:
    sessions = ", ".join(map(str, found.sessions)) or "no session"
    parts = [f"{found.new:,} new", f"{found.repeated:,} already there", f"{found.cancelled:,} cancelled"]
    parts += [f"{found.edited:,} corrected"] if found.edited else []
    parts += [f"{found.empty:,} empty"] if found.empty else []
    parts += [f"{found.refused:,} refused"]
    say(f"{Path(found.file).name} ({sessions}): {', '.join(parts)} of {found.lines:,} lines in {found.seconds:.1f} s")
    for bad in found.refusals:
        say(f"  line {bad.line}: {bad.reason}")
    if found.quarantine:
        say(f"  all refused lines with their text: {found.quarantine}")
