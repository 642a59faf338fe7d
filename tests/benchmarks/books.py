"""Depth events at full flow beside ticks: all of them stored, ticks no later for it, how fast it goes into a file.

The same ticks flow with and without quotes and book in turn; the delay of ticks counts from the spool's commit until a
query sees them. The books are drawn: twenty symbols, ten levels a side, prices that walk.
"""

import datetime as dt
import gc
import statistics
import threading
import time
from collections import defaultdict
from pathlib import Path

import click
import msgspec
import numpy as np

from config.settings import Settings
from launcher import engines, migrations
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report, Silent
from realtime.records import RECORD, Kind
from realtime.spool.files import Limits
from realtime.spool.frames import WHOLE, Asset, Records
from realtime.spool.writer import Spool, host_clock
from sql import stores
from sql.day_rows import days_of_hot
from sql.direct import archive_day
from sql.hot import HotStore
from sql.tables import BOOK, QUOTES, TICKS
from tests.benchmarks.capture import process

STARTS_ENGINES = True
SYMBOLS = 20
BEAT_SECONDS = 0.05
LOOK_SECONDS = 0.05
LIMIT_SECONDS = 300.0
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help="Medians are told."),
    click.Option(["--seconds"], type=float, default=20.0, show_default=True, help="Of flow in each half of a round."),
    click.Option(["--depth"], type=int, default=25_000, show_default=True, help="Depth events a second."),
    click.Option(["--ticks"], type=int, default=2_000, show_default=True, help="Trades a second."),
]


