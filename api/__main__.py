"""`python -m api`: the gateway, until SIGTERM or SIGINT. Exit code 2 for settings or a port that cannot be used."""

import sys

import structlog

from api.gateway import ID, gateway
from api.kernel.logs import configure
from api.kernel.server import PortTakenError, serve
from config.settings import Settings, SettingsError, load
from sql.cold import ColdStore
from sql.hot import HotStore
from sql.tape import Tape
from sql.warm import WarmStore


def tape_of(settings: Settings) -> Tape:
    """The tape as the least privileged roles see it: this process reads and can do nothing else. Opens nothing."""
    hot, warm = settings.questdb, settings.postgres
    auth = (hot.user, hot.password) if hot.external and hot.password else None  # its HTTP knows no reader
    return Tape(
        HotStore(hot.url, hot.pg_dsn(reader=True), auth=auth),
        WarmStore(warm.dsn("tape_reader", "tradingsystem")),
        ColdStore(settings.cold_dir),
    )


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = load()
        configure(settings, ID)
        app = gateway(settings, tape_of(settings))
        structlog.get_logger("api").info("starting", url=settings.url(ID), data_dir=str(settings.data_dir))
        serve(app, settings, [ID])
    except (SettingsError, PortTakenError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    structlog.get_logger("api").info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
