"""Passes in a process of their own, and the rows they move: what `bench sync` and `bench growth` share.

`python -m tests.benchmarks.passes` does what each line of its input says, and answers each with a line of JSON.
"""

import contextlib
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import polars as pl

from config.settings import Settings, load
from launcher import instance
from sql import stores
from sql.archive import archive_table
from sql.cold import ColdStore
from sql.contract import Table
from sql.evidence import Tiers
from sql.hot import HotStore, shaped
from sql.sync import sync_table
from sql.tables import TICKS
from sql.verify import verify
from tests.benchmarks import original_worker
from tests.benchmarks.import_ import peak_mb

OPENING = dt.datetime(2026, 11, 9, 12, tzinfo=dt.UTC)
DAY_ROWS = 1_000_000
SYMBOLS = np.array(["WINZ26", "WDOZ26", "PETR4", "VALE3", "ITUB4", "BBDC4", "ABEV3", "B3SA3"])
CHUNK = 500_000


def named(name: str) -> Table:
    """Ticks under another name."""
    return msgspec.structs.replace(TICKS, name=name)


def trades(first: int, count: int) -> pl.DataFrame:
    """Trades number `first` and following of a tape of a million a day, 20 ms apart."""
    number = np.arange(first, first + count, dtype=np.int64)
    random = np.random.default_rng(first)
    micros = number // DAY_ROWS * 86_400_000_000 + number % DAY_ROWS * 20_000 + int(OPENING.timestamp() * 1e6)
    ts = pl.Series(micros).cast(pl.Datetime("us", "UTC"))
    brokers = random.integers(1, 400, (2, count)).astype(np.int32)
    frame = pl.DataFrame(
        {
            "ts": ts,
            "symbol": SYMBOLS[random.integers(0, len(SYMBOLS), count)],
            "session": ts.dt.date(),
            "trade_id": number,
            "price": 129_605.0 + 5 * random.integers(0, 300, count),
            "quantity": random.integers(1, 50, count),
            "aggressor": pl.Series(np.array(["BUYER", "SELLER", ""])[random.integers(0, 3, count)]).replace("", None),
            "buyer": pl.Series(brokers[0]).set(pl.Series(brokers[0] < 40), None),
            "seller": brokers[1],
            "flags": np.zeros(count, dtype=np.int32),
            "received_at": ts + dt.timedelta(milliseconds=3),
            "source": pl.repeat("generated", count, eager=True),
        }
    )
    return shaped(frame, TICKS)


def fill(hot: HotStore, table: Table, first: int, count: int) -> None:
    """Trades into hot, visible when this returns."""
    for start in range(first, first + count, CHUNK):
        hot.insert(table, trades(start, min(CHUNK, first + count - start)))
    hot.wait_applied(table)


class Worker:
    """A process that makes passes."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def do(self, *words: str | None) -> dict[str, Any]:
        """What it answers: `rows`, `seconds` and `peak_mb`, the most memory it had so far."""
        self.begin(*words)
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"the process that makes passes ended at {words}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def begin(self, *words: str | None) -> None:
        """Say what to do, and do not wait."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()

    def kill(self) -> None:
        """End it where it is."""
        self._child.kill()


@contextlib.contextmanager
def worker(settings: Settings) -> Iterator[Worker]:
    """A fresh process, ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.passes"],
        env=instance.child_environment(settings),
        cwd=settings.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        yield Worker(child)
        assert child.stdin is not None
        child.stdin.close()


def _done(way: str, table: Table, tiers: Tiers, told: str | None) -> int:
    """Do it; the rows that it moved or proved."""
    if way == "original":
        return original_worker.sync(table, tiers.hot.url, tiers.warm.dsn, told)
    if way == "archive":
        return sum(day.rows for day in archive_table(table, tiers.warm, tiers.cold))
    if way == "verify":
        verdict = verify([table], tiers, today=dt.date.fromisoformat(str(told)))
        assert verdict.holds
        return sum(day.warm.rows for day in verdict.days if day.warm)
    result = sync_table(table, tiers.hot, tiers.warm)
    assert result.rows_agree
    return result.rows_copied


def _serve() -> None:
    settings = load()
    hot, warm = stores.hot(settings), stores.warm(settings)
    assert hot.ready()
    assert warm.ready()
    for line in sys.stdin:
        way, name, *rest = json.loads(line)
        table = named(name)
        tiers = Tiers(hot, warm, ColdStore(settings.cold_dir, [table]), stores.work_dir(settings))
        started = time.perf_counter()
        rows = _done(way, table, tiers, rest[0] if rest else None)
        seconds = time.perf_counter() - started
        sys.stdout.write(json.dumps({"rows": rows, "seconds": seconds, "peak_mb": peak_mb()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
