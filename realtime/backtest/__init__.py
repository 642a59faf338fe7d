"""Backtest: a strategy over stored sessions, through the risk checks, the order loop and the paper exchange that run
live, on the tape's clock. Nothing of it reaches a tier, a broker or the journal of orders.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from config.settings import Orders
from sql.contract import Tier
from sql.session_rows import Chosen

Write = Callable[[Chosen, Path], tuple[Tier, ...]]  # brings the rows of a session into a file
DELAY_MS = 20


class BacktestError(Exception):
    """It cannot be made, or broke on the way; the message says why."""


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be tested. `quantity`: of signals that name none."""

    first: dt.date
    last: dt.date
    strategy: str
    parameters: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    bar_seconds: int = 60
    quantity: int = 1
    delay_ms: int = DELAY_MS  # from a signal to the exchange, of the tape's clock

    @property
    def days(self) -> list[dt.date]:
        """Every calendar day of it; those without a trade are no sessions."""
        return [self.first + dt.timedelta(days=n) for n in range((self.last - self.first).days + 1)]


class Host(Struct, frozen=True, kw_only=True):
    """Where it runs: the settings of orders, a place for files, whether the directory is one of true money."""

    orders: Orders
    folder: Path
    live: bool
