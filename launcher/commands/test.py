"""`tradingsystem test`."""

import os
import subprocess
import sys
from collections.abc import Sequence

import click

from config.settings import ROOT

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
LEFT_OUT = "left out: tests marked `system`, which need Debian packages; `tradingsystem test -m system` runs them"
LANES = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # tests mostly wait for engines: see tests/lanes.py
CHOOSING = ("-k", "-m", "-n", "-p", "-s", "--numprocesses", "--lf", "--last-failed", "--sw", "--stepwise", "--pdb")


@click.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGS]")
def test(arguments: tuple[str, ...]) -> None:
    """Run the tests against engines of their own; all arguments go to pytest. `-n 0` keeps them in one process."""
    chosen = list(arguments) if chooses(arguments) else [*LANES, *arguments]
    if not any(argument == "-m" or argument.startswith(("-m=", "--markers")) for argument in arguments):
        chosen = ["-m", "not system", *chosen]
        click.echo(LEFT_OUT, err=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "pytest", *chosen]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False)
    sys.exit(done.returncode)


def chooses(arguments: Sequence[str]) -> bool:
    """Whether these name some of the tests, or a way to run them: engines of a second process would not be repaid."""
    return any(a.startswith(CHOOSING) or (ROOT / a.partition("::")[0]).exists() for a in arguments)
