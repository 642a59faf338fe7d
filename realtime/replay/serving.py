"""`python -m realtime.replay.serving FOLDER`: the stream of a replay's spool, on the relay's paths and another port.

The port is that of the setting DATA_CAPTURE_PORT of its environment. Ends in order on SIGTERM or SIGINT.
"""

import sys
from pathlib import Path

from config.settings import SettingsError, load
from realtime.relay.server import run_stream
from realtime.replay import SPOOL


def main(folder: Path) -> int:
    """Serve until told to stop; 2 when the configuration or the port cannot be used."""
    try:
        run_stream(load(), [folder / SPOOL])
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
