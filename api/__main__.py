"""`python -m api`: the gateway and the services behind it, each on its port, until SIGTERM or SIGINT.

Exit code 2 for settings or a port that cannot be used.
"""

import sys

import structlog

from api.gateway import ID, PREFIXES, gateway
from api.kernel.logs import configure
from api.kernel.ports import process
from api.kernel.server import PortTakenError, serve
from api.served import services
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
        behind = services(settings)
        app = process(settings, gateway(settings, tape_of(settings), behind), behind, PREFIXES)
        ports = [ID, *(service.id for service in behind)]
        structlog.get_logger("api").info(
            "starting", url=settings.url(ID), services=ports, data_dir=str(settings.data_dir)
        )
        serve(app, settings, ports, pooled=True)
    except (SettingsError, PortTakenError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    structlog.get_logger("api").info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
