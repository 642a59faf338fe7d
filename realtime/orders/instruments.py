"""What orders must know of a symbol: what an operator says, else our table, else what the broker tells of its assets.

Where table and broker know the same symbol and disagree in what money is reckoned with, neither is believed: orders of
it are refused. Told by the thread that drains the DLL's events, asked by any other.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import structlog
from msgspec import Struct

from realtime.orders.risk import Dispute
from realtime.profitdll.messages import AssetInfo, Control
from sql.exchange import CONTRACT, Instrument, instrument_of, market_of, tabled

FUTURES = frozenset({0, 3})  # security types: a future, an option on one
NEAR = 1e-9  # share of a number that is a double's rounding

log = structlog.get_logger("orders")


class Told(Struct, frozen=True, kw_only=True):
    """What the broker said of a symbol. None: nothing that can be reckoned with."""

    tick_size: float | None
    lot: int | None
    point_value: float | None
    future: bool

    @property
    def whole(self) -> Instrument | None:
        """An instrument, where nothing of it is missing."""
        if self.tick_size is None or self.lot is None or self.point_value is None:
            return None
        return Instrument(tick_size=self.tick_size, lot=self.lot, point_value=self.point_value)


class Instruments:
    """Asked for a symbol, what holds for it; None: nobody knows enough."""

    def __init__(self, said: Mapping[str, tuple[float, int, float]] = MappingProxyType({})) -> None:
        """`said` by an operator: tick, lot and point value of a symbol or a root of futures, believed against all."""
        self._said = {
            name: Instrument(tick_size=tick, lot=lot, point_value=value) for name, (tick, lot, value) in said.items()
        }
        self._heard: dict[str, Dispute | None] = {}  # as it was told last
        self._known: dict[str, Instrument | None] = {}  # of symbols that the broker told of
        self._unheard = lru_cache(maxsize=1024)(self._by_its_name)
        self.disputes: Mapping[str, Dispute] = {}  # of symbols whose orders cannot be reckoned with

    def __call__(self, symbol: str) -> Instrument | None:
        """What holds for a symbol."""
        return self._known.get(symbol) or self._unheard(symbol)

    def hear(self, event: Control) -> None:
        """Take what the DLL says of an asset; quick, and other events change nothing."""
        if not isinstance(event, AssetInfo):
            return
        symbol, told, said = event.ticker, told_of(event), self._by(event.ticker)
        dispute = dispute_of(said or tabled(symbol), told, future=market_of(symbol) == "F")
        if dispute is not None and dispute != self._heard.get(symbol):
            tell = log.warning if said else log.error
            tell("instrument_disputed", symbol=symbol, ours=dispute.ours, theirs=dispute.theirs, overridden=bool(said))
        self._heard[symbol] = dispute
        self._known[symbol] = said or tabled(symbol) or told.whole or instrument_of(symbol)
        if said is None:
            others = {name: each for name, each in self.disputes.items() if name != symbol}
            self.disputes = {**others, symbol: dispute} if dispute else others

    def _by_its_name(self, symbol: str) -> Instrument | None:
        return self._by(symbol) or instrument_of(symbol)

    def _by(self, symbol: str) -> Instrument | None:
        found = CONTRACT.fullmatch(symbol)
        return self._said.get(symbol) or (self._said.get(found["root"]) if found else None)


def told_of(event: AssetInfo) -> Told:
    """What can be reckoned with of the DLL's words: it says 0 where it does not know."""
    return Told(
        tick_size=_positive(event.increment),
        lot=event.lot if event.lot > 0 else None,
        point_value=_positive(event.multiplier),
        future=event.security_type in FUTURES,
    )


def dispute_of(ours: Instrument | None, told: Told, *, future: bool) -> Dispute | None:
    """What the two disagree about; what one of them does not know is no dispute. `future`: by the symbol's shape."""
    pairs = (
        ("tick", ours and ours.tick_size, told.tick_size),
        ("lot", ours and ours.lot, told.lot),
        ("point value", ours and ours.point_value, told.point_value),
    )
    found = [(name, f"{a:g}", f"{b:g}") for name, a, b in pairs if a and b and not math.isclose(a, b, rel_tol=NEAR)]
    if future is not told.future:
        found.insert(0, ("type", *(("future", "cash") if future else ("cash", "future"))))
    if not found:
        return None
    return Dispute(ours=", ".join(f"{n} {a}" for n, a, _ in found), theirs=", ".join(f"{n} {b}" for n, _, b in found))


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None
