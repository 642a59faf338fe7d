"""`python -m api`: the gateway and the services behind it, each on its port, until SIGTERM or SIGINT.

Exit code 2 for settings or a port that cannot be used.
"""

import sys

import structlog

from api.gateway import ID
from api.kernel.logs import configure
from api.kernel.server import PortTakenError, serve
from api.served import whole
from config.settings import SettingsError, load


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = load()
        configure(settings, ID)
        app, ports = whole(settings)
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
