"""The number of a run: one more at each start of the writer, durable before anything is written under it."""

from pathlib import Path

import msgspec
from msgspec import Struct

from realtime.spool import segments
from sql import durable


class Run(Struct, frozen=True):
    """A run and the number of its first record."""

    number: int
    first: int


def next_run(folder: Path) -> Run:
    """The run that begins now. Every segment in `folder` is sealed by then. Raises OSError when it cannot be noted."""
    path = folder / "run.json"
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Run)
    except FileNotFoundError:
        before = Run(0, 1)
    except msgspec.MsgspecError:
        before = Run(0, 1)  # the receipts below know better
    receipts = [
        receipt
        for place in (folder, raw_of(folder))
        for number in segments.numbers(place, segments.RECEIPT)[-1:]
        if (receipt := segments.receipt_of(place, number))
    ]
    run = Run(
        max([before.number, *(receipt.run for receipt in receipts)]) + 1,
        max([before.first, *(receipt.last + 1 for receipt in receipts)]),
    )
    durable.replace(path, msgspec.json.encode(run))
    return run


def raw_of(folder: Path) -> Path:
    """Where the segments of a spool go when they were sent."""
    return folder.parent / "raw"
