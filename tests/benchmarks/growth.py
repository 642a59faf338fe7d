"""Sync, archive and verify of one table at 1, 5 and 20 million rows: what grows with the rows, and what does not."""

import datetime as dt

from config.settings import Settings
from launcher.commands.bench import Result, at_most
from launcher.report import Report
from sql import stores
from tests.benchmarks.passes import fill, named, worker
from tests.benchmarks.sync import empty

SIZES = (1, 5, 20)  # times `rows`
ROWS = 1_000_000
MOVES = ("sync", "archive", "verify")


def run(settings: Settings, rounds: int, rows: int | None, say: Report) -> Result:
    """Measure; the engines of `settings` are ours. One round: the sizes are the repetition."""
    size = rows or ROWS
    hot = stores.hot(settings)
    figures: dict[str, float] = {"rows": size}
    for times in SIZES:
        table = named(f"bench_growth_{times}")
        hot.execute(table.hot_ddl())
        fill(hot, table, 0, times * size)
        empty(settings, table)
        for move in MOVES:
            with worker(settings) as passes:
                answer = passes.do(move, table.name, dt.date(2027, 1, 1).isoformat())
            figures[f"{move}_{times}_seconds"] = answer["seconds"]
            figures[f"{move}_{times}_peak_mb"] = answer["peak_mb"]
            say(f"{move} of {times * size:,} rows: {answer['seconds']:.2f} s, {answer['peak_mb']:.0f} MB")
        hot.execute(f"DROP TABLE {table.name}")
        empty(settings, table)
    most, middle = SIZES[-1], SIZES[-2]
    aims = {
        f"{move}_memory_{most}_vs_{middle}": at_most(
            figures[f"{move}_{most}_peak_mb"] / figures[f"{move}_{middle}_peak_mb"], 1.3
        )
        for move in MOVES
    }
    return Result(name="growth", rounds=1, figures=figures, aims=aims)
