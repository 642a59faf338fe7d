"""Parse and store a B3 day against QuestDB's own insert of the same rows from Parquet, and the memory it takes.

Every import runs in a process of its own; both sides count until all rows are visible, and take turns in going first.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from config.settings import Settings, load
from launcher import instance
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from sql import stores
from sql.hot import HotStore, shaped
from sql.tables import TICKS
from tests.benchmarks.b3_day import write_day

ROWS = 5_000_000
CHILD_SECONDS = 1800


def run(settings: Settings, rounds: int, rows: int | None, say: Report) -> Result:
    """Measure; the engines of `settings` are ours."""
    size = rows or ROWS
    hot = stores.hot(settings)
    assert hot.import_dir is not None
    with tempfile.TemporaryDirectory(prefix="bench-import-") as folder:
        day, fifth = Path(folder) / "day.zip", Path(folder) / "fifth.zip"
        say(f"making a day of {size:,} trades")
        write_day(day, size)
        write_day(fifth, size // 5)
        empty(settings, hot)
        imported(settings, day)  # warms the server up, and gives the rows of the other side
        rows_file = hot.import_dir / "bench.parquet"
        same_rows(hot, rows_file)
        ours: list[float] = []
        theirs: list[float] = []
        peaks: dict[Path, list[float]] = {day: [], fifth: []}
        for number in range(rounds):
            for side in ("import", "read_parquet") if number % 2 == 0 else ("read_parquet", "import"):
                empty(settings, hot)
                if side == "read_parquet":
                    theirs.append(inserted(hot, rows_file, size))
                    continue
                answer = imported(settings, day)
                assert answer["new"] == size, answer
                ours.append(answer["seconds"])
                peaks[day].append(answer["peak_mb"])
            empty(settings, hot)
            peaks[fifth].append(imported(settings, fifth)["peak_mb"])
            say(f"round {number + 1}: import {ours[-1]:.2f} s, read_parquet {theirs[-1]:.2f} s")
        rows_file.unlink()
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    growth = statistics.median(peaks[day]) / statistics.median(peaks[fifth])
    return Result(
        name="import",
        rounds=rounds,
        figures={
            "rows": size,
            "import_seconds": statistics.median(ours),
            "read_parquet_seconds": statistics.median(theirs),
            "import_rows_per_second": size / statistics.median(ours),
            "read_parquet_rows_per_second": size / statistics.median(theirs),
            "peak_5m_mb": statistics.median(peaks[day]),
            "peak_1m_mb": statistics.median(peaks[fifth]),
        },
        aims={
            "import_vs_read_parquet": at_least(statistics.median(ratios), 0.5),
            "memory_5m_vs_1m": at_most(growth, 1.3),
        },
    )


def empty(settings: Settings, hot: HotStore) -> None:
    """A new `ticks`, nothing in the ledger, and the disk at rest."""
    hot.execute("DROP TABLE IF EXISTS ticks")
    hot.execute(TICKS.hot_ddl())
    with stores.warm(settings).connect() as connection:
        connection.execute("DELETE FROM imports")
    if sys.platform != "win32":
        os.sync()  # what one round wrote shall not be charged to the next


def same_rows(hot: HotStore, path: Path) -> None:
    """All rows of `ticks` in the order of time, as one plain Parquet file."""
    exported = path.with_suffix(".exported")
    hot.export("SELECT * FROM ticks", exported)
    import polars as pl

    shaped(pl.read_parquet(exported), TICKS).write_parquet(path, compression="uncompressed", statistics=False)
    exported.unlink()


def inserted(hot: HotStore, path: Path, rows: int) -> float:
    """Seconds of QuestDB's own way, until all rows are visible."""
    started = time.perf_counter()
    hot.execute(f"INSERT INTO ticks SELECT * FROM read_parquet('{path.name}')")
    hot.wait_applied(TICKS)
    seconds = time.perf_counter() - started
    found = hot.execute("SELECT count() FROM ticks")["dataset"][0][0]
    assert found == rows == pq.read_metadata(path).num_rows, found
    return seconds


def imported(settings: Settings, path: Path) -> dict[str, float]:
    """What an import in a process of its own says: lines, seconds until visible, peak memory."""
    command = [sys.executable, "-m", "tests.benchmarks.import_", str(path)]
    child = subprocess.run(
        command,
        env=instance.child_environment(settings),
        cwd=settings.root,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    answer: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return answer


def peak_mb() -> float:
    """Most memory that this process ever had resident. (`ru_maxrss` would begin with the parent's.)"""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    memory = psutil.Process(os.getpid()).memory_info()
    return getattr(memory, "peak_wset", memory.rss) / 2**20


if __name__ == "__main__":
    from sql.b3_files import import_file

    own = load()
    report = import_file(Path(sys.argv[1]), stores.hot(own), stores.warm(own), own.data_dir)
    sys.stdout.write(json.dumps({"new": report.new, "seconds": report.seconds, "peak_mb": peak_mb()}) + "\n")
