"""`python -m api`: the gateway, until SIGTERM or SIGINT. Exit code 2 for settings or a port that cannot be used."""

import sys

import structlog

from api.gateway import ID, gateway
from api.kernel.logs import configure
from api.kernel.server import PortTakenError, serve
from config.settings import Settings, SettingsError, load
from sql import stores
from sql.tape import Tape


def tape_of(settings: Settings) -> Tape:
    """The tape as the least privileged roles see it: this process reads and can do nothing else. Opens nothing."""
    return Tape(stores.hot(settings, reader=True), stores.warm(settings, reader=True), stores.cold(settings))


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
