"""From ticks to the lines that a strategy writes: bars in their place, each signal checked and named. Deterministic.

The name of a signal is strategy, time and place in that time, so that the same tape always gives the same lines.
"""

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from realtime.strategy import (
    Bar,
    Cancel,
    Change,
    OrderUpdate,
    Signal,
    SignalType,
    Strategy,
    StrategyError,
    Tick,
    Wish,
    instant,
)
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


class Proposal(Struct, frozen=True):
    """A signal with its line."""

    signal: Signal
    line: Proposed

    @property
    def text(self) -> bytes:
        """The line as it is written."""
        return LINE.encode(self.line) + b"\n"


class Requested(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="request"):
    """One line of output: what is asked of an order that the strategy has."""

    id: str
    order: str
    request: Literal["cancel", "change"]
    price: float | None
    quantity: int | None
    strategy: str
    reasoning: str
    timestamp: str


class Request(Struct, frozen=True):
    """A cancellation or a change with its line."""

    wish: Cancel | Change
    line: Requested

    @property
    def text(self) -> bytes:
        """The line as it is written."""
        return LINE.encode(self.line) + b"\n"


class Running:
    """One strategy under way. `name` is that of its class where none is given."""

    def __init__(self, strategy: Strategy, bar_seconds: int = 60, name: str | None = None) -> None:
        self.name = name or type(strategy).__name__
        self.signals = 0
        self.bar_heard: Callable[[Bar], None] | None = None  # is told each bar before the strategy
        self._strategy = strategy
        self._on_order: Callable[[OrderUpdate], Iterable[Wish]] = getattr(strategy, "on_order", _nothing)
        self._bars = Bars(bar_seconds)
        self._now = -1  # of the tape; never goes back, so that no two signals have one name
        self._place = 0  # among what was said at this instant
        self._clock = 0  # time of the last tick

    def lines(self, ticks: Iterable[Tick]) -> Iterator[bytes]:
        """One JSON line for each signal and request, in order. Raises StrategyError for what is neither."""
        for tick in ticks:
            for proposal in self.heard(tick):
                yield proposal.text

    def heard(self, tick: Tick) -> Iterator[Proposal | Request]:
        """What the strategy proposes on a tick and on the bars that ended before it. Raises StrategyError."""
        if tick.ts_ms >= self._bars.end_ms:
            for bar in self._bars.ended(tick.ts_ms):
                if self.bar_heard is not None:
                    self.bar_heard(bar)
                yield from self._said(self._strategy.on_bar(bar), bar.end_ms, bar)
        self._bars.add(tick)
        self._clock = tick.ts_ms
        said = self._strategy.on_tick(tick)
        if said != ():  # most ticks bring nothing
            yield from self._said(said, tick.ts_ms, tick)

    def told(self, update: OrderUpdate) -> Iterator[Proposal | Request]:
        """What it proposes on news of its order; that has the time of the tape. Raises StrategyError."""
        yield from self._said(self._on_order(update), self._clock, update)

    def _said(
        self, wishes: Iterable[Wish] | None, now: int, heard: Tick | Bar | OrderUpdate
    ) -> Iterator[Proposal | Request]:
        if wishes is None:
            raise StrategyError(f"{self.name}: expected signals (an empty tuple for none), found None after {heard}")
        if now > self._now:
            self._now, self._place = now, -1
        for wish in wishes:
            if wrong := fault_of(wish):
                raise StrategyError(f"{self.name}: {wrong}, found {wish!r} after {heard}")
            self._place += 1
            name = f"{self.name}-{self._now}-{self._place}"
            yield self._proposal(wish, name, now) if isinstance(wish, Signal) else self._request(wish, name, now)

    def _request(self, wish: Cancel | Change, name: str, now: int) -> Request:
        changed = wish if isinstance(wish, Change) else None
        line = Requested(
            id=name,
            order=wish.order,
            request="change" if changed else "cancel",
            price=changed.price if changed else None,
            quantity=changed.quantity if changed else None,
            strategy=self.name,
            reasoning=wish.reasoning,
            timestamp=_text(now),
        )
        return Request(wish, line)

    def _proposal(self, signal: Signal, name: str, now: int) -> Proposal:
        self.signals += 1
        line = Proposed(
            id=name,
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
        return Proposal(signal, line)


def fault_of(wish: object) -> str | None:
    """What is wrong with a proposal, as what was expected; None when it may be made."""
    if isinstance(wish, Signal):
        holds = _of_signal(wish)
    elif isinstance(wish, Change):
        holds = {"the name of an order": _named(wish), **_figures(wish.price, wish.quantity)}
        holds["a price or a quantity"] = wish.price is not None or wish.quantity is not None
    elif isinstance(wish, Cancel):
        holds = {"the name of an order": _named(wish)}
    else:
        holds = {"a Signal, Cancel or Change": False}
    return next((f"expected {what}" for what, well in holds.items() if not well), None)


def _of_signal(signal: Signal) -> dict[str, bool]:
    return {
        "a symbol": bool(signal.symbol),
        "buy, sell, hold or alert": signal.type in get_args(SignalType),
        "a confidence from 0 to 1": 0 <= signal.confidence <= 1,
        **_figures(signal.price, signal.quantity),
        "finite features": all(math.isfinite(value) for value in signal.features.values()),
    }


def _figures(price: float | None, quantity: int | None) -> dict[str, bool]:
    return {
        "a price above zero": price is None or (math.isfinite(price) and price > 0),
        "a quantity above zero": quantity is None or quantity > 0,
    }


def _named(wish: Cancel | Change) -> bool:
    return isinstance(wish.order, str) and bool(wish.order)


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


def parameter_of(text: str) -> tuple[str, Any]:
    """NAME=VALUE: a number, true, false or null where the value is one, else a text. Raises StrategyError."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise StrategyError(f"parameter {text!r}: expected NAME=VALUE")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


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


def _nothing(_: OrderUpdate) -> Iterable[Wish]:
    return ()


def _text(ms: int) -> str:
    return instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
