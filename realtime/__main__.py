"""`python -m realtime [--source simulator|profitdll|b3:FILE]…`: the realtime process, until SIGTERM or SIGINT.

Exit codes: 0 ended as asked, 2 configuration that cannot be used, 3 the source or the order loop broke and a new
process should try.
"""

import argparse
import os
import sys
import threading
from pathlib import Path

from config.settings import Settings, SettingsError, load
from realtime import server, simulated
from realtime.capture import Capture, Login
from realtime.files import FileSource
from realtime.history import Limits as HistoryLimits
from realtime.metrics import FilesCollector
from realtime.orders import brokers
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import ProfitDllError
from realtime.profitdll.simulator.build import BuildError
from realtime.spool.files import Limits as SpoolLimits
from realtime.spool.writer import Spool, SpoolError
from realtime.subscriptions import Subscriptions, SubscriptionsError, parsed
from realtime.watch import Limits
from sql import stores

LIVE_SYMBOLS = "WINFUT WDOFUT"
SWITCH_SECONDS = 0.0002  # Python's own five milliseconds are an age for a tick that waits for the interpreter
DEMO_LOGIN = Login("demo", "demo", "demo", routing=True)
UNUSABLE = (
    SettingsError,
    SubscriptionsError,
    SpoolError,
    ProfitDllError,
    BuildError,
    simulated.SimulatorError,
    ValueError,
)


def main() -> int:
    """Run the source that was asked for."""
    options = _parser().parse_args()
    stop = threading.Event()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = load()
        server.begin_log(settings)
        if options.source in ([], ["simulator"], ["profitdll"]):
            return _capture(settings, live=options.source == ["profitdll"], stop=stop)
        return _files(settings, [Path(name.removeprefix("b3:")) for name in options.source], stop)
    except UNUSABLE as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _capture(settings: Settings, *, live: bool, stop: threading.Event) -> int:
    wanted = settings.capture
    symbols = wanted.symbols or (LIVE_SYMBOLS if live else simulated.SYMBOLS)
    subscriptions = Subscriptions(
        settings.data_dir / "subscriptions.json", parsed(symbols, wanted.depth, wanted.offers)
    )
    library, login = _broker(settings) if live else (_simulator(settings), DEMO_LOGIN)
    dll = ProfitDll(library, capacity=wanted.ring_records)
    spool = Spool.open(
        settings.spool_dir, source="profitdll" if live else "simulator", limits=SpoolLimits.of(settings.spool)
    )
    limits = Limits(
        silence_seconds=wanted.silence_seconds, restart_seconds=wanted.restart_seconds, always_open=not live
    )
    patience = HistoryLimits(silence_seconds=wanted.history_silence_seconds, quiet_seconds=wanted.history_quiet_seconds)
    trading = brokers.trading(settings, dll, live=live)
    capture = Capture(
        dll,
        spool,
        subscriptions,
        stop,
        login=login,
        limits=limits,
        history=patience,
        orders=trading.hear,
        takers=trading.takers,
    )
    app = server.capture_app(settings, capture, subscriptions, spool.progress, orders=trading.loop)
    try:
        ended_well = server.Process(settings, capture, stop).run(app)
    except SettingsError:  # the port cannot be had: capture has not begun, and closes nothing
        spool.close()
        raise
    finally:
        trading.close()
    broke = trading.loop is not None and trading.loop.failed is not None
    return 0 if ended_well and not broke else 3


def _broker(settings: Settings) -> tuple[Path, Login]:
    asked = settings.profitdll
    if asked.missing or asked.library is None:
        raise SettingsError(
            f"--source profitdll: {', '.join(asked.missing)} not set; `tradingsystem doctor --source profitdll` helps"
        )
    if simulated.is_simulator(asked.library):
        raise SettingsError(
            f"PROFITDLL_PATH={asked.library}: this is the simulator, and a live tape takes no invented ticks"
        )
    login = Login(asked.activation_key or "", asked.user or "", asked.password or "", routing=asked.routing)
    return asked.library, login


def _simulator(settings: Settings) -> Path:
    library = simulated.library(settings.downloads_dir, _say)
    simulated.load(library, simulated.script(settings.data_dir, settings.capture.simulator_script))
    return library


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _files(settings: Settings, files: list[Path], stop: threading.Event) -> int:
    hot = stores.hot(settings)
    source = FileSource(files, hot, stores.warm(settings), settings.data_dir, stop)
    probes = {"questdb": hot.ready, "source": source.progress.health}
    app = server.files_app(settings, probes, [FilesCollector(source.progress)])
    return 0 if server.Process(settings, source, stop).run(app) else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m realtime", description=__doc__)
    parser.add_argument(
        "--source", action="append", default=[], help="simulator (default), profitdll, or b3:FILE, which may repeat"
    )
    return parser


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. The .NET runtime's own end collects garbage for seconds, and never comes when a call
    # into the DLL hangs.
    os._exit(code)
