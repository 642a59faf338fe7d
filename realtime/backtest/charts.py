"""Charts of a report as SVG text: drawn here, so that the page needs no library and no network.

The axis of time leaves the nights out: sessions stand side by side, each as wide as it lasted.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from html import escape

from msgspec import Struct

from realtime.strategy import instant
from sql.exchange import SAO_PAULO

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1000, 78, 10, 10, 24
MOST_POINTS = 1500  # of a line; each column of pixels keeps its lowest and highest
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
LINES = 4  # of the grid, about
TIMES = 6  # under the axis, about
MARK_WIDTH = 60


class Point(Struct, frozen=True):
    """A value at an instant."""

    ts_ms: int
    value: float


class Dot(Struct, frozen=True):
    """A fill on a chart of prices."""

    ts_ms: int
    value: float
    kind: str  # a class of the style sheet: buy, sell
    says: str


class Axis:
    """Where an instant lies between left and right. `spans`: first and last instant of each session."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = [(start, max(end, start + 1)) for start, end in spans] or [(0, 1)]
        self._starts = [start for start, _ in self._spans]
        self._before = [0]
        for start, end in self._spans:
            self._before.append(self._before[-1] + end - start)

    def at(self, ts_ms: int) -> float:
        """In units of the drawing; an instant of a night lies at the end of the session before it."""
        place = max(bisect_right(self._starts, ts_ms) - 1, 0)
        start, end = self._spans[place]
        passed = self._before[place] + min(max(ts_ms - start, 0), end - start)
        return LEFT + passed / self._before[-1] * (WIDTH - LEFT - RIGHT)

    def marks(self) -> list[tuple[float, str]]:
        """Dates where several sessions stand, else times of the one, on São Paulo's clock."""
        if len(self._spans) > 1:
            return _apart([(self.at(start), f"{_clock(start):%d %b}") for start in self._starts])
        start, end = self._spans[0]
        step_ms = next(
            (m * 60_000 for m in (1, 2, 5, 10, 15, 30, 60) if (end - start) / (m * 60_000) <= TIMES), 7_200_000
        )
        first = -(-start // step_ms) * step_ms
        return [(self.at(ts), f"{_clock(ts):%H:%M}") for ts in range(first, end, step_ms)]


def line(points: Sequence[Point], axis: Axis, *, name: str, height: int = 220, fill: bool = False) -> str:
    """A line that holds each value until the next, as money does; `fill`: with the area towards zero."""
    scale = _Scale([point.value for point in points], height, zero=True)
    drawn = _columns([(axis.at(p.ts_ms), scale.at(p.value)) for p in points])
    path = _steps(drawn)
    area = ""
    if fill and drawn:
        area = f'<path class="area" d="{path}V{scale.at(0):.1f}H{drawn[0][0]:.1f}Z"/>'
    return _svg(name, height, scale, axis, f'{area}<path class="line" d="{path}"/>')


def prices(points: Sequence[Point], dots: Iterable[Dot], axis: Axis, *, name: str, height: int = 320) -> str:
    """Prices as a line, fills as triangles that point where they traded; their words show under the pointer."""
    dots = list(dots)
    scale = _Scale([p.value for p in points] + [d.value for d in dots], height, zero=False)
    path = _steps(_columns([(axis.at(p.ts_ms), scale.at(p.value)) for p in points]))
    marks = "".join(_triangle(axis.at(dot.ts_ms), scale.at(dot.value), dot) for dot in dots)
    return _svg(name, height, scale, axis, f'<path class="line" d="{path}"/>{marks}')


class _Scale:
    """Values from bottom to top, with a grid of round numbers."""

    def __init__(self, values: Sequence[float], height: int, *, zero: bool) -> None:
        known = [*values, 0.0] if zero or not values else list(values)
        low, high = min(known), max(known)
        if low == high:
            low, high = low - 1, high + 1
        room = (high - low) * 0.05
        self._low, self._high = low - room, high + room
        self._height = height
        self.step = _nice((high - low) / LINES)

    def at(self, value: float) -> float:
        return TOP + (self._high - value) / (self._high - self._low) * (self._height - TOP - BOTTOM)

    def grid(self) -> list[float]:
        first = -(-self._low // self.step)
        return [first * self.step + n * self.step for n in range(int((self._high - first * self.step) / self.step) + 1)]


def _svg(name: str, height: int, scale: _Scale, axis: Axis, inner: str) -> str:
    digits = max(0, -int(f"{scale.step:e}".split("e")[1])) + (1 if scale.step < 10 and scale.step % 1 else 0)
    rows = "".join(
        f'<path class="{"zero" if value == 0 else "grid"}" d="M{LEFT} {scale.at(value):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="value" x="{LEFT - 6}" y="{scale.at(value) + 4:.1f}">{value:,.{digits}f}</text>'
        for value in scale.grid()
    )
    times = "".join(
        f'<path class="grid" d="M{x:.1f} {TOP}V{height - BOTTOM}"/><text class="time" x="{x:.1f}" '
        f'y="{height - 7}">{escape(text)}</text>'
        for x, text in axis.marks()
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(name)}">'
        f"<title>{escape(name)}</title>{rows}{times}{inner}</svg>"
    )


def _columns(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS, with the first, lowest, highest and last of every column."""
    if len(points) <= MOST_POINTS:
        return points
    size = -(-len(points) * 4 // MOST_POINTS)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        chosen = {0, len(part) - 1}
        chosen |= {min(range(len(part)), key=lambda n: part[n][1]), max(range(len(part)), key=lambda n: part[n][1])}
        kept += [part[n] for n in sorted(chosen)]
    return kept


def _steps(points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return "M0 0"
    first, rest = points[0], points[1:]
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)


def _triangle(x: float, y: float, dot: Dot) -> str:
    way = 1 if dot.kind == "buy" else -1
    shape = f"M{x:.1f} {y:.1f}l-5 {9 * way}h10z"
    return f'<path class="{dot.kind}" d="{shape}"><title>{escape(dot.says)}</title></path>'


def _nice(step: float) -> float:
    power = 10.0 ** int(f"{step:e}".split("e")[1])
    return next(each for each in (nice * power for nice in NICE) if each >= step * 0.999)


def _apart(marks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those that do not stand in each other's way."""
    found: list[tuple[float, str]] = []
    for mark in marks:
        if not found or mark[0] - found[-1][0] >= MARK_WIDTH:
            found.append(mark)
    return found


def _clock(ts_ms: int) -> dt.datetime:
    return instant(ts_ms).astimezone(SAO_PAULO)
