"""Engines for one command: those that run on the data directory, or our own for as long as the command takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import Settings
from launcher import cli, instance, migrations
from launcher.report import Report


@contextmanager
def attached(data: Path | None, report: Report, *, migrated: bool = True) -> Iterator[Settings]:
    """Settings of the engines of `data`: those of the platform or of the other command that runs there.

    Where nothing runs, the engines are started, migrated if that is asked for, and stopped at the end of the block.
    """
    settings = cli.settings_for(data)
    if instance.running(settings.data_dir) is not None:
        yield settings
        return
    from launcher import engines, stamp

    report("nothing runs on this data directory: starting its engines for this command")
    with engines.running(settings, report) as started:
        stamp.check(settings.data_dir, ())
        if migrated:
            migrations.apply(started, report)
        yield started
