"""What people see of a day on its materialization: numbers, the largest symbols, and a small picture of its rows."""

import base64
import datetime as dt
from collections.abc import Mapping

import dagster as dg

from sql.contract import Table, Tier
from sql.day_facts import DayFacts
from sql.exchange import is_session

WIDTH, HEIGHT, LABEL = 576, 96, 14  # two pixels for five minutes
BAR_MINUTES = 5
Seen = dict[str, dg.MetadataValue]


def seen(table: Table, tier: Tier, day: dt.date, facts: DayFacts, *, now: dt.datetime) -> Seen:
    """The metadata of a day in a tier."""
    found: Seen = {
        "dagster/row_count": dg.MetadataValue.int(facts.rows),
        "bytes": dg.MetadataValue.int(facts.bytes),
        "size": dg.MetadataValue.text(size(facts.bytes)),
        "session": dg.MetadataValue.text("a session of the exchange" if is_session(day) else "no session"),
        "query": dg.MetadataValue.text(query(table, tier, day)),  # text wraps, code does not
    }
    lag = facts.lag(day, now)
    if facts.newest is not None and lag is not None:
        found |= {
            "newest_row_at": dg.MetadataValue.timestamp(facts.newest.astimezone(dt.UTC)),
            "lag_seconds": dg.MetadataValue.float(round(lag, 3)),
            "rows_per_minute": dg.MetadataValue.md(f"![rows per minute]({picture(facts.minutes)})"),
        }
    if facts.largest:
        found["largest_symbols"] = dg.MetadataValue.md(markdown(facts))
    return found


def query(table: Table, tier: Tier, day: dt.date) -> str:
    """The command that shows the rows."""
    end = day + dt.timedelta(days=1)
    where = f"day = '{day}'" if tier == "cold" else f"{table.time} >= '{day}' AND {table.time} < '{end}'"
    statement = f"SELECT * FROM {table.name} WHERE {where} ORDER BY {table.time} LIMIT 100"
    return f'python3 tradingsystem query --tier {tier} "{statement}"'


def size(count: int) -> str:
    """Bytes as people say them."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:,.1f} {units[0]}"


def markdown(facts: DayFacts) -> str:
    """The largest symbols as a table."""
    lines = [f"| {symbol} | {rows:,} | {rows / facts.rows:.1%} |" for symbol, rows in facts.largest]
    return "\n".join(["| symbol | rows | share |", "|---|---:|---:|", *lines])


def picture(minutes: Mapping[int, int]) -> str:
    """Rows per minute over a UTC day as a data URI: bars of five minutes, the hours below."""
    bars: dict[int, int] = {}
    for minute, rows in minutes.items():
        bars[minute // BAR_MINUTES] = bars.get(minute // BAR_MINUTES, 0) + rows
    top = max(bars.values(), default=1)
    step = WIDTH * BAR_MINUTES // 1440
    body = HEIGHT - LABEL
    drawn = "".join(
        f"M{step * bar} {body}v-{max(1, round(rows / top * (body - LABEL)))}h{step}V{body}z"
        for bar, rows in sorted(bars.items())
    )
    hours = "".join(f'<text x="{hour * WIDTH // 24}" y="{HEIGHT - 2}">{hour:02d}h</text>' for hour in range(0, 24, 3))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-size="10" fill="#777">'
        f'<text y="10">up to {top / BAR_MINUTES:,.0f} rows a minute (UTC)</text>{hours}'
        f'<path fill="#4f8ad9" d="{drawn}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
