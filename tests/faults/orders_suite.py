"""The parts of `bench faults --suite orders`, each with its full count, played in pieces by several processes.

A piece has a seed and a folder of its own, so that pieces can be played in any order. What was played is kept, one line
a piece, in a file that a later run with the same seed goes on with.
"""

import logging
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from launcher.report import Report
from tests.faults import journal_edits, order_drills, order_kills, order_limits, orders

Play = Callable[[Path, int, int], tuple[Counter[str], Counter[str]]]
SEEDS = 1_000_003


class Part(Struct, frozen=True):
    """One kind of trouble: how many there are to be, how many a piece has, and what must not be found."""

    name: str
    count: int
    piece: int
    play: Play
    counted: tuple[str, ...]  # which of its counts must reach `count`
    wrong: tuple[str, ...]


PARTS = {
    part.name: part
    for part in (
        Part("sends", 10_000, 100, orders.run, ("faults",), orders.WRONG),
        Part("limits", 1_000_000, 5_000, order_limits.run, ("orders",), order_limits.WRONG),
        Part("drills", 1_000, 20, order_drills.run, ("drills",), order_drills.WRONG),
        Part("edits", 10_000, 500, journal_edits.run, ("edits",), journal_edits.WRONG),
        Part("kills", 100, 5, order_kills.run, order_kills.KILLS, order_kills.WRONG),
    )
}


class Piece(Struct, frozen=True):
    """So many of a part, from one seed."""

    part: str
    seed: int
    count: int


class Played(Struct, frozen=True):
    """A piece and what came of it."""

    piece: Piece
    wrong: dict[str, int]
    counts: dict[str, int]


class Totals(Struct):
    """What all pieces of a part came to."""

    wrong: Counter[str]
    counts: Counter[str]


def pieces(part: Part, count: int, seed: int) -> Iterator[Piece]:
    """The pieces of a count: the same for the same seed, and the first ones whatever the count."""
    for number, begun in enumerate(range(0, count, part.piece)):
        yield Piece(part.name, seed * SEEDS + number, min(part.piece, count - begun))


def played(
    folder: Path, asked: Sequence[tuple[Part, int]], seed: int, say: Report, *, jobs: int = 1, kept: Path | None = None
) -> dict[str, Totals]:
    """Play what is not in `kept` yet; the sums of everything by part. Raises what the first broken piece raised."""
    totals = {part.name: Totals(Counter(dict.fromkeys(part.wrong, 0)), Counter()) for part, _ in asked}
    left = {piece: None for part, count in asked for piece in pieces(part, count, seed)}
    for done in _read(kept):
        if done.piece in left:
            del left[done.piece]
            _add(totals, done)
    failed: list[BaseException] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_quiet) as pool:
        asked_for = {pool.submit(play, folder, piece): piece for piece in left}
        for future in as_completed(asked_for):
            if (error := future.exception()) is not None:  # the others are played and kept all the same
                failed.append(error)
                say(f"{asked_for[future]} broke off: {error!r}")
                continue
            done = future.result()
            _add(totals, done)
            _keep(kept, done)
            total = totals[done.piece.part]
            made = min(total.counts[name] for name in PARTS[done.piece.part].counted)
            say(f"{done.piece.part}: {made:,}, wrong so far: {dict(+total.wrong) or 'nothing'}")
    if failed:
        raise failed[0]
    return totals


def play(folder: Path, piece: Piece) -> Played:
    """One piece, in a folder that goes when it is done and nothing was wrong in it."""
    own = folder / f"{piece.part}-{piece.seed}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    wrong, counts = PARTS[piece.part].play(own, piece.seed, piece.count)
    if not +wrong:
        shutil.rmtree(own)
    return Played(piece, dict(wrong), dict(counts))


def _add(totals: dict[str, Totals], done: Played) -> None:
    totals[done.piece.part].wrong.update(done.wrong)
    totals[done.piece.part].counts.update(done.counts)


def _read(kept: Path | None) -> list[Played]:
    if kept is None or not kept.is_file():
        return []
    lines = kept.read_bytes().splitlines(keepends=True)
    return [msgspec.json.decode(line, type=Played) for line in lines if line.endswith(b"\n")]


def _keep(kept: Path | None, done: Played) -> None:
    if kept is not None:
        with kept.open("ab") as file:
            file.write(msgspec.json.encode(done) + b"\n")


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
