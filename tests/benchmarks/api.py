"""Requests per second of our API, over the same endpoints with FastAPI and SQLAlchemy's ORM.

Same databases, same server (uvicorn), same load, in turns: a list of 50 items, an item by id, a new item, the newest
50 signals, a window of a thousand ticks. Ours is `python -m api` as it is delivered, with access rules, limits,
metrics and a log line for each request; the others have none of that. Beside them a bare handler that answers as many
bytes (the limit) and, where node and npm are there, Express 5 with pg. Ours takes ticks from the tier that it chooses,
the baseline from warm. On a busy machine look at `cpu`: the processor's time of the server for one answer.
"""

import contextlib
import datetime as dt
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import polars as pl
import psycopg

from config.settings import Settings
from launcher.commands.bench import Aim, Result, at_least
from launcher.report import Report
from realtime import generated
from sql import stores, ticks
from sql.signal_tables import SIGNALS
from sql.sync import sync_table
from sql.tables import TICKS
from tests.benchmarks.http_load import Load, one, request
from tests.benchmarks.rivals import serving

ITEMS = 50
WINDOW = 1_000
SECONDS = 2.0
WARM_UP_SECONDS = 0.5
NEW_ITEM = {
    "title": "Volume profile of the opening auction",
    "description": "Where the volume of the first five minutes stands, against the mean of twenty sessions.",
    "category": "analise-dados",
    "priority": "high",
    "tags": ["win", "opening", "volume"],
}
ENDPOINTS = {"list": 200, "get": 200, "create": 201, "signals": 200, "ticks": 200}  # and the status of an answer
RIVALS = ("fastapi", "express", "bare")
AIMS = {f"{what}_vs_fastapi": 2.5 if what == "create" else 3.0 for what in ENDPOINTS}
OF_EXPRESS = ("list", "get", "create")
AIMS |= {f"{what}_vs_express": 1.0 for what in OF_EXPRESS}
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=5, show_default=True, help="Turns; medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of each measurement."),
    click.Option(["--express/--no-express"], default=True, help="Fetch Express 5 and pg with npm, where it is there."),
]
Found = dict[str, list[float]]


def run(settings: Settings, say: Report, *, rounds: int, seconds: float, express: bool) -> Result:
    """Measure every server and endpoint in turns."""
    found: Found = defaultdict(list)
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tradingsystem-api-")))
        database = stack.enter_context(psycopg.connect(settings.postgres.admin_dsn("frontend_apps"), autocommit=True))
        asked = {**_items(database), **_signals(settings), **_ticks(settings)}
        servers = {"ours": stack.enter_context(serving.ours(settings, place))}
        for name in ("list", "get", "signals", "ticks"):
            (place / name).write_bytes(one(servers["ours"].port, asked[name][0], ENDPOINTS[name]))
        servers["fastapi"] = stack.enter_context(serving.python(settings, place, "fastapi_items"))
        servers["bare"] = stack.enter_context(serving.python(settings, place, "bare"))
        if express and (rival := serving.express(settings, place, say)):
            servers["express"] = stack.enter_context(rival)
        for number in range(-1, rounds):  # the round before the first one is thrown away
            for name, server in _turn(servers, number):
                _measure(found, name, server, asked, WARM_UP_SECONDS if number < 0 else seconds)
                database.execute("DELETE FROM workspace.workspace_items WHERE title = %s", (NEW_ITEM["title"],))
                database.execute("VACUUM workspace.workspace_items, workspace.workspace_audit_log")
            if number < 0:
                found.clear()
            else:
                say(f"round {number + 1}: {_line(found)}")
    return _result(found, rounds)


def _items(database: "psycopg.Connection[Any]") -> dict[str, list[bytes]]:
    database.execute(
        "INSERT INTO workspace.workspace_items (title, description, category, priority, tags, created_at) "
        "SELECT 'Item ' || n, 'What it is about, in a sentence of usual length. ' || n, 'analise-dados', 'high', "
        "ARRAY['win', 'book'], now() - n * interval '1 minute' FROM generate_series(1, %s) AS n",
        (ITEMS,),
    )
    database.execute("ANALYZE workspace.workspace_items")
    ids = [str(row[0]) for row in database.execute("SELECT id FROM workspace.workspace_items").fetchall()]
    return {
        "list": [request("GET", "/api/items")],
        "get": [request("GET", f"/api/items/{name}") for name in ids],
        "create": [request("POST", "/api/items", NEW_ITEM)],
    }


