"""`tradingsystem verify`: reads every tier again and proves that they hold the same rows."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from launcher import attach, cli, report
from sql import stores

if TYPE_CHECKING:
    from sql.contract import Table
    from sql.tape_verdict import Sessions
    from sql.verify import Verdict

DAY = click.DateTime(["%Y-%m-%d"])


@click.command(help="Prove that all tiers hold the same rows of TABLE… (all tables, when none is named).")
@click.argument("tables", nargs=-1, metavar="[TABLE…]")
@click.option("--day", type=DAY, metavar="YYYY-MM-DD", help="One UTC day instead of all.")
@click.option("--strict", is_flag=True, help="Fail also on what nothing can prove.")
@click.option("--repair", is_flag=True, help="Mend what differs, then prove it again.")
@cli.json_option
@cli.data_option
def verify(
    *, tables: tuple[str, ...], day: dt.datetime | None, strict: bool, repair: bool, as_json: bool, data: Path | None
) -> None:
    """Exit code 1 on any difference in sealed days."""
    from sql.evidence import Tiers
    from sql.verify import verify as proof

    chosen = cli.moving_tables(tables)
    news = report.for_stderr()
    with attach.attached(data, news) as settings:
        tiers = Tiers(stores.hot(settings), stores.warm(settings), stores.cold(settings), stores.work_dir(settings))
        verdict = proof(
            chosen,
            tiers,
            today=dt.datetime.now(dt.UTC).date(),
            day=day.date() if day else None,
            strict=strict,
            repair=repair,
            planned=_told(news),
        )
    if as_json:
        cli.echo_json(msgspec.to_builtins(verdict))
    else:
        _print(verdict)
    if not verdict.holds:
        unproven = sum(bool(each.unproven) for each in verdict.days)
        sessions = len(verdict.sessions.unproven) if verdict.sessions else 0
        words = [f"{len(verdict.differences)} differences"] if verdict.differences else []
        words += [f"{unproven} days that nothing proves"] if strict and unproven else []
        words += [f"{sessions} sessions that are not proven"] if strict and sessions else []
        raise cli.Refusal(f"the tiers do not hold what they should: {', '.join(words)}", 1)


def _told(news: report.Report) -> "Callable[[Table, list[dt.date]], Callable[[], None]]":
    def planned(table: "Table", days: list[dt.date]) -> Callable[[], None]:
        left = iter(days)

        def advance() -> None:
            news(f"{table.name} {next(left)}: read")

        news(f"{table.name}: {len(days)} days to prove")
        return advance

    return planned


def _print(verdict: "Verdict") -> None:
    for line in verdict.repaired:
        click.echo(f"mended    {line}")
    for each in verdict.days:
        tiers = {"hot": each.hot, "warm": each.warm, "cold": each.cold}
        rows = ", ".join(f"{tier} {held.rows if held else '-'}" for tier, held in tiers.items())
        word = "proven" if each.proven else "unproven" if each.unproven else "differs" if each.sealed else "open"
        tail = f": {each.unproven}" if each.unproven else f": {each.lag_rows} rows behind" if not each.sealed else ""
        click.echo(f"{word:9} {each.table} {each.day} ({rows}){tail}")
    for found in verdict.differences:
        where = f"{found.tier}.{found.table} {found.day} {found.symbol}"
        click.echo(f"different {where}: {found.count} rows, {found.reason}; mend it with: {found.remedy}")
    if verdict.sessions:
        _print_sessions(verdict.sessions, strict=verdict.strict)


def _print_sessions(sessions: "Sessions", *, strict: bool) -> None:
    click.echo(f"sessions  {sessions.proven} proven, {len(sessions.unproven)} unproven, {sessions.open} open")
    if sessions.unproven and not strict:
        click.echo(f"warning   {len(sessions.unproven)} sessions are over and not proven; --strict names them")
        return
    for each in sessions.unproven:
        click.echo(f"unproven  session {each.session} of {each.symbol}, {each.trades} trades: {each.reason}")
        for gap in each.gaps:
            numbers = f"{gap.first_id or '…'} to {gap.last_id or '…'}"
            told = "; ".join(filter(None, (gap.cause, gap.note)))
            click.echo(f"  {gap.state} {gap.kind} {numbers}, {gap.missing or '?'} trades{f': {told}' if told else ''}")
