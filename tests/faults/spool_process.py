"""A process that spools invented trades and says what is durable, to be killed where it is.

`python -m tests.faults.spool_process write FOLDER FIRST SEED` numbers its trades from FIRST, repeats some, and prints
the number of the last one that is durable, a line each, until its input ends. `… full FOLDER` fills the disk of FOLDER,
makes room by growing its mount, and prints as JSON what the spool holds of what it was given.
"""

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import structlog

from realtime.records import RECORD, Kind
from realtime.spool.files import Limits
from realtime.spool.frames import Asset, FrameKind, Records
from realtime.spool.reader import Position, Reader
from realtime.spool.writer import Spool

SYMBOL = "FAULTX99"
NOON_MS = 1_795_089_600_000  # 2026-11-19 12:00 on the clock of São Paulo
SMALL = Limits(segment_bytes=1 << 20, commit_bytes=1 << 18)
GROWN = "64m"


def trades(first: int, count: int, seq: int) -> Records:
    """Trades of which everything follows from their number."""
    numbers = np.arange(first, first + count)
    made = np.zeros(count, RECORD)
    made["seq"] = np.arange(seq, seq + count)
    made["time"] = NOON_MS + numbers  # three quarters of an hour for the numbers of a run
    made["price"], made["quantity"] = price_of(numbers), 1 + numbers % 9
    made["number"], made["asset"], made["kind"], made["action"] = numbers, 1, Kind.TRADE, 2 + numbers % 2
    return made


def price_of(numbers: np.ndarray) -> np.ndarray:
    return 100.0 + numbers % 97


def write(folder: Path, first: int, seed: int) -> None:
    chance = random.Random(seed)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    spool = Spool.open(folder, source="simulator", limits=SMALL)
    spool.assets([Asset(1, SYMBOL, "F")])
    number, seq = first, 1
    while not over.is_set():
        for _ in range(chance.randint(1, 5)):
            count = chance.randint(1, 400)
            spool.append(trades(number, count, seq))
            number, seq = number + count, seq + count
            if chance.random() < 0.2:  # as after a reconnect
                again = min(chance.randint(1, 300), number - first)
                spool.mark("reconnected")
                spool.append(trades(number - again, again, seq))
                seq += again
        spool.commit()
        assert not spool.progress.dropped
        sys.stdout.write(f"{number - 1}\n")
        sys.stdout.flush()
        over.wait(chance.uniform(0.001, 0.03))
    spool.close()


def full(folder: Path) -> None:
    """A disk that is full for a while."""
    spool = Spool.open(folder / "spool", source="simulator", limits=SMALL)
    spool.assets([Asset(1, SYMBOL, "F")])
    given = 0
    for step in range(60):
        spool.append(trades(1 + given, 1000, 1 + given))
        given += 1000
        spool._retry_at = 0.0
        spool.commit()
        if step == 45:
            assert spool.progress.refusing, "the disk has too much room for this test"
            subprocess.run(["mount", "-o", f"remount,size={GROWN}", str(folder)], check=True, timeout=30)
    spool.close()
    reader, kept, told = Reader([folder / "spool"], Position()), [], 0
    damages = 0
    while (found := reader.read()).frames or found.damages:
        damages += len(found.damages)
        kept += [frame.records()["number"] for frame in found.frames if frame.kind == FrameKind.RECORDS]
        losses = [frame for frame in found.frames if frame.kind == FrameKind.LOSS]
        told += sum(frame.count for frame in losses)
    numbers = np.concatenate(kept)
    answer = {
        "given": given,
        "kept": len(numbers),
        "twice": len(numbers) - len(np.unique(numbers)),
        "told": told,
        "counted": spool.progress.dropped,
        "damages": damages,
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for what was asked
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        full(Path(sys.argv[2]))
