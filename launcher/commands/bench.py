"""`tradingsystem bench NAME`: reproducible benchmarks of `tests/benchmarks/`, on engines of their own.

A benchmark is a module with `run(settings, rounds, rows, say) -> Result`; `rows` is its size, None for the stated one.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import click
from msgspec import Struct

from launcher.cli import echo_json, json_option

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


@click.command()
@click.argument("name")
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Alternating rounds; medians count."
)
@click.option("--rows", type=click.IntRange(1), help="Another size than the stated one: a try-out, not the benchmark.")
@json_option
def bench(name: str, rounds: int, rows: int | None, as_json: bool) -> None:
    """Measure NAME. Exit code 1 when an aim does not hold."""
    module = _module(name)
    from launcher import attach, report

    say = report.for_stderr()
    with attach.apart(say) as settings:
        result: Result = module.run(settings, rounds, rows, say)
    for figure, value in result.figures.items():
        say(f"{figure}: {value:,.3f}")
    for aim_name, aim in result.aims.items():
        say(f"{aim_name}: {aim.value:.3f}, aim {aim.aim}: {'holds' if aim.holds else 'DOES NOT HOLD'}")
    if as_json:
        echo_json(result)
    if not all(aim.holds for aim in result.aims.values()):
        sys.exit(1)


def _module(name: str) -> ModuleType:
    found = {path.stem.rstrip("_"): path for path in FOLDER.glob("*.py") if _runnable(path)}
    if name not in found:
        raise click.UsageError(f"no benchmark {name!r}; there are: {', '.join(sorted(found)) or 'none'}")
    spec = importlib.util.spec_from_file_location(f"tests.benchmarks.{found[name].stem}", found[name])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _runnable(path: Path) -> bool:
    return "\ndef run(" in path.read_text(encoding="utf-8")
