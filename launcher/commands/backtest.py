"""`tradingsystem backtest`: a strategy over stored sessions, through risk, order loop and paper exchange."""

import contextlib
import datetime as dt
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from launcher import attach, cli, report, stamp
from launcher.errors import LauncherError, UsageError
from sql import stores

if TYPE_CHECKING:
    from config.settings import Settings

EXAMPLE = "realtime.strategy.flow:AggressorFlow"
LONGEST_DAYS = 3700


class NotTestedError(LauncherError):
    """The backtest cannot be made, or broke."""


@click.command(help="Test a strategy on stored sessions, with the checks and the order loop that run live.")
@click.option(
    "--day", "days", required=True, metavar="A[..B]", help="A session, or all from A to B; São Paulo's dates."
)
@click.option("--strategy", default=EXAMPLE, show_default=True, metavar="MODULE:CLASS", help="Also FILE.py:CLASS.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Given to the strategy's class.")
@click.option("--symbols", multiple=True, metavar='"S…"', help="Some symbols instead of all.")
@click.option("--bar", default="1m", show_default=True, help="Length of the strategy's bars.")
@click.option("--quantity", type=click.IntRange(1, 999_999), default=1, show_default=True, help="Where it names none.")
@click.option("--delay-ms", type=click.IntRange(0, 60_000), default=20, show_default=True, help="Signal to exchange.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The report; else backtest-A[..B].html."
)
@click.option("--tier", type=click.Choice(["auto", "cold"]), default="auto", help="cold: archived files, no engine.")
@cli.json_option
@cli.data_option
def backtest(
    *,
    days: str,
    strategy: str,
    parameters: tuple[str, ...],
    symbols: tuple[str, ...],
    bar: str,
    quantity: int,
    delay_ms: int,
    output: Path | None,
    tier: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Exit code 1 when it cannot be made; a strategy that loses has been tested all the same."""
    from realtime.backtest import Asked, BacktestError
    from realtime.strategy import StrategyError
    from sql.tape import INTERVALS, seconds_of

    first, last = _span(days)
    if bar not in INTERVALS:
        raise UsageError(f"--bar {bar}: expected one of {', '.join(INTERVALS)}")
    asked = Asked(
        first=first,
        last=last,
        strategy=strategy,
        parameters=parameters,
        symbols=tuple(dict.fromkeys(name.upper() for text in symbols for name in text.replace(",", " ").split())),
        bar_seconds=seconds_of(bar),
        quantity=quantity,
        delay_ms=delay_ms,
    )
    place = output or Path(f"backtest-{days}.html")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a strategy may print
            tested = _tested(asked, data, report.for_stderr(), cold=tier == "cold")
    except StrategyError as error:
        raise UsageError(str(error)) from error
    except (BacktestError, ValueError) as error:
        raise NotTestedError(str(error)) from error
    from realtime.backtest.report import write

    write(tested, place)
    if as_json:
        cli.echo_json({"report": str(place.absolute()), **_fields(tested.answer)})
    else:
        _print(tested.answer, place)


def _tested(asked: Any, data: Path | None, news: report.Report, *, cold: bool) -> Any:
    from sql.session_rows import write_archived, write_session
    from sql.tape import Tape

    _errors_only()
    if cold:
        settings = cli.settings_for(data)
        store = stores.cold(settings)
        return _made(asked, settings, lambda chosen, path: write_archived(store, chosen, path), news)
    with attach.attached(data, news) as settings:
        tape = Tape(stores.hot(settings), stores.warm(settings), stores.cold(settings))
        return _made(asked, settings, lambda chosen, path: write_session(tape, chosen, path), news)


def _made(asked: Any, settings: "Settings", write: Any, news: report.Report) -> Any:
    from realtime.backtest import Host
    from realtime.backtest.answering import backtest as made

    live = stamp.kind_of(settings.data_dir) == "live"
    return made(asked, write, Host(orders=settings.orders, folder=settings.data_dir / "backtest", live=live), news)


def _span(text: str) -> tuple[dt.date, dt.date]:
    begin, _, end = text.partition("..")
    try:
        first, last = dt.date.fromisoformat(begin), dt.date.fromisoformat(end or begin)
    except ValueError as error:
        raise UsageError(f"--day {text}: expected YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD") from error
    if not 0 <= (last - first).days < LONGEST_DAYS:
        raise UsageError(f"--day {text}: expected a first day before the last, and {LONGEST_DAYS} days at most")
    return first, last


def _errors_only() -> None:
    """A refused order is a line of the report, not of stderr."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _fields(answer: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}


def _print(answer: Any, place: Path) -> None:
    figures = answer.figures
    click.echo(f"tested     {answer.strategy}, {answer.first} to {answer.last}, sessions: {len(answer.sessions)}")
    click.echo(f"heard      {answer.ticks:,} ticks of {len(answer.symbols)} symbols from {', '.join(answer.tiers)}")
    refused = sum(answer.refused.values())
    click.echo(
        f"proposed   {answer.signals:,} signals: {answer.orders:,} orders, {answer.fills:,} fills, {refused:,} refused"
    )
    if refused:
        click.echo("refused    " + ", ".join(f"{check} {count:,}" for check, count in answer.refused.items()))
    click.echo(
        f"result     {figures.net:,.2f} BRL after {figures.costs:,.2f} of costs, "
        f"deepest drawdown {figures.drawdown.amount:,.2f}"
    )
    click.echo(f"trades     {figures.trips}: {figures.won} won, {figures.lost} lost")
    for held in answer.open:
        click.echo(f"open       {held.net} {held.symbol} at {held.average:,.4f}, last {held.last}")
    click.echo(f"records    sha256 {answer.digest}")
    click.echo(f"told in    {answer.pace.seconds:,.1f} s, {answer.pace.ticks_per_second:,.0f} ticks a second")
    click.echo(f"report     {place}")