def run(settings: Settings, say: Report, *, rounds: int, seconds: float, depth: int, ticks: int) -> Result:
    """Measure; each half of a round has engines and a relay of its own."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for books in (False, True) if number % 2 else (True, False):
            place = msgspec.structs.replace(settings, data_dir=settings.data_dir / f"round-{number}-{books}")
            gc.collect()
            for name, value in flow(place, seconds, depth if books else 0, ticks).items():
                found[f"{name}_{'with' if books else 'without'}_books" if "delay" in name else name].append(value)
        say(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.2f}" for name, values in found.items()))
    figures = {name: round(statistics.median(values), 4) for name, values in found.items()}
    figures["lost"] = sum(found["lost"])
    ratio = figures["tick_delay_p99_s_with_books"] / figures["tick_delay_p99_s_without_books"]
    figures["tick_delay_p99_with_books_vs_without"] = round(ratio, 3)
    return Result(
        name="books",
        rounds=rounds,
        figures=figures,
        aims={
            "book_events_per_s": at_least(figures["book_events_per_s"], 0.95 * depth),
            "lost": at_most(figures["lost"], 0),
            "tick_delay_p99_with_books_vs_without": at_most(ratio, 2),
        },
    )


def flow(settings: Settings, seconds: float, depth: int, ticks: int) -> dict[str, float]:
    """One half: ticks with so many depth events a second, until everything is in hot."""
    with engines.running(settings, Silent()) as known:
        migrations.apply(known, Silent())
        hot = stores.hot(known)
        feed = Feed(known.spool_dir, depth, ticks)
        with process(known, "realtime.relay"):
            _await_relay(known.spool_dir)
            looker = Looker(hot, feed)
            looker.start()
            began = time.monotonic()
            feed.flow(seconds)
            flowed = time.monotonic() - began
            lost = _await_stored(hot, feed)
            stored = time.monotonic() - began
            looker.stop()
        figures = {"tick_delay_p50_s": looker.delay(0.5), "tick_delay_p99_s": looker.delay(0.99), "lost": float(lost)}
        if depth:
            figures |= {"book_events_per_s": looker.book_rate(), "behind_at_the_end_s": stored - flowed}
            figures |= _files(known, hot)
        hot.close()
    return figures


class Feed:
    """What a realtime process would spool, from its clock alone."""

    def __init__(self, folder: Path, depth: int, ticks: int) -> None:
        self.sent = {TICKS.name: 0, BOOK.name: 0, QUOTES.name: 0}
        self.committed: list[tuple[int, float]] = [(0, 0.0)]  # ticks until then, and when
        self._rates = {Kind.TRADE: ticks, Kind.DEPTH: depth, Kind.QUOTE: depth // 10}
        self._tables = {Kind.TRADE: TICKS.name, Kind.DEPTH: BOOK.name, Kind.QUOTE: QUOTES.name}
        self._drawn = np.random.default_rng(7)
        self._spool = Spool.open(folder, source="simulator", limits=Limits())
        self._spool.assets(Asset(n, f"SYM{n:02d}", "F") for n in range(1, SYMBOLS + 1))
        self._mid = self._drawn.integers(20_000, 30_000, SYMBOLS + 1)
        self._seq = 0

    def flow(self, seconds: float) -> None:
        """Spool in even beats for so long."""
        began, done = time.monotonic(), 0.0
        while done < seconds:
            time.sleep(max(0.0, began + done + BEAT_SECONDS - time.monotonic()))
            done += BEAT_SECONDS
            self._spool.append(self._beat(done))
            self._spool.commit()
            self.committed.append((self.sent[TICKS.name], time.monotonic()))
        self._spool.close()

    def _beat(self, done: float) -> Records:
        counts = {kind: int(rate * done) - self.sent[self._tables[kind]] for kind, rate in self._rates.items()}
        kinds = np.repeat(np.array(list(counts), np.uint8), list(counts.values()))
        self._drawn.shuffle(kinds)
        made = np.zeros(len(kinds), RECORD)
        assets = self._drawn.integers(1, SYMBOLS + 1, len(kinds))
        self._mid += self._drawn.integers(-1, 2, SYMBOLS + 1)
        made["kind"], made["asset"] = kinds, assets
        made["seq"] = np.arange(self._seq, self._seq + len(kinds))
        made["mono"] = host_clock()[1] - np.linspace(BEAT_SECONDS * 1e9, 0, len(kinds)).astype(np.int64)
        made["time"] = (dt.datetime.now(dt.UTC).timestamp() - 3 * 3600) * 1000
        trades = kinds == Kind.TRADE
        made["number"][trades] = self.sent[TICKS.name] + 1 + np.arange(trades.sum())
        made["position"], made["side"] = self._drawn.integers(0, 10, len(kinds)), self._drawn.integers(0, 2, len(kinds))
        made["action"] = np.where(trades, 2, self._drawn.choice([1, 1, 1, 1, 2, 3], len(kinds)))
        made["price"] = (self._mid[assets] + np.where(made["side"] == 0, -1, 1) * (1 + made["position"])) * 0.5
        made["quantity"], made["count"] = (
            self._drawn.geometric(0.02, len(kinds)),
            self._drawn.geometric(0.2, len(kinds)),
        )
        self._seq += len(kinds)
        for kind, count in counts.items():
            self.sent[self._tables[kind]] += count
        return made.view(WHOLE).view(RECORD)


class Looker:
    """Looks again and again how many ticks a query sees, and how long ago the last of them was committed."""

    def __init__(self, hot: HotStore, feed: Feed) -> None:
        self._hot, self._feed = hot, feed
        self._over = threading.Event()
        self._delays: list[float] = []
        self._books: list[tuple[float, int]] = []  # when, and how many rows of `book` a query saw
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def delay(self, share: float) -> float:
        """The quantile of the delays, in seconds."""
        return float(np.quantile(self._delays, share))

    def book_rate(self) -> float:
        """Rows of `book` a second while the feed flowed, without its first quarter."""
        began, ended = self._feed.committed[1][1], self._feed.committed[-1][1]
        since = began + (ended - began) / 4
        within = [(at, rows) for at, rows in self._books if since <= at <= ended]
        (first, before), (last, after) = within[0], within[-1]
        return (after - before) / (last - first)

    def _look(self) -> None:
        seen = 0
        while not self._over.wait(LOOK_SECONDS):
            rows = _rows(self._hot, TICKS.name)
            now = time.monotonic()
            self._books.append((now, _rows(self._hot, BOOK.name)))
            for ticks, at in self._feed.committed[1:]:
                if seen < ticks <= rows:
                    self._delays.append(now - at)
            seen = rows


def _rows(hot: HotStore, name: str) -> int:
    return int(hot.execute(f"SELECT count() FROM {name}")["dataset"][0][0])


def _await_relay(spool: Path) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not ((spool / "sender.json").is_file() and (spool / "books.json").is_file()):
        assert time.monotonic() < deadline, "the relay did not start"
        time.sleep(0.05)


def _await_stored(hot: HotStore, feed: Feed) -> int:
    """How many rows are missing when all are there, or when time is over."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        missing = sum(sent - _rows(hot, name) for name, sent in feed.sent.items())
        if not missing:
            return 0
        time.sleep(0.1)
    return missing


def _files(known: Settings, hot: HotStore) -> dict[str, float]:
    """Bytes of a row in its file, and how fast a file is written, read back and proven."""
    figures = {}
    warm, cold, after = stores.warm(known), stores.cold(known), dt.date.max
    for table in (QUOTES, BOOK):
        hot.wait_applied(table)
        began = time.monotonic()
        made = [archive_day(table, day, hot, warm, cold, today=after) for day in days_of_hot(hot, table)]
        seconds = time.monotonic() - began
        rows = sum(each.rows for each in made)
        figures |= {
            f"{table.name}_cold_bytes_per_row": sum(each.bytes for each in made) / rows,
            f"{table.name}_archived_rows_per_s": rows / seconds,
        }
    return figures
