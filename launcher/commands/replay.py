"""`tradingsystem replay`: a stored session through the simulator, for strategies and as a proof of capture."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from launcher import attach, cli, instance, report
from launcher.errors import LauncherError, UsageError
from sql import stores

if TYPE_CHECKING:
    from config.settings import Settings
    from sql.session_rows import Chosen

SAYS = "São Paulo's clock"


class NotReplayedError(LauncherError):
    """The session cannot be replayed, or was not told whole."""


@click.command(help="Play a stored session through the simulator, exactly, and prove it trade by trade.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The session, a date in São Paulo.")
@click.option("--symbols", multiple=True, metavar='"S…"', help="Some symbols instead of all; 34 at most.")
@click.option("--from", "since", metavar="HH:MM[:SS]", help=f"Not before this time, {SAYS}.")
@click.option("--to", "until", metavar="HH:MM[:SS]", help=f"Before this time, {SAYS}.")
@click.option("--speed", default="max", show_default=True, help="Times the market's own speed, or max.")
@click.option("--strategy", metavar="MODULE:CLASS", help="A strategy that hears it; also FILE.py:CLASS.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Given to the strategy's class.")
@click.option("--bar", default="1m", show_default=True, help="Length of the strategy's bars.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where the strategy's lines go.")
@click.option("--tier", type=click.Choice(["auto", "cold"]), default="auto", help="cold: archived files, no engine.")
@click.option("--serve", type=click.IntRange(1, 65535), metavar="PORT", help="A stream of it, until Ctrl-C.")
@click.option("--keep", is_flag=True, help="Leave tape and spool of the replay for a look.")
@cli.json_option
@cli.data_option
def replay(
    *,
    day: dt.datetime,
    symbols: tuple[str, ...],
    since: str | None,
    until: str | None,
    speed: str,
    strategy: str | None,
    parameters: tuple[str, ...],
    bar: str,
    output: Path | None,
    tier: str,
    serve: int | None,
    keep: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Exit code 1 when anything that was told differs from what is stored, or when it could not be told whole."""
    from realtime.replay import ReplayError
    from realtime.replay.preparing import Asked, Wish
    from sql.session_rows import Chosen

    session = day.date()
    names = tuple(dict.fromkeys(name.upper() for text in symbols for name in text.replace(",", " ").split()))
    chosen = Chosen(session=session, symbols=names, since=_at(session, since), until=_at(session, until))
    if (output or parameters) and not strategy:
        raise click.UsageError("--output and --param need --strategy")
    wish = None
    if strategy:
        place = output or Path(f"signals-{session}.jsonl")
        wish = Wish(strategy=strategy, output=place.absolute(), parameters=parameters, bar=_bar(bar))
    asked = Asked(chosen=chosen, speed=_speed(speed), wish=wish, keep=keep, serve=serve)
    try:
        answer = _replayed(asked, data, report.for_stderr(), cold=tier == "cold")
    except ReplayError as error:
        raise NotReplayedError(str(error)) from error
    if as_json:
        cli.echo_json(answer)
    else:
        _print(answer)
    if not answer.holds:
        raise cli.Refusal(f"the replay of {session} differs from what is stored", 1)


def _replayed(asked: Any, data: Path | None, news: report.Report, *, cold: bool) -> Any:
    from realtime.replay.replaying import replay as replayed
    from sql.session_rows import write_archived, write_session
    from sql.tape import Tape

    if cold:
        settings = cli.settings_for(data)
        store = stores.cold(settings)
        return _run(asked, settings, lambda chosen, path: write_archived(store, chosen, path), news, replayed)
    with attach.attached(data, news) as settings:
        tape = Tape(stores.hot(settings), stores.warm(settings), stores.cold(settings))
        return _run(asked, settings, lambda chosen, path: write_session(tape, chosen, path), news, replayed)


def _run(
    asked: Any,
    settings: "Settings",
    write: "Callable[[Chosen, Path], tuple[str, ...]]",
    news: report.Report,
    replayed: Callable[..., Any],
) -> Any:
    from realtime.replay.preparing import Host

    host = Host(settings.data_dir, settings.downloads_dir, instance.child_environment(settings))
    return replayed(asked, write, host, news)


def _at(session: dt.date, text: str | None) -> dt.datetime | None:
    from sql.exchange import SAO_PAULO

    if text is None:
        return None
    try:
        return dt.datetime.combine(session, dt.time.fromisoformat(text), SAO_PAULO).astimezone(dt.UTC)
    except ValueError as error:
        raise UsageError(f"time {text!r}: expected HH:MM or HH:MM:SS, {SAYS}") from error


def _speed(text: str) -> "float | Literal['max']":
    if text == "max":
        return "max"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 100_000:
        raise UsageError(f"--speed {text}: expected a number above 0 and up to 100000, or max")
    return speed


def _bar(text: str) -> str:
    from sql.tape import INTERVALS

    if text not in INTERVALS:
        raise UsageError(f"--bar {text}: expected one of {', '.join(INTERVALS)}")
    return text


def _print(answer: Any) -> None:
    sums, pace, proof = answer.proof.stored, answer.pace, answer.proof
    click.echo(f"session    {answer.session}, {len(answer.symbols)} symbols, from {', '.join(answer.tiers)}")
    click.echo(f"stored     {sums.trades:,} trades, {sums.cancelled:,} cancelled, quantity {sums.quantity:,}")
    again = proof.replayed
    click.echo(f"replayed   {again.trades:,} trades, {again.cancelled:,} cancelled, quantity {again.quantity:,}")
    late = "" if pace.behind_p99_ms is None else f", behind its pace at most {pace.behind_max_ms:,.1f} ms"
    click.echo(f"told in    {pace.seconds:,.1f} s, {pace.trades_per_second:,.0f} a second{late}")
    left = {name: count for name in answer.simplified.__struct_fields__ if (count := getattr(answer.simplified, name))}
    if left:
        click.echo("simplified " + ", ".join(f"{name} of {count:,} rows" for name, count in left.items()))
    if answer.strategy:
        heard = answer.strategy
        click.echo(f"strategy   {heard.strategy}: {heard.signals:,} signals in {heard.output} (sha256 {heard.sha256})")
    if answer.folder:
        click.echo(f"kept       {answer.folder}")
    if proof.difference:
        click.echo(f"differs    at {proof.difference.place}: stored {proof.difference.expected}")
        click.echo(f"           told {proof.difference.found}; missing {proof.missing}, strange {proof.strange}")
    click.echo("proven     every trade as it is stored" if answer.holds else "NOT proven")
