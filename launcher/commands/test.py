"""`tradingsystem test`."""

import os
import subprocess
import sys

import click

from config.settings import ROOT

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
LEFT_OUT = "left out: tests marked `system`, which need Debian packages; `tradingsystem test -m system` runs them"


@click.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGS]")
def test(arguments: tuple[str, ...]) -> None:
    """Run the tests against engines of their own; all arguments go to pytest."""
    chosen = list(arguments)
    if not any(argument == "-m" or argument.startswith(("-m=", "--markers")) for argument in chosen):
        chosen = ["-m", "not system", *chosen]
        click.echo(LEFT_OUT, err=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "pytest", *chosen]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False)
    sys.exit(done.returncode)
