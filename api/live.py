"""`/api/v1/live`: the platform's pulse for the live page. One set of questions a second, however many watch."""

import asyncio
import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from api.catalog import TierEntry, tiers_of
from api.kernel.access import scoped
from api.kernel.errors import responses
from api.kernel.limits import FREE
from api.neighbours import Neighbour, Neighbours
from api.sessions import GapEntry, Session, gaps_of, session_of
from config import manifest
from sql import tape_ledger
from sql.errors import StoreError
from sql.queries import statement
from sql.tables import Flag
from sql.tape import Tape

BEAT_SECONDS = 1.0
IDLE_SECONDS = 10.0  # nobody watched for so long: a rate over the pause would be wrong
HISTORY = 120
TRADES = 15
SYMBOLS = 24
SCAN = dt.timedelta(days=1)
LEDGER_SECONDS = 5.0
SESSIONS, GAPS = 18, 12  # the newest


class Trade(Struct, frozen=True, kw_only=True):
    """One of the newest trades."""

    ts: dt.datetime
    symbol: str
    trade_id: int
    price: float
    quantity: int
    aggressor: str | None
    cancelled: bool


class LastPrice(Struct, frozen=True, kw_only=True):
    """Last valid price of a symbol."""

    symbol: str
    ts: dt.datetime
    price: float
    quantity: int


class Pulse(Struct, frozen=True, kw_only=True):
    """The platform now. `rates`: rows that became visible in hot in each of the last seconds, oldest first."""

    made_at: dt.datetime
    ticks_per_second: float | None
    rates: list[float]
    rows: int | None
    last_ts: dt.datetime | None
    trades: list[Trade] | None
    prices: list[LastPrice] | None
    tiers: list[TierEntry]
    engines: list[Neighbour]
    sessions: list[Session] | None
    gaps: list[GapEntry] | None


class PulseAnswer(Struct, frozen=True, kw_only=True):
    """The pulse."""

    success: bool = True
    data: Pulse


class Watch:
    """Takes the pulse when somebody asks and the last one is older than a second."""

    def __init__(self, tape: Tape, neighbours: Neighbours, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tape = tape
        self._neighbours = neighbours
        self._clock = clock
        self._lock = asyncio.Lock()
        self._rates: deque[float] = deque(maxlen=HISTORY)
        self._seen: tuple[float, int] | None = None  # when, rows
        self._ledger: tuple[float, list[Session] | None, list[GapEntry] | None] = (float("-inf"), None, None)
        self._pulse: tuple[float, Pulse] | None = None

    async def pulse(self) -> Pulse:
        """The pulse, at most a second old."""
        async with self._lock:
            if self._pulse is None or self._clock() - self._pulse[0] >= BEAT_SECONDS:
                self._pulse = (self._clock(), await self._take())
            return self._pulse[1]

    async def _take(self) -> Pulse:
        tape, services = await asyncio.gather(anyio.to_thread.run_sync(self._tape_now), self._neighbours.states())
        found = await anyio.to_thread.run_sync(self._tape.coverage)
        _, sessions, gaps = await anyio.to_thread.run_sync(self._ledger_now)
        rows = tape.get("rows")
        self._measure(rows)
        engines = [_engine("questdb", found.away.get("hot")), _engine("postgres", found.away.get("warm")), *services]
        return Pulse(
            made_at=dt.datetime.now(dt.UTC),
            ticks_per_second=self._rates[-1] if self._rates and rows is not None else None,
            rates=list(self._rates),
            rows=rows,
            last_ts=tape.get("last_ts"),
            trades=tape.get("trades"),
            prices=tape.get("prices"),
            tiers=tiers_of(found, dt.datetime.now(dt.UTC)),
            engines=engines,
            sessions=sessions,
            gaps=gaps,
        )

    def _ledger_now(self) -> tuple[float, list[Session] | None, list[GapEntry] | None]:
        if self._clock() - self._ledger[0] > LEDGER_SECONDS:
            warm = self._tape.warm
            found: tuple[list[Session] | None, list[GapEntry] | None]
            try:
                rows = tape_ledger.sessions(warm, limit=SESSIONS, reader=True)
                found = [session_of(row) for row in rows if row.captured], gaps_of(warm, limit=GAPS)
            except StoreError:
                found = None, None  # the tier says that it is away
            self._ledger = (self._clock(), *found)
        return self._ledger

    def _measure(self, rows: int | None) -> None:
        now, before = self._clock(), self._seen
        self._seen = None if rows is None else (now, rows)
        if rows is None or before is None:
            return
        seconds = now - before[0]
        if seconds > IDLE_SECONDS:
            self._rates.clear()
        elif seconds > 0:
            self._rates.append(round(max(0, rows - before[1]) / seconds, 1))

    def _tape_now(self) -> dict[str, Any]:
        hot = self._tape.hot
        try:
            state = hot.rows(statement("hot", "select_transaction"), reader=True)
            newest = state[0]["last_ts"] if state else None
            if newest is None:
                return {"rows": 0, "last_ts": None, "trades": [], "prices": []}
            trades = hot.rows(statement("hot", "select_last_trades"), (TRADES,), reader=True)
            prices = hot.rows(statement("hot", "select_last_prices"), (newest - SCAN,), reader=True)
        except StoreError:
            return {}  # the tier says that it is away
        prices.sort(key=lambda row: row["ts"], reverse=True)
        return {
            "rows": state[0]["rows"],
            "last_ts": newest,
            "trades": [_trade(row) for row in trades],
            "prices": [LastPrice(**row) for row in sorted(prices[:SYMBOLS], key=lambda row: row["symbol"])],
        }


@get(
    "/api/v1/live",
    tags=["tape"],
    summary="The pulse of the platform",
    opt={**scoped("tape:read"), **FREE},
    responses=responses(401, 403),
)
async def live(watch: NamedDependency[Watch]) -> Response[PulseAnswer]:
    """What the live page shows; made at most once a second. What a store that is away would tell is null."""
    return Response(PulseAnswer(data=await watch.pulse()), headers={"Cache-Control": "no-store"})


def _engine(service_id: str, away: str | None) -> Neighbour:
    service = manifest.service(service_id)
    return Neighbour(id=service.id, title=service.title, state="down" if away else "up", detail=away or "answers")


def _trade(row: Mapping[str, Any]) -> Trade:
    kept = {name: row[name] for name in ("ts", "symbol", "trade_id", "price", "quantity", "aggressor")}
    return Trade(**kept, cancelled=bool(row["flags"] & Flag.CANCELLED))
