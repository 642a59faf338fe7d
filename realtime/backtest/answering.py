"""One backtest from beginning to end: sessions out of their tiers, one after the other, and what came of them."""

import datetime as dt
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import polars as pl
from msgspec import Struct

from realtime.backtest import Asked, BacktestError, Host, Write
from realtime.backtest.account import Account, Session
from realtime.backtest.driving import Drive
from realtime.backtest.figures import Figures, figures, positions_of
from realtime.backtest.scene import Scene, scene_of
from realtime.backtest.told import ticks
from realtime.strategy import Bar
from realtime.strategy.running import Running, made, parameter_of
from sql.contract import Tier
from sql.session_rows import Chosen, frames

ROWS_AT_ONCE = 65_536


class News(Protocol):
    """Tells the operator what is going on."""

    def __call__(self, line: str, /) -> None: ...


class Held(Struct, frozen=True, kw_only=True):
    """A position that is open at the end."""

    symbol: str
    net: int
    average: Decimal
    last: Decimal | None


class Told(Struct, frozen=True, kw_only=True):
    """How fast it was; the only part that differs from run to run."""

    seconds: float
    ticks_per_second: float


class Answer(Struct, frozen=True, kw_only=True):
    """What came of it. `digest`: of all records of the order loop; the same test has the same."""

    strategy: str
    parameters: tuple[str, ...]
    first: str
    last: str
    symbols: tuple[str, ...]
    tiers: tuple[Tier, ...]
    ticks: int
    signals: int
    orders: int
    fills: int
    refused: dict[str, int]  # by check
    ended: dict[str, int]  # orders by their end
    figures: Figures
    sessions: tuple[Session, ...]
    open: tuple[Held, ...]
    assumed: dict[str, str]
    digest: str
    pace: Told


class Outcome(Struct, frozen=True, kw_only=True):
    """The answer with what a report draws."""

    answer: Answer
    account: Account
    bars: dict[str, list[Bar]]


class _Stored(Struct, frozen=True, kw_only=True):
    """A session's rows in a file."""

    day: dt.date
    path: Path
    rows: int
    start_ms: int
    symbols: tuple[str, ...]
    sources: tuple[str, ...]
    tiers: tuple[Tier, ...]


def backtest(asked: Asked, write: Write, host: Host, news: News) -> Outcome:
    """Make one. Raises BacktestError, StrategyError, SettingsError; StoreError when a tier is away."""
    parameters = dict(parameter_of(text) for text in asked.parameters)
    running = Running(made(asked.strategy, parameters), asked.bar_seconds)
    bars: dict[str, list[Bar]] = {}
    running.bar_heard = lambda bar: bars.setdefault(bar.symbol, []).append(bar)
    host.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backtest-", dir=host.folder) as place:
        return _Backtest(asked, host, Path(place), running, bars).tested(write, news)


