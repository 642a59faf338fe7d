"""Replay at full speed against capture at full speed: the same processes, the same number of trades, alternating.

Both play through simulator, interop, ring, capture and spool, as fast as the ring has room: from the tape of a stored
session, and from the simulator's own load. The rate counts from the first trade's callback until the spool commits the
last one; a round is the median of some pairs, of which every other begins with the tape. Every trade is counted.
"""

import datetime as dt
import shutil
import statistics
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from config.settings import Settings
from launcher import instance
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report, Silent
from realtime.records import Kind
from realtime.replay import SPOOL, Plan, write_plan
from realtime.replay.preparing import Asked, Host, prepare
from realtime.replay.processes import play
from realtime.replay.replaying import Answer, replay
from realtime.spool.frames import FrameKind
from realtime.spool.reader import Position, Reader
from realtime.strategy.flow import AggressorFlow
from realtime.strategy.following import Following
from realtime.strategy.running import Running
from sql.cold import ColdStore
from sql.session_rows import Chosen, write_archived
from sql.tables import TICKS

STARTS_ENGINES = True  # none is needed: the session is read from the cold tier
ROWS = 2_000_000
PAIRS = 3
SESSION = dt.date(2026, 11, 19)
SYMBOLS = ("WINX99", "WDOX99", "DEMO4")
LOAD = """\
handshake 40
settle 50
await 3
daily-every 1000000000
symbol WINX99 F price 131250 tick 5 lot 1
symbol WDOX99 F price 5412.5 tick 0.5 lot 1
symbol DEMO4 B price 38.42 tick 0.01 lot 100
rate max count {rows}
"""


def run(settings: Settings, say: Report, *, rounds: int, rows: int | None) -> Result:
    """Measure; everything lies in the directory of the benchmark."""
    count = rows or ROWS
    cold = ColdStore(settings.cold_dir, [TICKS])
    store(cold, count)
    host = Host(settings.data_dir, settings.downloads_dir, instance.child_environment(settings))
    found: dict[str, list[float]] = defaultdict(list)
    pair(settings.data_dir / "first", cold, host, count, tape_first=True)  # caches, the compiler
    for number in range(rounds):
        place = settings.data_dir / f"round-{number}"
        pairs = [pair(place / f"{n}", cold, host, count, tape_first=n % 2 == 0) for n in range(PAIRS)]
        for name in pairs[0]:
            values = [each[name] for each in pairs]
            found[name].append(sum(values) if name == "lost" else statistics.median(values))
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.3f}" for name, values in found.items()))
    answer = whole(cold, host)
    figures = {name: round(statistics.median(values), 4) for name, values in found.items()}
    figures |= {"lost": sum(found["lost"]), "command_trades_per_s": round(count / sum(answer.seconds.values()), 1)}
    return Result(
        name="replay",
        rounds=rounds,
        figures=figures,
        aims={
            "replay_vs_capture_rate": at_least(figures["replay_vs_capture_rate"], 0.8),
            "lost": at_most(figures["lost"], 0),
            "command_differences": at_most(0.0 if answer.holds else 1.0, 0),
        },
    )


def store(cold: ColdStore, rows: int) -> None:
    """An invented session of three symbols, a regular one long, in the cold tier."""
    number = pl.int_range(rows, eager=True)
    opening = dt.datetime.combine(SESSION, dt.time(12), dt.UTC)
    symbol = pl.lit(pl.Series(SYMBOLS)).gather(pl.col("n") % 3)
    frame = pl.DataFrame({"n": number}).select(
        ts=pl.lit(opening) + pl.duration(milliseconds=pl.col("n") * 33_900_000 // rows),
        symbol=symbol,
        session=pl.lit(SESSION),
        trade_id=(pl.col("n") // 3 + 1) * 10,
        price=pl.lit(131_250.0) + pl.col("n") * 7919 % 41 * 5,
        quantity=1 + pl.col("n") % 50,
        aggressor=pl.lit(pl.Series(["BUYER", "SELLER"])).gather(pl.col("n") // 7 % 2),
        buyer=3,
        seller=85,
        flags=0,
        received_at=pl.lit(opening),
        source=pl.lit("generated"),
    )
    rows_in_order = frame.select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns).sort(TICKS.key)
    cold.write(TICKS, SESSION, rows_in_order.to_arrow().cast(TICKS.arrow).to_batches())


def pair(place: Path, cold: ColdStore, host: Host, rows: int, *, tape_first: bool) -> dict[str, float]:
    """Both ways once. `cpu`: what a trade costs all threads together; other processes change it less than the rate."""
    taped, loaded = place / "tape", place / "load"
    for folder in (taped, loaded):
        folder.mkdir(parents=True)
    asked = Asked(chosen=Chosen(session=SESSION))
    ready = prepare(asked, lambda chosen, path: write_archived(cold, chosen, path), taped, host.downloads, Silent())
    load: Plan = msgspec.structs.replace(ready.plan, script=LOAD.format(rows=rows), records=rows)
    write_plan(loaded, load)
    plans = ((taped, ready.plan), (loaded, load))
    found: dict[Path, tuple[float, int, float]] = {}
    heard = 0.0
    try:
        for folder, plan in plans if tape_first else plans[::-1]:
            cpu = play(folder, plan, host.environ, Silent()).cpu_seconds
            found[folder] = (*rate(folder / SPOOL), cpu)
            if folder == taped:
                heard = strategy_rate(folder / SPOOL)
            shutil.rmtree(folder / SPOOL)
    finally:
        shutil.rmtree(place)
    (replayed, told, replay_cpu), (capture, captured, capture_cpu) = found[taped], found[loaded]
    return {
        "replay_vs_capture_rate": replayed / capture,
        "replay_vs_capture_cpu": replay_cpu / capture_cpu,
        "replay_trades_per_s": replayed,
        "capture_trades_per_s": capture,
        "strategy_ticks_per_s": heard,
        "lost": float(2 * rows - captured - told),
    }


def rate(spool: Path) -> tuple[float, int]:
    """Trades a second, from the first one's callback until the last frame is committed, and how many there are."""
    reader, trades, first, last = Reader([spool], Position()), 0, 0, 0
    while (found := reader.read()).frames:
        for frame in found.frames:
            if frame.kind != FrameKind.RECORDS:
                continue
            records = frame.records()
            own = np.flatnonzero(records["kind"] == Kind.TRADE)
            if len(own):
                first = first or int(records["mono"][own[0]])
                last = frame.mono
                trades += len(own)
    return trades / (last - first) * 1e9, trades


def strategy_rate(spool: Path) -> float:
    """Ticks a second that the worked example hears, reading from a spool that is complete."""
    following, running = Following(Reader([spool], Position())), Running(AggressorFlow())
    began = time.perf_counter()
    while not following.over:
        for _ in running.lines(following.read()):
            pass
    return following.ticks / (time.perf_counter() - began)


def whole(cold: ColdStore, host: Host) -> Answer:
    """One replay from stored rows to the proof."""
    asked = Asked(chosen=Chosen(session=SESSION))
    return replay(asked, lambda chosen, path: write_archived(cold, chosen, path), host, Silent())
