"""How own trading did, from the positions that warm keeps: a year, and minutes behind what happens now."""

import datetime as dt
import statistics
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from sql.exchange import SAO_PAULO
from sql.queries import statement
from sql.warm import WarmStore

TRADING_DAYS = 252  # of a year


class Results(Struct, frozen=True, kw_only=True):
    """Figures over everything that closed a position or a part of one. Money in BRL, before costs."""

    trades: int
    hit_rate: float  # 0 to 1: which part of them earned something
    mean: Decimal
    drawdown: Decimal  # the deepest fall of their sum below what it had reached, from nothing on
    sharpe: float | None  # of days with trades, a year's; None: less than two of them, or all alike


def results(warm: WarmStore) -> Results:
    """What the stored positions say. Raises StoreUnavailableError."""
    rows = warm.rows(statement("warm", "select_results"))
    return results_of((row["ts"], row["result"]) for row in rows)


def results_of(closings: Iterable[tuple[dt.datetime, Decimal]]) -> Results:
    """The figures of what was earned, in the order of time."""
    days: defaultdict[dt.date, Decimal] = defaultdict(Decimal)
    trades = won = 0
    total = peak = deepest = Decimal(0)
    for at, earned in closings:
        trades, won, total = trades + 1, won + (earned > 0), total + earned
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
        days[at.astimezone(SAO_PAULO).date()] += earned
    return Results(
        trades=trades,
        hit_rate=round(won / trades, 4) if trades else 0.0,
        mean=(total / trades).quantize(Decimal("0.01")) if trades else Decimal(0),
        drawdown=deepest.quantize(Decimal("0.01")),
        sharpe=_sharpe([float(each) for each in days.values()]),
    )


def _sharpe(days: list[float]) -> float | None:
    spread = statistics.stdev(days) if len(days) > 1 else 0.0
    return round(statistics.fmean(days) / spread * TRADING_DAYS**0.5, 4) if spread else None
