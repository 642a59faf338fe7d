"""`tradingsystem import market`: what collectors know of B3 beside its trades."""

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click

from launcher.cli import data_option, echo_json, json_option


@click.command()
@click.argument("files", nargs=-1, metavar="FILE…", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from-tape", is_flag=True, help="Also the settlements that our own daily sums tell now.")
@data_option
@json_option
def market(files: tuple[Path, ...], data: Path | None, *, from_tape: bool, as_json: bool) -> None:
    """Settlements, indicators, volatility, option walls, dollar index: collectors' CSV and JSON files.

    What a file is for is seen from its header or its names. The same file again changes nothing. Exit code 1 when a
    file or a line was refused; the other lines are stored.
    """
    if not (files or from_tape):
        raise click.UsageError("name at least one FILE, or say --from-tape")
    from launcher import attach, report
    from sql import stores

    say = report.for_stderr()
    with attach.attached(data, say) as settings:
        hot = stores.hot(settings)
        answers = [_imported(hot, path) for path in files]
        if from_tape:
            answers.append(_computed(hot))
    for answer in answers:
        _tell(answer, say)
    if as_json:
        echo_json({"files": answers, "refused": sum(len(answer["refusals"]) for answer in answers)})
    if any("error" in answer or answer["refusals"] for answer in answers):
        sys.exit(1)


def _imported(hot: Any, path: Path) -> dict[str, Any]:
    from sql import market, market_files

    try:
        found = market_files.read(path.name, path.read_bytes())
    except (market_files.RefusedFileError, OSError) as error:
        return {"file": str(path), "error": str(error), "rows": {}, "refusals": []}
    rows = {table.name: market.store(hot, table, frame) for table, frame in found.frames()}
    refusals = [{"line": one.line, "reason": one.reason} for one in found.refusals]
    return {"file": str(path), "rows": rows, "refusals": refusals}


def _computed(hot: Any) -> dict[str, Any]:
    from sql import market
    from sql.market_tables import SNAPSHOTS

    rows = market.settle(hot, dt.datetime.now(dt.UTC)).stored
    return {"file": "the tape", "rows": {SNAPSHOTS.name: rows}, "refusals": []}


def _tell(answer: dict[str, Any], say: Any) -> None:
    name = Path(answer["file"]).name
    if "error" in answer:
        say(f"refused: {answer['error']}")
        return
    rows = ", ".join(f"{count:,} rows of {table}" for table, count in answer["rows"].items()) or "no row"
    say(f"{name}: {rows}, {len(answer['refusals']):,} lines refused")
    for one in answer["refusals"][:20]:
        say(f"  line {one['line']}: {one['reason']}")
