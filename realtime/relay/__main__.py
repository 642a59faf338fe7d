"""`python -m realtime.relay`: the relay process. Ends in order on SIGTERM or SIGINT."""

import sys
import threading
import time

from config.settings import SettingsError, load
from realtime.relay import server
from realtime.relay.asking import Broker
from realtime.relay.books import Books
from realtime.relay.keeper import Keeper
from realtime.relay.sender import Sender
from realtime.relay.shipper import Shipper
from sql import stores
from sql.held import Below

TICKS_WAIT_SECONDS = 2.0  # longer than a gathered batch of ticks takes to hot


def main() -> int:
    """Run until told to stop; 2 when the configuration cannot be used."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    settings.spool_dir.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    hot = stores.hot(settings)
    warm = stores.warm(settings)
    sender = Sender(
        settings.spool_dir, settings.raw_dir, hot, stop, raw_days=settings.spool.raw_days, below=Below(warm)
    )
    broker = Broker(settings.url("order-manager"), settings.access.api_key)
    keeper = Keeper(sender, hot, warm, broker, stop, fill=settings.capture.fill_gaps)

    def ticks_wait() -> bool:
        return sender.progress.lag_seconds(time.time()) > TICKS_WAIT_SECONDS

    books = Books(settings.spool_dir, settings.raw_dir, hot, stop, ticks_wait=ticks_wait)
    key = settings.orders.journal_key
    shipper = Shipper(settings.orders_dir, key.encode() if key else None, hot, warm, stop)
    server.run(settings, hot, sender, keeper, stop, books=books, shipper=shipper)
    return 0


if __name__ == "__main__":
    sys.exit(main())