def _signals(settings: Settings) -> dict[str, list[bytes]]:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    rows = [
        {
            "ts": now - dt.timedelta(minutes=number),
            "channel": "TP Capital",
            "signal_type": ("Swing Trade", "Day Trade")[number % 2],
            "asset": ("PETR4", "VALE3", "ITUB4")[number % 3],
            "buy_min": 30.1,
            "buy_max": 30.5,
            "target_1": 31.0,
            "target_2": 32.0,
            "target_final": 33.0,
            "stop": 29.0,
            "raw_message": "COMPRA 30,10 a 30,50\nALVO 1 31,00\nALVO 2 32,00\nALVO FINAL 33,00\nSTOP 29,00",
            "source": "sample",
            "ingested_at": now - dt.timedelta(minutes=number),
            "chat_id": -1,
            "post_id": number,
            "edited_at": None,
            "deleted_at": None,
        }
        for number in range(500)
    ]
    hot = stores.hot(settings)
    try:
        hot.insert(SIGNALS, pl.DataFrame(rows, schema=SIGNALS.polars))
        hot.wait_applied(SIGNALS)
    finally:
        hot.close()
    return {"signals": [request("GET", f"/signals?limit={ITEMS}")]}


def _ticks(settings: Settings) -> dict[str, list[bytes]]:
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    since = dt.datetime(day.year, day.month, day.day, 13, tzinfo=dt.UTC)
    hour = pl.col("ts").is_between(since, since + dt.timedelta(hours=1), closed="left")
    frame = generated.day(generated.INSTRUMENTS, day).filter(hour)
    symbol = str(frame["symbol"].mode()[0])
    hot = stores.hot(settings)
    try:
        ticks.store(hot, frame)
        sync_table(TICKS, hot, stores.warm(settings))
    finally:
        hot.close()
    window = f"from={since:%Y-%m-%dT%H:%M}Z&to={since + dt.timedelta(hours=1):%Y-%m-%dT%H:%M}Z&limit={WINDOW}"
    return {"ticks": [request("GET", f"/api/v1/ticks?symbol={symbol}&{window}")]}


def _turn(servers: dict[str, serving.Server], number: int) -> list[tuple[str, serving.Server]]:
    names = list(servers.items())
    start = number % len(names)
    return [*names[start:], *names[:start]]


def _measure(found: Found, name: str, server: serving.Server, asked: dict[str, list[bytes]], seconds: float) -> None:
    for what, requests in asked.items():
        if name != "express" or what in OF_EXPRESS:
            _note(found, f"{what}_{name}", *server.asked(requests, ENDPOINTS[what], seconds))


def _note(found: Found, name: str, measured: Load, spent: float) -> None:
    found[f"{name}_per_second"].append(measured.per_second)
    found[f"{name}_p50_ms"].append(measured.p50_ms)
    found[f"{name}_p99_ms"].append(measured.p99_ms)
    found[f"{name}_cpu_us"].append(spent)


def _line(found: Found) -> str:
    speeds = {name.removesuffix("_per_second"): values[-1] for name, values in found.items() if "_per_" in name}
    return ", ".join(f"{name} {speed:,.0f}/s" for name, speed in speeds.items())


def _result(found: Found, rounds: int) -> Result:
    figures = {name: round(statistics.median(values), 3) for name, values in found.items()}
    aims: dict[str, Aim] = {}
    for what in ENDPOINTS:
        for rival in RIVALS:
            if f"{what}_{rival}_per_second" not in found:
                continue
            # Of each round, since a busy machine is as busy for both.
            pairs = zip(found[f"{what}_ours_per_second"], found[f"{what}_{rival}_per_second"], strict=True)
            ratio = statistics.median(mine / theirs for mine, theirs in pairs)
            figures[f"{what}_vs_{rival}"] = round(ratio, 3)
            if aim := AIMS.get(f"{what}_vs_{rival}"):
                aims[f"{what}_vs_{rival}"] = at_least(ratio, aim)
        for part in ("p99_ms", "cpu_us"):
            ratio = figures[f"{what}_ours_{part}"] / figures[f"{what}_fastapi_{part}"]
            figures[f"{what}_{part.split('_')[0]}_vs_fastapi"] = round(ratio, 3)
    return Result(name="api", rounds=rounds, figures=figures, aims=aims)
