"""What is asked of a replay, and its first step: stored rows to a copy of them, and from there to a tape and a plan."""

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import polars as pl
from msgspec import Struct

from realtime import tapes
from realtime.replay import TAPE, Plan, ReplayError, Speed, Subscribed, script_of, write_plan
from realtime.replay.told import Simplified, Teller
from realtime.tapes import MOST_SYMBOLS, TapeError
from sql.exchange import market_of
from sql.session_rows import Chosen, frames

STORED = "stored.parquet"
BYTES_A_TRADE = 300  # tape twice while it is sorted, spool, copy of the rows
LEAST_FREE_BYTES = 500 << 20

Write = Callable[[Chosen, Path], tuple[str, ...]]


class News(Protocol):
    """Where the operator is told what is going on."""

    def __call__(self, line: str, /) -> None: ...

    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar; its value is called with how much more was done."""


class Host(Struct, frozen=True):
    """Where it runs: the data directory, where the simulator's library is kept, the environment of the processes."""

    data_dir: Path
    downloads: Path
    environ: Mapping[str, str]


class Wish(Struct, frozen=True, kw_only=True):
    """The strategy that hears the replay."""

    strategy: str  # module:Class
    output: Path
    parameters: tuple[str, ...] = ()  # NAME=VALUE
    bar: str = "1m"


class Asked(Struct, frozen=True, kw_only=True):
    """What to replay, and how."""

    chosen: Chosen
    speed: Speed = "max"
    wish: Wish | None = None
    keep: bool = False
    serve: int | None = None  # port of a stream of the replay's spool, until Ctrl-C


class Ready(Struct, frozen=True, kw_only=True):
    """A tape in its folder, and what is known of it."""

    plan: Plan
    symbols: dict[str, int]
    tiers: tuple[str, ...]
    simplified: Simplified


def prepare(asked: Asked, write: Write, folder: Path, downloads: Path, news: News) -> Ready:
    """Copy the stored rows into the folder, and make the tape of them. Raises ReplayError with what helps."""
    session = asked.chosen.session
    news(f"reading the session {session}")
    tiers = write(asked.chosen, folder / STORED)
    symbols = counted(folder / STORED)
    check_symbols(session, symbols, asked.chosen.symbols)
    trades = sum(symbols.values())
    check_disk(folder, trades)
    teller = Teller()
    try:
        written = tapes.from_ticks(folder / TAPE, map(teller.told, frames(folder / STORED)))
    except TapeError as error:
        raise ReplayError(f"session {session} cannot be put on a tape: {error}") from error
    teller.check()
    plan = Plan(
        script=script_of(folder.absolute() / TAPE, len(symbols), asked.speed),
        symbols=tuple(Subscribed(symbol, market_of(symbol)) for symbol in symbols),
        session=session.isoformat(),
        records=written.trades + written.cancelled,
        downloads=str(downloads),
    )
    write_plan(folder, plan)
    news(f"{trades:,} trades of {len(symbols)} symbols, {written.cancelled:,} of them cancelled later")
    return Ready(plan=plan, symbols=symbols, tiers=tiers, simplified=teller.simplified)


def counted(path: Path) -> dict[str, int]:
    """Trades of each symbol, most first."""
    rows = pl.scan_parquet(path).group_by("symbol").len().collect(engine="streaming")
    return dict(rows.sort("len", "symbol", descending=[True, False]).iter_rows())


def check_symbols(session: dt.date, found: Mapping[str, int], asked: tuple[str, ...]) -> None:
    """Raise ReplayError for a session that nobody has, a symbol without trades, more symbols than fit."""
    if not found:
        raise ReplayError(f"session {session}: no tier has a trade of it that was asked for")
    if missing := sorted(set(asked) - set(found)):
        raise ReplayError(f"session {session} has no trades of {', '.join(missing)}")
    if len(found) > MOST_SYMBOLS:
        busiest = " ".join(list(found)[:MOST_SYMBOLS])
        raise ReplayError(
            f"session {session} holds {len(found)} symbols and a replay takes {MOST_SYMBOLS} at most: name those you "
            f'want, for instance the busiest with --symbols "{busiest}"'
        )


def check_disk(folder: Path, trades: int) -> None:
    """Raise ReplayError where tape and spool would not fit."""
    need, free = trades * BYTES_A_TRADE + LEAST_FREE_BYTES, shutil.disk_usage(folder).free
    if free < need:
        raise ReplayError(
            f"a replay of {trades:,} trades needs {need >> 20:,} MB below {folder.parent}, {free >> 20:,} MB are free: "
            "free some, or ask for less with --symbols, --from and --to"
        )
