"""`tradingsystem bench NAME`: reproducible benchmarks of `tests/benchmarks/`, on engines of their own.

A benchmark is a module with `run(settings, ..., say) -> Result`; its other arguments are its options, `OPTIONS`, or
else `rounds` and `rows` (its size, None for the stated one). One with `STARTS_ENGINES` starts them itself.
"""

import ast
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from launcher.cli import echo_json

if TYPE_CHECKING:
    from config.settings import Settings
    from launcher.report import Report

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "benchmarks"


class Aim(Struct, frozen=True):
    """A figure and what it should be."""

    value: float
    aim: float
    holds: bool


class Result(Struct, frozen=True):
    """What a benchmark measured. Figures carry their unit in the name."""

    name: str
    rounds: int
    figures: dict[str, float]
    aims: dict[str, Aim]


def at_least(value: float, aim: float) -> Aim:
    """An aim that more is better for."""
    return Aim(round(value, 4), aim, value >= aim)


def at_most(value: float, aim: float) -> Aim:
    """An aim that less is better for."""
    return Aim(round(value, 4), aim, value <= aim)


class Benchmarks(click.Group):
    """One command per module, which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        found = _modules()
        if cmd_name not in found:
            raise click.UsageError(f"no benchmark {cmd_name!r}; there are: {', '.join(sorted(found)) or 'none'}")
        return _command(cmd_name, _imported(found[cmd_name]))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Benchmarks"):
            formatter.write_dl([(name, _first_sentence(path)) for name, path in sorted(_modules().items())])


@click.group(cls=Benchmarks, subcommand_metavar="NAME [OPTIONS]")
def bench() -> None:
    """Measure NAME. Exit code 1 when an aim does not hold. `bench NAME --help` tells its options."""


def _command(name: str, module: ModuleType) -> click.Command:
    as_json = click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on stdout.")
    options: Sequence[click.Option] = getattr(module, "OPTIONS", None) or _measuring()

    def measure(*, as_json: bool, **asked: Any) -> None:
        _tell(_run(module, asked), as_json=as_json)

    return click.Command(name, params=[*options, as_json], callback=measure, help=module.__doc__)


def _measuring() -> list[click.Option]:
    rounds = "Alternating rounds; medians count."
    rows = "Another size than the stated one: a try-out, not the benchmark."
    return [
        click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help=rounds),
        click.Option(["--rows"], type=click.IntRange(1), help=rows),
    ]


def _run(module: ModuleType, asked: dict[str, Any]) -> Result:
    from launcher import attach, report

    say = report.for_stderr()
    starts_engines = getattr(module, "STARTS_ENGINES", False)
    with attach.place_apart() if starts_engines else attach.apart(say) as settings:
        return _result(module, settings, say, asked)


def _result(module: ModuleType, settings: "Settings", say: "Report", asked: dict[str, Any]) -> Result:
    result: Result = module.run(settings=settings, say=say, **asked)
    for figure, value in result.figures.items():
        say(f"{figure}: {value:,.3f}")
    for aim_name, aim in result.aims.items():
        say(f"{aim_name}: {aim.value:.3f}, aim {aim.aim}: {'holds' if aim.holds else 'DOES NOT HOLD'}")
    return result


def _tell(result: Result, *, as_json: bool) -> None:
    if as_json:
        echo_json(result)
    if not all(aim.holds for aim in result.aims.values()):
        sys.exit(1)


def _modules() -> dict[str, Path]:
    return {path.stem.rstrip("_"): path for path in FOLDER.glob("*.py") if _runnable(path)}


def _runnable(path: Path) -> bool:
    return "\ndef run(" in path.read_text(encoding="utf-8")


def _first_sentence(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(told.split("\n\n")[0].split())


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tests.benchmarks.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
