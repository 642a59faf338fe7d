"""`python -m realtime [--source simulator|b3:FILE]…`: the realtime process. Ends in order on SIGTERM or SIGINT."""

import argparse
import sys
import threading
from pathlib import Path

from config.settings import SettingsError, load
from realtime import server
from realtime.feed import Feed
from realtime.files import FileSource
from sql import stores


def main() -> int:
    """Run the source that was asked for; 2 when the configuration cannot be used."""
    options = _parser().parse_args()
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    hot = stores.hot(settings)
    stop = threading.Event()
    files = [Path(name.removeprefix("b3:")) for name in options.source if name.startswith("b3:")]
    source: server.Source = Feed(hot, stop)
    if files:
        source = FileSource(files, hot, stores.warm(settings), settings.data_dir, stop)
    server.run(settings, hot, source, stop)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m realtime", description=__doc__)
    parser.add_argument(
        "--source", action="append", default=[], help="simulator (default) or b3:FILE, which may repeat"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
