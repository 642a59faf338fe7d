"""Engines for one command: those that run on the data directory, or our own for as long as the command takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import Settings
from launcher import cli, instance, migrations
from launcher.report import Report


@contextmanager
def attached(data: Path | None, report: Report) -> Iterator[Settings]:
    """Settings whose engines answer and are migrated.

    Where nothing runs on the data directory the embedded engines are started, and stopped at the end of the block.
    """
    settings = cli.settings_for(data)
    if instance.running(settings.data_dir) is not None:
        yield settings
        return
    from launcher import engines, stamp

    report("nothing runs on this data directory: starting its engines for this command")
    with engines.running(settings, report) as started:
        stamp.check(settings.data_dir, ())
        migrations.apply(started, report)
        yield started
