"""The report of a backtest: one HTML file that stands alone, without scripts, fonts or pictures from elsewhere."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from realtime.backtest import charts
from realtime.backtest.account import Account, Fill
from realtime.backtest.answering import Outcome
from realtime.backtest.charts import Axis, Dot, Point
from realtime.backtest.figures import trips
from realtime.strategy import Bar, instant
from sql.exchange import SAO_PAULO

PAGE = Path(__file__).with_name("report.html")
MOST_CHARTS = 6  # symbols, those with most fills
MOST_TRIPS = 1000
MOST_DOTS = 2000  # on a chart


def write(tested: Outcome, path: Path) -> None:
    """Write it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(page(tested), encoding="utf-8")
    draft.replace(path)


def page(tested: Outcome) -> str:
    """The text of the file; equal for equal backtests but for its pace."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(money=money, clock=clock, number=number)
    account = tested.account
    done = trips(account.fills)
    return environment.from_string(PAGE.read_text("utf-8")).render(
        answer=tested.answer,
        charts=_charts(tested),
        trips=done[-MOST_TRIPS:],
        trips_left_out=max(len(done) - MOST_TRIPS, 0),
        refusals=account.refusals,
        refused=sum(account.refused.values()),
        costs=_costs(account.fills),
        several=len(account.sessions) > 1,
    )


def money(value: Decimal) -> str:
    """BRL with cents."""
    return f"{value:,.2f}"


def number(value: Decimal | float) -> str:
    """Without zeros at its end."""
    text = f"{value:,.4f}"
    return text.rstrip("0").rstrip(".")


def clock(ts_ms: int) -> str:
    """An instant on São Paulo's clock."""
    local = instant(ts_ms).astimezone(SAO_PAULO)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"


def _charts(tested: Outcome) -> list[dict[str, Any]]:
    account = tested.account
    axis = Axis(_spans(account, tested.bars))
    peak, falls = Decimal(0), list[Point]()
    for each in account.equity:
        peak = max(peak, each.net)
        falls.append(Point(each.ts_ms, float(each.net - peak)))
    equity = [Point(each.ts_ms, float(each.net)) for each in account.equity]
    paid = [Point(each.ts_ms, float(each.costs)) for each in account.equity]
    found = [
        ("Equity", "BRL from nothing, costs taken off", charts.line(equity, axis, name="Equity", fill=True)),
        ("Drawdown", "BRL below the highest so far", charts.line(falls, axis, name="Drawdown", height=150, fill=True)),
        ("Costs", "BRL, all so far", charts.line(paid, axis, name="Costs", height=130)),
    ]
    for symbol in _traded(account.fills)[:MOST_CHARTS]:
        points = [Point(bar.end_ms, bar.close) for bar in tested.bars.get(symbol, [])]
        fills = [fill for fill in account.fills if fill.symbol == symbol]
        left = f"; the last {MOST_DOTS:,} of {len(fills):,} are drawn" if len(fills) > MOST_DOTS else ""
        dots = (_dot(fill) for fill in fills[-MOST_DOTS:])
        drawn = charts.prices(points, dots, axis, name=f"{symbol} with fills")
        found.append((symbol, f"closes of its bars, and {len(fills):,} fills{left}", drawn))
    return [{"title": title, "says": says, "svg": Markup(svg)} for title, says, svg in found]  # noqa: S704 - ours


def _spans(account: Account, bars: dict[str, list[Bar]]) -> list[tuple[int, int]]:
    """From the first to the last that each session has to show."""
    instants = [fill.ts_ms for fill in account.fills]
    instants += [ts for each in bars.values() for bar in each for ts in (bar.start_ms, bar.end_ms)]
    days: dict[dt.date, tuple[int, int]] = {}
    for ts in instants:
        day = instant(ts).astimezone(SAO_PAULO).date()
        first, last = days.get(day, (ts, ts))
        days[day] = min(first, ts), max(last, ts)
    return [days[day] for day in sorted(days)]


def _dot(fill: Fill) -> Dot:
    says = f"{clock(fill.ts_ms)} {fill.side} {fill.quantity} at {number(fill.price)}, {fill.order}"
    return Dot(fill.ts_ms, float(fill.price), fill.side.lower(), says)


def _traded(fills: list[Fill]) -> list[str]:
    """Symbols, those with most fills first."""
    count: dict[str, int] = {}
    for fill in fills:
        count[fill.symbol] = count.get(fill.symbol, 0) + 1
    return sorted(count, key=lambda symbol: (-count[symbol], symbol))


def _costs(fills: list[Fill]) -> list[dict[str, Any]]:
    """What each symbol's fills cost."""
    return [
        {
            "symbol": symbol,
            "fills": len(own := [fill for fill in fills if fill.symbol == symbol]),
            "quantity": sum(fill.quantity for fill in own),
            "costs": sum((fill.cost for fill in own), Decimal(0)),
        }
        for symbol in _traded(fills)
    ]
