"""The `tradingsystem` command line: one module per command, imported when it is called, so that `--help` is instant.

stdout belongs to the answer, stderr to everything else. Exit codes: 0 holds, 1 does not hold, 2 wrong usage or
configuration.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from config.settings import Settings, SettingsError, load
from launcher import errors

if TYPE_CHECKING:
    from sql.contract import Table

COMMANDS = {  # name -> module of launcher.commands, which has a click command of that name; what it does
    "up": ("up", "Start everything and keep it running until Ctrl-C."),
    "doctor": ("doctor", "What a start needs, and what of it is missing."),
    "status": ("status", "Health of every engine and service."),
    "down": ("down", "Stop everything, or one service."),
    "restart": ("restart", "Stop one service and start it again."),
    "services": ("services", "What the service manifest lists."),
    "migrate": ("migrate", "Bring the stores to what this version expects."),
    "import": ("import_", "Bring market data files into the tape."),
    "sync": ("sync", "One exact pass from hot to warm."),
    "archive": ("archive", "Write the Parquet files of changed days."),
    "retain": ("retain", "Take what is too old out of hot and warm."),
    "verify": ("verify", "Prove that all tiers hold the same rows."),
    "query": ("query", "Run one reading statement on a tier."),
    "replay": ("replay", "Play a stored session through the simulator, and prove it."),
    "backtest": ("backtest", "Test a strategy on stored sessions, with a report."),
    "bench": ("bench", "Reproducible benchmarks: ratios against baselines."),
    "journal": ("journal", "The journal of orders, proven offline."),
    "drill": ("drill", "Pull the kill switch of a demo, and say how long it took."),
    "keys": ("keys", "API keys: of programs, and the installation's own."),
    "people": ("people", "Who logs in, and with which role."),
    "test": ("test", "Run the tests against engines of their own."),
}
DATA_DIR = "TRADINGSYSTEM_DATA_DIR"


class Refusal(click.ClickException):
    """An error of ours as click prints it: one line on stderr and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"tradingsystem: {self.message}", file=file or sys.stderr)


class Commands(click.Group):
    """Knows names and short helps without importing what runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"launcher.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, COMMANDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="tradingsystem")
def cli() -> None:
    """Market data and execution platform for B3."""


def main() -> None:
    """Entry of `python -m launcher`."""
    cli(prog_name="tradingsystem")


def refusal_of(error: Exception) -> Refusal | None:
    """How the operator is told about an error that we know; None for one that is a defect."""
    if isinstance(error, SettingsError):
        return Refusal(str(error), 2)
    if isinstance(error, errors.LauncherError):
        return Refusal(str(error), error.exit_code)
    if isinstance(error, OSError) and error.errno in errors.DISK:
        return Refusal(str(errors.explained(error, "the data directory")), 1)
    stores = sys.modules.get("sql.errors")  # not imported: then no store has spoken
    if stores is not None and isinstance(error, stores.StoreError):
        return Refusal(str(error), 1)
    return None


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data DIR`, which every command takes."""
    kind = click.Path(file_okay=False, path_type=Path)
    text = "Data directory; the setting TRADINGSYSTEM_DATA_DIR, else .data/demo."
    return click.option("--data", "data", type=kind, metavar="DIR", help=text)(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: one object on stdout and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(command)


def echo_json(answer: Any) -> None:
    """Print the one JSON object of a command."""
    click.echo(msgspec.json.encode(answer).decode("utf-8"))


def own_settings(data: Path | None) -> Settings:
    """Settings as the layers and `--data` say, whatever runs: what `up` starts from."""
    return load(_environ(data))


def settings_for(data: Path | None) -> Settings:
    """Settings that find what runs on the data directory: its ports win over the layers while it lives."""
    settings = own_settings(data)
    from launcher import instance

    state = instance.running(settings.data_dir)
    return load({**_environ(data), **state.environment}) if state else settings


def _environ(data: Path | None) -> dict[str, str]:
    return {**os.environ, DATA_DIR: str(data.absolute())} if data else dict(os.environ)


def moving_tables(names: Sequence[str], *, synced: bool = False) -> "list[Table]":
    """The contracts called `names`, or all that move between tiers; with `synced` those that go to warm.

    Raises Refusal naming those there are.
    """
    from sql.tables import MOVING, SYNCED

    known = {table.name: table for table in (SYNCED if synced else MOVING)}
    unknown = [name for name in names if name not in known]
    if unknown:
        way = "is synchronised into warm" if synced else "moves between tiers"
        raise Refusal(f"no table {', '.join(unknown)} {way}; there are: {', '.join(known)}", 2)
    return [known[name] for name in names] or list(known.values())