class _Backtest:
    """One backtest in its folder."""

    def __init__(self, asked: Asked, host: Host, folder: Path, running: Running, bars: dict[str, list[Bar]]) -> None:
        self._asked = asked
        self._host = host
        self._folder = folder
        self._running = running
        self._bars = bars
        self._stored: list[_Stored] = []
        self._seconds = 0.0

    def tested(self, write: Write, news: News) -> Outcome:
        scene: Scene | None = None
        try:
            for stored in self._sessions(write, news):
                if scene is None:
                    scene = scene_of(self._host, stored.sources, self._folder, stored.start_ms)
                    account = Account(scene.loop.chronicle.ledger, scene.market)
                    drive = Drive(scene, self._running, account, self._asked)
                began = time.monotonic()
                drive.session(stored.day, ticks(frames(stored.path, ROWS_AT_ONCE)))
                self._seconds += time.monotonic() - began
                stored.path.unlink()
            if scene is None:
                raise BacktestError(
                    f"{self._asked.first} to {self._asked.last}: no tier has a trade of it that was asked for"
                )
            _check(account, scene)
            return Outcome(answer=self._answer(account, scene), account=account, bars=self._bars)
        finally:
            if scene is not None:
                scene.close()

    def _sessions(self, write: Write, news: News) -> Iterator[_Stored]:
        for day in self._asked.days:
            path = self._folder / f"{day}.parquet"
            tiers = write(Chosen(session=day, symbols=self._asked.symbols), path)
            stored = _looked_at(day, path, tiers)
            if stored is None:
                path.unlink(missing_ok=True)
                continue
            news(f"{day}: {stored.rows:,} trades of {len(stored.symbols)} symbols")
            self._stored.append(stored)
            yield stored

    def _answer(self, account: Account, scene: Scene) -> Answer:
        seen, told = self._stored, sum(session.ticks for session in account.sessions)
        positions = scene.loop.chronicle.ledger.positions.values()
        return Answer(
            strategy=self._running.name,
            parameters=self._asked.parameters,
            first=str(seen[0].day),
            last=str(seen[-1].day),
            symbols=tuple(sorted({symbol for each in seen for symbol in each.symbols})),
            tiers=tuple(dict.fromkeys(tier for each in seen for tier in each.tiers)),
            ticks=told,
            signals=self._running.signals,
            orders=account.orders,
            fills=len(account.fills),
            refused=dict(account.refused.most_common()),
            ended={str(status): count for status, count in sorted(account.ended.items())},
            figures=figures(account.fills, account.equity, scene.model.slippage_ticks),
            sessions=tuple(account.sessions),
            open=tuple(
                Held(
                    symbol=position.symbol,
                    net=position.net,
                    average=position.average,
                    last=mark.price if (mark := scene.market.last(position.symbol)) else None,
                )
                for position in positions
                if position.net
            ),
            assumed=_assumed(self._asked, self._host, scene),
            digest=scene.evidence.digest,
            pace=Told(
                seconds=round(self._seconds, 2), ticks_per_second=round(told / self._seconds) if self._seconds else 0
            ),
        )


def _looked_at(day: dt.date, path: Path, tiers: tuple[Tier, ...]) -> _Stored | None:
    rows = pl.scan_parquet(path)
    found = rows.select(
        rows=pl.len(),
        start=pl.col("ts").dt.epoch("ms").min(),
        symbols=pl.col("symbol").unique().sort().implode(),
        sources=pl.col("source").unique().sort().implode(),
    )
    told = found.collect(engine="streaming").row(0, named=True)
    if not told["rows"]:
        return None
    return _Stored(
        day=day,
        path=path,
        rows=told["rows"],
        start_ms=told["start"],
        symbols=tuple(told["symbols"]),
        sources=tuple(told["sources"]),
        tiers=tiers,
    )


def _check(account: Account, scene: Scene) -> None:
    """The ledger's positions are what the fills add up to: what the report shows is what the loop did."""
    again = positions_of(account.fills, "")
    for position in scene.loop.chronicle.ledger.positions.values():
        mine = again.get(position.symbol)
        found = (mine.net, mine.realised) if mine else (0, Decimal(0))
        if found != (position.net, position.realised):
            raise BacktestError(
                f"{position.symbol}: the ledger holds {position.net} with {position.realised} realised, "
                f"the fills add up to {found[0]} with {found[1]}: a defect, the figures cannot be trusted"
            )


def _assumed(asked: Asked, host: Host, scene: Scene) -> dict[str, str]:
    """What the figures rest on, in words."""
    orders, model = host.orders, scene.model
    costs = _costs(host)
    return {
        "fills": "from the next trade after the order arrived, never more than traded; no effect on the market",
        "delay": f"{asked.delay_ms} ms from a signal to the exchange",
        "slippage": f"{model.slippage_ticks} ticks beyond the tape for whoever takes",
        "queue": f"{model.queue_lots} lots ahead of an order that rests (quotes are not replayed)",
        "costs": costs,
        "hours": "none: an invented market" if model.always_open else _hours(scene),
        "overnight": "marked at the last trade of the session before",
        "kill switch": f"pulled at a daily loss of {orders.daily_loss} BRL, released with the next session",
        "confidence": f"at least {orders.confidence:g}",
    }


def _costs(host: Host) -> str:
    known = [f"{root} {cost} BRL a contract" for root, cost in host.orders.costs.items()]
    if host.orders.cost_share:
        known.append(f"cash market {host.orders.cost_share:%}")
    return ", ".join(known) or "none set (TRADINGSYSTEM_CONTRACT_COSTS, TRADINGSYSTEM_COST_SHARE)"


def _hours(scene: Scene) -> str:
    hours = scene.loop.chronicle.ledger.limits.hours
    return f"{hours.start} to {hours.end} {hours.timezone}, and those of the exchange"
