"""`GET /api/v1/metrics`: how own trading did, as the original's dashboard asks for it. Prometheus reads `/metrics`."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from api.kernel.access import scoped
from api.kernel.errors import responses
from sql import results
from sql.tape import Tape


class TradingMetrics(Struct, frozen=True, kw_only=True, rename="camel"):
    """Figures over what closed positions, of at most a year, minutes behind. Money in BRL, before costs."""

    total_trades: Annotated[int, Meta(description="Fills that closed a position or a part of one.")]
    hit_rate: Annotated[float, Meta(ge=0, le=1, description="Part of them that earned something.")]
    avg_profit: float
    max_drawdown: Annotated[float, Meta(ge=0, description="Deepest fall of their sum below what it had reached.")]
    sharpe_ratio: Annotated[float, Meta(description="A year's, of days with trades; null for less than two.")] | None


@get(
    "/api/v1/metrics",
    opt=scoped("orders:read"),
    tags=["order history"],
    summary="How own trading did",
    responses=responses(401, 403, 429, 503),
    sync_to_thread=True,
)
def trading_metrics(tape: NamedDependency[Tape]) -> TradingMetrics:
    """From the positions in warm; without any, zeros."""
    found = results.results(tape.warm)
    return TradingMetrics(
        total_trades=found.trades,
        hit_rate=found.hit_rate,
        avg_profit=float(found.mean),
        max_drawdown=float(found.drawdown),
        sharpe_ratio=found.sharpe,
    )
