"""From ticks to the lines that a strategy writes: bars in their place, each signal checked and named. Deterministic.

The name of a signal is strategy, time and place in that time, so that the same tape always gives the same lines.
"""

import importlib
import importlib.util
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
from msgspec import Struct

from realtime.strategy import Bar, Signal, SignalType, Strategy, StrategyError, Tick, instant
from realtime.strategy.bars import Bars

LINE = msgspec.json.Encoder(decimal_format="number")


class Proposed(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="signal"):
    """One line of output: a generated signal. Times are those of the tape."""

    id: str
    symbol: str
    signal_type: SignalType
    price: float | None
    quantity: int | None
    confidence: float
    strategy: str
    features: Mapping[str, float]
    reasoning: str
    timestamp: str
    expires_at: str | None


class Running:
    """One strategy under way."""

    def __init__(self, strategy: Strategy, bar_seconds: int = 60) -> None:
        self.name = type(strategy).__name__
        self.signals = 0
        self._strategy = strategy
        self._bars = Bars(bar_seconds)
        self._now = -1
        self._place = 0  # among the signals of this instant

    def lines(self, ticks: Iterable[Tick]) -> Iterator[bytes]:
        """One JSON line for each signal, in order. Raises StrategyError for what is no signal."""
        for tick in ticks:
            for bar in self._bars.ended(tick.ts_ms):
                yield from self._said(self._strategy.on_bar(bar), bar.end_ms, bar)
            self._bars.add(tick)
            yield from self._said(self._strategy.on_tick(tick), tick.ts_ms, tick)

    def _said(self, signals: Iterable[Signal] | None, now: int, heard: Tick | Bar) -> Iterator[bytes]:
        if signals is None:
            raise StrategyError(f"{self.name}: expected signals (an empty tuple for none), found None after {heard}")
        for signal in signals:
            if wrong := fault_of(signal):
                raise StrategyError(f"{self.name}: {wrong}, found {signal!r} after {heard}")
            yield self._line(signal, now)

    def _line(self, signal: Signal, now: int) -> bytes:
        self._now, self._place = now, self._place + 1 if now == self._now else 0
        self.signals += 1
        line = Proposed(
            id=f"{self.name}-{now}-{self._place}",
            symbol=signal.symbol,
            signal_type=signal.type,
            price=signal.price,
            quantity=signal.quantity,
            confidence=signal.confidence,
            strategy=self.name,
            features=signal.features,
            reasoning=signal.reasoning,
            timestamp=_text(now),
            expires_at=None if signal.lives_ms is None else _text(now + signal.lives_ms),
        )
        return LINE.encode(line) + b"\n"


def fault_of(signal: object) -> str | None:
    """What is wrong with a proposal, as what was expected; None when it may be made."""
    if not isinstance(signal, Signal):
        return "expected a Signal"
    price, quantity = signal.price, signal.quantity
    holds = {
        "a symbol": bool(signal.symbol),
        "buy, sell, hold or alert": signal.type in get_args(SignalType),
        "a confidence from 0 to 1": 0 <= signal.confidence <= 1,
        "a price above zero": price is None or (math.isfinite(price) and price > 0),
        "a quantity above zero": quantity is None or quantity > 0,
        "finite features": all(math.isfinite(value) for value in signal.features.values()),
    }
    return next((f"expected {what}" for what, well in holds.items() if not well), None)


def made(name: str, parameters: Mapping[str, Any]) -> Strategy:
    """The strategy `module:Class`, or `path/to/file.py:Class`, made with `parameters`. Raises StrategyError."""
    place, _, wanted = name.rpartition(":")
    if not place or not wanted:
        raise StrategyError(f"strategy {name!r}: expected module:Class or file.py:Class")
    found = getattr(_module(place), wanted, None)
    if found is None:
        raise StrategyError(f"strategy {name!r}: {place} has no {wanted}")
    try:
        strategy: Strategy = found(**parameters)
    except TypeError as error:
        raise StrategyError(f"strategy {name!r} cannot be made: {error}") from error
    if lacking := [needed for needed in ("on_tick", "on_bar") if not callable(getattr(strategy, needed, None))]:
        raise StrategyError(f"strategy {name!r} lacks {' and '.join(lacking)}")
    return strategy


def _module(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            if (here := str(Path.cwd())) not in sys.path:
                sys.path.append(here)  # behind everything of ours
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None or not Path(place).is_file():
            raise StrategyError(f"strategy: there is no file {place}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except ImportError as error:
        raise StrategyError(f"strategy: {place} cannot be imported: {error}") from error
    return module


def _text(ms: int) -> str:
    return instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
