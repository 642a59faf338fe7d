"""Engines for one command: those that run on the data directory, or our own for as long as the command takes."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from config.settings import Settings, load
from launcher import cli, instance, migrations
from launcher.report import Report, Silent

PORTS = ("QUESTDB_HTTP_PORT", "QUESTDB_PG_PORT", "FRONTEND_APPS_DB_PORT")


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
    with _ended_by_sigterm(), engines.running(settings, report) as started:
        stamp.check(settings.data_dir, ())
        if migrated:
            migrations.apply(started, report)
        yield started


@contextmanager
def apart(report: Report) -> Iterator[Settings]:
    """Settings of migrated engines beside all that runs: on free ports, in a directory that goes with the block."""
    from launcher import engines

    with place_apart() as place, engines.running(place, report) as settings:
        migrations.apply(settings, Silent())
        yield settings


@contextmanager
def place_apart() -> Iterator[Settings]:
    """Settings of free ports and a directory that goes with the block; nothing runs there."""
    with (
        tempfile.TemporaryDirectory(prefix="tradingsystem-", ignore_cleanup_errors=True) as folder,
        _ended_by_sigterm(),
    ):
        environ = {
            **os.environ,
            **dict(zip(PORTS, map(str, instance.free_ports(len(PORTS))), strict=True)),
            "TRADINGSYSTEM_DATA_DIR": str(Path(folder) / "data"),
            "TRADINGSYSTEM_DOWNLOADS_DIR": str(cli.own_settings(None).downloads_dir),
        }
        yield load(environ)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as an error does: by default it would end this process and leave its engines."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
