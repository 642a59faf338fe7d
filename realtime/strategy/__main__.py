"""`python -m realtime.strategy module:Class`: one strategy in a process of its own, fed from the spool in order.

Without further words it hears the live spool from now on, until SIGTERM or SIGINT. Lines are appended to `--output`.
With `--orders` its proposals become orders of the realtime process; what still works is cancelled when it ends.
Exit codes: 0 ended as asked, 1 the strategy broke or heard less than there was, 2 wrong usage.
"""

import argparse
import contextlib
import hashlib
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, get_args

import msgspec
import structlog

from config.settings import SettingsError, load
from realtime.spool import segments
from realtime.spool.reader import Position, Reader
from realtime.strategy import StrategyError
from realtime.strategy.following import Following
from realtime.strategy.ordering import STALE_MS, Orders, Way
from realtime.strategy.running import Proposal, Request, Running, made, parameter_of
from sql.tape import Interval, seconds_of

WAIT_SECONDS = 0.005
NAME = re.compile(r"[A-Za-z0-9._-]{1,48}")

log = structlog.get_logger("strategy")


def main() -> int:
    """Run it until told to stop, or until the spool's run ends."""
    options = _parser().parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        parameters = dict(parameter_of(text) for text in options.param)
        running = Running(made(options.strategy, parameters), seconds_of(options.bar), options.name)
        folders = [options.spool] if options.spool else _live()
        following = Following(Reader(folders, Position() if options.since == "start" else _end_of(folders)))
        orders = _orders(options, running) if options.orders else None
    except (StrategyError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _output(options.output) as output:
        try:
            place = _place(folders[0])
            follow(running, following, output, stop, until_stop=options.until_stop, orders=orders, place=place)
        except StrategyError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            if orders is not None:
                orders.close()
    told = {"ticks": following.ticks, "repeats": following.repeats, "lost": following.lost, "signals": running.signals}
    if orders is not None:
        told |= msgspec.structs.asdict(orders.counts)
    log.info("strategy_ended", strategy=running.name, **told)
    if options.output:
        sys.stdout.write("\n" + msgspec.json.encode(told).decode() + "\n")  # the strategy may have written before it
    return 1 if following.lost else 0


def follow(
    running: Running,
    following: Following,
    output: IO[bytes],
    stop: threading.Event,
    *,
    until_stop: bool,
    orders: Orders | None = None,
    place: str = "",
) -> None:
    """Hand over what comes until `stop`, or (`until_stop`) until the run that is read has ended in order.

    `place`: of the spool, whose runs are counted from 1.
    """
    own = secrets.token_hex(4)
    while not stop.is_set():
        before = following.ticks
        for tick in following.read():
            _put(running.heard(tick), output, orders, following.received_ms, f"{place}{following.run}")
        if orders is not None:
            for update in orders.news():  # no tape says it again: what follows from it belongs to this process alone
                _put(running.told(update), output, orders, _now_ms(), f"{place}{following.run}-{own}")
        output.flush()
        if following.over and until_stop:
            return
        if following.ticks == before:
            stop.wait(WAIT_SECONDS)


def _put(
    said: Iterable[Proposal | Request], output: IO[bytes], orders: Orders | None, received_ms: int, run: str
) -> None:
    for each in said:
        output.write(each.text)
        if orders is not None:
            orders.take(each, received_ms, run)


def _place(folder: Path) -> str:
    """A short name of a spool, so that the runs of two of them are not taken for one another."""
    return hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest() + "-"


def _orders(options: argparse.Namespace, running: Running) -> Orders:
    """The way to the order loop, with somebody who listens. Raises StrategyError."""
    settings = load()
    key = settings.access.strategy_key or settings.access.api_key
    if key is None:
        raise StrategyError("--orders: expected TRADINGSYSTEM_STRATEGY_KEY or TRADINGSYSTEM_API_KEY, found neither")
    if not NAME.fullmatch(running.name):
        raise StrategyError(f"--name: expected letters, digits and ._- (48 at most), found {running.name!r}")
    way = Way(
        url=settings.url("order-manager"),
        key=key,
        strategy=running.name,
        quantity=options.quantity,
        stale_ms=options.stale_ms,
        left=options.left,
    )
    orders = Orders(way)
    orders.start()
    return orders


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _end_of(folders: list[Path]) -> Position:
    """Behind everything that is there now."""
    numbers = [number for folder in folders for number in segments.numbers(folder, segments.OPEN, segments.SEALED)]
    reader = Reader(folders, Position(max(numbers, default=0)))
    while (found := reader.read()).frames or found.damages:
        pass
    return reader.position


def _live() -> list[Path]:
    settings = load()
    return [settings.spool_dir, settings.raw_dir]


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
        return
    with path.open("ab") as file:
        yield file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m realtime.strategy", description=__doc__)
    parser.add_argument("strategy", help="module:Class, or path/to/file.py:Class")
    parser.add_argument("--spool", type=Path, help="folder of another spool than the live one")
    parser.add_argument("--output", type=Path, help="append lines here instead of stdout")
    parser.add_argument("--from", dest="since", choices=["start", "end"], default="end", help="of what is there")
    parser.add_argument("--until-stop", action="store_true", help="end with the run that is read")
    parser.add_argument("--bar", choices=get_args(Interval), default="1m", help="length of bars")
    parser.add_argument("--name", help="of its signals and orders instead of the class's; two at once need two")
    parser.add_argument("--orders", action="store_true", help="make orders of buy and sell")
    parser.add_argument(
        "--left",
        choices=["cancel", "tell"],
        default="cancel",
        help="what becomes of its orders that an earlier process left working; it is told of them either way",
    )
    parser.add_argument("--quantity", type=int, default=1, help="of orders whose signal names none")
    parser.add_argument("--stale-ms", type=int, default=STALE_MS, help="how old the tick of an order may be")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="given to the class")
    return parser


if __name__ == "__main__":
    sys.exit(main())
